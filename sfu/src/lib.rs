//! Spillway's media core: WebRTC sessions and the fan-out between them, sans-IO.
//!
//! Nothing in this crate opens a socket, starts a thread, takes a lock or reads a clock: time comes in as
//! [`std::time::Instant`], datagrams come in as byte slices and leave through [`Output`].
//!
//! **Driving contract of every stateful type:** call a method that takes `now` (never going backwards), then drain
//! what it offers (`poll_*`, or the [`Output`] it was given), then ask for `next_timeout` and call `handle_timeout`
//! when that moment has come. Nothing happens between calls.

mod api;
mod bits;
pub mod codec;
mod congestion;
pub mod dtls;
mod engine;
pub mod ice;
mod media;
mod publisher;
pub mod rtcp;
pub mod rtp;
mod sctp;
pub mod sdp;
mod session;
pub mod srtp;
pub mod transport;
mod viewer;

pub use api::*;
pub use engine::{
    Disposition, Engine, EngineConfig, EngineStatistics, LayerStatistics, Limits,
    SessionStatistics, SubLayerStatistics, VideoClock,
};
pub use media::{Burst, PublishedLayers, SenderClock};
pub use viewer::SubLayerCap;
