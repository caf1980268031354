//! VP9: what a frame's uncompressed header says (VP9 specification §6.2), and `vpcC`.

use bytes::Bytes;
use mp4_atom::{Atom as _, VpcC};

use super::{Flaw, Picture, bits::Bits};
use crate::media::{Rate, TrackConfig};

const SYNC_CODE: u32 = 0x49_8342;
/// `color_space` (§7.2.2) that is RGB.
const RGB: u32 = 7;
/// Chroma samples lie where luma's do, as the specification has it.
const COLLOCATED: u8 = 1;
/// Frames that are kept as references.
const SLOTS: usize = 8;
/// Levels: their number, luma samples a second and of a picture (VP9 bitstream levels, "Table of levels").
const LEVELS: [(u8, u64, u64); 14] = [
    (10, 829_440, 36_864),
    (11, 2_764_800, 73_728),
    (20, 4_608_000, 122_880),
    (21, 9_216_000, 245_760),
    (30, 20_736_000, 552_960),
    (31, 36_864_000, 983_040),
    (40, 83_558_400, 2_228_224),
    (41, 160_432_128, 2_228_224),
    (50, 311_951_360, 8_912_896),
    (51, 588_251_136, 8_912_896),
    (52, 1_176_502_272, 8_912_896),
    (60, 1_176_502_272, 35_651_584),
    (61, 2_353_004_544, 35_651_584),
    (62, 4_706_009_088, 35_651_584),
];

type Size = (u32, u32);

/// Follows a source's pictures.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Of the last keyframe.
    sequence: Option<Sequence>,
    /// Of the frames that others refer to.
    sizes: [Option<Size>; SLOTS],
}

/// What holds from a keyframe on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    colours: Colours,
    size: Size,
}

/// `color_config` (§6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colours {
    profile: u8,
    depth: u8,
    space: u32,
    full_range: bool,
    is_420: bool,
}

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Of a keyframe.
    colours: Option<Colours>,
    is_shown: bool,
    /// None of a frame whose reference isn't known.
    size: Option<Size>,
    /// Which references it becomes.
    refreshes: u32,
}

impl Stream {
    pub(super) fn look(&mut self, keyframe: bool, data: &Bytes) -> Picture {
        let before = self.sequence;
        let flaw = self.read(keyframe, data).err();
        Picture {
            data: data.clone(),
            is_new: before.is_none() || self.sequence != before,
            flaw,
        }
    }

    fn read(&mut self, keyframe: bool, data: &[u8]) -> Result<(), Flaw> {
        let mut first = None;
        let mut shown = 0;
        for frame in frames(data).ok_or(Flaw::Form)? {
            let header = self.header(frame).ok_or(Flaw::Form)?;
            let size = header.size.ok_or(Flaw::Form)?;
            let is_first = first.is_none();
            if *first.get_or_insert(size) != size {
                return Err(Flaw::Layered);
            }
            if let (Some(colours), true, true) = (header.colours, keyframe, is_first) {
                self.sequence = Some(Sequence { colours, size });
            }
            shown += u32::from(header.is_shown);
            self.keep(&header);
        }
        match (shown, first, self.sequence) {
            (1, Some(size), Some(sequence)) if size == sequence.size => Ok(()),
            (1, ..) => Err(Flaw::Resized),
            (0, ..) => Err(Flaw::Form),
            // Each would be shown: a decoder of layers shows the last one alone.
            _ => Err(Flaw::Layered),
        }
    }

    fn keep(&mut self, header: &Header) {
        for (slot, size) in self.sizes.iter_mut().enumerate() {
            if header.refreshes >> slot & 1 == 1 {
                *size = header.size;
            }
        }
    }

    /// §6.2
    fn header(&self, frame: &[u8]) -> Option<Header> {
        let mut bits = Bits::new(frame);
        if bits.number(2)? != 2 {
            return None;
        }
        let profile = u8::from(bits.flag()?) | u8::from(bits.flag()?) << 1;
        if profile == 3 {
            bits.flag()?;
        }
        if bits.flag()? {
            // An earlier frame is shown.
            let slot = bits.number(3)? as usize;
            return Some(Header {
                colours: None,
                is_shown: true,
                size: self.sizes[slot],
                refreshes: 0,
            });
        }
        let is_key = !bits.flag()?;
        let (is_shown, is_resilient) = (bits.flag()?, bits.flag()?);
        if is_key {
            let colours = colours(&mut bits, profile)?;
            let size = frame_size(&mut bits)?;
            return Some(Header {
                colours: Some(colours),
                is_shown,
                size: Some(size),
                refreshes: 0xff,
            });
        }
        let is_intra = !is_shown && bits.flag()?;
        if !is_resilient {
            bits.skip(2)?;
        }
        let (refreshes, size) = if is_intra {
            if profile > 0 {
                colours(&mut bits, profile)?;
            } else if bits.number(24)? != SYNC_CODE {
                return None;
            }
            (bits.number(8)?, Some(frame_size(&mut bits)?))
        } else {
            let refreshes = bits.number(8)?;
            (refreshes, self.size_by_references(&mut bits))
        };
        Some(Header {
            colours: None,
            is_shown,
            size,
            refreshes,
        })
    }

