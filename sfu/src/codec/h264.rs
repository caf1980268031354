//! H.264 payloads (RFC 6184) and sequence parameter sets (ITU-T H.264 §7.3.2.1.1).

use super::{PayloadInfo, TemporalSwitch};
use crate::{
    bits::{BitReader, rbsp},
    rtp::wire::{take, take_u16},
};

/// NAL unit types (Table 7-1) and those that RFC 6184 §5.2 adds.
mod nal_type {
    pub(super) const SLICE: u8 = 1;
    pub(super) const IDR_SLICE: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    /// Stands before a slice of the base layer and tells its layers (annex G, §7.3.1.1).
    pub(super) const PREFIX: u8 = 14;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

/// Profiles whose parameter sets say more of chroma (§7.3.2.1.1).
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The most entries of `offset_for_ref_frame` (§7.4.2.1.1).
const MAX_POC_CYCLE: u32 = 255;

/// Whether a payload is parameter sets, alone or with what goes with them.
pub(super) fn carries_parameters(payload: &[u8]) -> bool {
    let header = payload.first().map_or(0, |header| header & 0x1F);
    matches!(header, nal_type::SPS | nal_type::PPS | nal_type::STAP_A)
}

/// What a single NAL unit, STAP-A or FU-A says: the packetization modes 0 and 1.
pub(super) fn inspect(mut payload: &[u8]) -> PayloadInfo {
    let mut info = PayloadInfo::default();
    let single = payload;
    let Some([header]) = take(&mut payload) else {
        return info;
    };
    match header & 0x1F {
        nal_type::STAP_A => {
            let mut parameters = false;
            while let Some((nal, rest)) =
                take_u16(&mut payload).and_then(|len| payload.split_at_checked(usize::from(len)))
            {
                parameters |= nal
                    .first()
                    .is_some_and(|header| header & 0x1F == nal_type::PPS);
                inspect_nal(nal, &mut info);
                payload = rest;
            }
            // Parameters are for later pictures, too.
            if parameters {
                info.temporal_layer = 0;
            }
        }
        nal_type::FU_A => {
            // RFC 6184 §5.8: the start bit, then the type of the unit that is cut up.
            if let Some([fu_header]) = take(&mut payload) {
                let nal_type = fu_header & 0x1F;
                note_disposable(nal_type, *header, &mut info);
                if fu_header & 0x80 != 0 {
                    inspect_unit(nal_type, payload, &mut info);
                }
            }
        }
        _ => inspect_nal(single, &mut info),
    }
    if info.keyframe {
        info.temporal_layer = 0;
    }
    info
}

fn inspect_nal(nal: &[u8], info: &mut PayloadInfo) {
    if let Some((header, unit)) = nal.split_first() {
        note_disposable(header & 0x1F, *header, info);
        inspect_unit(header & 0x1F, unit, info);
    }
}

/// A picture that no other refers to (`nal_ref_idc` 0, §7.4.1) can be left out: it counts as temporal layer 1. One that
/// others refer to can't, whatever temporal layer a prefix (annex G) gives it: `frame_num` would have a gap, which most
/// parameter sets forbid and decoders conceal.
const fn note_disposable(nal_type: u8, header: u8, info: &mut PayloadInfo) {
    if matches!(nal_type, nal_type::SLICE | nal_type::PREFIX) && header & 0x60 == 0 {
        info.temporal_layer = 1;
        info.temporal_switch = TemporalSwitch::ToOwn;
    }
}

fn inspect_unit(nal_type: u8, unit: &[u8], info: &mut PayloadInfo) {
    match nal_type {
        nal_type::SPS => {
            info.begin_keyframe();
            info.size = sps_size(unit).or(info.size);
        }
        // `first_mb_in_slice` is 0, which is a single bit 1 (§7.3.3).
        nal_type::IDR_SLICE if unit.first().is_some_and(|byte| byte & 0x80 != 0) => {
            info.begin_keyframe();
        }
        _ => {}
    }
}

/// Width and height of the pictures that a sequence parameter set (behind its NAL header) describes, cropped.
fn sps_size(unit: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(rbsp(unit));
    let profile = bits.bits(8)?;
    // Constraint flags and level.
    bits.skip(16)?;
    bits.ue()?;
    let chroma = if HIGH_PROFILES.contains(&profile) {
        skip_high_profile_fields(&mut bits)?
    } else {
        ChromaFormat::YUV_420
    };
    // log2_max_frame_num_minus4
    bits.ue()?;
    skip_picture_order_count(&mut bits)?;
    // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag
    bits.ue()?;
    bits.skip(1)?;
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let frame_only = bits.flag()?;
    let fields = if frame_only { 1 } else { 2 };
    if !frame_only {
        bits.skip(1)?;
    }
    let height = map_units.checked_mul(16 * fields)?;
    // direct_8x8_inference_flag
    bits.skip(1)?;
    let unit = (chroma.width_unit, chroma.height_unit * fields);
    cropped(&mut bits, (width, height), unit)
}

/// Reads a cropping flag and window (left, right, top, bottom in units of `unit`) and takes it off `size`.
pub(super) fn cropped<I: Iterator<Item = u8>>(
    bits: &mut BitReader<I>,
    size: (u32, u32),
    unit: (u32, u32),
) -> Option<(u16, u16)> {
    let mut cut = (0, 0);
    if bits.flag()? {
        cut.0 = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit.0)?;
        cut.1 = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit.1)?;
    }
    let (width, height) = (size.0.checked_sub(cut.0)?, size.1.checked_sub(cut.1)?);
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

