//! Recordings and markers in `SQLite`.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params, params};
use spillway_signaling::{
    BroadcastId, ChannelName, Marker, RecordingReport, RecordingState, api::model::Timestamp,
};

use super::{Sqlite, rows};
use crate::store::{
    Creation, Doom, Page, RecordingRetention, RecordingStore, RecordingTotals, Reported,
    StoreError, StoredRecording,
};

/// A recording with its broadcast, as [`rows::recording`] reads it.
const SELECT: &str = "SELECT b.id, b.channel, b.title, b.started_at, b.ended_at, b.peak_viewers,
        r.state, r.duration_ms, r.bytes, r.problem
    FROM recordings r JOIN broadcasts b ON b.id = r.broadcast";

/// Of the recordings that are finished: what is too old, what finds no room beside later ones and those being made, and what
/// belongs to a broadcast that the store has no room for.
const DOOM: &str = "
    UPDATE recordings SET fate = 'doomed' WHERE broadcast IN (
        SELECT id FROM (
            SELECT r.broadcast AS id, b.ended_at AS ended_at,
                r.state IN ('\"ready\"', '\"failed\"') AND b.ended_at IS NOT NULL AS is_finished,
                sum(r.bytes) OVER (
                    ORDER BY r.state IN ('\"ready\"', '\"failed\"') AND b.ended_at IS NOT NULL, r.broadcast DESC
                ) AS taken
            FROM recordings r JOIN broadcasts b ON b.id = r.broadcast WHERE r.fate = 'kept'
        )
        WHERE is_finished AND (
            ended_at < :ended_since
            OR taken > :bytes
            OR id IN (SELECT id FROM broadcasts ORDER BY id DESC LIMIT -1 OFFSET :total)
            OR id IN (SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY channel ORDER BY id DESC) AS place FROM broadcasts
            ) WHERE place > :per_channel)
        )
    )";

#[async_trait]
impl RecordingStore for Sqlite {
    async fn report_recording(
        &self,
        broadcast: &BroadcastId,
        report: &RecordingReport,
        at: Timestamp,
    ) -> Result<Reported, StoreError> {
        let (broadcast, report) = (broadcast.clone(), report.clone());
        self.run(move |db| {
            let transaction = db.transaction()?;
            let reported = note(&transaction, &broadcast, &report, at)?;
            transaction.commit()?;
            Ok(reported)
        })
        .await
    }

