//! Recordings, of broadcasts that are really encoded, as players find them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bucket;
#[path = "../transcode/support.rs"]
#[allow(dead_code)]
mod camera;
mod film;
mod other_films;
mod player;
mod station;
mod studio;

mod a_broadcast_becomes_a_recording;
mod a_failing_storage_costs_nothing;
mod a_faulty_bucket_costs_nothing;
mod a_full_disk_costs_segments;
mod a_full_spool_costs_segments;
mod a_killed_process_costs_the_last_part;
mod a_recording_is_of_the_sources_codec;
mod every_player_can_play_it;
mod s3_takes_recordings;
mod what_nobody_sent_is_not_recorded;
mod whatever_a_source_does;
