//! What coded pictures say of themselves, and how ISO BMFF has them. Sans-IO. What it reads comes from strangers: nothing in here may
//! panic, and nothing grows.

mod annexb;
pub(crate) mod av1;
mod bits;
pub(crate) mod h264;
mod h265;
mod vp9;

use bytes::Bytes;

use crate::media::{Rate, TrackConfig, VideoCodec};

/// Why pictures can't be passed to players as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// They aren't shown in the order in which they come.
    Reordered,
    /// They consist of several spatial layers, of which players would have to choose one.
    Layered,
    /// This one has another size than its track.
    Resized,
    /// It isn't as it should be, or in a form that players don't know.
    Form,
}

/// A picture, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// As a sample of ISO BMFF.
    pub(crate) data: Bytes,
    /// It brings other parameters than those that held until now; the first one does.
    pub(crate) is_new: bool,
    pub(crate) flaw: Option<Flaw>,
}

/// Follows the pictures of a source, one after the other.
#[derive(Debug)]
pub(crate) enum Stream {
    H264(h264::Stream),
    H265(h265::Stream),
    Vp9(vp9::Stream),
    Av1(av1::Stream),
}

impl Stream {
    /// None of a codec that players of HLS don't know.
    pub(crate) fn new(codec: VideoCodec) -> Option<Self> {
        Some(match codec {
            VideoCodec::H264 => Self::H264(h264::Stream::default()),
            VideoCodec::H265 => Self::H265(h265::Stream::default()),
            VideoCodec::Vp8 => return None,
            VideoCodec::Vp9 => Self::Vp9(vp9::Stream::default()),
            VideoCodec::Av1 => Self::Av1(av1::Stream::default()),
        })
    }

    pub(crate) fn codec(&self) -> VideoCodec {
        match self {
            Self::H264(_) => VideoCodec::H264,
            Self::H265(_) => VideoCodec::H265,
            Self::Vp9(_) => VideoCodec::Vp9,
            Self::Av1(_) => VideoCodec::Av1,
        }
    }

    /// The next picture, in the form of [`crate::media::Frame::data`].
    pub(crate) fn look(&mut self, keyframe: bool, data: &Bytes) -> Picture {
        match self {
            Self::H264(stream) => stream.look(data),
            Self::H265(stream) => stream.look(data),
            Self::Vp9(stream) => stream.look(keyframe, data),
            Self::Av1(stream) => stream.look(keyframe, data),
        }
    }

    /// The track of the parameters that hold now, for pictures of this size at this rate. None if they can't be one.
    pub(crate) fn config(&self, size: (u16, u16), rate: Rate) -> Option<TrackConfig> {
        match self {
            Self::H264(stream) => stream.config(size),
            Self::H265(stream) => stream.config(size),
            Self::Vp9(stream) => stream.config(size, rate),
            Self::Av1(stream) => stream.config(size),
        }
    }
}

/// Parameter sets of each kind, and whether a picture brought others than those that hold.
fn brings_others<const KINDS: usize>(
    known: Option<&[Vec<Bytes>; KINDS]>,
    came: &[Vec<Bytes>; KINDS],
) -> bool {
    known.is_none_or(|known| {
        let mut pairs = known.iter().zip(came);
        pairs.any(|(known, came)| !came.is_empty() && known != came)
    })
}

#[cfg(test)]
mod tests;
