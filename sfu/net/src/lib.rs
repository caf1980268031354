//! The media core's worker threads and sockets: UDP in batches and bursts, ICE-TCP, and [`Media`], through which the
//! rest of Spillway asks for sessions.
//!
//! Each worker is one thread with its own engine, its own UDP socket and TCP listener (one port number, or one shared
//! by all), and its own event loop; see `worker.rs`. A worker is reached through its mailbox and through its sockets,
//! and reaches others through their mailboxes; nothing else is shared but the directory, which no packet touches.

mod bind;
mod blocked;
mod candidates;
mod commands;
mod config;
mod connections;
mod core;
mod directory;
mod error;
mod handover;
mod lag;
mod mailbox;
mod media;
mod outlet;
mod reflexive;
mod segmentation;
mod statistics;
mod tcp;
mod tokens;
mod udp;
mod worker;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod fake;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use config::{MAX_WORKERS, MediaConfig, NetConfig, TcpLimits};
pub use error::NetError;
pub use mailbox::DataMessage;
pub use media::{Handle, Media};
pub use statistics::{WorkerCounters, WorkerStatistics};
pub use tcp::TcpCounters;
pub use udp::UdpCounters;
