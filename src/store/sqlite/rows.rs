//! Rows to values and back.

use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};
use spillway_signaling::{
    BroadcastId, ChannelName, Marker, RecordingReport,
    api::model::{Broadcast, ChannelProfile, Timestamp, Token},
};

use crate::store::{StoredChannel, StoredRecording};

pub(super) fn channel(row: &Row<'_>) -> rusqlite::Result<StoredChannel> {
    Ok(StoredChannel {
        name: name(row, 0)?,
        profile: ChannelProfile {
            title: row.get(1)?,
            tags: from_json(row, 2)?,
            settings: from_json(row, 3)?,
        },
        created_at: time(row, 4)?,
    })
}

pub(super) fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    let channel: Option<String> = row.get(2)?;
    Ok(Token {
        id: row.get(0)?,
        kind: from_json(row, 1)?,
        channel: channel.map(|_| name(row, 2)).transpose()?,
        note: row.get(3)?,
        created_at: time(row, 4)?,
        expires_at: optional_time(row, 5)?,
        revoked_at: optional_time(row, 6)?,
    })
}

pub(super) fn broadcast(row: &Row<'_>) -> rusqlite::Result<Broadcast> {
    Ok(Broadcast {
        id: row.get(0)?,
        channel: name(row, 1)?,
        title: row.get(2)?,
        started_at: time(row, 3)?,
        ended_at: optional_time(row, 4)?,
        peak_viewers: row.get(5)?,
    })
}

pub(super) fn recording(row: &Row<'_>) -> rusqlite::Result<StoredRecording> {
    Ok(StoredRecording {
        broadcast: broadcast(row)?,
        report: RecordingReport {
            state: from_json(row, 6)?,
            duration_ms: row.get::<_, i64>(7)?.unsigned_abs(),
            bytes: row.get::<_, i64>(8)?.unsigned_abs(),
            problem: row.get(9)?,
        },
    })
}

pub(super) fn marker(row: &Row<'_>) -> rusqlite::Result<Marker> {
    Ok(Marker {
        id: row.get(0)?,
        at: time(row, 1)?,
        title: row.get(2)?,
    })
}

pub(super) fn broadcast_id(row: &Row<'_>, column: usize) -> rusqlite::Result<BroadcastId> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error: spillway_signaling::InvalidBroadcastId| {
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
        })
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<ChannelName> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error: spillway_signaling::InvalidChannelName| {
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
        })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp(row.get::<_, i64>(column)?.unsigned_abs()))
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(|millis| Timestamp(millis.unsigned_abs())))
}
