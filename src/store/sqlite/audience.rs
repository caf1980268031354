//! The figures of audiences in `SQLite`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params, types::Type};
use spillway_signaling::BroadcastId;

use super::{Sqlite, rows};
use crate::{
    audience::{Part, Slice, Tally},
    store::{AudienceStore, StoreError},
};

#[async_trait]
impl AudienceStore for Sqlite {
    async fn add_audience(
        &self,
        broadcast: &BroadcastId,
        counted: &Slice,
    ) -> Result<bool, StoreError> {
        let (broadcast, counted) = (broadcast.clone(), counted.clone());
        self.run(move |db| {
            // Another process mustn't change what is read here before it's written.
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let is_known: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM broadcasts WHERE id = ?1)",
                [broadcast.as_str()],
                |row| row.get(0),
            )?;
            if !is_known {
                return Ok(false);
            }
            for (part, tally) in counted.parts() {
                add(&transaction, &broadcast, part, tally)?;
            }
            transaction.commit()?;
            Ok(true)
        })
        .await
    }

    async fn audience(&self, broadcast: &BroadcastId) -> Result<Slice, StoreError> {
        let broadcast = broadcast.clone();
        self.run(move |db| {
            let mut query =
                db.prepare_cached("SELECT part, tally FROM audiences WHERE broadcast = ?1")?;
            let mut found = query.query([broadcast.as_str()])?;
            let mut counted = Slice::default();
            while let Some(row) = found.next()? {
                let part: String = row.get(0)?;
                let part = part.parse::<Part>().map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
                })?;
                counted.put(part, &rows::from_json(row, 1)?);
            }
            Ok(counted)
        })
        .await
    }
}

fn add(
    db: &Transaction<'_>,
    broadcast: &BroadcastId,
    part: Part,
    tally: &Tally,
) -> rusqlite::Result<()> {
    let part = part.to_string();
    let before = db
        .prepare_cached("SELECT tally FROM audiences WHERE broadcast = ?1 AND part = ?2")?
        .query_row(params![broadcast.as_str(), part], |row| {
            rows::from_json::<Tally>(row, 0)
        })
        .optional()?;
    let mut sum = before.unwrap_or_default();
    sum.add(tally);
    db.prepare_cached(
        "INSERT INTO audiences (broadcast, part, tally) VALUES (?1, ?2, ?3)
         ON CONFLICT (broadcast, part) DO UPDATE SET tally = ?3",
    )?
    .execute(params![broadcast.as_str(), part, rows::json(&sum)?])?;
    Ok(())
}
