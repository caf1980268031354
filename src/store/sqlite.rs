//! The store of a single node: one `SQLite` database, used by one thread.

mod audience;
mod chat;
mod recordings;
mod rows;
mod schema;

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};
use spillway_signaling::{
    ChannelName,
    api::model::{Broadcast, ChannelProfile, Timestamp, Token},
};
use tokio::sync::{mpsc, oneshot};

use super::{Creation, Page, REVOCATIONS, Retention, Store, StoreError, StoredChannel};

/// Jobs that wait for the database thread; callers wait beyond it.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle on the thread that owns the connection. The thread ends with the last handle.
#[derive(Debug, Clone)]
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
}

impl Sqlite {
    /// Opens (and, if need be, creates or migrates) the database. Blocks while it does.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(path)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || work(connection, queue))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { jobs })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits for the answer when the request was dropped: the work is done all the same.
            let _ = answer.send(job(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        result
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(|error| StoreError::Failed(error.to_string()))
    }
}

fn work(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        job(&mut connection);
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn channel(&self, name: &ChannelName) -> Result<Option<StoredChannel>, StoreError> {
        let name = name.clone();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT name, title, tags, settings, created_at FROM channels WHERE name = ?1",
            )?
            .query_row([name.as_str()], rows::channel)
            .optional()
        })
        .await
    }

    async fn channels(&self, page: &Page) -> Result<Vec<StoredChannel>, StoreError> {
        let page = page.clone();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT name, title, tags, settings, created_at FROM channels
                 WHERE name > ?1 ORDER BY name LIMIT ?2",
            )?
            .query_map(
                params![page.after.unwrap_or_default(), page.limit as i64],
                rows::channel,
            )?
            .collect()
        })
        .await
    }

    async fn create_channel(
        &self,
        channel: &StoredChannel,
        most: usize,
    ) -> Result<Creation, StoreError> {
        let channel = channel.clone();
        self.run(move |db| {
            let transaction = db.transaction()?;
            let exists: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM channels WHERE name = ?1)",
                [channel.name.as_str()],
                |row| row.get(0),
            )?;
            if exists {
                return Ok(Creation::Exists);
            }
            let count: i64 = transaction.query_row("SELECT count(*) FROM channels", [], |row| row.get(0))?;
            if count >= most as i64 {
                return Ok(Creation::Full);
            }
            transaction.execute(
                "INSERT INTO channels (name, title, tags, settings, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    channel.name.as_str(),
                    channel.profile.title,
                    rows::json(&channel.profile.tags)?,
                    rows::json(&channel.profile.settings)?,
                    channel.created_at.0 as i64,
                ],
            )?;
            chat::begin_anew(&transaction, &channel.name)?;
            transaction.commit()?;
            Ok(Creation::Created)
        })
        .await
    }

    async fn update_channel(
        &self,
        name: &ChannelName,
        profile: &ChannelProfile,
    ) -> Result<bool, StoreError> {
        let (name, profile) = (name.clone(), profile.clone());
        self.run(move |db| {
            let changed = db.execute(
                "UPDATE channels SET title = ?2, tags = ?3, settings = ?4 WHERE name = ?1",
                params![
                    name.as_str(),
                    profile.title,
                    rows::json(&profile.tags)?,
                    rows::json(&profile.settings)?
                ],
            )?;
            Ok(changed > 0)
        })
        .await
    }

    async fn delete_channel(&self, name: &ChannelName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.run(move |db| {
            Ok(db.execute("DELETE FROM channels WHERE name = ?1", [name.as_str()])? > 0)
        })
        .await
    }

    async fn add_token(&self, token: &Token, most: usize) -> Result<Creation, StoreError> {
        let token = token.clone();
        self.run(move |db| {
            let added = db.execute(
                "INSERT INTO tokens (id, kind, channel, note, created_at, expires_at, revoked_at)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE (SELECT count(*) FROM tokens) < ?8",
                params![
                    token.id,
                    rows::json(&token.kind)?,
                    token.channel.as_ref().map(ChannelName::as_str),
                    token.note,
                    token.created_at.0 as i64,
                    token.expires_at.map(|at| at.0 as i64),
                    token.revoked_at.map(|at| at.0 as i64),
                    most as i64,
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

    async fn token(&self, id: &str) -> Result<Option<Token>, StoreError> {
        let id = id.to_owned();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT id, kind, channel, note, created_at, expires_at, revoked_at FROM tokens WHERE id = ?1",
            )?
            .query_row([id], rows::token)
            .optional()
        })
        .await
    }

    async fn tokens(&self, now: Timestamp, page: &Page) -> Result<Vec<Token>, StoreError> {
        let page = page.clone();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT id, kind, channel, note, created_at, expires_at, revoked_at FROM tokens
                 WHERE (?1 IS NULL OR id < ?1) AND (expires_at IS NULL OR expires_at > ?2)
                 ORDER BY id DESC LIMIT ?3",
            )?
            .query_map(
                params![page.after, now.0 as i64, page.limit as i64],
                rows::token,
            )?
            .collect()
        })
        .await
    }

    async fn revoke_token(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.run(move |db| {
            let changed = db.execute(
                "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
                params![id, at.0 as i64],
            )?;
            Ok(changed > 0)
        })
        .await
    }

    async fn revoked_since(&self, at: Timestamp) -> Result<Vec<String>, StoreError> {
        self.run(move |db| {
            let mut query = db.prepare_cached(
                "SELECT id FROM tokens WHERE revoked_at >= ?1 ORDER BY revoked_at DESC LIMIT ?2",
            )?;
            query
                .query_map(params![at.0 as i64, REVOCATIONS as i64], |row| row.get(0))?
                .collect()
        })
        .await
    }

    async fn forget_tokens(
        &self,
        expired_before: Timestamp,
        revoked_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| {
            db.execute(
                "DELETE FROM tokens WHERE expires_at < ?1 OR revoked_at < ?2",
                [expired_before.0 as i64, revoked_before.0 as i64],
            )
            .map(drop)
        })
        .await
    }

    async fn save_broadcast(
        &self,
        broadcast: &Broadcast,
        alive_at: Timestamp,
    ) -> Result<(), StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            db.execute(
                "INSERT INTO broadcasts (id, channel, title, started_at, ended_at, peak_viewers, alive_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE SET ended_at = ?5, peak_viewers = ?6, alive_at = ?7",
                params![
                    broadcast.id,
                    broadcast.channel.as_str(),
                    broadcast.title,
                    broadcast.started_at.0 as i64,
                    broadcast.ended_at.map(|at| at.0 as i64),
                    broadcast.peak_viewers,
                    alive_at.0 as i64,
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn broadcast(&self, id: &str) -> Result<Option<Broadcast>, StoreError> {
        let id = id.to_owned();
        self.run(move |db| {
            db.prepare_cached(
                "SELECT id, channel, title, started_at, ended_at, peak_viewers FROM broadcasts WHERE id = ?1",
            )?
            .query_row([id], rows::broadcast)
            .optional()
        })
        .await
    }

    async fn broadcasts(
        &self,
        channel: Option<&ChannelName>,
        page: &Page,
    ) -> Result<Vec<Broadcast>, StoreError> {
        let (channel, page) = (channel.cloned(), page.clone());
        self.run(move |db| {
            db.prepare_cached(
                "SELECT id, channel, title, started_at, ended_at, peak_viewers FROM broadcasts
                 WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR id < ?2)
                 ORDER BY id DESC LIMIT ?3",
            )?
            .query_map(
                params![
                    channel.as_ref().map(ChannelName::as_str),
                    page.after,
                    page.limit as i64
                ],
                rows::broadcast,
            )?
            .collect()
        })
        .await
    }

    async fn end_open_broadcasts(&self) -> Result<(), StoreError> {
        self.run(|db| {
            db.execute(
                "UPDATE broadcasts SET ended_at = alive_at WHERE ended_at IS NULL",
                [],
            )
            .map(drop)
        })
        .await
    }

    async fn forget_broadcasts(&self, keep: Retention) -> Result<(), StoreError> {
        self.run(move |db| {
            db.execute(
                "DELETE FROM broadcasts WHERE ended_at IS NOT NULL
                 AND id NOT IN (SELECT broadcast FROM recordings WHERE fate != 'deleted') AND (
                     ended_at < ?1
                     OR id IN (SELECT id FROM broadcasts ORDER BY id DESC LIMIT -1 OFFSET ?3)
                     OR id IN (SELECT id FROM (
                         SELECT id, row_number() OVER (PARTITION BY channel ORDER BY id DESC) AS place FROM broadcasts
                     ) WHERE place > ?2)
                 )",
                params![
                    keep.ended_since.0 as i64,
                    keep.per_channel as i64,
                    keep.total as i64
                ],
            )
            .map(drop)
        })
        .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.run(|db| {
            db.execute(
                "INSERT OR REPLACE INTO checks (id, at) VALUES (1, unixepoch())",
                [],
            )
            .map(drop)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn sqlite_conforms() {
        conformance::all(|| {
            let directory = tempfile::tempdir().unwrap();
            let store = Sqlite::open(&directory.path().join("spillway.db")).unwrap();
            (store, directory)
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spillway.db");
        let channel = conformance::channel("demo");
        Sqlite::open(&path)
            .unwrap()
            .create_channel(&channel, 10)
            .await
            .unwrap();
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(store.channel(&channel.name).await.unwrap(), Some(channel));
    }

    #[tokio::test]
    async fn two_processes_share_a_database() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spillway.db");
        let (server, command) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
        let channel = conformance::channel("demo");
        command.create_channel(&channel, 10).await.unwrap();
        assert!(server.channel(&channel.name).await.unwrap().is_some());
    }

    #[test]
    fn a_database_of_a_later_release_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spillway.db");
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = Sqlite::open(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::TooNew { found: 99, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let error = Sqlite::open(Path::new("/nonexistent/spillway.db"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nonexistent/spillway.db") && error.contains("writable"),
            "{error}"
        );
    }
}
