//! NVIDIA's H.264 encoder (NVENC) for pictures in memory, through NVIDIA's SDK.
//!
//! The driver's libraries are loaded when they are first asked for, so that a program with this crate runs on machines without
//! them too: [`Driver::load`] says what is missing. Then [`Encoder::open`] begins a session on a GPU.
//!
//! But for benchmarks and `spillway-cuda` no other crate contains unsafe code. Here `driver` and `exports` do, since libraries are loaded and called, and
//! `parameters` and `session`, where NVIDIA's bindings offer no other way.
#![warn(clippy::undocumented_unsafe_blocks)]

#[allow(unsafe_code, reason = "it loads the driver's libraries and calls them")]
mod driver;
mod encoder;
mod error;
#[allow(
    unsafe_code,
    reason = "it defines the functions that the SDK's bindings link to"
)]
mod exports;
mod layout;
#[allow(unsafe_code, reason = "it reads the part for H.264 of a union")]
mod parameters;
#[allow(unsafe_code, reason = "it writes into the driver's memory")]
mod session;

pub use driver::Driver;
pub use encoder::{Coded, Encoder};
pub use error::Error;
pub use layout::{Picture, Plane};
pub use parameters::Settings;
