//! The origin over HTTP: every rule of LL-HLS that it keeps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blocking;
mod broadcast;
mod caching;
mod captions;
mod dash;
mod ffmpeg;
mod growing;
mod hints;
mod lifecycle;
mod load;
mod media;
mod multivariant;
mod on_demand;
mod plain;
mod players;
mod playlist;
mod server;