/// How many luma samples a crop unit spans (Table 6-1).
#[derive(Clone, Copy)]
pub(super) struct ChromaFormat {
    pub(super) width_unit: u32,
    pub(super) height_unit: u32,
}

impl ChromaFormat {
    pub(super) const YUV_420: Self = Self {
        width_unit: 2,
        height_unit: 2,
    };

    /// Reads `chroma_format_idc` and `separate_colour_plane_flag`.
    pub(super) fn read<I: Iterator<Item = u8>>(bits: &mut BitReader<I>) -> Option<(u32, Self)> {
        let format = bits.ue()?;
        if format == 3 {
            bits.skip(1)?;
        }
        let (width_unit, height_unit) = match format {
            0 | 3 => (1, 1),
            1 => (2, 2),
            2 => (2, 1),
            _ => return None,
        };
        let units = Self {
            width_unit,
            height_unit,
        };
        Some((format, units))
    }
}

fn skip_high_profile_fields<I: Iterator<Item = u8>>(
    bits: &mut BitReader<I>,
) -> Option<ChromaFormat> {
    let (format, chroma) = ChromaFormat::read(bits)?;
    // bit_depth_luma_minus8, bit_depth_chroma_minus8, qpprime_y_zero_transform_bypass_flag
    bits.ue()?;
    bits.ue()?;
    bits.skip(1)?;
    if bits.flag()? {
        let lists = if format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma)
}

/// §7.3.2.1.1.1: a list ends early when the next scale becomes 0.
fn skip_scaling_list<I: Iterator<Item = u8>>(bits: &mut BitReader<I>, len: usize) -> Option<()> {
    let mut scale = 8_i64;
    for _ in 0..len {
        scale = (scale + bits.se()?).rem_euclid(256);
        if scale == 0 {
            break;
        }
    }
    Some(())
}

fn skip_picture_order_count<I: Iterator<Item = u8>>(bits: &mut BitReader<I>) -> Option<()> {
    match bits.ue()? {
        0 => bits.ue().map(drop),
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            let cycle = bits.ue()?;
            if cycle > MAX_POC_CYCLE {
                return None;
            }
            (0..cycle).try_for_each(|_| bits.se().map(drop))
        }
        _ => Some(()),
    }
}
