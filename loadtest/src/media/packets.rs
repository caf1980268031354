//! Coded H.264 in RTP (RFC 6184, packetization mode 1), marked so that it can still be decoded.
//!
//! There is no room for a mark in a packet of somebody else's picture. So one mark stands for all packets of a picture, in
//! an SEI NAL unit of its own, and tells how many they are and which of them it is in.

use super::MAX_PAYLOAD;
use super::mark::{Mark, Share};
use crate::peer::PEEK;

const NAL_SEI: u8 = 6;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// `nal_ref_idc` of a NAL unit's header.
const REFERENCE: u8 = 3 << 5;
/// SEI payload type 5: user data, unregistered (ITU-T H.264 D.1.7).
const USER_DATA: u8 = 5;

/// A NAL unit that marks its picture. Its place among the packets isn't known yet.
pub fn sei(mark: Mark) -> Vec<u8> {
    let marked = Share::default().to_bytes(mark);
    let mut sei = vec![NAL_SEI, USER_DATA, marked.len() as u8];
    sei.extend(marked);
    sei.push(0x80); // rbsp_trailing_bits
    sei
}

/// The payloads of a picture's NAL units: small ones together, large ones in parts. The mark among them is where a viewer
/// looks for it, and told its place.
pub fn payloads(units: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut together: Vec<&[u8]> = Vec::new();
    for unit in units {
        together.push(unit);
        let payload = aggregate(&together);
        let hidden = Share::find(&payload).is_some() && Share::find(seen(&payload)).is_none();
        if payload.len() > MAX_PAYLOAD || hidden {
            together.pop();
            flush(&mut together, &mut payloads);
            together.push(unit);
        }
        if unit.len() > MAX_PAYLOAD {
            together.clear();
            payloads.extend(fragments(unit));
        }
    }
    flush(&mut together, &mut payloads);
    let of = payloads.len() as u16;
    for (index, payload) in (0..).zip(&mut payloads) {
        Share { index, of }.write(payload);
    }
    payloads
}

/// What a viewer sees of a payload.
fn seen(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(PEEK)]
}

fn flush(together: &mut Vec<&[u8]>, payloads: &mut Vec<Vec<u8>>) {
    match together[..] {
        [] => {}
        [single] => payloads.push(single.to_vec()),
        _ => payloads.push(aggregate(together)),
    }
    together.clear();
}

/// RFC 6184 §5.7.1.
fn aggregate(units: &[&[u8]]) -> Vec<u8> {
    let header = |unit: &&[u8]| unit.first().copied().unwrap_or_default();
    let importance = units.iter().map(|unit| header(unit) & REFERENCE).max();
    let mut payload = vec![importance.unwrap_or_default() | STAP_A];
    for unit in units {
        payload.extend((unit.len() as u16).to_be_bytes());
        payload.extend(*unit);
    }
    payload
}

/// RFC 6184 §5.8.
fn fragments(unit: &[u8]) -> Vec<Vec<u8>> {
    let Some((header, coded)) = unit.split_first() else {
        return Vec::new();
    };
    let parts = coded.len().div_ceil(MAX_PAYLOAD - 2);
    // As equal as can be, as libwebrtc cuts them.
    let parts = coded.chunks(coded.len().div_ceil(parts.max(1)).max(1));
    let last = parts.len().saturating_sub(1);
    parts
        .enumerate()
        .map(|(i, part)| {
            let place = u8::from(i == 0) << 7 | u8::from(i == last) << 6;
            let mut payload = vec![header & !0x1f | FU_A, place | header & 0x1f];
            payload.extend(part);
            payload
        })
        .collect()
}
