//! H.265 payloads (RFC 7798) and sequence parameter sets (ITU-T H.265 §7.3.2.2.1).

use super::{
    PayloadInfo, TemporalSwitch,
    h264::{ChromaFormat, cropped},
};
use crate::{
    bits::{BitReader, rbsp},
    rtp::wire::{take, take_u16},
};

/// NAL unit types (Table 7-1) and those that RFC 7798 §4.4 adds.
mod nal_type {
    use std::ops::RangeInclusive;

    /// Pictures from which a decoder may switch up to this temporal layer: TSA and STSA.
    pub(super) const TEMPORAL_ACCESS: RangeInclusive<u8> = 2..=5;
    /// Pictures that decoding may begin with: BLA, IDR and CRA.
    pub(super) const RANDOM_ACCESS: RangeInclusive<u8> = 16..=21;
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
    pub(super) const AGGREGATION: u8 = 48;
    pub(super) const FRAGMENTATION: u8 = 49;
}

/// The NAL unit header (§7.3.1.2), which payload headers share (RFC 7798 §4.2).
#[derive(Clone, Copy)]
struct Header {
    nal_type: u8,
    layer: u8,
    temporal_layer: u8,
}

impl Header {
    const fn new([high, low]: [u8; 2]) -> Self {
        Self {
            nal_type: (high >> 1) & 0x3F,
            layer: ((high & 1) << 5) | (low >> 3),
            temporal_layer: (low & 0x07).saturating_sub(1),
        }
    }
}

/// Whether a payload is parameter sets, alone or with what goes with them.
pub(super) fn carries_parameters(payload: &[u8]) -> bool {
    let header = payload.first().map_or(0, |header| header >> 1 & 0x3F);
    let single = (nal_type::VPS..=nal_type::PPS).contains(&header);
    single || header == nal_type::AGGREGATION
}

/// What a single NAL unit, aggregation packet or fragmentation unit says. Decoding order numbers, which WebRTC doesn't
/// negotiate, aren't expected.
pub(super) fn inspect(mut payload: &[u8]) -> PayloadInfo {
    let mut info = PayloadInfo::default();
    let Some(header) = take(&mut payload).copied().map(Header::new) else {
        return info;
    };
    info.temporal_layer = header.temporal_layer;
    match header.nal_type {
        nal_type::AGGREGATION => {
            while let Some((mut nal, rest)) =
                take_u16(&mut payload).and_then(|len| payload.split_at_checked(usize::from(len)))
            {
                if let Some(header) = take(&mut nal).copied().map(Header::new) {
                    inspect_unit(header, nal, &mut info);
                }
                payload = rest;
            }
        }
        nal_type::FRAGMENTATION => {
            if let Some([fu_header]) = take(&mut payload) {
                let nal_type = fu_header & 0x3F;
                if nal_type::TEMPORAL_ACCESS.contains(&nal_type) {
                    info.temporal_switch = TemporalSwitch::ToOwn;
                }
                // RFC 7798 §4.4.3: the start bit.
                if fu_header & 0x80 != 0 {
                    inspect_unit(Header { nal_type, ..header }, payload, &mut info);
                }
            }
        }
        _ => inspect_unit(header, payload, &mut info),
    }
    info
}

fn inspect_unit(header: Header, unit: &[u8], info: &mut PayloadInfo) {
    match header.nal_type {
        nal_type::VPS => info.begin_keyframe(),
        nal_type::SPS => {
            info.begin_keyframe();
            // Parameter sets of further layers are written otherwise (annex F).
            if header.layer == 0 {
                info.size = sps_size(unit).or(info.size);
            }
        }
        // `first_slice_segment_in_pic_flag` comes first (§7.3.6.1).
        nal_type
            if nal_type::RANDOM_ACCESS.contains(&nal_type)
                && unit.first().is_some_and(|byte| byte & 0x80 != 0) =>
        {
            info.begin_keyframe();
        }
        nal_type if nal_type::TEMPORAL_ACCESS.contains(&nal_type) => {
            info.temporal_switch = TemporalSwitch::ToOwn;
        }
        _ => {}
    }
}

/// Width and height of the pictures that a sequence parameter set (behind its NAL header) describes, cropped.
fn sps_size(unit: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(rbsp(unit));
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.ue()?;
    let (_, chroma) = ChromaFormat::read(&mut bits)?;
    let size = (bits.ue()?, bits.ue()?);
    cropped(&mut bits, size, (chroma.width_unit, chroma.height_unit))
}

/// §7.3.3, `sub_layers` beside the highest.
fn skip_profile_tier_level<I: Iterator<Item = u8>>(
    bits: &mut BitReader<I>,
    sub_layers: u32,
) -> Option<()> {
    const PROFILE_BITS: u32 = 88;
    const LEVEL_BITS: u32 = 8;
    bits.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut sub_layer_bits = 0;
    for _ in 0..sub_layers {
        sub_layer_bits += if bits.flag()? { PROFILE_BITS } else { 0 };
        sub_layer_bits += if bits.flag()? { LEVEL_BITS } else { 0 };
    }
    if sub_layers > 0 {
        // Alignment: two bits for each of the remaining of 8.
        bits.skip(2 * (8 - sub_layers))?;
    }
    bits.skip(sub_layer_bits)
}
