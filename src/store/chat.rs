//! What a node remembers of what was said: the part of [`Store`](super::Store) that is about chat.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use spillway_chat::{AuthorId, Entry, entry::Draft, room::RoomState};
use spillway_signaling::{ChannelName, api::model::Timestamp};

use super::StoreError;

/// The logs of channels, their moderation and their followers.
///
/// A channel's log has one order: entries are numbered from 1 in the order in which they're appended, without gaps, and a
/// number is never given twice, whatever is forgotten. Of a channel are the entries since it was made: what a deleted one of its
/// name had is found by its broadcasts alone.
#[async_trait]
pub trait ChatStore: Send + Sync + 'static {
    /// Appends entries in this order, all of them or none; when it returns they're on the disk. An entry whose key the
    /// channel's log has already isn't appended again.
    async fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Placed>, StoreError>;
    /// The entries of a channel behind a number, in order.
    async fn entries(
        &self,
        channel: &ChannelName,
        after: u64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError>;
    /// The latest entries of a channel, in order.
    async fn latest_entries(
        &self,
        channel: &ChannelName,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError>;
    /// What moderators and streamers did in a channel, before an entry if it's named; the latest first.
    async fn actions(
        &self,
        channel: &ChannelName,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError>;
    /// The entries of a broadcast behind a number, in order.
    async fn broadcast_entries(
        &self,
        broadcast: &str,
        after: u64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError>;
    /// A channel's moderation, and the number of its log's last entry.
    async fn room(&self, channel: &ChannelName) -> Result<(RoomState, u64), StoreError>;
    /// What a broadcast's donations make, by currency, in minor units.
    async fn raised(&self, broadcast: &str) -> Result<BTreeMap<String, u64>, StoreError>;

    /// Notes since when somebody follows a channel, unless it's known; `None`: no more. At most `most` follow a channel: false
    /// beyond it.
    async fn follow(
        &self,
        channel: &ChannelName,
        author: &AuthorId,
        since: Option<Timestamp>,
        most: usize,
    ) -> Result<bool, StoreError>;
    /// Since when somebody follows a channel.
    async fn following_since(
        &self,
        channel: &ChannelName,
        author: &AuthorId,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Forgets entries that belong to no broadcast which the store knows and are older than that, and of each log what is more
    /// than `most`, the oldest first. Events are kept as long as their broadcast. Up to `at_once` of them; how many.
    async fn forget_entries(
        &self,
        before: Timestamp,
        most: u64,
        at_once: usize,
    ) -> Result<usize, StoreError>;
    /// Forgets the moderation and followers of a channel that is deleted, and what was said in no broadcast that the store knows. Its
    /// log's numbers go on.
    async fn forget_room(&self, channel: &ChannelName) -> Result<(), StoreError>;
}

/// An entry to be appended.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// To which log.
    pub channel: ChannelName,
    /// The broadcast that is on air.
    pub broadcast: Option<String>,
    /// The entry.
    pub draft: Draft,
    /// The channel's moderation with it, if it changes.
    pub state: Option<Arc<RoomState>>,
    /// The message whose text is taken back with it.
    pub deletes: Option<u64>,
    /// What it gives: currency, and amount in minor units.
    pub donation: Option<(String, u64)>,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Here, now.
    New(u64),
    /// Here, since before.
    Known(u64),
}
