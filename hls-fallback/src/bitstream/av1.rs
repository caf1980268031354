//! AV1: what sequence and frame headers say (AV1 specification §5.5, §5.9), and `av1C`.

use bytes::Bytes;
use mp4_atom::{Atom as _, Av1c};

use super::{Flaw, Picture, bits::Bits};
use crate::media::TrackConfig;

/// OBU types (§6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
/// `frame_type` (§6.8.2).
const KEY_FRAME: u32 = 0;
const SWITCH_FRAME: u32 = 3;
/// What is told by each frame's header.
const SELECT: u32 = 2;

/// Follows a source's pictures.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The last sequence header: the whole OBU, and what it says.
    header: Option<(Bytes, Option<Sequence>)>,
}

/// What of a sequence header is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) profile: u8,
    level: u8,
    tier: bool,
    /// The operating points have several spatial layers.
    is_layered: bool,
    colours: Colours,
    frames: FrameHeaders,
}

/// `color_config` (§5.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Colours {
    /// Bits of a sample.
    pub(crate) depth: u8,
    pub(crate) mono: bool,
    /// Primaries, transfer and matrix by the numbers of ITU-T H.273, if they are told.
    pub(crate) described: Option<[u8; 3]>,
    pub(crate) full_range: bool,
    /// In x and y.
    pub(crate) subsampled: [bool; 2],
    pub(crate) position: u8,
}

/// How the first bits of frames' headers are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FrameHeaders {
    is_reduced: bool,
    /// `frame_presentation_time` has so many bits, where there is one.
    time_bits: u32,
    /// `current_frame_id` has so many.
    id_bits: u32,
    screen_content: u32,
    integer_vectors: u32,
}

/// What a frame's header says.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    is_shown: bool,
    is_key: bool,
    /// It has another size than the sequence header says.
    is_resized: bool,
}

/// An open bitstream unit (§5.3).
struct Obu<'a> {
    kind: u8,
    spatial_layer: u8,
    payload: &'a [u8],
    whole: std::ops::Range<usize>,
}

impl Stream {
    pub(super) fn look(&mut self, keyframe: bool, data: &Bytes) -> Picture {
        let is_first = self.header.is_none();
        let mut is_new = is_first;
        let flaw = self.read(keyframe, data, &mut is_new).err();
        Picture {
            data: data.clone(),
            is_new,
            flaw,
        }
    }

    fn read(&mut self, keyframe: bool, data: &Bytes, is_new: &mut bool) -> Result<(), Flaw> {
        let mut rest = 0;
        let (mut shown, mut begins_with_key) = (0, None);
        while rest < data.len() {
            let obu = obu(data, rest).ok_or(Flaw::Form)?;
            rest = obu.whole.end;
            if obu.spatial_layer > 0 {
                return Err(Flaw::Layered);
            }
            match obu.kind {
                SEQUENCE_HEADER => {
                    let whole = &data[obu.whole];
                    if self
                        .header
                        .as_ref()
                        .is_none_or(|(known, _)| *known != whole)
                    {
                        *is_new = true;
                        // Not a part of the picture, which would be kept with it.
                        let kept = Bytes::copy_from_slice(whole);
                        self.header = Some((kept, Sequence::read(obu.payload)));
                    }
                }
                FRAME | FRAME_HEADER => {
                    let sequence = self.sequence().ok_or(Flaw::Form)?;
                    let frame = sequence.frames.read(obu.payload).ok_or(Flaw::Form)?;
                    begins_with_key.get_or_insert(frame.is_key && frame.is_shown);
                    shown += u32::from(frame.is_shown);
                    if frame.is_resized {
                        return Err(Flaw::Resized);
                    }
                }
                _ => {}
            }
        }
        if self.sequence().is_some_and(|sequence| sequence.is_layered) {
            return Err(Flaw::Layered);
        }
        match (shown, begins_with_key) {
            // A keyframe that is shown later is none to players (AV1 in ISO BMFF §2.4).
            (1, Some(is_key)) if is_key || !keyframe => Ok(()),
            (0 | 1, _) => Err(Flaw::Form),
            _ => Err(Flaw::Layered),
        }
    }

    fn sequence(&self) -> Option<&Sequence> {
        self.header.as_ref()?.1.as_ref()
    }

