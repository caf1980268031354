//! Codecs that Spillway forwards untouched, and what their RTP payloads say without being decoded.

mod av1;
mod h264;
mod h265;
#[cfg(test)]
mod inspect_tests;
mod picture_id;
pub mod vp8;
pub mod vp9;

pub use picture_id::PictureId;

use crate::MediaKind;

/// A codec that Spillway forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 / AVC, RFC 6184.
    H264,
    /// H.265 / HEVC, RFC 7798.
    H265,
    /// VP8, RFC 7741.
    Vp8,
    /// VP9, RFC 9628.
    Vp9,
    /// AV1, the RTP payload format of its alliance (`av1-rtp-spec`).
    Av1,
    /// Opus, RFC 7587.
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 6] = [
        Self::H264,
        Self::H265,
        Self::Vp8,
        Self::Vp9,
        Self::Av1,
        Self::Opus,
    ];

    /// The encoding name of `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::Opus => "opus",
        }
    }

    /// The codec of an encoding name, which is case-insensitive (RFC 4855 §3).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// RTP timestamp units a second.
    pub const fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }

    /// Its payloads count frames ([`Counters`]).
    pub const fn has_counters(self) -> bool {
        matches!(self, Self::Vp8 | Self::Vp9)
    }

    /// Whether the payload is parameter sets that pictures of other packets can't be decoded without.
    pub(crate) fn carries_parameters(self, payload: &[u8]) -> bool {
        match self {
            Self::H264 => h264::carries_parameters(payload),
            Self::H265 => h265::carries_parameters(payload),
            Self::Vp8 | Self::Vp9 | Self::Av1 | Self::Opus => false,
        }
    }

    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 => MediaKind::Video,
        }
    }
}

/// What one RTP payload says of the frame it belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says another thing")]
pub struct PayloadInfo {
    /// The packet begins a keyframe: it carries its parameter sets (SPS, VPS, sequence header) or the head of its first
    /// slice. More than one packet of a keyframe may say so.
    pub keyframe: bool,
    /// Width and height of the picture in pixels; of the largest layer with spatial layers in one source. Keyframes
    /// name it.
    pub size: Option<(u16, u16)>,
    /// The spatial layer, 0 being the smallest. 0 where the payload doesn't say.
    pub spatial_layer: u8,
    /// The temporal layer, 0 being the slowest. 0 where the payload doesn't say.
    pub temporal_layer: u8,
    /// Whether a receiver may go up to more temporal layers with this frame.
    pub temporal_switch: TemporalSwitch,
    /// The frame needs none of an earlier picture: a receiver of the picture's spatial layers below may go up to its own.
    pub spatial_switch: bool,
    /// The packet begins a frame of a spatial layer. False where the payload doesn't say.
    pub begins_frame: bool,
    /// The packet ends a frame of a spatial layer. False where the payload doesn't say: the RTP marker does.
    pub ends_frame: bool,
}

/// How a frame lets receivers that were without the upper temporal layers go up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TemporalSwitch {
    /// It doesn't, or the payload doesn't say.
    #[default]
    None,
    /// It needs nothing of its own temporal layer: who has those below may go up to it.
    ToOwn,
    /// Nothing above its temporal layer needs what came before it: who has it may go up to any.
    Above,
}

impl PayloadInfo {
    const fn begin_keyframe(&mut self) {
        self.keyframe = true;
        self.spatial_switch = true;
        self.temporal_switch = TemporalSwitch::Above;
    }
}

/// Reads what a payload says, without allocating. A payload that can't be read says nothing; so does audio.
pub fn inspect(codec: Codec, payload: &[u8]) -> PayloadInfo {
    match codec {
        Codec::H264 => h264::inspect(payload),
        Codec::H265 => h265::inspect(payload),
        Codec::Vp8 => vp8::inspect(payload),
        Codec::Vp9 => vp9::inspect(payload),
        Codec::Av1 => av1::inspect(payload),
        Codec::Opus => PayloadInfo::default(),
    }
}

/// The frame counters in a payload's descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Counts pictures.
    pub picture_id: Option<PictureId>,
    /// Counts pictures of temporal layer 0.
    pub tl0picidx: Option<u8>,
}

impl Counters {
    /// Reads a payload's counters. Payloads of most codecs have none.
    pub fn read(codec: Codec, payload: &[u8]) -> Self {
        let (picture_id, tl0picidx) = match codec {
            Codec::Vp8 => vp8::Descriptor::parse(payload).map(|d| (d.picture_id, d.tl0picidx)),
            Codec::Vp9 => vp9::Descriptor::parse(payload).map(|d| (d.picture_id, d.tl0picidx)),
            Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Opus => None,
        }
        .unwrap_or_default();
        Self {
            picture_id,
            tl0picidx,
        }
    }

    /// Counts a payload's counters on, as far as it has them, each within its width.
    pub fn shift(codec: Codec, payload: &mut [u8], picture_id: u16, tl0picidx: u8) {
        let seen = Self::read(codec, payload);
        let id = seen
            .picture_id
            .map_or(0, |id| id.value)
            .wrapping_add(picture_id);
        let index = seen.tl0picidx.unwrap_or(0).wrapping_add(tl0picidx);
        match codec {
            Codec::Vp8 => vp8::rewrite_descriptor(payload, id, index),
            Codec::Vp9 => vp9::rewrite_descriptor(payload, id, index),
            Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Opus => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_codec_in_any_case() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_name(codec.name()), Some(codec));
            let lower = codec.name().to_ascii_lowercase();
            assert_eq!(Codec::from_name(&lower), Some(codec));
        }
        assert_eq!(Codec::from_name("red"), None);
        assert_eq!(Codec::from_name(""), None);
    }

    #[test]
    fn opus_is_the_audio_codec() {
        assert_eq!(Codec::Opus.kind(), MediaKind::Audio);
        assert_eq!(Codec::Opus.clock_rate(), 48_000);
        assert_eq!(Codec::Av1.kind(), MediaKind::Video);
        assert_eq!(Codec::Av1.clock_rate(), 90_000);
    }
}
