//! H.265 (RFC 7798), without decoding order numbers: WebRTC has none (`sprop-max-don-diff=0`).

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::annexb::{NalUnits, Role};
use super::reader::Reader;

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
const AGGREGATE: u8 = 48;
const FRAGMENT: u8 = 49;
/// Pictures from which decoding may begin: BLA, IDR and CRA (ITU-T H.265 table 7-1).
const IRAP: RangeInclusive<u8> = 16..=21;
const SLICES: RangeInclusive<u8> = 0..=31;
/// `first_slice_segment_in_pic_flag` begins a slice's header (§7.3.6.1), behind the two bytes of the NAL unit's.
const FIRST_SEGMENT: u8 = 0x80;

pub(super) struct H265;

impl NalUnits for H265 {
    const PARAMETER_SETS: RangeInclusive<usize> = 0..=2;

    fn role(unit: &[u8]) -> Role {
        let first = unit.get(2).is_some_and(|byte| byte & FIRST_SEGMENT != 0);
        match unit.first().map(|header| kind(*header)) {
            Some(VPS) => Role::ParameterSet(0),
            Some(SPS) => Role::ParameterSet(1),
            Some(PPS) => Role::ParameterSet(2),
            Some(DELIMITER) => Role::Delimiter,
            Some(kind) if SLICES.contains(&kind) => Role::Slice {
                key: IRAP.contains(&kind),
                first,
            },
            _ => Role::Other,
        }
    }
}

fn kind(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// The NAL units that the payloads carry; none if a part is missing.
pub(super) fn units(payloads: &[Bytes]) -> Option<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for payload in payloads {
        let mut reader = Reader(payload);
        let [high, low] = reader.u16()?.to_be_bytes();
        let kind = kind(high);
        if open.is_some() && kind != FRAGMENT {
            return None;
        }
        match kind {
            0..AGGREGATE => units.push(payload.to_vec()),
            AGGREGATE => {
                // RFC 7798 §4.4.2.
                while !reader.0.is_empty() {
                    let len = usize::from(reader.u16()?);
                    let unit = reader.take(len)?;
                    if !unit.is_empty() {
                        units.push(unit.to_vec());
                    }
                }
            }
            FRAGMENT => {
                // RFC 7798 §4.4.3.
                let place = reader.byte()?;
                let (start, end) = (place & 0x80 != 0, place & 0x40 != 0);
                let mut unit = match (start, open.take()) {
                    (true, None) => vec![high & 0x81 | (place & 0x3f) << 1, low],
                    (false, Some(unit)) => unit,
                    _ => return None,
                };
                unit.extend(reader.0);
                if end {
                    units.push(unit);
                } else {
                    open = Some(unit);
                }
            }
            // PACI packets (§4.4.4) carry what nobody sends; 51 and up are reserved.
            _ => return None,
        }
    }
    open.is_none().then_some(units)
}
