//! Codecs that Spillway forwards untouched, and what their RTP payloads say without being decoded.

mod av1;
mod h264;
mod h265;
#[cfg(test)]
mod inspect_tests;
mod picture_id;
pub mod vp8;
pub mod vp9;

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
    /// From this frame on a receiver may switch up to its temporal layer.
    pub switch_point: bool,
}

impl PayloadInfo {
    const fn begin_keyframe(&mut self) {
        self.keyframe = true;
        self.switch_point = true;
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