    /// `frame_size_with_refs` (§6.2.5), behind which references there are.
    fn size_by_references(&self, bits: &mut Bits<'_>) -> Option<Size> {
        let mut references = [0; 3];
        for reference in &mut references {
            *reference = bits.number(3)? as usize;
            bits.flag()?;
        }
        for reference in references {
            if bits.flag()? {
                return self.sizes[reference];
            }
        }
        frame_size(bits)
    }

    pub(super) fn config(&self, (width, height): (u16, u16), rate: Rate) -> Option<TrackConfig> {
        let Sequence { colours, size } = self.sequence?;
        if !colours.is_420 {
            return None;
        }
        let (primaries, transfer, matrix) = colours.described();
        let vpcc = VpcC {
            profile: colours.profile,
            level: level(size, rate)?,
            bit_depth: colours.depth,
            chroma_subsampling: COLLOCATED,
            video_full_range_flag: colours.full_range,
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: matrix,
            codec_initialization_data: Vec::new(),
        };
        let mut body = Vec::new();
        vpcc.encode_body(&mut body).ok()?;
        Some(TrackConfig::Vp9 {
            vpcc: body.into(),
            width,
            height,
        })
    }
}

impl Colours {
    /// Primaries, transfer and matrix by the numbers of ITU-T H.273; 2 is what isn't told.
    fn described(self) -> (u8, u8, u8) {
        match self.space {
            1 | 3 => (6, 6, 6),
            2 => (1, 1, 1),
            4 => (7, 7, 7),
            5 => (9, 14, 9),
            _ => (2, 2, 2),
        }
    }
}

/// The lowest level that takes such pictures.
fn level((width, height): Size, rate: Rate) -> Option<u8> {
    let pixels = u64::from(width) * u64::from(height);
    let numerator = pixels * u64::from(rate.numerator);
    let a_second = numerator.div_ceil(u64::from(rate.denominator.max(1)));
    let fits = |(_, most, largest): &&(u8, u64, u64)| a_second <= *most && pixels <= *largest;
    LEVELS.iter().find(fits).map(|(level, ..)| *level)
}

/// The sync code and `color_config` (§6.2.1, §6.2.2).
fn colours(bits: &mut Bits<'_>, profile: u8) -> Option<Colours> {
    if bits.number(24)? != SYNC_CODE {
        return None;
    }
    let depth = match profile {
        0 | 1 => 8,
        _ if bits.flag()? => 12,
        _ => 10,
    };
    let space = bits.number(3)?;
    let odd_profile = profile & 1 == 1;
    let (full_range, is_420) = if space == RGB {
        (true, false)
    } else {
        let full_range = bits.flag()?;
        let subsampled = !odd_profile || (bits.flag()? & bits.flag()?);
        (full_range, subsampled)
    };
    if odd_profile {
        bits.flag()?;
    }
    Some(Colours {
        profile,
        depth,
        space,
        full_range,
        is_420,
    })
}

/// §6.2.3
fn frame_size(bits: &mut Bits<'_>) -> Option<Size> {
    Some((bits.number(16)? + 1, bits.number(16)? + 1))
}

/// The frames of a superframe (annex B), or the one that it is.
fn frames(data: &[u8]) -> Option<Vec<&[u8]>> {
    let &marker = data.last()?;
    if marker & 0xe0 != 0xc0 {
        return Some(vec![data]);
    }
    let bytes = usize::from(marker >> 3 & 3) + 1;
    let count = usize::from(marker & 7) + 1;
    let index = 2 + bytes * count;
    let Some(at) = data
        .len()
        .checked_sub(index)
        .filter(|at| data[*at] == marker)
    else {
        return Some(vec![data]);
    };
    let (mut rest, sizes) = (&data[..at], &data[at + 1..data.len() - 1]);
    let mut frames = Vec::with_capacity(count);
    for size in sizes.chunks(bytes) {
        let size = size
            .iter()
            .rev()
            .fold(0, |size, byte| size << 8 | usize::from(*byte));
        let (frame, after) = rest.split_at_checked(size)?;
        rest = after;
        // One without data is none.
        if !frame.is_empty() {
            frames.push(frame);
        }
    }
    Some(frames)
}
