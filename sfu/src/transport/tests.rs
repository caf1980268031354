#![allow(clippy::unwrap_used, clippy::expect_used)]

mod channels;
mod connecting;
mod cost;
mod hostile;
mod paths;
mod world;
