//! What a node remembers of audiences: the part of [`Store`](super::Store) that is about their figures.

use async_trait::async_trait;
use spillway_signaling::BroadcastId;

use super::StoreError;
use crate::audience::Slice;

/// The figures of broadcasts' audiences. They go with their broadcasts.
///
/// Several nodes may add to one broadcast at once: what each adds is there afterwards, once.
#[async_trait]
pub trait AudienceStore: Send + Sync + 'static {
    /// Adds to what was counted of a broadcast, all of it or nothing. False: there's no such broadcast, and nothing is kept.
    async fn add_audience(
        &self,
        broadcast: &BroadcastId,
        counted: &Slice,
    ) -> Result<bool, StoreError>;
    /// All that was counted of a broadcast.
    async fn audience(&self, broadcast: &BroadcastId) -> Result<Slice, StoreError>;
}
