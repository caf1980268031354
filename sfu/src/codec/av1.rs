//! AV1 payloads (`av1-rtp-spec` §4) and sequence headers (AV1 bitstream specification §5.5.1).

use super::PayloadInfo;
use crate::{bits::BitReader, rtp::wire::take_u8};

/// `obu_type` of a sequence header (§6.2.2).
const SEQUENCE_HEADER: u8 = 1;
/// The most bytes of a `leb128()` number (§4.10.5).
const MAX_LEB128_LEN: u32 = 8;

/// What a payload says. A fragment that goes on from the packet before says nothing.
pub(super) fn inspect(mut payload: &[u8]) -> PayloadInfo {
    let mut info = PayloadInfo::default();
    // The aggregation header (§4.4): Z, Y, W, N.
    let Some(header) = take_u8(&mut payload) else {
        return info;
    };
    let continues = header & 0x80 != 0;
    let count = (header >> 4) & 0x03;
    if header & 0x08 != 0 {
        info.begin_keyframe();
    }
    let mut index = 0;
    while let Some(element) = take_element(&mut payload, index + 1 == count) {
        if index > 0 || !continues {
            inspect_obu(element, &mut info);
        }
        // With W = 0 there are as many elements as fit, each with its length.
        index = if count == 0 { 1 } else { index + 1 };
    }
    info
}

/// The next OBU element. The last of a known number has no length in front.
fn take_element<'a>(payload: &mut &'a [u8], last: bool) -> Option<&'a [u8]> {
    if payload.is_empty() {
        return None;
    }
    let len = if last {
        payload.len()
    } else {
        leb128(payload)?
    };
    let (element, rest) = payload.split_at_checked(len)?;
    *payload = rest;
    Some(element)
}

/// §4.10.5
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for index in 0..MAX_LEB128_LEN {
        let byte = take_u8(rest)?;
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

fn inspect_obu(mut obu: &[u8], info: &mut PayloadInfo) -> Option<()> {
    // §5.3.2: forbidden bit, type, extension flag, size flag.
    let header = take_u8(&mut obu)?;
    if header & 0x04 != 0 {
        let extension = take_u8(&mut obu)?;
        info.temporal_layer = extension >> 5;
        info.spatial_layer = (extension >> 3) & 0x03;
    }
    if header & 0x02 != 0 {
        leb128(&mut obu)?;
    }
    if (header >> 3) & 0x0F == SEQUENCE_HEADER {
        info.begin_keyframe();
        info.size = sequence_size(obu).or(info.size);
    }
    Some(())
}

/// Reads a sequence header (§5.5.1): the largest size of its frames.
fn sequence_size(obu: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(obu.iter().copied());
    // seq_profile, still_picture
    bits.skip(4)?;
    if bits.flag()? {
        // reduced_still_picture_header: only the level.
        bits.skip(5)?;
    } else {
        skip_operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

fn skip_operating_points<I: Iterator<Item = u8>>(bits: &mut BitReader<I>) -> Option<()> {
    let delay_bits = if bits.flag()? {
        skip_timing_info(bits)?
    } else {
        0
    };
    let display_delay = bits.flag()?;
    for _ in 0..=bits.bits(5)? {
        // operating_point_idc, then seq_level_idx; levels over 7 have a tier.
        bits.skip(12)?;
        if bits.bits(5)? > 7 {
            bits.skip(1)?;
        }
        if delay_bits > 0 && bits.flag()? {
            // operating_parameters_info (§5.5.5)
            bits.skip(2 * delay_bits + 1)?;
        }
        if display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

/// Leaves out `timing_info` (§5.5.3) and `decoder_model_info` (§5.5.4): the width of delays, 0 without
/// the latter.
fn skip_timing_info<I: Iterator<Item = u8>>(bits: &mut BitReader<I>) -> Option<u32> {
    bits.skip(64)?;
    if bits.flag()? {
        bits.ue()?;
    }
    if !bits.flag()? {
        return Some(0);
    }
    let delay_bits = bits.bits(5)? + 1;
    bits.skip(32 + 5 + 5)?;
    Some(delay_bits)
}
