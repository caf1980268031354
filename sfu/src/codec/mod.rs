//! Codecs that Spillway forwards untouched, and what their RTP payloads say without being decoded.

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
