//! Broadcasts through the transcoder, in real time, with all that sources do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation
)]

mod beginnings;
mod breaking;
mod cmaf;
mod demand;
#[path = "../origin/ffmpeg.rs"]
mod ffmpeg;
mod formats;
mod passing;
mod players;
mod probe;
mod sources;
mod support;
