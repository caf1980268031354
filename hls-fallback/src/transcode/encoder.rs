//! H.264 encoders, through libav: x264, and NVIDIA's where there is a GPU.

use std::{fmt, path::Path};

use ffmpeg_next::{
    self as libav, Dictionary, Packet, Rational,
    codec::{self, threading},
    encoder, format, frame, picture,
};

use super::{
    h264::{self, AccessUnit},
    ladder::{Rendition, Rung, Size},
};
use crate::media::Rate;

/// Which encoder is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EncoderKind {
    /// x264: on the processor.
    X264,
    /// NVENC: on an NVIDIA GPU.
    Nvenc,
}

impl EncoderKind {
    fn library_name(self) -> &'static str {
        match self {
            Self::X264 => "libx264",
            Self::Nvenc => "h264_nvenc",
        }
    }

    /// What each needs to give a picture back at once, keyframes only where they are asked for, and never more than half again the
    /// bitrate over half a second.
    fn options(self, bitrate: u32) -> Dictionary<'static> {
        let mut options = Dictionary::new();
        let mut set = |key: &str, value: &str| options.set(key, value);
        set("forced-idr", "1");
        set("maxrate", &(bitrate + bitrate / 5).to_string());
        set("bufsize", &(bitrate / 2).to_string());
        match self {
            Self::X264 => {
                set("preset", "veryfast");
                set("tune", "zerolatency");
                set("x264-params", "scenecut=0:keyint=infinite");
            }
            Self::Nvenc => {
                set("preset", "p4");
                set("tune", "ull");
                set("rc", "vbr");
                set("delay", "0");
                set("zerolatency", "1");
                set("no-scenecut", "1");
            }
        }
        options
    }
}

impl fmt::Display for EncoderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X264 => "x264",
            Self::Nvenc => "NVENC",
        })
    }
}

