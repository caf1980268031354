//! What the load test's publishers send: pictures and sound of real structure and given size, every packet marked.

pub mod file;
pub mod h264;
pub mod mark;
pub mod opus;
pub mod packets;
pub mod source;
pub mod vp8;

/// Bytes of a payload: an RTP packet of 1,200 bytes without its header and extensions.
pub const MAX_PAYLOAD: usize = 1_160;

/// Fills what nobody looks at, with bytes that compress no better than coded pictures and hold no start code.
fn fill(payload: &mut Vec<u8>, len: usize) {
    const FILLER: u8 = 0xa6;
    payload.resize(payload.len().max(len), FILLER);
}

/// The sizes of the packets that a picture of so many bytes is cut into: as equal as can be, as libwebrtc cuts it.
fn cut(bytes: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = bytes.div_ceil(most).max(1);
    (0..count).map(move |i| bytes / count + usize::from(i < bytes % count))
}
