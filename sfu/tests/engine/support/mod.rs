//! Real engines, real peers (ICE, DTLS, SRTP) and the network between them, all in virtual time.
//!
//! Everything random comes from one seed, which a failing test prints: `SPILLWAY_SEED=…` replays it.

pub mod check;
pub mod link;
pub mod offer;
pub mod peer;
pub mod receiver;
pub mod record;
pub mod repair;
pub mod scalability;
pub mod source;
pub mod viewer;
pub mod world;

pub use link::Link;
pub use offer::Offer;
pub use scalability::Scalability;
pub use source::{Answers, Codec, Source};
pub use viewer::Heard;
pub use world::{PeerId, World};

use std::time::Duration;

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
