//! The recordings of the platform in memory: that of the broadcast `b1` of `demo`, which ended. Its signature is `1-sound`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use axum::body::Body;
use spillway_signaling::{
    BroadcastId, ChannelName, Marker, NewMarker, ObjectPart, ObjectRead, Platform as _, Recording,
    RecordingReport, RecordingState, Recordings, Refusal, Signature, Ticket, VodObject, VodSource,
    api::model::{Listing, PageRequest, Timestamp},
    platform::Action,
};

use crate::fake::{Fake, not_found};

pub(crate) const SIGNATURE: &str = "1-sound";
/// 2026-01-01T00:00:00Z
pub(crate) const WRITTEN: Timestamp = Timestamp(1_767_225_600_000);

#[derive(Default)]
pub(crate) struct FakeRecordings {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    report: Option<RecordingReport>,
    markers: Vec<Marker>,
    objects: BTreeMap<String, (Vec<u8>, u32)>,
    refuse: Option<Refusal>,
}

impl FakeRecordings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts an object into the storage, with another tag each time.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        let version = state.objects.get(path).map_or(1, |(_, last)| last + 1);
        state
            .objects
            .insert(path.to_owned(), (bytes.to_vec(), version));
    }

    pub(crate) fn report(&self, state: RecordingState) {
        self.state().report = Some(RecordingReport {
            state,
            duration_ms: 1000,
            bytes: 5000,
            problem: None,
        });
    }

    pub(crate) fn reported(&self) -> RecordingReport {
        self.state().report.clone().unwrap()
    }

    /// Makes every later read fail like that.
    pub(crate) fn refuse_reading(&self, refusal: Refusal) {
        self.state().refuse = Some(refusal);
    }
}

impl Fake {
    pub(crate) async fn admit(
        &self,
        channel: &ChannelName,
        ticket: Ticket<'_>,
    ) -> Result<Option<Signature>, Refusal> {
        match ticket {
            Ticket::Signature(signature) if signature.as_str() == SIGNATURE => Ok(None),
            Ticket::Signature(_) => Err(Refusal::Forbidden("the address has expired".into())),
            Ticket::Caller(caller) => {
                self.authorize(caller, Action::View(channel)).await?;
                let is_restricted = self.channel(channel).await?.settings.restricted_viewing;
                Ok(is_restricted.then(|| SIGNATURE.parse().unwrap()))
            }
        }
    }
}

#[async_trait]
impl Recordings for Fake {
    async fn note_recording(
        &self,
        broadcast: &BroadcastId,
        report: RecordingReport,
    ) -> Result<(), Refusal> {
        self.broadcast(broadcast.as_str()).await?;
        self.recordings.state().report = Some(report);
        Ok(())
    }

    async fn delete_recording(&self, broadcast: &BroadcastId) -> Result<(), Refusal> {
        if self.recording(broadcast).await?.state.is_being_made() {
            return Err(Refusal::conflict("it's being made"));
        }
        self.recordings.state().report = None;
        Ok(())
    }

    async fn recordings(
        &self,
        _: &ChannelName,
        _: PageRequest,
    ) -> Result<Listing<Recording>, Refusal> {
        let only = self.recording(&"b1".parse().unwrap()).await;
        Ok(Listing {
            items: only.into_iter().collect(),
            next: None,
        })
    }

    async fn recording(&self, id: &BroadcastId) -> Result<Recording, Refusal> {
        let broadcast = self.broadcast(id.as_str()).await?;
        let report = self.recordings.state().report.clone();
        let report = report.ok_or_else(|| not_found("recording"))?;
        Ok(Recording::new(id.clone(), broadcast, report))
    }

    async fn markers(&self, broadcast: &BroadcastId) -> Result<Vec<Marker>, Refusal> {
        self.broadcast(broadcast.as_str()).await?;
        Ok(self.recordings.state().markers.clone())
    }

    async fn add_marker(&self, channel: &ChannelName, new: NewMarker) -> Result<Marker, Refusal> {
        if self.channel(channel).await?.live_since.is_none() {
            return Err(Refusal::conflict("the channel isn't live"));
        }
        let mut state = self.recordings.state();
        let marker = Marker {
            id: format!("m{}", state.markers.len()),
            at: new.at.unwrap_or(WRITTEN),
            title: new.title,
        };
        state.markers.push(marker.clone());
        Ok(marker)
    }

    async fn delete_marker(&self, _: &BroadcastId, id: &str) -> Result<(), Refusal> {
        let mut state = self.recordings.state();
        let before = state.markers.len();
        state.markers.retain(|marker| marker.id != id);
        if state.markers.len() < before {
            Ok(())
        } else {
            Err(not_found("marker"))
        }
    }

    async fn find_vod(
        &self,
        broadcast: &BroadcastId,
        ticket: Ticket<'_>,
    ) -> Result<VodSource, Refusal> {
        let recording = self.recording(broadcast).await?;
        Ok(VodSource {
            is_final: recording.state == RecordingState::Ready,
            signature: self.admit(&recording.channel, ticket).await?,
        })
    }

    async fn read_vod(
        &self,
        _: &BroadcastId,
        object: &VodObject,
        part: ObjectPart,
    ) -> Result<ObjectRead, Refusal> {
        let state = self.recordings.state();
        if let Some(refusal) = &state.refuse {
            return Err(refusal.clone());
        }
        let found = state.objects.get(object.path());
        let (bytes, version) = found.ok_or_else(|| not_found("file"))?;
        let size = bytes.len() as u64;
        let range = match part {
            ObjectPart::Nothing => 0..0,
            ObjectPart::Whole => 0..size,
            ObjectPart::From { first, .. } if first >= size => 0..0,
            ObjectPart::From { first, last } => {
                first..last.map_or(size, |last| last.saturating_add(1).min(size))
            }
            ObjectPart::Last(length) => size.saturating_sub(length)..size,
        };
        let body = bytes[range.start as usize..range.end as usize].to_vec();
        Ok(ObjectRead {
            size,
            tag: Some(format!("\"v{version}\"")),
            modified: WRITTEN,
            range,
            body: Body::from(body),
        })
    }
}
