//! H.265 from start codes to `hvc1`: samples with lengths, parameter sets in the sample entry alone (ISO/IEC 14496-15 §8).

use bytes::{BufMut as _, Bytes, BytesMut};
use mp4_atom::{Atom as _, HvcCArray, Hvcc};

use super::{
    Flaw, Picture,
    annexb::{nal_units, unescaped},
    bits::Bits,
    brings_others,
};
use crate::media::TrackConfig;

/// NAL unit types (ITU-T H.265 table 7-1).
const LEADING: std::ops::RangeInclusive<u8> = 6..=9;
const IRAP: std::ops::RangeInclusive<u8> = 16..=23;
const IDR: std::ops::RangeInclusive<u8> = 19..=20;
const LAST_SLICE: u8 = 31;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const AUD: u8 = 35;
const FILLER: u8 = 38;
/// A NAL unit's header.
const HEADER: usize = 2;
/// Of parameter sets and slices so much is read.
const MOST_READ: usize = 512;
/// Profiles (§A.3): 8 bits, and up to 10.
const MAIN: u8 = 1;
const MAIN_10: u8 = 2;
/// `chroma_format_idc` of 4:2:0.
const CHROMA_420: u32 = 1;
/// Parameter sets of a kind.
const MOST_SETS: usize = 16;

/// Follows a source's pictures.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// VPS, SPS and PPS, as [`brings_others`] has them.
    sets: Option<[Vec<Bytes>; 3]>,
    sequence: Option<Sequence>,
    pictures: Vec<PictureParameters>,
    /// `slice_pic_order_cnt_lsb` of the last picture.
    order: Option<u32>,
}

/// What of a sequence parameter set is needed (§7.3.2.2).
#[derive(Debug, PartialEq, Eq)]
struct Sequence {
    /// `sps_max_sub_layers_minus1` + 1
    sub_layers: u8,
    temporal_id_nested: bool,
    /// The first bytes of `profile_tier_level` (§7.3.3), as `hvcC` has them too.
    profile: u8,
    compatibility: [u8; 4],
    constraints: [u8; 6],
    level: u8,
    chroma_format: u32,
    separate_planes: bool,
    /// Bits above 8 of luma and chroma.
    depths: [u32; 2],
    /// How many bits `slice_pic_order_cnt_lsb` has.
    order_bits: u32,
}

/// What of a picture parameter set is needed (§7.3.2.3).
#[derive(Debug)]
struct PictureParameters {
    id: u32,
    has_output_flag: bool,
    extra_slice_bits: u32,
}

impl Stream {
    pub(super) fn look(&mut self, annex_b: &[u8]) -> Picture {
        let mut data = BytesMut::with_capacity(annex_b.len() + 16);
        let mut sets = [Vec::new(), Vec::new(), Vec::new()];
        let (mut flaw, mut slice) = (None, None);
        for nal in nal_units(annex_b) {
            let &[first, second, ..] = nal else {
                flaw = Some(Flaw::Form);
                continue;
            };
            let kind = first >> 1 & 0x3f;
            if first & 1 != 0 || second >> 3 != 0 {
                // nuh_layer_id
                flaw = Some(Flaw::Layered);
            }
            match kind {
                VPS | SPS | PPS => {
                    let of_kind: &mut Vec<Bytes> = &mut sets[usize::from(kind - VPS)];
                    of_kind.push(Bytes::copy_from_slice(nal));
                    continue;
                }
                AUD | FILLER => continue,
                0..=LAST_SLICE if slice.is_none() => slice = Some((kind, nal)),
                _ => {}
            }
            data.put_u32(nal.len() as u32);
            data.put_slice(nal);
        }
        let is_new = brings_others(self.sets.as_ref(), &sets);
        if is_new {
            self.sequence = sets[1].first().and_then(|sps| read_sequence(sps));
            self.pictures = sets[2].iter().filter_map(|pps| read_picture(pps)).collect();
            self.sets = Some(sets);
        }
        Picture {
            data: data.freeze(),
            is_new,
            flaw: flaw.or_else(|| self.check_order(slice)),
        }
    }

    /// Whether the picture of this slice is shown after the one before it.
    fn check_order(&mut self, slice: Option<(u8, &[u8])>) -> Option<Flaw> {
        let Some((kind, nal)) = slice else {
            return Some(Flaw::Form);
        };
        if LEADING.contains(&kind) {
            return Some(Flaw::Reordered);
        }
        let Some((order, bits)) = self.order_of(kind, nal) else {
            return Some(Flaw::Form);
        };
        let last = self.order.replace(order)?;
        if IRAP.contains(&kind) {
            return None;
        }
        let ahead = order.wrapping_sub(last) & ((1 << bits) - 1);
        (ahead == 0 || ahead >= 1 << (bits - 1)).then_some(Flaw::Reordered)
    }

    /// `slice_pic_order_cnt_lsb` of the first slice of a picture (§7.3.6.1), and how many bits it has.
    fn order_of(&self, kind: u8, nal: &[u8]) -> Option<(u32, u32)> {
        let sequence = self.sequence.as_ref()?;
        if IDR.contains(&kind) {
            return Some((0, sequence.order_bits));
        }
        let data = unescaped(nal, MOST_READ);
        let mut bits = Bits::new(data.get(HEADER..)?);
        if !bits.flag()? {
            // Not the first one of the picture.
            return None;
        }
        if IRAP.contains(&kind) {
            // no_output_of_prior_pics_flag
            bits.flag()?;
        }
        let id = bits.golomb()?;
        let parameters = self.pictures.iter().find(|known| known.id == id)?;
        bits.skip(parameters.extra_slice_bits as usize)?;
        // slice_type
        bits.golomb()?;
        if parameters.has_output_flag {
            bits.flag()?;
        }
        if sequence.separate_planes {
            bits.skip(2)?;
        }
        let order = bits.number(sequence.order_bits)?;
        Some((order, sequence.order_bits))
    }

