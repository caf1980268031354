//! Recordings as the HTTP face sees them: what sidecars say of them, who finds them, and their media.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use spillway_signaling::{
    BroadcastId, ChannelName, Marker, NewMarker, ObjectPart, ObjectRead, Recording,
    RecordingReport, RecordingState, Recordings, Refusal, Ticket, VodObject, VodSource,
    api::model::{Listing, PageRequest},
};

use super::{
    Node,
    api::{listing, one_more},
    refusals,
};
use crate::{
    storage::StorageError,
    store::{Doom, Reported, StoredRecording},
    time,
};

/// How long what is known of a recording holds: players ask for several of its objects a second.
const KNOWN_FOR: Duration = Duration::from_secs(2);
/// The most recordings of which that is known; beyond it all is found out anew.
const MOST_KNOWN: usize = 4096;
/// When to ask a storage again that doesn't answer.
const STORAGE_RETRY: Duration = Duration::from_secs(2);

/// What was found out about recordings lately.
#[derive(Default)]
pub(super) struct KnownRecordings {
    by_id: HashMap<BroadcastId, Known>,
}

#[derive(Clone)]
struct Known {
    channel: ChannelName,
    state: RecordingState,
    until: Instant,
}

impl KnownRecordings {
    fn find(&self, id: &BroadcastId, now: Instant) -> Option<Known> {
        let known = self.by_id.get(id)?;
        (now < known.until).then(|| known.clone())
    }

    fn note(&mut self, id: BroadcastId, known: Known) {
        if self.by_id.len() >= MOST_KNOWN {
            self.by_id.clear();
        }
        self.by_id.insert(id, known);
    }

    /// Something has changed.
    pub(super) fn forget(&mut self) {
        self.by_id.clear();
    }
}

#[async_trait]
impl Recordings for Node {
    async fn note_recording(
        &self,
        broadcast: &BroadcastId,
        report: RecordingReport,
    ) -> Result<(), Refusal> {
        if let RecordingState::Failed = report.state {
            let problem = report
                .problem
                .as_deref()
                .unwrap_or("its sidecar says no more");
            tracing::warn!(%broadcast, problem, "a recording failed");
        }
        let store = &self.parts.store;
        let reported = store
            .report_recording(broadcast, &report, time::now())
            .await;
        match reported.map_err(refusals::from_store)? {
            Reported::Noted if self.has_lost_its_channel(broadcast).await? => Err(no_recording()),
            Reported::Noted => {
                self.state().recordings.forget();
                Ok(())
            }
            Reported::Unknown => Err(no_broadcast()),
            Reported::Deleted => {
                self.doomed.notify_one();
                Err(no_recording())
            }
        }
    }

    async fn delete_recording(&self, broadcast: &BroadcastId) -> Result<(), Refusal> {
        let doom = self.parts.store.doom_recording(broadcast).await;
        match doom.map_err(refusals::from_store)? {
            Doom::Doomed => {
                tracing::info!(%broadcast, "a recording is deleted, as an administrator wants");
                self.state().recordings.forget();
                self.doomed.notify_one();
                Ok(())
            }
            Doom::BeingMade => Err(Refusal::conflict(
                "the recording is being made; delete it when it's ready or failed",
            )),
            Doom::Unknown => Err(no_recording()),
        }
    }

    async fn recordings(
        &self,
        channel: &ChannelName,
        page: PageRequest,
    ) -> Result<Listing<Recording>, Refusal> {
        let stored = self.parts.store.recordings(channel, &one_more(&page)).await;
        let stored = stored.map_err(refusals::from_store)?;
        let recordings = stored
            .into_iter()
            .map(described)
            .collect::<Result<_, _>>()?;
        Ok(listing(recordings, page.limit, |recording: &Recording| {
            recording.broadcast.to_string()
        }))
    }

    async fn recording(&self, broadcast: &BroadcastId) -> Result<Recording, Refusal> {
        described(self.stored_recording(broadcast).await?)
    }

    async fn markers(&self, broadcast: &BroadcastId) -> Result<Vec<Marker>, Refusal> {
        self.list_markers(broadcast).await
    }

    async fn add_marker(
        &self,
        channel: &ChannelName,
        marker: NewMarker,
    ) -> Result<Marker, Refusal> {
        self.set_marker(channel, marker).await
    }

    async fn delete_marker(&self, broadcast: &BroadcastId, marker: &str) -> Result<(), Refusal> {
        self.remove_marker(broadcast, marker).await
    }

