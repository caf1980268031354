//! Chat in `SQLite`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{
    Connection, OptionalExtension as _, Row, Transaction, named_params, params, types::Type,
};
use spillway_chat::{
    AuthorId, Entry, Kind,
    entry::{Draft, without_text},
    room::RoomState,
};
use spillway_signaling::{ChannelName, api::model::Timestamp};

use super::{Sqlite, rows};
use crate::store::{ChatStore, NewEntry, Placed, StoreError};

/// An entry as [`entry`] reads it.
const SELECT: &str =
    "SELECT seq, kind, author, key, at, time, shown, members, deleted FROM entries";

/// The number behind which a channel's own entries begin: those up to it are of a deleted one that had its name.
const FIRST: &str = "(SELECT shown_after FROM rooms WHERE channel = ?1)";

#[async_trait]
impl ChatStore for Sqlite {
    async fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Placed>, StoreError> {
        self.run(move |db| {
            let transaction = db.transaction()?;
            let placed = entries
                .iter()
                .map(|entry| append(&transaction, entry))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            transaction.commit()?;
            Ok(placed)
        })
        .await
    }

    async fn entries(
        &self,
        channel: &ChannelName,
        after: u64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE channel = ?1 AND seq > max(?2, {FIRST}) ORDER BY seq LIMIT ?3"
            ))?
            .query_map(params![channel.as_str(), after as i64, most as i64], entry)?
            .collect()
        })
        .await
    }

    async fn latest_entries(
        &self,
        channel: &ChannelName,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            let mut latest: Vec<Entry> = db
                .prepare_cached(&format!(
                    "{SELECT} WHERE channel = ?1 AND seq > {FIRST} ORDER BY seq DESC LIMIT ?2"
                ))?
                .query_map(params![channel.as_str(), most as i64], entry)?
                .collect::<rusqlite::Result<_>>()?;
            latest.reverse();
            Ok(latest)
        })
        .await
    }

    async fn actions(
        &self,
        channel: &ChannelName,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (channel, before) = (channel.clone(), place(before));
        self.run(move |db| {
            // Named, or the primary key is used, and all that was said is gone through for few actions.
            db.prepare_cached(&format!(
                "{SELECT} INDEXED BY actions_by_channel
                 WHERE channel = ?1 AND kind = 'action' AND seq < ?2 AND seq > {FIRST} ORDER BY seq DESC LIMIT ?3"
            ))?
            .query_map(params![channel.as_str(), before, most as i64], entry)?
            .collect()
        })
        .await
    }

    async fn broadcast_entries(
        &self,
        broadcast: &str,
        after: u64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let broadcast = broadcast.to_owned();
        self.run(move |db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE broadcast = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
            ))?
            .query_map(params![broadcast, after as i64, most as i64], entry)?
            .collect()
        })
        .await
    }

    async fn room(&self, channel: &ChannelName) -> Result<(RoomState, u64), StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            let room = db
                .prepare_cached("SELECT state, last FROM rooms WHERE channel = ?1")?
                .query_row([channel.as_str()], |row| {
                    let state: Option<String> = row.get(0)?;
                    let state = state.map(|_| rows::from_json(row, 0)).transpose()?;
                    Ok((
                        state.unwrap_or_default(),
                        row.get::<_, i64>(1)?.unsigned_abs(),
                    ))
                })
                .optional()?;
            Ok(room.unwrap_or_default())
        })
        .await
    }

    async fn raised(&self, broadcast: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let broadcast = broadcast.to_owned();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT currency, sum(amount) FROM entries
                 WHERE broadcast = ?1 AND currency IS NOT NULL GROUP BY currency",
            )?
            .query_map([broadcast], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })?
            .collect()
        })
        .await
    }

    async fn follow(
        &self,
        channel: &ChannelName,
        author: &AuthorId,
        since: Option<Timestamp>,
        most: usize,
    ) -> Result<bool, StoreError> {
        let (channel, author) = (channel.clone(), author.clone());
        self.run(move |db| {
            let Some(since) = since else {
                let gone = "DELETE FROM followers WHERE channel = ?1 AND author = ?2";
                db.prepare_cached(gone)?
                    .execute([channel.as_str(), author.as_str()])?;
                return Ok(true);
            };
            db.prepare_cached(
                "INSERT INTO followers (channel, author, since) SELECT ?1, ?2, ?3
                 WHERE (SELECT count(*) FROM followers WHERE channel = ?1) < ?4
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                channel.as_str(),
                author.as_str(),
                since.0 as i64,
                most as i64
            ])?;
            is_following(db, &channel, &author).map(|since| since.is_some())
        })
        .await
    }

    async fn following_since(
        &self,
        channel: &ChannelName,
        author: &AuthorId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (channel, author) = (channel.clone(), author.clone());
        self.run(move |db| is_following(db, &channel, &author))
            .await
    }

    async fn forget_entries(
        &self,
        before: Timestamp,
        most: u64,
        at_once: usize,
    ) -> Result<usize, StoreError> {
        self.run(move |db| {
            db.execute(
                "DELETE FROM entries WHERE (channel, seq) IN (
                    SELECT e.channel, e.seq FROM entries e JOIN rooms r ON r.channel = e.channel
                    LEFT JOIN broadcasts b ON b.id = e.broadcast
                    WHERE (b.id IS NULL AND e.time < :before)
                        OR (e.seq <= r.last - :most AND (e.kind != 'event' OR b.id IS NULL))
                    LIMIT :at_once)",
                named_params! { ":before": before.0 as i64, ":most": most as i64, ":at_once": at_once as i64 },
            )
        })
        .await
    }

    async fn forget_room(&self, channel: &ChannelName) -> Result<(), StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            let transaction = db.transaction()?;
            transaction.execute(
                "UPDATE rooms SET state = NULL WHERE channel = ?1",
                [channel.as_str()],
            )?;
            transaction.execute(
                "DELETE FROM followers WHERE channel = ?1",
                [channel.as_str()],
            )?;
            transaction.execute(
                "DELETE FROM entries WHERE channel = ?1
                 AND (broadcast IS NULL OR broadcast NOT IN (SELECT id FROM broadcasts WHERE channel = ?1))",
                [channel.as_str()],
            )?;
            transaction.commit()
        })
        .await
    }
}

