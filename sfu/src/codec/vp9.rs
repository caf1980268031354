//! The VP9 payload descriptor (RFC 9628 §4.2) and key frame header (VP9 bitstream specification §6.2).

use super::{
    PayloadInfo, TemporalSwitch,
    picture_id::{PictureId, take_picture_id, write_picture_id},
};
use crate::{
    bits::BitReader,
    rtp::wire::{take_u8, take_u16},
};

/// The most references that a descriptor in flexible mode lists (RFC 9628 §4.2, `P_DIFF`).
const MAX_REFERENCES: usize = 3;
/// V of a descriptor's first byte: a scalability structure follows.
pub(crate) const HAS_STRUCTURE: u8 = 0x02;
/// What a key frame's header begins with (§7.2, `frame_sync_code`).
const SYNC_CODE: u32 = 0x49_83_42;
/// `color_space` of RGB (§7.2.2).
const COLOR_RGB: u32 = 7;

/// A payload descriptor (RFC 9628 §4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the wire format"
)]
pub struct Descriptor {
    /// Counts pictures, in 7 or 15 bits.
    pub picture_id: Option<PictureId>,
    /// P: the frame refers to earlier pictures.
    pub inter_picture: bool,
    /// B: the packet begins a frame of a spatial layer.
    pub begins_frame: bool,
    /// E: the packet ends a frame of a spatial layer.
    pub ends_frame: bool,
    /// TID; 0 if the descriptor doesn't say.
    pub temporal_layer: u8,
    /// U: a receiver may switch up to the frame's temporal layer.
    pub switch_point: bool,
    /// SID; 0 if the descriptor doesn't say.
    pub spatial_layer: u8,
    /// D: the frame depends on the spatial layer below.
    pub inter_layer: bool,
    /// Counts pictures of temporal layer 0, in non-flexible mode.
    pub tl0picidx: Option<u8>,
    /// The size of the highest spatial layer, where a scalability structure names it.
    pub size: Option<(u16, u16)>,
    /// The sizes of the lowest spatial layers, where a scalability structure names them; 0×0 otherwise.
    pub sizes: [(u16, u16); 4],
    /// Bytes of the descriptor.
    pub len: usize,
    picture_id_at: usize,
    tl0picidx_at: usize,
}

impl Descriptor {
    /// Reads the descriptor that a payload begins with.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let first = take_u8(&mut rest)?;
        let flag = |mask: u8| first & mask != 0;
        let mut descriptor = Self {
            inter_picture: flag(0x40),
            begins_frame: flag(0x08),
            ends_frame: flag(0x04),
            ..Self::default()
        };
        let flexible = flag(0x10);
        if flag(0x80) {
            descriptor.picture_id_at = payload.len() - rest.len();
            descriptor.picture_id = Some(take_picture_id(&mut rest)?);
        }
        if flag(0x20) {
            let layer = take_u8(&mut rest)?;
            descriptor.temporal_layer = layer >> 5;
            descriptor.switch_point = layer & 0x10 != 0;
            descriptor.spatial_layer = (layer >> 1) & 0x07;
            descriptor.inter_layer = layer & 0x01 != 0;
            if !flexible {
                descriptor.tl0picidx_at = payload.len() - rest.len();
                descriptor.tl0picidx = Some(take_u8(&mut rest)?);
            }
        }
        if flexible && descriptor.inter_picture {
            skip_references(&mut rest)?;
        }
        if flag(HAS_STRUCTURE) {
            descriptor.read_structure(&mut rest)?;
        }
        descriptor.len = payload.len() - rest.len();
        Some(descriptor)
    }

    /// Reads the scalability structure (RFC 9628 §4.2.1), which names the size of each layer if it has them.
    fn read_structure(&mut self, rest: &mut &[u8]) -> Option<()> {
        let first = take_u8(rest)?;
        if first & 0x10 != 0 {
            for layer in 0..=first >> 5 {
                let size = (take_u16(rest)?, take_u16(rest)?);
                self.size = Some(size);
                if let Some(kept) = self.sizes.get_mut(usize::from(layer)) {
                    *kept = size;
                }
            }
        }
        if first & 0x08 != 0 {
            for _ in 0..take_u8(rest)? {
                let references = (take_u8(rest)? >> 2) & 0x03;
                for _ in 0..references {
                    take_u8(rest)?;
                }
            }
        }
        Some(())
    }
}

fn skip_references(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..MAX_REFERENCES {
        // The lowest bit says whether another follows.
        if take_u8(rest)? & 1 == 0 {
            return Some(());
        }
    }
    None
}

/// Writes other counters into a payload's descriptor, as far as it has them. A 7-bit picture id stays one: it gets the
/// lower bits.
pub fn rewrite_descriptor(payload: &mut [u8], picture_id: u16, tl0picidx: u8) {
    let Some(descriptor) = Descriptor::parse(payload) else {
        return;
    };
    if descriptor.picture_id.is_some() {
        write_picture_id(payload, descriptor.picture_id_at, picture_id);
    }
    if descriptor.tl0picidx.is_some() {
        payload[descriptor.tl0picidx_at] = tl0picidx;
    }
}

/// What a payload says.
pub(super) fn inspect(payload: &[u8]) -> PayloadInfo {
    let mut info = PayloadInfo::default();
    let Some(descriptor) = Descriptor::parse(payload) else {
        return info;
    };
    info.temporal_layer = descriptor.temporal_layer;
    info.spatial_layer = descriptor.spatial_layer;
    info.spatial_switch = !descriptor.inter_picture;
    info.begins_frame = descriptor.begins_frame;
    info.ends_frame = descriptor.ends_frame;
    // U speaks of the layers above, not of the frame's own (RFC 9628 §4.2).
    if descriptor.switch_point {
        info.temporal_switch = TemporalSwitch::Above;
    }
    info.size = descriptor.size;
    if descriptor.begins_frame && !descriptor.inter_picture && descriptor.spatial_layer == 0 {
        let frame = payload.get(descriptor.len..).unwrap_or_default();
        info.begin_keyframe();
        info.size = info.size.or_else(|| key_frame_size(frame));
    }
    info
}

/// Reads the uncompressed header of a key frame (§6.2).
fn key_frame_size(frame: &[u8]) -> Option<(u16, u16)> {
    let mut bits = BitReader::new(frame.iter().copied());
    if bits.bits(2)? != 0b10 {
        return None;
    }
    let profile = bits.bits(1)? | bits.bits(1)? << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    // show_existing_frame, frame_type (0 in key frames)
    if bits.bits(2)? != 0 {
        return None;
    }
    // show_frame, error_resilient_mode
    bits.skip(2)?;
    if bits.bits(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    let subsampling_named = profile & 1 == 1;
    if bits.bits(3)? != COLOR_RGB {
        bits.skip(if subsampling_named { 4 } else { 1 })?;
    } else if subsampling_named {
        bits.skip(1)?;
    }
    let (width, height) = (bits.bits(16)? + 1, bits.bits(16)? + 1);
    Some((width.try_into().ok()?, height.try_into().ok()?))
}
