#![allow(clippy::unwrap_used, clippy::expect_used)]

mod log;
mod moderation;
mod rules;
mod world;
