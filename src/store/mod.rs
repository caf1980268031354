//! What a node remembers: channels, tokens and their revocations, broadcasts, their recordings and audiences, and what was said.
//!
//! [`Store`] is the contract; [`Sqlite`] is the embedded form. [`conformance`] holds every form to the same behaviour.

mod audience;
mod chat;
#[cfg(test)]
pub(crate) mod conformance;
mod recordings;
mod sqlite;

use async_trait::async_trait;
use spillway_signaling::{
    ChannelName,
    api::model::{Broadcast, ChannelProfile, Timestamp, Token},
};

pub use audience::AudienceStore;
pub use chat::{ChatStore, NewEntry, Placed};
pub use recordings::{
    Doom, RecordingRetention, RecordingStore, RecordingTotals, Reported, StoredRecording,
};
pub use sqlite::Sqlite;

/// Revocations that [`Store::revoked_since`] tells of at most.
pub const REVOCATIONS: usize = 10_000;

/// Durable state of the platform. Every method is atomic; what it wrote survives a crash once it has returned.
#[async_trait]
pub trait Store: RecordingStore + ChatStore + AudienceStore + Send + Sync + 'static {
    /// One channel.
    async fn channel(&self, name: &ChannelName) -> Result<Option<StoredChannel>, StoreError>;
    /// Channels by name.
    async fn channels(&self, page: &Page) -> Result<Vec<StoredChannel>, StoreError>;
    /// Adds a channel, unless it exists or there are `most` already.
    async fn create_channel(
        &self,
        channel: &StoredChannel,
        most: usize,
    ) -> Result<Creation, StoreError>;
    /// Replaces a channel's profile. False: there's no such channel.
    async fn update_channel(
        &self,
        name: &ChannelName,
        profile: &ChannelProfile,
    ) -> Result<bool, StoreError>;
    /// Forgets a channel; its broadcasts stay. False: there's no such channel.
    async fn delete_channel(&self, name: &ChannelName) -> Result<bool, StoreError>;

    /// Remembers an issued token (never the token itself, which is signed and shown once), unless there are `most`
    /// already.
    async fn add_token(&self, token: &Token, most: usize) -> Result<Creation, StoreError>;
    /// One token by its identifier.
    async fn token(&self, id: &str) -> Result<Option<Token>, StoreError>;
    /// Tokens that haven't expired at `now`, revoked ones included, the latest first.
    async fn tokens(&self, now: Timestamp, page: &Page) -> Result<Vec<Token>, StoreError>;
    /// Revokes a token; revoking twice keeps the first moment. False: there's no such token.
    async fn revoke_token(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;
    /// The identifiers of tokens that were revoked at this moment or later, the latest first, at most
    /// [`REVOCATIONS`].
    async fn revoked_since(&self, at: Timestamp) -> Result<Vec<String>, StoreError>;
    /// Forgets tokens that expired or were revoked before these moments. Neither holds any more: a token that isn't known
    /// isn't believed.
    async fn forget_tokens(
        &self,
        expired_before: Timestamp,
        revoked_before: Timestamp,
    ) -> Result<(), StoreError>;

    /// Adds a broadcast or writes its present state. `alive_at`: when it was last known to be on air.
    async fn save_broadcast(
        &self,
        broadcast: &Broadcast,
        alive_at: Timestamp,
    ) -> Result<(), StoreError>;
    /// One broadcast.
    async fn broadcast(&self, id: &str) -> Result<Option<Broadcast>, StoreError>;
    /// All broadcasts, or those of one channel, the latest first.
    async fn broadcasts(
        &self,
        channel: Option<&ChannelName>,
        page: &Page,
    ) -> Result<Vec<Broadcast>, StoreError>;
    /// Ends, at their last sign of life, the broadcasts that a crash left open.
    async fn end_open_broadcasts(&self) -> Result<(), StoreError>;

    /// Forgets the broadcasts that aren't to be kept with all that belongs to them; never one that's under way, or whose
    /// recording isn't deleted.
    async fn forget_broadcasts(&self, keep: Retention) -> Result<(), StoreError>;

    /// Whether the store can be written to now.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The name or identifier that the part begins behind; the beginning without.
    pub after: Option<String>,
    /// The most entries.
    pub limit: usize,
}

/// A channel as it's remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChannel {
    /// Its name.
    pub name: ChannelName,
    /// Title, tags and settings.
    pub profile: ChannelProfile,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which broadcasts are kept: those that fulfil all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Those that ended at that moment or later.
    pub ended_since: Timestamp,
    /// The latest of each channel.
    pub per_channel: usize,
    /// The latest of all.
    pub total: usize,
}

/// What [`Store::create_channel`] or [`Store::add_token`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It's there now.
    Created,
    /// It was there before and hasn't changed.
    Exists,
    /// There are too many.
    Full,
}

/// Why the store couldn't do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be opened.
    #[error(
        "can't open the database {path}: {reason}; check that the directory exists, is writable and on a local disk"
    )]
    Open {
        /// The file.
        path: String,
        /// What `SQLite` said.
        reason: String,
    },
    /// The database was written by a later release.
    #[error(
        "the database {path} is of version {found}, this release knows {known}; install the release that wrote it, or restore a backup"
    )]
    TooNew {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The latest version that this release knows.
        known: u32,
    },
    /// A query failed.
    #[error("the database failed: {0}; check disk space and the permissions of the data directory")]
    Failed(String),
    /// The store's thread has stopped.
    #[error("the database is closed")]
    Closed,
}
