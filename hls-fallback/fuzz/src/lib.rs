//! What is fuzzed of the sidecar: the depacketizers, and the readers of coded pictures. The fuzz targets call these functions, and so
//! does `src/fuzz_corpus.rs`, which replays the corpus.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "parts of another crate")]

#[path = "../../src/bitstream/mod.rs"]
mod bitstream;
#[path = "../../src/origin/codec.rs"]
mod codec;
mod entry;
#[path = "../../src/media.rs"]
mod media;
#[path = "../../src/receive/mod.rs"]
mod receive;

/// How playlists name a track.
use codec::name as codec_name;
pub use entry::{packets, pictures};
