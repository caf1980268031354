//! Recordings, of broadcasts that are really encoded, as players find them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod film;
mod player;
mod studio;

mod a_broadcast_becomes_a_recording;
mod a_failing_storage_costs_nothing;
mod a_full_spool_costs_segments;
mod a_killed_process_costs_the_last_part;
mod s3_takes_recordings;
