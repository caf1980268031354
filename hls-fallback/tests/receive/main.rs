//! The receiver over a lossy network in virtual time.
//!
//! Everything random comes from one seed, which a failing test prints: `SPILLWAY_SEED=…` replays it.
#![allow(clippy::unwrap_used)]

mod clocks_are_followed;
mod frames_come_out_as_they_went_in;
mod hostile_packets_break_nothing;
mod keyframes_are_asked_for;
mod losses_break_nothing;
mod numbers_go_on;
mod parameter_sets_are_added;
mod support;
