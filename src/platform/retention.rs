//! How long recordings are kept: for a time, as far as there is room, and as long as the store remembers their broadcasts.

use std::time::Duration;

use spillway_signaling::api::model::Timestamp;

use super::Node;
use crate::{
    store::{RecordingRetention, StoreError},
    time,
};

/// A recording that is being made, of a broadcast that is over, and of which nothing was heard for so long, is given up. To make
/// one file of a long broadcast, and to send it to a slow storage, may take hours.
const SILENCE: Duration = Duration::from_hours(6);
const GIVEN_UP: &str = "nothing was heard of its sidecar for 6 hours";
/// Recordings whose objects are deleted before others are looked for.
const AT_A_TIME: usize = 100;

impl Node {
    /// Deletes the recordings that aren't to be kept. To be called about once a minute, and at [`Node::recording_doomed`].
    pub async fn keep_recordings(&self) {
        if let Err(error) = self.choose_recordings().await {
            tracing::error!(%error, "it can't be told which recordings are to be kept");
        }
        self.delete_doomed().await;
    }

    /// Waits until a recording is to be deleted.
    pub async fn recording_doomed(&self) {
        self.doomed.notified().await;
    }

    async fn choose_recordings(&self) -> Result<(), StoreError> {
        let (store, keep) = (&self.parts.store, &self.rules.keep);
        let now = time::now();
        let silent = time::before(now, SILENCE);
        for broadcast in store.fail_silent_recordings(silent, GIVEN_UP).await? {
            tracing::warn!(%broadcast, "a recording is given up: {GIVEN_UP}");
        }
        let retention = RecordingRetention {
            ended_since: keep
                .recordings
                .map_or(Timestamp(0), |kept| time::before(now, kept)),
            bytes: keep.recording_bytes.unwrap_or(u64::MAX),
            per_channel: keep.broadcasts_per_channel,
            total: keep.broadcasts_in_all,
        };
        let doomed = store.doom_recordings(retention).await?;
        if doomed > 0 {
            tracing::info!(
                recordings = doomed,
                "old recordings are deleted (vod.retention, vod.quota, limits.broadcasts)"
            );
            self.state().recordings.forget();
        }
        self.warn_of_quota().await
    }

    /// What is being made is never deleted, so that the quota may be passed by it alone.
    async fn warn_of_quota(&self) -> Result<(), StoreError> {
        let Some(quota) = self.rules.keep.recording_bytes else {
            return Ok(());
        };
        let taken = self.parts.store.recording_totals().await?.kept_bytes;
        if taken > quota {
            tracing::warn!(
                taken,
                quota,
                "recordings take more than vod.quota: what is being recorded is not deleted"
            );
        }
        Ok(())
    }

    async fn delete_doomed(&self) {
        let store = &self.parts.store;
        let doomed = match store.doomed_recordings(AT_A_TIME).await {
            Ok(doomed) => doomed,
            Err(error) => return tracing::error!(%error, "no recordings can be deleted"),
        };
        if doomed.len() == AT_A_TIME {
            // There may be more.
            self.doomed.notify_one();
        }
        for broadcast in doomed {
            if let Err(error) = self.parts.storage.delete_broadcast(&broadcast).await {
                // The others are of the same storage.
                return tracing::warn!(%error, %broadcast, "a recording can't be deleted; it's tried again in a minute");
            }
            match store.recording_deleted(&broadcast).await {
                Ok(()) => tracing::debug!(%broadcast, "a recording's objects are deleted"),
                Err(error) => tracing::error!(%error, %broadcast, "a deletion can't be noted"),
            }
        }
    }
}
