//! `spillway-hls`, the sidecar: it takes a broadcast over WHEP like any viewer, encodes it as a ladder of renditions, and
//! serves them as LL-HLS and DASH, with captions if asked to, and records them.
//!
//! ```text
//! node ──WHEP──► whep ──packets──► receive ──frames──► transcode ──samples──► origin ──HTTP──► players
//!                                                         └──sound──► captions ──┘ └──units──► record ──► storage
//! ```
//!
//! `receive` and the packaging in `origin` are sans-IO: no socket, no clock, no thread.

mod bitstream;
pub mod captions;
#[cfg(test)]
mod fuzz_corpus;
pub mod media;
pub mod origin;
mod problem;
pub mod receive;
pub mod record;
pub mod sidecar;
pub mod transcode;
pub mod whep;

#[cfg(test)]
use origin::codec_name;