/// Nothing that the log has by now is shown in a channel that is made now.
pub(super) fn begin_anew(db: &Transaction<'_>, channel: &ChannelName) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE rooms SET shown_after = last WHERE channel = ?1",
        [channel.as_str()],
    )?;
    Ok(())
}

/// An entry's number as the database has them; behind all of them without.
fn place(seq: Option<u64>) -> i64 {
    seq.and_then(|seq| i64::try_from(seq).ok())
        .unwrap_or(i64::MAX)
}

fn append(db: &Transaction<'_>, new: &NewEntry) -> rusqlite::Result<Placed> {
    let (channel, draft) = (new.channel.as_str(), &new.draft);
    if let Some(key) = &draft.key {
        let known: Option<i64> = db
            .prepare_cached("SELECT seq FROM entries WHERE channel = ?1 AND key = ?2")?
            .query_row([channel, key.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(seq) = known {
            return Ok(Placed::Known(seq.unsigned_abs()));
        }
    }
    let state = new.state.as_deref().map(rows::json).transpose()?;
    let seq: i64 = db
        .prepare_cached(
            "INSERT INTO rooms (channel, last, state) VALUES (?1, 1, ?2)
             ON CONFLICT (channel) DO UPDATE SET last = last + 1, state = coalesce(?2, state) RETURNING last",
        )?
        .query_row(params![channel, state], |row| row.get(0))?;
    db.prepare_cached(
        "INSERT INTO entries (channel, seq, broadcast, kind, author, key, at, time, shown, deleted, members, currency, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12)",
    )?
    .execute(params![
        channel,
        seq,
        new.broadcast,
        draft.kind.as_str(),
        draft.author.as_ref().map(AuthorId::as_str),
        draft.key,
        draft.at.map(|at| at as i64),
        draft.time as i64,
        draft.shown,
        draft.members,
        new.donation.as_ref().map(|(currency, _)| currency),
        new.donation.as_ref().map(|(_, amount)| *amount as i64),
    ])?;
    if let Some(deleted) = new.deletes {
        delete(db, channel, deleted)?;
    }
    Ok(Placed::New(seq.unsigned_abs()))
}

/// Takes the text of a message or an event back.
fn delete(db: &Transaction<'_>, channel: &str, seq: u64) -> rusqlite::Result<()> {
    let found: Option<(String, String)> = db
        .prepare_cached(
            "SELECT kind, members FROM entries WHERE channel = ?1 AND seq = ?2 AND kind != 'action'",
        )?
        .query_row(params![channel, seq as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((kind, members)) = found {
        let kind = Kind::named(&kind).unwrap_or(Kind::Message);
        db.prepare_cached(
            "UPDATE entries SET deleted = 1, members = ?3 WHERE channel = ?1 AND seq = ?2",
        )?
        .execute(params![channel, seq as i64, without_text(kind, &members)])?;
    }
    Ok(())
}

fn is_following(
    db: &Connection,
    channel: &ChannelName,
    author: &AuthorId,
) -> rusqlite::Result<Option<Timestamp>> {
    db.prepare_cached("SELECT since FROM followers WHERE channel = ?1 AND author = ?2")?
        .query_row([channel.as_str(), author.as_str()], |row| {
            Ok(Timestamp(row.get::<_, i64>(0)?.unsigned_abs()))
        })
        .optional()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let unreadable = |column, what: &str| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
    };
    let kind: String = row.get(1)?;
    let author: Option<String> = row.get(2)?;
    let author = author.map(AuthorId::try_from).transpose();
    Ok(Entry {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        draft: Draft {
            kind: Kind::named(&kind).ok_or_else(|| unreadable(1, "no kind of entry"))?,
            author: author.map_err(|_| unreadable(2, "no author"))?,
            key: row.get(3)?,
            at: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
            time: row.get::<_, i64>(5)?.unsigned_abs(),
            shown: row.get(6)?,
            members: row.get(7)?,
        },
        deleted: row.get(8)?,
    })
}
