//! Opus in RTP (RFC 7587): one frame of 20 ms, of a given size.

use super::fill;
use super::mark::{self, Mark};

/// The table-of-contents byte (RFC 6716 §3.1): CELT, full band, 20 ms, stereo, one frame.
const TOC: u8 = 31 << 3 | 1 << 2;

/// The payload of a frame of `bytes` bytes.
pub fn payload(bytes: usize, mark: Mark) -> Vec<u8> {
    let mut payload = vec![TOC];
    payload.extend(mark.to_bytes());
    fill(&mut payload, bytes.max(1 + mark::LEN));
    payload
}
