//! What a node remembers of recordings: the part of [`Store`](super::Store) that is about them.

use async_trait::async_trait;
use spillway_signaling::{
    BroadcastId, ChannelName, Marker, RecordingReport, RecordingState,
    api::model::{Broadcast, Timestamp},
};

use super::{Creation, Page, StoreError};

/// Recordings and markers. A recording is *kept*, then *doomed*, when nobody finds it any more but its objects are still there,
/// then *deleted*. A broadcast isn't forgotten before its recording is deleted, so no object is without a row that knows of it.
#[async_trait]
pub trait RecordingStore: Send + Sync + 'static {
    /// Writes down what a sidecar says of a recording. One that was deleted is doomed again, since there may be objects again.
    async fn report_recording(
        &self,
        broadcast: &BroadcastId,
        report: &RecordingReport,
        at: Timestamp,
    ) -> Result<Reported, StoreError>;
    /// One recording that is kept.
    async fn recording(
        &self,
        broadcast: &BroadcastId,
    ) -> Result<Option<StoredRecording>, StoreError>;
    /// The recordings of a channel that are kept, the latest first.
    async fn recordings(
        &self,
        channel: &ChannelName,
        page: &Page,
    ) -> Result<Vec<StoredRecording>, StoreError>;

    /// Dooms one recording, unless it's being made.
    async fn doom_recording(&self, broadcast: &BroadcastId) -> Result<Doom, StoreError>;
    /// Dooms the recordings of a channel that is deleted, those being made as well. How many.
    async fn doom_recordings_of(&self, channel: &ChannelName) -> Result<usize, StoreError>;
    /// Dooms the recordings that aren't to be kept; never one that's being made. How many.
    async fn doom_recordings(&self, keep: RecordingRetention) -> Result<usize, StoreError>;
    /// Those whose objects are to be deleted, the oldest first, up to a number.
    async fn doomed_recordings(&self, most: usize) -> Result<Vec<BroadcastId>, StoreError>;
    /// The objects of a doomed recording are deleted.
    async fn recording_deleted(&self, broadcast: &BroadcastId) -> Result<(), StoreError>;
    /// Gives up the recordings of broadcasts that are over which nobody reported since that moment. Which.
    async fn fail_silent_recordings(
        &self,
        since: Timestamp,
        problem: &str,
    ) -> Result<Vec<BroadcastId>, StoreError>;
    /// How many recordings there are in which state, and how much of the storage they take; doomed ones take it too.
    async fn recording_totals(&self) -> Result<RecordingTotals, StoreError>;

    /// Adds a marker, unless the broadcast has `most` already or isn't known.
    async fn add_marker(
        &self,
        broadcast: &BroadcastId,
        marker: &Marker,
        most: usize,
    ) -> Result<Creation, StoreError>;
    /// The markers of a broadcast by time.
    async fn markers(&self, broadcast: &BroadcastId) -> Result<Vec<Marker>, StoreError>;
    /// Takes a marker out. False: there's no such marker.
    async fn delete_marker(
        &self,
        broadcast: &BroadcastId,
        marker: &str,
    ) -> Result<bool, StoreError>;
}

/// A recording as it's remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecording {
    /// Of which broadcast.
    pub broadcast: Broadcast,
    /// What a sidecar said last.
    pub report: RecordingReport,
}

/// What [`RecordingStore::report_recording`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It's written down.
    Noted,
    /// There's no such broadcast.
    Unknown,
    /// The recording was deleted.
    Deleted,
}

/// What [`RecordingStore::doom_recording`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doom {
    /// It's doomed.
    Doomed,
    /// It's being made.
    BeingMade,
    /// There's none.
    Unknown,
}

/// Which recordings are kept, beside those being made: those that fulfil all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingRetention {
    /// Those of broadcasts that ended at that moment or later.
    pub ended_since: Timestamp,
    /// The latest that take so many bytes of the storage, with those being made.
    pub bytes: u64,
    /// Those of the latest broadcasts of each channel.
    pub per_channel: usize,
    /// Those of the latest broadcasts of all.
    pub total: usize,
}

/// How many recordings there are, and how large they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingTotals {
    /// Those that are kept, by state; states that none is in are left out.
    pub by_state: Vec<(RecordingState, u64)>,
    /// Those whose objects are being deleted.
    pub doomed: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Bytes of those that are kept.
    pub kept_bytes: u64,
}
