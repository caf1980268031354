//! Load and network conditions for testing Spillway.
//!
//! [`link::model`] is a pure model of a lossy, slow link in virtual time, for tests without sockets;
//! the command `spillway-loadtest link` puts the same model between two network namespaces. [`load`] is the load test,
//! `spillway-loadtest run`: it knows WHIP and WHEP, and nothing of
//! Spillway. [`hls`] plays low-latency HLS as many, [`chat`] talks in a channel's chat as many. [`floor`] measures what the machine itself takes, to compare with.

pub mod chat;
pub mod floor;
pub mod hls;
pub mod link;
pub mod load;
pub mod media;
pub mod peer;
pub mod rtp;
pub mod sdp;
pub mod sources;
pub mod units;
