//! RTP (RFC 3550): packets, their header extensions, counters that wrap, redundant audio and
//! retransmission payloads.
//!
//! Nothing here allocates.

pub mod dependency_descriptor;
mod extension;
#[cfg(test)]
mod interop;
mod packet;
pub mod red;
pub mod rtx;
mod sequence;
pub mod time;
pub(crate) mod wire;

pub use dependency_descriptor::DependencyDescriptor;
pub use extension::{Extension, ExtensionMap};
pub use packet::{Extensions, Packet, ParseError, header_len};
pub use sequence::{SequenceUnwrapper, TimestampUnwrapper};
pub use time::{AbsCaptureTime, NtpTime, PlayoutDelay};
