//! The tables, and how older databases become the present one.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::StoreError;

/// How long a write waits for another process (`spillway token …`) to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each step raises the version (`user_version`) by one. Steps are never changed once released: add another one.
const MIGRATIONS: [&str; 6] = [
    "
    CREATE TABLE channels (
        name TEXT PRIMARY KEY, title TEXT NOT NULL, tags TEXT NOT NULL, settings TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, channel TEXT, note TEXT NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_expiry ON tokens (expires_at);
    CREATE TABLE broadcasts (
        id TEXT PRIMARY KEY, channel TEXT NOT NULL, title TEXT NOT NULL, started_at INTEGER NOT NULL,
        ended_at INTEGER, peak_viewers INTEGER NOT NULL, alive_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX broadcasts_by_channel ON broadcasts (channel, id);
    CREATE TABLE checks (id INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
",
    "
    CREATE TABLE recordings (
        broadcast TEXT PRIMARY KEY REFERENCES broadcasts (id) ON DELETE CASCADE, state TEXT NOT NULL,
        duration_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, problem TEXT, reported_at INTEGER NOT NULL,
        fate TEXT NOT NULL CHECK (fate IN ('kept', 'doomed', 'deleted'))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX recordings_by_fate ON recordings (fate, broadcast);
    CREATE TABLE markers (
        broadcast TEXT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE, at INTEGER NOT NULL,
        id TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (broadcast, at, id)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE rooms (channel TEXT PRIMARY KEY, last INTEGER NOT NULL, state TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE entries (
        channel TEXT NOT NULL, seq INTEGER NOT NULL, broadcast TEXT, kind TEXT NOT NULL, author TEXT, key TEXT,
        at INTEGER, time INTEGER NOT NULL, shown INTEGER NOT NULL, deleted INTEGER NOT NULL, members TEXT NOT NULL,
        currency TEXT, amount INTEGER, PRIMARY KEY (channel, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX entries_by_key ON entries (channel, key) WHERE key IS NOT NULL;
    CREATE INDEX entries_by_broadcast ON entries (broadcast, seq) WHERE broadcast IS NOT NULL;
    CREATE TABLE followers (
        channel TEXT NOT NULL, author TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (channel, author)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE audiences (
        broadcast TEXT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE, part TEXT NOT NULL, tally TEXT NOT NULL,
        PRIMARY KEY (broadcast, part)
    ) STRICT, WITHOUT ROWID;
",
    "CREATE INDEX IF NOT EXISTS actions_by_channel ON entries (channel, seq) WHERE kind = 'action';",
    // What a log had before the channel was made: it's of one that had the name before.
    "ALTER TABLE rooms ADD COLUMN shown_after INTEGER NOT NULL DEFAULT 0;",
];

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::Open {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // FULL: what was answered to a client (a revocation!) isn't lost to a power cut, at a few writes a second.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )
        .map_err(failed)?;
    let found = migrate(&mut connection).map_err(failed)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(StoreError::TooNew {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    Ok(connection)
}

/// Applies what is missing, in one transaction that keeps other processes out; tells the version found.
fn migrate(connection: &mut Connection) -> rusqlite::Result<u32> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    if (found as usize) < MIGRATIONS.len() {
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    }
    transaction.commit()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_database_of_an_earlier_release_gets_what_came_later_and_keeps_what_it_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spillway.db");
        let earlier = Connection::open(&path).unwrap();
        earlier.execute_batch(MIGRATIONS[0]).unwrap();
        earlier.pragma_update(None, "user_version", 1).unwrap();
        let broadcast = "INSERT INTO broadcasts VALUES ('01', 'demo', '', 1, 2, 0, 2)";
        earlier.execute(broadcast, []).unwrap();
        drop(earlier);
        let present = open(&path).unwrap();
        let recording =
            "INSERT INTO recordings SELECT id, '\"ready\"', 1, 1, NULL, 1, 'kept' FROM broadcasts";
        assert_eq!(present.execute(recording, []).unwrap(), 1);
        drop(present);
        assert_eq!(
            migrate(&mut open(&path).unwrap()).unwrap(),
            MIGRATIONS.len() as u32
        );
    }

    #[test]
    fn an_index_that_is_there_already_is_no_fault() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spillway.db");
        let earlier = Connection::open(&path).unwrap();
        for step in &MIGRATIONS[..5] {
            earlier.execute_batch(step).unwrap();
        }
        earlier.pragma_update(None, "user_version", 4).unwrap();
        drop(earlier);
        open(&path).unwrap();
    }
}
