//! AV1 (the Alliance for Open Media's RTP payload format, version 1.0.0).

use bytes::Bytes;

use super::reader::Reader;
use super::{Assembled, Coded, Picture};

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;
/// The largest sequence header that is kept.
const MAX_SEQUENCE_HEADER: usize = 4096;

/// Makes temporal units of OBUs.
#[derive(Debug, Default)]
pub(super) struct TemporalUnits {
    /// The latest, for keyframes without.
    sequence_header: Option<Vec<u8>>,
}

impl TemporalUnits {
    pub(super) fn assemble(&mut self, picture: Picture<'_>) -> Assembled {
        let Some(obus) = obus(picture.payloads) else {
            return Assembled::Broken;
        };
        let has_header = obus.iter().any(|obu| kind(obu) == SEQUENCE_HEADER);
        // The N bit is on the first packet of a coded video sequence, which begins with its header.
        let begins = picture.begins || (has_header && starts_sequence(picture.payloads));
        if !begins {
            return Assembled::Broken;
        }
        if let Some(header) = obus.iter().find(|obu| kind(obu) == SEQUENCE_HEADER)
            && header.len() <= MAX_SEQUENCE_HEADER
        {
            self.sequence_header = Some(header.clone());
        }
        let Some(keyframe) = obus.iter().find_map(|obu| is_key(obu)) else {
            return Assembled::Nothing;
        };
        let mut data = Vec::with_capacity(obus.iter().map(|obu| obu.len() + 4).sum());
        if keyframe && !has_header {
            let Some(header) = &self.sequence_header else {
                return Assembled::Broken;
            };
            write(header, &mut data);
        }
        let kept = obus
            .iter()
            .filter(|obu| !matches!(kind(obu), TEMPORAL_DELIMITER | TILE_LIST | PADDING));
        for obu in kept {
            if write(obu, &mut data).is_none() {
                return Assembled::Broken;
            }
        }
        Assembled::Coded(Coded { data, keyframe })
    }
}

fn kind(obu: &[u8]) -> u8 {
    obu.first().map_or(0, |header| header >> 3 & 0x0f)
}

fn starts_sequence(payloads: &[Bytes]) -> bool {
    let aggregation = payloads.first().and_then(|payload| payload.first());
    aggregation.is_some_and(|header| header & 0x08 != 0)
}

/// Whether a frame's header is of a keyframe: `show_existing_frame` is 0 and `frame_type` too (AV1 specification §5.9.2). None
/// if it isn't a frame's header.
fn is_key(obu: &[u8]) -> Option<bool> {
    if !matches!(kind(obu), FRAME | FRAME_HEADER) {
        return None;
    }
    let (_, payload) = parts(obu)?;
    payload.first().map(|byte| byte & 0b1110_0000 == 0)
}

/// The OBUs that the payloads carry: elements that a packet's end has cut are put together (§4.3).
fn obus(payloads: &[Bytes]) -> Option<Vec<Vec<u8>>> {
    let mut obus: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for payload in payloads {
        let mut reader = Reader(payload);
        let aggregation = reader.byte()?;
        // Z: the first element continues one of the packet before. Y: the last one goes on in the next.
        let (mut continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
        if continues != open {
            return None;
        }
        // W: how many elements there are, the last one without its length; 0 if each has one.
        let count = usize::from(aggregation >> 4 & 3);
        let mut read = 0;
        while !reader.0.is_empty() {
            read += 1;
            let len = if read == count {
                reader.0.len()
            } else {
                reader.leb128()?
            };
            let element = reader.take(len)?;
            if std::mem::take(&mut continues) {
                obus.last_mut()?.extend(element);
            } else {
                obus.push(element.to_vec());
            }
        }
        if read == 0 || (count != 0 && read != count) {
            return None;
        }
        open = goes_on;
    }
    obus.retain(|obu| !obu.is_empty());
    (!open).then_some(obus)
}

/// An OBU's header, without the flag for a size, and its payload (AV1 specification §5.3).
fn parts(obu: &[u8]) -> Option<([u8; 2], &[u8])> {
    let mut reader = Reader(obu);
    let header = reader.byte()?;
    let extension = if header & HAS_EXTENSION == 0 {
        0
    } else {
        reader.byte()?
    };
    let payload = if header & HAS_SIZE == 0 {
        reader.0
    } else {
        let len = reader.leb128()?;
        reader.take(len)?
    };
    Some(([header & !HAS_SIZE, extension], payload))
}

/// Writes an OBU with its size, which RTP leaves out.
fn write(obu: &[u8], data: &mut Vec<u8>) -> Option<()> {
    let ([header, extension], payload) = parts(obu)?;
    data.push(header | HAS_SIZE);
    if header & HAS_EXTENSION != 0 {
        data.push(extension);
    }
    let mut size = payload.len();
    while size >= 0x80 {
        data.push(size as u8 | 0x80);
        size >>= 7;
    }
    data.push(size as u8);
    data.extend(payload);
    Some(())
}
