//! The picture id that VP8 and VP9 descriptors share: 7 bits, or 15 with the M bit (RFC 7741 §4.2, RFC 9628 §4.2).

use crate::rtp::wire::take_u8;

const LONG: u8 = 0x80;

/// A picture id as it stands in a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// The number.
    pub value: u16,
    /// The bits it has: 7 or 15.
    pub width: u8,
}

/// Reads a picture id off the descriptor.
pub(super) fn take_picture_id(rest: &mut &[u8]) -> Option<PictureId> {
    let first = take_u8(rest)?;
    let high = u16::from(first & !LONG);
    if first & LONG == 0 {
        return Some(PictureId {
            value: high,
            width: 7,
        });
    }
    Some(PictureId {
        value: (high << 8) | u16::from(take_u8(rest)?),
        width: 15,
    })
}

/// Writes a picture id in place of the one at `at`, cut to the width of that.
pub(super) fn write_picture_id(payload: &mut [u8], at: usize, id: u16) {
    let [high, low] = id.to_be_bytes();
    match payload.get_mut(at..) {
        Some([first, second, ..]) if *first & LONG != 0 => {
            *first = LONG | high;
            *second = low;
        }
        Some([first, ..]) => *first = low & !LONG,
        _ => {}
    }
}
