//! The words that the stages of the sidecar share.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A moment on the node's clock: microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub i64);

impl Moment {
    /// This moment and `microseconds` later, or earlier.
    #[must_use]
    pub const fn plus(self, microseconds: i64) -> Self {
        Self(self.0.saturating_add(microseconds))
    }

    /// Microseconds from `earlier` to this moment; negative if that is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a picture is encoded with when it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264 (RFC 6184)
    H264,
    /// H.265 (RFC 7798)
    H265,
    /// VP8 (RFC 7741)
    Vp8,
    /// VP9 (RFC 9628)
    Vp9,
    /// AV1 (the RTP payload format of the Alliance for Open Media)
    Av1,
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        })
    }
}

/// Why a keyframe is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyframeWish {
    /// Pictures are missing: what was sent before may help as well as a new one.
    Missing,
    /// One is due. Only a new one will do.
    Due,
}

/// What was received whole: a picture or a packet of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which of the two, and how it is encoded.
    pub content: Content,
    /// When it was captured, as the sender reports say; by its arrival before the first of them.
    pub time: Moment,
    /// When it came, by the same clock. A publisher may send frames before their time, as `FFmpeg` does with what it reads of files.
    pub arrived: Moment,
    /// H.264 and H.265: NAL units with start codes (Annex B). VP8 and VP9: a frame, of VP9 all its spatial layers. AV1: the
    /// OBUs of a temporal unit, each with its size, without temporal delimiters. Opus: a packet.
    pub data: Bytes,
    /// Frames of this track before it are missing.
    pub lost_before: bool,
}

/// Of which kind a [`Frame`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A picture.
    Video {
        /// How it is encoded.
        codec: VideoCodec,
        /// It can be decoded without those before it.
        keyframe: bool,
    },
    /// Opus sound.
    Audio,
}

/// One encoded access unit on its way into a rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// In the form of ISO BMFF: H.264 and H.265 with 4-byte lengths, without parameter sets; VP9 as it is, with superframes whole;
    /// AV1 without temporal delimiters; AAC without ADTS; a packet of Opus.
    pub data: Bytes,
    /// When it is decoded and shown: ticks of the rendition's timescale since the broadcast's epoch. A sample begins where
    /// the one before it ended.
    pub time: u64,
    /// Ticks.
    pub duration: u32,
    /// It can be decoded without those before it.
    pub keyframe: bool,
}

/// How the samples of a rendition are encoded: what becomes its initialization segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackConfig {
    /// H.264.
    H264 {
        /// The body of the `avcC` box (ISO/IEC 14496-15 §5.3.3.1).
        avcc: Bytes,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// H.265, with its parameter sets in the sample entry alone (`hvc1`).
    H265 {
        /// The body of the `hvcC` box (ISO/IEC 14496-15 §8.3.3.1).
        hvcc: Bytes,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// VP9.
    Vp9 {
        /// The body of the `vpcC` box, with its version and flags (VP codec ISO media file format binding §"VP Codec Configuration
        /// Box").
        vpcc: Bytes,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// AV1.
    Av1 {
        /// The body of the `av1C` box (AV1 codec ISO media file format binding §2.3), with the sequence header.
        av1c: Bytes,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// Opus in packets of 20 ms, none of whose samples is to be left out.
    Opus {
        /// Hertz.
        sample_rate: u32,
        /// 1 or 2.
        channels: u16,
    },
    /// AAC-LC.
    Aac {
        /// The `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1).
        config: Bytes,
        /// Hertz.
        sample_rate: u32,
        /// 1 or 2.
        channels: u16,
    },
}

impl TrackConfig {
    /// Width and height in pixels; none, of sound.
    pub fn size(&self) -> Option<(u16, u16)> {
        match *self {
            Self::H264 { width, height, .. }
            | Self::H265 { width, height, .. }
            | Self::Vp9 { width, height, .. }
            | Self::Av1 { width, height, .. } => Some((width, height)),
            Self::Aac { .. } | Self::Opus { .. } => None,
        }
    }

    /// Hertz, and how many; none, of pictures.
    pub fn sound(&self) -> Option<(u32, u16)> {
        match *self {
            Self::Aac {
                sample_rate,
                channels,
                ..
            }
            | Self::Opus {
                sample_rate,
                channels,
            } => Some((sample_rate, channels)),
            _ => None,
        }
    }
}

/// Who asks for a rendition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// How long ago it was asked for last, if ever.
    pub idle: Option<Duration>,
    /// Requests so far.
    pub requests: u64,
}

/// A frame rate or the like: `numerator / denominator` a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Above 0.
    pub numerator: u32,
    /// Above 0.
    pub denominator: u32,
}

impl Rate {
    /// How long one lasts, rounded down to nanoseconds.
    pub fn period(self) -> Duration {
        Duration::from_nanos(
            u64::from(self.denominator) * 1_000_000_000 / u64::from(self.numerator),
        )
    }

    /// As a number.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}
