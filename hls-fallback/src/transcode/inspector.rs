//! What the source's pictures are, as far as players have to know it to decode them as they are.

use std::sync::Arc;

use bytes::Bytes;
use ffmpeg_next::format::Pixel;

use super::{decoder, fitness::Reason, h264, ladder::Size};
use crate::media::{TrackConfig, VideoCodec};

/// How the source is encoded, since a keyframe.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) config: TrackConfig,
    pub(super) size: Size,
}

/// A picture of the source.
#[derive(Debug)]
pub(super) struct Look {
    /// In the form of ISO BMFF; empty, where it can't be passed through.
    pub(super) data: Bytes,
    /// How it is encoded, or why it can't be passed through.
    pub(super) track: Result<Arc<Track>, Reason>,
    /// That differs from the picture before.
    pub(super) is_new: bool,
}

/// Looks at each picture of a source.
#[derive(Debug)]
pub(super) struct Inspector {
    is_on: bool,
    known: Option<Known>,
}

/// What the last keyframe said.
#[derive(Debug)]
struct Known {
    codec: VideoCodec,
    /// Its parameter sets: what is the same with them the same is.
    sets: [Vec<Bytes>; 2],
    track: Result<Arc<Track>, Reason>,
}

impl Inspector {
    /// One that finds all of them unfit, unless it `is_on`.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, known: None }
    }

    pub(super) fn look(&mut self, codec: VideoCodec, keyframe: bool, data: &[u8]) -> Look {
        if !self.is_on {
            return unfit(Reason::Off);
        }
        match codec {
            VideoCodec::H264 => self.look_at_h264(keyframe, data),
            VideoCodec::H265 | VideoCodec::Vp8 | VideoCodec::Vp9 | VideoCodec::Av1 => {
                self.known = None;
                unfit(Reason::Codec(codec))
            }
        }
    }

    fn look_at_h264(&mut self, keyframe: bool, annex_b: &[u8]) -> Look {
        let codec = VideoCodec::H264;
        let h264::AccessUnit {
            data,
            sps,
            pps,
            has_b,
        } = h264::take_apart(annex_b);
        let sets = [sps, pps];
        let known = self.known.as_ref().filter(|known| known.codec == codec);
        let brings_others = |known: &Known| {
            let mut pairs = known.sets.iter().zip(&sets);
            pairs.any(|(known, came)| !came.is_empty() && known != came)
        };
        let is_new = known.is_none_or(brings_others);
        if is_new {
            let make = |size| h264::track_config(&sets[0], &sets[1], size);
            let track = if keyframe {
                find_out(codec, annex_b, make)
            } else {
                // What is passed through has one set of them for a whole group of pictures.
                Err(Reason::Changed)
            };
            self.known = Some(Known { codec, sets, track });
        }
        let track = match &self.known {
            _ if has_b => Err(Reason::Reordered),
            Some(known) => known.track.clone(),
            None => Err(Reason::Nothing),
        };
        Look {
            data,
            track,
            is_new,
        }
    }
}

fn unfit(reason: Reason) -> Look {
    Look {
        data: Bytes::new(),
        track: Err(reason),
        is_new: false,
    }
}

/// The track that begins with a keyframe. It is decoded, since only then one knows that it can be.
fn find_out(
    codec: VideoCodec,
    keyframe: &[u8],
    make: impl FnOnce((u16, u16)) -> Option<TrackConfig>,
) -> Result<Arc<Track>, Reason> {
    let (size, format) = decoder::look_at(codec, keyframe).map_err(|_| Reason::Broken)?;
    if !matches!(format, Pixel::YUV420P | Pixel::YUVJ420P) {
        return Err(Reason::Format);
    }
    let fits = u16::try_from(size.width)
        .ok()
        .zip(u16::try_from(size.height).ok());
    let config = fits.and_then(make).ok_or(Reason::Format)?;
    Ok(Arc::new(Track { config, size }))
}

#[cfg(test)]
impl Track {
    /// Any.
    pub(super) fn example() -> Arc<Self> {
        let (width, height) = (640, 360);
        let config = TrackConfig::H264 {
            avcc: Bytes::from_static(&[1, 66, 0, 31]),
            width: 640,
            height: 360,
        };
        let size = Size { width, height };
        Arc::new(Self { config, size })
    }
}