    async fn find_vod(
        &self,
        broadcast: &BroadcastId,
        ticket: Ticket<'_>,
    ) -> Result<VodSource, Refusal> {
        let known = self.known_recording(broadcast).await?;
        let scope = format!("/vod/{broadcast}");
        let signature = self.admit_viewer(&known.channel, &scope, ticket).await?;
        Ok(VodSource {
            is_final: known.state == RecordingState::Ready,
            signature,
        })
    }

    async fn read_vod(
        &self,
        broadcast: &BroadcastId,
        object: &VodObject,
        part: ObjectPart,
    ) -> Result<ObjectRead, Refusal> {
        let read = self.parts.storage.read(broadcast, object, part).await;
        read.map_err(|error| self.refused(&error))
    }
}

impl Node {
    async fn stored_recording(&self, id: &BroadcastId) -> Result<StoredRecording, Refusal> {
        let stored = self.parts.store.recording(id).await;
        stored
            .map_err(refusals::from_store)?
            .ok_or_else(no_recording)
    }

    async fn known_recording(&self, id: &BroadcastId) -> Result<Known, Refusal> {
        let known = self.state().recordings.find(id, Instant::now());
        if let Some(known) = known {
            return Ok(known);
        }
        let stored = self.stored_recording(id).await?;
        let known = Known {
            channel: stored.broadcast.channel,
            state: stored.report.state,
            until: Instant::now() + KNOWN_FOR,
        };
        self.state().recordings.note(id.clone(), known.clone());
        Ok(known)
    }

    /// A channel that was deleted has no recordings, and one of the same name must get none of its.
    async fn has_lost_its_channel(&self, id: &BroadcastId) -> Result<bool, Refusal> {
        let channel = self.stored_recording(id).await?.broadcast.channel;
        let store = &self.parts.store;
        let found = store
            .channel(&channel)
            .await
            .map_err(refusals::from_store)?;
        if found.is_none() {
            self.doom_recordings_of(&channel).await?;
        }
        Ok(found.is_none())
    }

    /// Deletes the recordings of a channel that goes.
    pub(super) async fn doom_recordings_of(&self, channel: &ChannelName) -> Result<(), Refusal> {
        let doomed = self.parts.store.doom_recordings_of(channel).await;
        if doomed.map_err(refusals::from_store)? > 0 {
            self.state().recordings.forget();
            self.doomed.notify_one();
        }
        Ok(())
    }

    fn refused(&self, error: &StorageError) -> Refusal {
        if !matches!(error, StorageError::Missing) {
            self.storage_log.warn(error);
        }
        match error {
            StorageError::Missing => {
                Refusal::NotFound("the recording has no such file, or not yet".into())
            }
            StorageError::Silent | StorageError::Busy => Refusal::Overloaded {
                detail: error.to_string(),
                retry_after: STORAGE_RETRY,
            },
            // What it says may name a bucket or a path.
            StorageError::Failed(_) | StorageError::Unusable { .. } => Refusal::Broken(
                "the storage of recordings failed; the server's log says how".into(),
            ),
        }
    }
}

/// Says what's wrong with the storage, but not for every request.
#[derive(Default)]
pub(super) struct StorageLog {
    last: std::sync::Mutex<Option<Instant>>,
}

impl StorageLog {
    const PAUSE: Duration = Duration::from_secs(10);

    fn warn(&self, error: &StorageError) {
        let now = Instant::now();
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_none_or(|last| now.duration_since(last) >= Self::PAUSE) {
            *last = Some(now);
            drop(last);
            tracing::warn!(%error, "recordings can't be served (told once in 10 s)");
        }
    }
}

fn described(stored: StoredRecording) -> Result<Recording, Refusal> {
    let StoredRecording { broadcast, report } = stored;
    let id = broadcast_id(&broadcast.id)?;
    Ok(Recording::new(id, broadcast, report))
}

/// An identifier of this node's own.
pub(super) fn broadcast_id(id: &str) -> Result<BroadcastId, Refusal> {
    id.parse()
        .map_err(|error| Refusal::Internal(format!("the broadcast {id:?}: {error}")))
}

pub(super) fn no_broadcast() -> Refusal {
    Refusal::NotFound("there is no such broadcast".into())
}

fn no_recording() -> Refusal {
    Refusal::NotFound("there is no such recording; it may have been deleted".into())
}