    pub(super) fn config(&self, (width, height): (u16, u16)) -> Option<TrackConfig> {
        let (header, sequence) = self.header.as_ref()?;
        let sequence = sequence.as_ref()?;
        let colours = &sequence.colours;
        // The main profile, with pictures in colour.
        if sequence.profile != 0 || colours.mono {
            return None;
        }
        let av1c = Av1c {
            seq_profile: sequence.profile,
            seq_level_idx_0: sequence.level,
            seq_tier_0: sequence.tier,
            high_bitdepth: colours.depth > 8,
            twelve_bit: colours.depth > 10,
            monochrome: colours.mono,
            chroma_subsampling_x: colours.subsampled[0],
            chroma_subsampling_y: colours.subsampled[1],
            chroma_sample_position: colours.position,
            initial_presentation_delay: None,
            config_obus: header.to_vec(),
        };
        let mut body = Vec::new();
        av1c.encode_body(&mut body).ok()?;
        Some(TrackConfig::Av1 {
            av1c: body.into(),
            width,
            height,
        })
    }
}

/// The sequence header behind the four bytes with which `av1C` begins.
pub(crate) fn of_config(av1c: &[u8]) -> Option<Sequence> {
    let obu = obu(av1c.get(4..)?, 0)?;
    Sequence::read(obu.payload).filter(|_| obu.kind == SEQUENCE_HEADER)
}

/// The OBU at `at`, which has its size, as all have here but maybe the last.
fn obu(data: &[u8], at: usize) -> Option<Obu<'_>> {
    let from = data.get(at..)?;
    let (&header, mut rest) = from.split_first()?;
    let mut spatial_layer = 0;
    if header & 0x04 != 0 {
        let (&extension, after) = rest.split_first()?;
        spatial_layer = extension >> 3 & 3;
        rest = after;
    }
    let mut size = rest.len();
    if header & 0x02 != 0 {
        size = 0;
        for i in 0.. {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            size |= usize::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                break;
            }
            // Of what is that large, nothing gets here.
            if i == 3 {
                return None;
            }
        }
    }
    let payload = rest.get(..size)?;
    let end = data.len() - (rest.len() - size);
    Some(Obu {
        kind: header >> 3 & 0x0f,
        spatial_layer,
        payload,
        whole: at..end,
    })
}

impl Sequence {
    /// §5.5.1
    fn read(payload: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(payload);
        let profile = bits.number(3)? as u8;
        // still_picture
        bits.flag()?;
        let is_reduced = bits.flag()?;
        let mut time_bits = 0;
        let (mut level, mut tier, mut is_layered) = (0, false, false);
        if is_reduced {
            level = bits.number(5)? as u8;
        } else {
            let mut delay_bits = None;
            if bits.flag()? {
                (time_bits, delay_bits) = timing(&mut bits)?;
            }
            let has_display_delay = bits.flag()?;
            for point in 0..=bits.number(5)? {
                let layers = bits.number(12)?;
                is_layered |= (layers >> 8).count_ones() > 1;
                let level_here = bits.number(5)? as u8;
                let tier_here = level_here > 7 && bits.flag()?;
                if point == 0 {
                    (level, tier) = (level_here, tier_here);
                }
                if let Some(delay_bits) = delay_bits
                    && bits.flag()?
                {
                    bits.skip(2 * delay_bits + 1)?;
                }
                if has_display_delay && bits.flag()? {
                    bits.skip(4)?;
                }
            }
        }
        let size_bits = [bits.number(4)? + 1, bits.number(4)? + 1];
        bits.skip(size_bits.iter().sum::<u32>() as usize)?;
        let mut id_bits = 0;
        if !is_reduced && bits.flag()? {
            // delta_frame_id_length_minus_2, additional_frame_id_length_minus_1
            id_bits = bits.number(4)? + 2 + bits.number(3)? + 1;
        }
        // Superblocks, filters.
        bits.skip(3)?;
        let (mut screen_content, mut integer_vectors) = (SELECT, SELECT);
        if !is_reduced {
            (screen_content, integer_vectors) = tools(&mut bits)?;
        }
        bits.skip(3)?;
        Some(Self {
            profile,
            level,
            tier,
            is_layered,
            colours: Colours::read(&mut bits, profile)?,
            frames: FrameHeaders {
                is_reduced,
                time_bits,
                id_bits,
                screen_content,
                integer_vectors,
            },
        })
    }

