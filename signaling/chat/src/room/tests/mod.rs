#![allow(clippy::unwrap_used, clippy::expect_used)]

mod captions;
mod deleting;
mod log;
mod moderation;
mod pinned;
mod rules;
mod world;
