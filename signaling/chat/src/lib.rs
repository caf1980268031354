//! What is said in a channel: the protocol (`docs/chat-protocol.md`) and the [`Room`], which decides all of it.
//!
//! Sans-IO: time comes in, frames come in, and what is to be stored and sent comes out of [`Room::poll`]. Who moves frames,
//! keeps the log and believes tokens is the platform's matter.

pub mod entry;
pub mod protocol;
pub mod room;
pub mod text;

pub use entry::{Author, AuthorId, Entry, Kind, Role};
pub use room::{Room, RoomLimits};

/// Milliseconds since 1970 by the node's clock, which doesn't step while the node runs.
pub type Millis = u64;
