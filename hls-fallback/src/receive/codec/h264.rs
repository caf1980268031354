//! H.264 (RFC 6184), packetization modes 0 and 1.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::annexb::{NalUnits, Role};
use super::reader::Reader;

const TYPE: u8 = 0x1f;
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// A slice header begins with `first_mb_in_slice`, whose 0 is coded as a single set bit (ITU-T H.264 §7.3.3, §9.1).
const FIRST_MACROBLOCK: u8 = 0x80;

pub(super) struct H264;

impl NalUnits for H264 {
    const PARAMETER_SETS: RangeInclusive<usize> = 1..=2;

    fn role(unit: &[u8]) -> Role {
        let first = unit.get(1).is_some_and(|byte| byte & FIRST_MACROBLOCK != 0);
        match unit.first().map(|header| header & TYPE) {
            // 2 is the first partition of a slice; the other two follow it.
            Some(SLICE | 2) => Role::Slice { key: false, first },
            Some(IDR) => Role::Slice { key: true, first },
            Some(SPS) => Role::ParameterSet(1),
            Some(PPS) => Role::ParameterSet(2),
            Some(DELIMITER) => Role::Delimiter,
            _ => Role::Other,
        }
    }
}

/// The NAL units that the payloads carry; none if a part is missing or what nobody negotiated is among them.
pub(super) fn units(payloads: &[Bytes]) -> Option<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    // A unit whose end is still to come.
    let mut open: Option<Vec<u8>> = None;
    for payload in payloads {
        let mut reader = Reader(payload);
        let header = reader.byte()?;
        let kind = header & TYPE;
        if open.is_some() && kind != FU_A {
            return None;
        }
        match kind {
            1..=23 => units.push(payload.to_vec()),
            STAP_A => {
                // RFC 6184 §5.7.1.
                while !reader.0.is_empty() {
                    let len = usize::from(reader.u16()?);
                    let unit = reader.take(len)?;
                    if !unit.is_empty() {
                        units.push(unit.to_vec());
                    }
                }
            }
            FU_A => {
                // RFC 6184 §5.8.
                let place = reader.byte()?;
                let (start, end) = (place & 0x80 != 0, place & 0x40 != 0);
                let mut unit = match (start, open.take()) {
                    (true, None) => vec![header & !TYPE | place & TYPE],
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
            // RFC 6184 §5.2: types 0, 30 and 31 are to be ignored.
            0 | 30 | 31 => {}
            _ => return None,
        }
    }
    open.is_none().then_some(units)
}
