//! What is fuzzed: one function for each reader of network input. Each takes any bytes, and panics if what the reader
//! promises isn't so. The fuzz targets call them, and so does `sfu/tests/fuzz_corpus.rs`, which replays the corpus.

mod descriptor;
mod dtls;
mod engine;
mod peer;
mod rtcp;
mod rtp;
mod sdp;
mod stun;

pub use descriptor::descriptor;
pub use dtls::dtls;
pub use engine::engine;
pub use rtcp::rtcp;
pub use rtp::rtp;
pub use sdp::{sdp, sdpfrag};
pub use stun::stun;
