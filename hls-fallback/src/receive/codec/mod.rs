//! From the payloads of a picture to its coded form.
//!
//! Ours for every codec: `rtc-rtp` 0.21.1 keeps state between packets that a loss leaves wrong (H.264, VP8, VP9), panics on
//! an aggregate that is cut short (H.264), and returns H.265 undone.

mod annexb;
mod av1;
mod h264;
mod h265;
mod reader;
mod vp8;
mod vp9;

use bytes::Bytes;

use crate::media::VideoCodec;

pub use annexb::ParameterSets;

/// The payloads of one picture, in order, with none missing between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) payloads: &'a [Bytes],
    /// The packet before the first one is known to be of another picture.
    pub(super) begins: bool,
}

/// A picture that can be decoded, given what it refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) data: Vec<u8>,
    pub(super) keyframe: bool,
}

/// What became of the payloads of a picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Assembled {
    Coded(Coded),
    /// Parameter sets or the like, which are kept for the next picture.
    Nothing,
    /// Parts are missing, or not as the codec's payload format has them.
    Broken,
}

/// Puts pictures together, and keeps what keyframes need besides.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    h264: annexb::AccessUnits,
    h265: annexb::AccessUnits,
    av1: av1::TemporalUnits,
}

impl Assembler {
    pub(super) fn assemble(&mut self, codec: VideoCodec, picture: Picture<'_>) -> Assembled {
        match codec {
            VideoCodec::H264 => match h264::units(picture.payloads) {
                Some(units) => self.h264.assemble::<h264::H264>(&units, picture.begins),
                None => Assembled::Broken,
            },
            VideoCodec::H265 => match h265::units(picture.payloads) {
                Some(units) => self.h265.assemble::<h265::H265>(&units, picture.begins),
                None => Assembled::Broken,
            },
            VideoCodec::Vp8 => whole(vp8::assemble(picture.payloads)),
            VideoCodec::Vp9 => whole(vp9::assemble(picture.payloads)),
            VideoCodec::Av1 => self.av1.assemble(picture),
        }
    }

    /// Parameter sets from the session description.
    pub(super) fn set_parameter_sets(&mut self, sets: &ParameterSets) {
        self.h264.remember::<h264::H264>(&sets.h264);
        self.h265.remember::<h265::H265>(&sets.h265);
    }
}

fn whole(coded: Option<Coded>) -> Assembled {
    coded.map_or(Assembled::Broken, Assembled::Coded)
}
