//! The VP8 payload descriptor (RFC 7741 §4.2) and key frame header (RFC 6386 §9.1).

use super::{
    PayloadInfo, TemporalSwitch,
    picture_id::{PictureId, take_picture_id, write_picture_id},
};
use crate::rtp::wire::{take, take_u8};

/// What follows the frame tag of a key frame (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9D, 0x01, 0x2A];

/// A payload descriptor (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Whether the packet begins a frame.
    pub begins_frame: bool,
    /// Counts frames, in 7 or 15 bits.
    pub picture_id: Option<PictureId>,
    /// Counts frames of temporal layer 0.
    pub tl0picidx: Option<u8>,
    /// TID; 0 if the descriptor doesn't say.
    pub temporal_layer: u8,
    /// Y: the frame depends on layer 0 alone, so that a receiver may switch up to its layer.
    pub layer_sync: bool,
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
        let mut descriptor = Self {
            // S, and the first partition.
            begins_frame: first & 0x17 == 0x10,
            ..Self::default()
        };
        let extensions = if first & 0x80 == 0 {
            0
        } else {
            take_u8(&mut rest)?
        };
        if extensions & 0x80 != 0 {
            descriptor.picture_id_at = payload.len() - rest.len();
            descriptor.picture_id = Some(take_picture_id(&mut rest)?);
        }
        if extensions & 0x40 != 0 {
            descriptor.tl0picidx_at = payload.len() - rest.len();
            descriptor.tl0picidx = Some(take_u8(&mut rest)?);
        }
        // T and K share a byte.
        if extensions & 0x30 != 0 {
            let layer = take_u8(&mut rest)?;
            if extensions & 0x20 != 0 {
                descriptor.temporal_layer = layer >> 6;
                descriptor.layer_sync = layer & 0x20 != 0;
            }
        }
        descriptor.len = payload.len() - rest.len();
        Some(descriptor)
    }
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
    info.begins_frame = descriptor.begins_frame;
    if descriptor.layer_sync {
        info.temporal_switch = TemporalSwitch::ToOwn;
    }
    let frame = payload.get(descriptor.len..).unwrap_or_default();
    // The lowest bit of the frame tag is clear in key frames (RFC 6386 §9.1).
    if descriptor.begins_frame && frame.first().is_some_and(|tag| tag & 1 == 0) {
        info.begin_keyframe();
        info.size = key_frame_size(frame);
    }
    info
}

fn key_frame_size(mut frame: &[u8]) -> Option<(u16, u16)> {
    take::<3>(&mut frame)?;
    if take(&mut frame)? != &START_CODE {
        return None;
    }
    // The upper two bits are a scaling hint.
    let width = u16::from_le_bytes(*take(&mut frame)?) & 0x3FFF;
    let height = u16::from_le_bytes(*take(&mut frame)?) & 0x3FFF;
    Some((width, height))
}
