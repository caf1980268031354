//! The origin over HTTP: every rule of LL-HLS that it keeps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blocking;
mod broadcast;
mod caching;
mod lifecycle;
mod media;
mod multivariant;
mod plain;
mod players;
mod playlist;
mod server;
