//! RTP (RFC 3550): packets, their header extensions, counters that wrap, and retransmission payloads.
//!
//! Nothing here allocates.

mod extension;
mod packet;

pub use extension::{Extension, ExtensionMap};
pub use packet::{Extensions, Packet, ParseError, header_len};