    async fn recording(
        &self,
        broadcast: &BroadcastId,
    ) -> Result<Option<StoredRecording>, StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE r.broadcast = ?1 AND r.fate = 'kept'"
            ))?
            .query_row([broadcast.as_str()], rows::recording)
            .optional()
        })
        .await
    }

    async fn recordings(
        &self,
        channel: &ChannelName,
        page: &Page,
    ) -> Result<Vec<StoredRecording>, StoreError> {
        let (channel, page) = (channel.clone(), page.clone());
        self.run(move |db| {
            db.prepare_cached(&format!(
                "{SELECT} WHERE b.channel = ?1 AND r.fate = 'kept' AND (?2 IS NULL OR b.id < ?2)
                 ORDER BY b.id DESC LIMIT ?3"
            ))?
            .query_map(
                params![channel.as_str(), page.after, page.limit as i64],
                rows::recording,
            )?
            .collect()
        })
        .await
    }

    async fn doom_recording(&self, broadcast: &BroadcastId) -> Result<Doom, StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            let transaction = db.transaction()?;
            let state = transaction
                .query_row(
                    "SELECT state FROM recordings WHERE broadcast = ?1 AND fate = 'kept'",
                    [broadcast.as_str()],
                    |row| rows::from_json::<RecordingState>(row, 0),
                )
                .optional()?;
            let doom = match state {
                None => Doom::Unknown,
                Some(state) if state.is_being_made() => Doom::BeingMade,
                Some(_) => {
                    doom(&transaction, &broadcast)?;
                    Doom::Doomed
                }
            };
            transaction.commit()?;
            Ok(doom)
        })
        .await
    }

    async fn doom_recordings_of(&self, channel: &ChannelName) -> Result<usize, StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            db.execute(
                "UPDATE recordings SET fate = 'doomed' WHERE fate = 'kept'
                 AND broadcast IN (SELECT id FROM broadcasts WHERE channel = ?1)",
                [channel.as_str()],
            )
        })
        .await
    }

    async fn doom_recordings(&self, keep: RecordingRetention) -> Result<usize, StoreError> {
        self.run(move |db| {
            db.execute(
                DOOM,
                named_params! {
                    ":ended_since": keep.ended_since.0 as i64,
                    ":bytes": i64::try_from(keep.bytes).unwrap_or(i64::MAX),
                    ":per_channel": keep.per_channel as i64,
                    ":total": keep.total as i64,
                },
            )
        })
        .await
    }

    async fn doomed_recordings(&self, most: usize) -> Result<Vec<BroadcastId>, StoreError> {
        self.run(move |db| {
            db.prepare_cached(
                "SELECT broadcast FROM recordings WHERE fate = 'doomed' ORDER BY broadcast LIMIT ?1",
            )?
            .query_map([most as i64], |row| rows::broadcast_id(row, 0))?
            .collect()
        })
        .await
    }

    async fn recording_deleted(&self, broadcast: &BroadcastId) -> Result<(), StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            db.execute(
                "UPDATE recordings SET fate = 'deleted', bytes = 0 WHERE broadcast = ?1 AND fate = 'doomed'",
                [broadcast.as_str()],
            )
            .map(drop)
        })
        .await
    }

    async fn fail_silent_recordings(
        &self,
        since: Timestamp,
        problem: &str,
    ) -> Result<Vec<BroadcastId>, StoreError> {
        let problem = problem.to_owned();
        self.run(move |db| {
            db.prepare_cached(
                "UPDATE recordings SET state = ?1, problem = ?2
                 WHERE fate = 'kept' AND reported_at < ?3 AND state NOT IN ('\"ready\"', '\"failed\"')
                 AND broadcast IN (SELECT id FROM broadcasts WHERE ended_at < ?3)
                 RETURNING broadcast",
            )?
            .query_map(
                params![rows::json(&RecordingState::Failed)?, problem, since.0 as i64],
                |row| rows::broadcast_id(row, 0),
            )?
            .collect()
        })
        .await
    }

    async fn recording_totals(&self) -> Result<RecordingTotals, StoreError> {
        self.run(|db| {
            let mut totals = RecordingTotals::default();
            let mut query = db.prepare_cached(
                "SELECT state, count(*), sum(bytes), fate = 'doomed' FROM recordings
                 WHERE fate != 'deleted' GROUP BY state, fate",
            )?;
            let mut groups = query.query([])?;
            while let Some(row) = groups.next()? {
                let count = row.get::<_, i64>(1)?.unsigned_abs();
                let bytes = row.get::<_, i64>(2)?.unsigned_abs();
                totals.bytes += bytes;
                if row.get(3)? {
                    totals.doomed += count;
                } else {
                    totals.kept_bytes += bytes;
                    totals.by_state.push((rows::from_json(row, 0)?, count));
                }
            }
            Ok(totals)
        })
        .await
    }

    async fn add_marker(
        &self,
        broadcast: &BroadcastId,
        marker: &Marker,
        most: usize,
    ) -> Result<Creation, StoreError> {
        let (broadcast, marker) = (broadcast.clone(), marker.clone());
        self.run(move |db| {
            let added = db.execute(
                "INSERT INTO markers (broadcast, at, id, title)
                 SELECT ?1, ?2, ?3, ?4
                 WHERE (SELECT count(*) FROM markers WHERE broadcast = ?1) < ?5
                 AND EXISTS (SELECT 1 FROM broadcasts WHERE id = ?1)",
                params![
                    broadcast.as_str(),
                    marker.at.0 as i64,
                    marker.id,
                    marker.title,
                    most as i64
                ],
            )?;
            Ok(if added > 0 {
                Creation::Created
            } else {
                Creation::Full
            })
        })
        .await
    }

    async fn markers(&self, broadcast: &BroadcastId) -> Result<Vec<Marker>, StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT id, at, title FROM markers WHERE broadcast = ?1 ORDER BY at, id",
            )?
            .query_map([broadcast.as_str()], rows::marker)?
            .collect()
        })
        .await
    }

    async fn delete_marker(
        &self,
        broadcast: &BroadcastId,
        marker: &str,
    ) -> Result<bool, StoreError> {
        let (broadcast, marker) = (broadcast.clone(), marker.to_owned());
        self.run(move |db| {
            let deleted = db.execute(
                "DELETE FROM markers WHERE broadcast = ?1 AND id = ?2",
                [broadcast.as_str(), &marker],
            )?;
            Ok(deleted > 0)
        })
        .await
    }
}

fn note(
    db: &Transaction<'_>,
    broadcast: &BroadcastId,
    report: &RecordingReport,
    at: Timestamp,
) -> rusqlite::Result<Reported> {
    let is_known: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM broadcasts WHERE id = ?1)",
        [broadcast.as_str()],
        |row| row.get(0),
    )?;
    if !is_known {
        return Ok(Reported::Unknown);
    }
    let was_deleted: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM recordings WHERE broadcast = ?1 AND fate != 'kept')",
        [broadcast.as_str()],
        |row| row.get(0),
    )?;
    if was_deleted {
        doom(db, broadcast)?;
        return Ok(Reported::Deleted);
    }
    db.execute(
        "INSERT INTO recordings (broadcast, state, duration_ms, bytes, problem, reported_at, fate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'kept')
         ON CONFLICT (broadcast) DO UPDATE
         SET state = ?2, duration_ms = ?3, bytes = ?4, problem = ?5, reported_at = ?6",
        params![
            broadcast.as_str(),
            rows::json(&report.state)?,
            report.duration_ms as i64,
            report.bytes as i64,
            report.problem,
            at.0 as i64,
        ],
    )?;
    Ok(Reported::Noted)
}

fn doom(db: &Connection, broadcast: &BroadcastId) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE recordings SET fate = 'doomed' WHERE broadcast = ?1",
        [broadcast.as_str()],
    )
}