/// Why nothing is encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// libav was built without it.
    #[error(
        "libavcodec on this machine has no {0}: install Debian's libavcodec, or one built with it"
    )]
    Missing(&'static str),
    /// It doesn't begin, or it failed.
    #[error("{encoder}: {source}")]
    Library {
        /// Which one.
        encoder: EncoderKind,
        /// What libav said.
        source: libav::Error,
    },
    /// It needs a GPU.
    #[error("there's no NVIDIA GPU: neither /dev/nvidiactl nor /dev/dxg is there")]
    NoGpu,
    /// A picture can't be brought to the rendition's size.
    #[error("scaling: {0}")]
    Scale(#[source] libav::Error),
    /// The system gives no thread.
    #[error("no thread for a rendition: {0}")]
    Thread(#[source] std::io::Error),
    /// Its output is no H.264.
    #[error("{0} gave no parameter sets with a keyframe")]
    NoParameterSets(EncoderKind),
}

/// What came of one picture.
#[derive(Debug)]
pub(super) struct Encoded {
    /// The number it was given in with.
    pub(super) slot: u64,
    pub(super) unit: AccessUnit,
    pub(super) keyframe: bool,
}

/// An encoder of one rendition.
pub(super) trait VideoEncoder: Send {
    /// Encodes the picture of a slot: 4:2:0 of the rendition's size. What it gives back may be of an earlier slot; none, while it
    /// holds them all back.
    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError>;
}

/// An encoder of libav.
pub(super) struct LibavEncoder {
    kind: EncoderKind,
    encoder: encoder::Video,
}

impl LibavEncoder {
    pub(super) fn open(
        kind: EncoderKind,
        rendition: &Rendition,
        rate: Rate,
    ) -> Result<Self, EncodeError> {
        let name = kind.library_name();
        let library = encoder::find_by_name(name).ok_or(EncodeError::Missing(name))?;
        let failed = |source| EncodeError::Library {
            encoder: kind,
            source,
        };
        let mut context = codec::Context::new_with_codec(library);
        context.set_threading(threading::Config::count(1));
        let mut video = context.encoder().video().map_err(failed)?;
        let (numerator, denominator) = (rate.numerator as i32, rate.denominator as i32);
        video.set_width(rendition.size.width);
        video.set_height(rendition.size.height);
        video.set_format(format::Pixel::YUV420P);
        video.set_time_base(Rational(denominator, numerator));
        video.set_frame_rate(Some(Rational(numerator, denominator)));
        video.set_bit_rate(rendition.rung.bitrate as usize);
        video.set_max_b_frames(0);
        video.set_gop(i32::MAX as u32);
        let encoder = video
            .open_with(kind.options(rendition.rung.bitrate))
            .map_err(failed)?;
        Ok(Self { kind, encoder })
    }
}

impl VideoEncoder for LibavEncoder {
    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        let failed = |source| EncodeError::Library {
            encoder: self.kind,
            source,
        };
        picture.set_pts(Some(slot as i64));
        picture.set_kind(if keyframe {
            picture::Type::I
        } else {
            picture::Type::None
        });
        self.encoder.send_frame(picture).map_err(failed)?;
        let mut packet = Packet::empty();
        match self.encoder.receive_packet(&mut packet) {
            Ok(()) => {}
            Err(libav::Error::Other {
                errno: libav::error::EAGAIN,
            }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        let (Some(data), Some(pts)) = (packet.data(), packet.pts()) else {
            return Ok(None);
        };
        Ok(Some(Encoded {
            slot: pts as u64,
            unit: h264::take_apart(data),
            keyframe: packet.is_key(),
        }))
    }
}

/// One of these is there where a driver of NVIDIA's is: on Linux, and on Linux below Windows.
const GPU_DEVICES: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];

/// Finds out whether an encoder works here, by encoding a grey picture.
pub fn probe(kind: EncoderKind) -> Result<(), EncodeError> {
    if kind == EncoderKind::Nvenc && !GPU_DEVICES.iter().any(|device| Path::new(device).exists()) {
        return Err(EncodeError::NoGpu);
    }
    let rendition = Rendition {
        name: "probe".to_owned(),
        rung: Rung {
            side: 144,
            bitrate: 200_000,
        },
        size: Size {
            width: 256,
            height: 144,
        },
    };
    let rate = super::rate::DEFAULT;
    let mut encoder = LibavEncoder::open(kind, &rendition, rate)?;
    let mut grey = frame::Video::new(format::Pixel::YUV420P, 256, 144);
    for plane in 0..3 {
        grey.data_mut(plane).fill(128);
    }
    for slot in 0..4 {
        if let Some(encoded) = encoder.encode(&mut grey, slot, slot == 0)? {
            return match encoded.unit.sps {
                Some(_) => Ok(()),
                None => Err(EncodeError::NoParameterSets(kind)),
            };
        }
    }
    Err(EncodeError::NoParameterSets(kind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn rendition() -> Rendition {
        Rendition {
            name: "test".to_owned(),
            rung: Rung {
                side: 180,
                bitrate: 300_000,
            },
            size: Size {
                width: 320,
                height: 180,
            },
        }
    }

    #[test]
    fn x264_gives_each_picture_back_at_once_with_keyframes_where_asked() {
        let mut encoder =
            LibavEncoder::open(EncoderKind::X264, &rendition(), super::super::rate::DEFAULT)
                .unwrap();
        let mut picture = frame::Video::new(format::Pixel::YUV420P, 320, 180);
        for slot in 10..70 {
            for plane in 0..3 {
                // A cut every seven pictures, which asks for keyframes.
                picture.data_mut(plane).fill((slot / 7 * 31) as u8);
            }
            let asked = slot % 30 == 10;
            let encoded = encoder
                .encode(&mut picture, slot, asked)
                .unwrap()
                .expect("no delay");
            assert_eq!((encoded.slot, encoded.keyframe), (slot, asked));
            assert_eq!(
                encoded.unit.sps.is_some() && encoded.unit.pps.is_some(),
                asked
            );
            assert!(!encoded.unit.data.is_empty());
        }
    }

    #[test]
    fn x264_works_here() {
        probe(EncoderKind::X264).unwrap();
    }

    #[test]
    fn nvenc_works_or_says_why_not() {
        if let Err(error) = probe(EncoderKind::Nvenc) {
            assert!(error.to_string().len() > 10, "{error}");
        }
    }
}
