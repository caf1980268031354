//! libav's pictures on NVIDIA's GPUs: decoded there, scaled there and given to an encoder there, without a way through memory. And
//! which GPUs there are, and how busy their encoders.
//!
//! libav itself loads NVIDIA's driver when a [`Device`] is opened, and this crate when [`gpus`] or [`Meters`] are asked for: a program
//! with it runs on machines without a driver too, and is told what is missing.
//!
//! It is here because libav's safe bindings know nothing of GPUs. What they lack is the least that can be had: references to a GPU and
//! to pools of pictures, which are put into contexts that the bindings have made.
#![warn(clippy::undocumented_unsafe_blocks)]

#[allow(
    unsafe_code,
    reason = "it counts references to what libav shares between threads"
)]
mod buffer;
#[allow(
    unsafe_code,
    reason = "libav's bindings can't name the GPU that decodes"
)]
mod device;
#[allow(unsafe_code, reason = "it loads the driver's libraries and calls them")]
mod driver;
#[allow(
    unsafe_code,
    reason = "libav's bindings can't begin a filter with pictures on a GPU"
)]
mod filter;
#[allow(
    unsafe_code,
    reason = "libav's bindings know no pools, and no way from and to them"
)]
mod pool;

pub use device::{Device, is_on_gpu};
pub use driver::{Address, DriverError, Meters, Reading, gpus, gpus_from};
pub use filter::Filter;
pub use pool::{Pool, download};
