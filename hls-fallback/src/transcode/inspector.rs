//! What the source's pictures are, as far as players have to know it to decode them as they are.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use ffmpeg_next::{color::TransferCharacteristic as Transfer, format::Pixel};

use super::{
    PassThrough,
    decoder::{self, Shown},
    fitness::Reason,
    ladder::Size,
};
use crate::{
    bitstream::{Flaw, Stream},
    media::{Rate, TrackConfig, VideoCodec},
};

/// How the source is encoded, since a keyframe.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) config: TrackConfig,
    pub(super) size: Size,
    pub(super) needs: Needs,
}

/// Which decoder players need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    codec: VideoCodec,
    /// Bits of a sample.
    depth: u8,
}

impl Needs {
    /// Every player has it.
    pub(super) fn is_familiar(self) -> bool {
        self.codec == VideoCodec::H264
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bits", self.codec, self.depth)
    }
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
    wanted: PassThrough,
    rate: Rate,
    known: Option<Known>,
}

/// What the last keyframe said.
#[derive(Debug)]
struct Known {
    stream: Stream,
    track: Result<Arc<Track>, Reason>,
}

impl Inspector {
    /// One that finds all of them unfit that aren't to be passed through. `rate`: of the pictures.
    pub(super) fn new(wanted: PassThrough, rate: Rate) -> Self {
        Self {
            wanted,
            rate,
            known: None,
        }
    }

    pub(super) fn look(&mut self, codec: VideoCodec, keyframe: bool, data: &Bytes) -> Look {
        if !self.wanted.takes(codec) {
            self.known = None;
            return unfit(Reason::Off);
        }
        if self.known.as_ref().map(|known| known.stream.codec()) != Some(codec) {
            let track = Err(Reason::Nothing);
            self.known = Stream::new(codec).map(|stream| Known { stream, track });
        }
        let Some(Known { stream, track }) = &mut self.known else {
            return unfit(Reason::Codec(codec));
        };
        let picture = stream.look(keyframe, data);
        if picture.is_new {
            *track = if keyframe {
                find_out(stream, data, self.rate)
            } else {
                // What is passed through has one set of parameters for a whole group of pictures.
                Err(Reason::Changed)
            };
        }
        Look {
            data: picture.data,
            track: match picture.flaw {
                Some(flaw) => Err(flaw.into()),
                None => track.clone(),
            },
            is_new: picture.is_new,
        }
    }

    /// How the source is encoded, if players can take it.
    pub(super) fn track(&self) -> Option<&Arc<Track>> {
        self.known.as_ref()?.track.as_ref().ok()
    }
}

impl From<Flaw> for Reason {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Reordered => Self::Reordered,
            Flaw::Layered => Self::Layered,
            Flaw::Resized => Self::Changed,
            Flaw::Form => Self::Format,
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
fn find_out(stream: &Stream, keyframe: &[u8], rate: Rate) -> Result<Arc<Track>, Reason> {
    let codec = stream.codec();
    let shown = decoder::look_at(codec, keyframe).map_err(|_| Reason::Broken)?;
    let depth = depth(codec, &shown).ok_or(Reason::Format)?;
    let size = shown.size;
    let fits = u16::try_from(size.width)
        .ok()
        .zip(u16::try_from(size.height).ok());
    let config = fits.and_then(|size| stream.config(size, rate));
    Ok(Arc::new(Track {
        config: config.ok_or(Reason::Format)?,
        size,
        needs: Needs { codec, depth },
    }))
}

/// Bits of a sample, where players know that form.
fn depth(codec: VideoCodec, shown: &Shown) -> Option<u8> {
    // Of HDR the playlists would have to tell, and what is encoded below would have to be made of it.
    if matches!(shown.transfer, Transfer::SMPTE2084 | Transfer::ARIB_STD_B67) {
        return None;
    }
    match shown.format {
        Pixel::YUV420P | Pixel::YUVJ420P => Some(8),
        Pixel::YUV420P10LE if codec != VideoCodec::H264 => Some(10),
        _ => None,
    }
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
        let needs = Needs {
            codec: VideoCodec::H264,
            depth: 8,
        };
        Arc::new(Self {
            config,
            size,
            needs,
        })
    }
}
