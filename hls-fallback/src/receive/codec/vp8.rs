//! VP8 (RFC 7741).

use bytes::Bytes;

use super::Coded;
use super::reader::Reader;

/// The start code of a keyframe, behind the three bytes of a frame tag (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

pub(super) fn assemble(payloads: &[Bytes]) -> Option<Coded> {
    let mut data = Vec::with_capacity(payloads.iter().map(Bytes::len).sum());
    for (i, payload) in payloads.iter().enumerate() {
        let (begins, part) = split(payload)?;
        if begins != (i == 0) {
            return None;
        }
        data.extend(part);
    }
    // The lowest bit of the frame tag says that it is no keyframe.
    let keyframe = data.first()? & 1 == 0;
    if keyframe && data.get(3..6) != Some(&START_CODE) {
        return None;
    }
    Some(Coded { data, keyframe })
}

/// A payload behind its descriptor (RFC 7741 §4.2), and whether a frame begins with it.
fn split(payload: &[u8]) -> Option<(bool, &[u8])> {
    let mut reader = Reader(payload);
    let required = reader.byte()?;
    // S, of partition 0.
    let begins = required & 0x17 == 0x10;
    if required & 0x80 != 0 {
        let extended = reader.byte()?;
        // I: a picture id of 7 or, if the first bit says so, 15 bits.
        if extended & 0x80 != 0 && reader.byte()? & 0x80 != 0 {
            reader.byte()?;
        }
        // L: TL0PICIDX.
        if extended & 0x40 != 0 {
            reader.byte()?;
        }
        // T or K: TID, Y, KEYIDX.
        if extended & 0x30 != 0 {
            reader.byte()?;
        }
    }
    (!reader.0.is_empty()).then_some((begins, reader.0))
}