    /// `seq_level_idx_0` and `seq_tier_0`
    pub(crate) fn level(&self) -> (u8, bool) {
        (self.level, self.tier)
    }

    pub(crate) fn colours(&self) -> &Colours {
        &self.colours
    }
}

/// `timing_info` and `decoder_model_info` (§5.5.3, §5.5.4): how many bits each frame's time has, and each operating point's delays.
fn timing(bits: &mut Bits<'_>) -> Option<(u32, Option<usize>)> {
    bits.skip(64)?;
    let equal_interval = bits.flag()?;
    if equal_interval {
        bits.golomb()?;
    }
    if !bits.flag()? {
        return Some((0, None));
    }
    let delay_bits = bits.number(5)? as usize + 1;
    bits.skip(32 + 5)?;
    let time_bits = bits.number(5)? + 1;
    Some((if equal_interval { 0 } else { time_bits }, Some(delay_bits)))
}

/// The tools that a sequence header turns on (§5.5.1): what it says of screen content and of vectors in whole pixels.
fn tools(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.skip(4)?;
    let has_order = bits.flag()?;
    if has_order {
        bits.skip(2)?;
    }
    let mut choice = || {
        let selects = bits.flag()?;
        if selects {
            Some(SELECT)
        } else {
            bits.number(1)
        }
    };
    let screen_content = choice()?;
    let integer_vectors = if screen_content > 0 {
        choice()?
    } else {
        SELECT
    };
    if has_order {
        bits.skip(3)?;
    }
    Some((screen_content, integer_vectors))
}

impl Colours {
    fn read(bits: &mut Bits<'_>, profile: u8) -> Option<Self> {
        /// BT.709's primaries, sRGB's transfer, no matrix.
        const RGB: [u8; 3] = [1, 13, 0];
        let high_depth = bits.flag()?;
        let twelve_bits = profile == 2 && high_depth && bits.flag()?;
        let mono = profile != 1 && bits.flag()?;
        let described = if bits.flag()? {
            Some(bits.bytes()?)
        } else {
            None
        };
        let mut colours = Self {
            depth: match (high_depth, twelve_bits) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            },
            mono,
            described,
            full_range: true,
            subsampled: [false; 2],
            position: 0,
        };
        if mono {
            colours.full_range = bits.flag()?;
            colours.subsampled = [true; 2];
        } else if described != Some(RGB) {
            colours.full_range = bits.flag()?;
            colours.subsampled = match profile {
                0 => [true; 2],
                1 => [false; 2],
                _ if twelve_bits => {
                    let x = bits.flag()?;
                    [x, x && bits.flag()?]
                }
                _ => [true, false],
            };
            if colours.subsampled == [true; 2] {
                colours.position = bits.number(2)? as u8;
            }
        }
        Some(colours)
    }
}

impl FrameHeaders {
    /// The first bits of `uncompressed_header` (§5.9.2).
    fn read(&self, payload: &[u8]) -> Option<Frame> {
        let mut frame = Frame {
            is_shown: true,
            is_key: true,
            is_resized: false,
        };
        if self.is_reduced {
            return Some(frame);
        }
        let mut bits = Bits::new(payload);
        if bits.flag()? {
            // An earlier one is shown.
            frame.is_key = false;
            return Some(frame);
        }
        let kind = bits.number(2)?;
        frame.is_key = kind == KEY_FRAME;
        frame.is_shown = bits.flag()?;
        if frame.is_shown {
            bits.skip(self.time_bits as usize)?;
        } else {
            // showable_frame
            bits.flag()?;
        }
        if kind != SWITCH_FRAME && !(frame.is_key && frame.is_shown) {
            // error_resilient_mode
            bits.flag()?;
        }
        // disable_cdf_update
        bits.flag()?;
        let screen_content = match self.screen_content {
            SELECT => bits.flag()?,
            forced => forced == 1,
        };
        if screen_content && self.integer_vectors == SELECT {
            bits.flag()?;
        }
        bits.skip(self.id_bits as usize)?;
        frame.is_resized = kind == SWITCH_FRAME || bits.flag()?;
        Some(frame)
    }
}