    pub(super) fn config(&self, (width, height): (u16, u16)) -> Option<TrackConfig> {
        let sequence = self.sequence.as_ref().filter(|known| known.is_fit())?;
        let sets = self.sets.as_ref()?;
        let sane = |sets: &Vec<Bytes>| (1..=MOST_SETS).contains(&sets.len());
        let short = |set: &Bytes| u16::try_from(set.len()).is_ok();
        // Several of them would be several encodings.
        if !sets.iter().all(sane) || sets[1].len() > 1 || !sets.iter().flatten().all(short) {
            return None;
        }
        let arrays = [VPS, SPS, PPS].into_iter().zip(sets);
        let hvcc = Hvcc {
            configuration_version: 1,
            general_profile_space: sequence.profile >> 6,
            general_tier_flag: sequence.profile & 0x20 != 0,
            general_profile_idc: sequence.profile & 0x1f,
            general_profile_compatibility_flags: sequence.compatibility,
            general_constraint_indicator_flags: sequence.constraints,
            general_level_idc: sequence.level,
            min_spatial_segmentation_idc: 0,
            parallelism_type: 0,
            chroma_format_idc: sequence.chroma_format as u8,
            bit_depth_luma_minus8: sequence.depths[0] as u8,
            bit_depth_chroma_minus8: sequence.depths[1] as u8,
            avg_frame_rate: 0,
            constant_frame_rate: 0,
            num_temporal_layers: sequence.sub_layers,
            temporal_id_nested: sequence.temporal_id_nested,
            length_size_minus_one: 3,
            arrays: arrays
                .map(|(nal_unit_type, sets)| HvcCArray {
                    // As hvc1 has it: none are in samples.
                    completeness: true,
                    nal_unit_type,
                    nalus: sets.iter().map(|set| set.to_vec()).collect(),
                })
                .collect(),
        };
        let mut body = Vec::new();
        hvcc.encode_body(&mut body).ok()?;
        Some(TrackConfig::H265 {
            hvcc: body.into(),
            width,
            height,
        })
    }
}

impl Sequence {
    /// Main or Main 10, by itself or as what it is compatible with (§A.3.2, §A.3.3).
    fn is_fit(&self) -> bool {
        let is = |profile: u8| {
            self.profile & 0x1f == profile || self.compatibility[0] & 0x80 >> profile != 0
        };
        let deepest = if is(MAIN) {
            0
        } else if is(MAIN_10) {
            2
        } else {
            return false;
        };
        let depths = self.depths.iter().all(|depth| *depth <= deepest);
        depths && self.profile >> 6 == 0 && self.chroma_format == CHROMA_420
    }
}

fn read_sequence(sps: &[u8]) -> Option<Sequence> {
    let data = unescaped(sps, MOST_READ);
    let mut bits = Bits::new(data.get(HEADER..)?);
    bits.skip(4)?;
    let more_layers = bits.number(3)? as u8;
    let temporal_id_nested = bits.flag()?;
    let [profile] = bits.bytes()?;
    let (compatibility, constraints) = (bits.bytes()?, bits.bytes()?);
    let level = bits.byte()?;
    skip_sub_layers(&mut bits, more_layers)?;
    // sps_seq_parameter_set_id
    bits.golomb()?;
    let chroma_format = bits.golomb()?;
    let separate_planes = chroma_format == 3 && bits.flag()?;
    // Width and height are what is decoded.
    bits.golomb()?;
    bits.golomb()?;
    if bits.flag()? {
        // The conformance window.
        for _ in 0..4 {
            bits.golomb()?;
        }
    }
    let depths = [bits.golomb()?, bits.golomb()?];
    // log2_max_pic_order_cnt_lsb_minus4 is 12 at most (§7.4.3.2.1).
    let order_bits = bits.golomb().filter(|more| *more <= 12)? + 4;
    Some(Sequence {
        sub_layers: more_layers + 1,
        temporal_id_nested,
        profile,
        compatibility,
        constraints,
        level,
        chroma_format,
        separate_planes,
        depths,
        order_bits,
    })
}

/// Profiles and levels of temporal sub-layers (§7.3.3).
fn skip_sub_layers(bits: &mut Bits<'_>, more: u8) -> Option<()> {
    if more == 0 {
        return Some(());
    }
    let mut present = Vec::new();
    for _ in 0..more {
        present.push((bits.flag()?, bits.flag()?));
    }
    bits.skip(2 * usize::from(8 - more))?;
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

fn read_picture(pps: &[u8]) -> Option<PictureParameters> {
    let data = unescaped(pps, MOST_READ);
    let mut bits = Bits::new(data.get(HEADER..)?);
    let id = bits.golomb()?;
    // pps_seq_parameter_set_id, dependent_slice_segments_enabled_flag
    bits.golomb()?;
    bits.flag()?;
    Some(PictureParameters {
        id,
        has_output_flag: bits.flag()?,
        extra_slice_bits: bits.number(3)?,
    })
}
