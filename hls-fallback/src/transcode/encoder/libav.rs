//! libav's encoders: x264, and what it has in common with NVIDIA's.

use ffmpeg_next::{
    self as libav, Dictionary, Packet, Rational,
    codec::{self, threading},
    encoder, format, frame, picture,
};

use spillway_cuda::Pool;

use super::{EncodeError, Encoded, EncoderKind, Peak, Rendition, VideoEncoder};
use crate::{bitstream::h264, media::Rate};

/// x264, on one thread.
pub(super) fn x264(rendition: &Rendition, rate: Rate) -> Result<Libav, EncodeError> {
    let mut options = common_options(rendition.rung.bitrate);
    options.set("preset", "veryfast");
    options.set("tune", "zerolatency");
    options.set("x264-params", "scenecut=0:keyint=infinite");
    Libav::open(
        EncoderKind::X264,
        "libx264",
        (rendition, rate),
        options,
        None,
    )
}

/// What each needs to give keyframes only where they are asked for, and no more bits at a time than players have room for.
pub(super) fn common_options(bitrate: u32) -> Dictionary<'static> {
    let peak = Peak::of(bitrate);
    let mut options = Dictionary::new();
    options.set("forced-idr", "1");
    options.set("maxrate", &peak.bitrate.to_string());
    options.set("bufsize", &peak.buffer.to_string());
    options
}

/// An encoder of libav.
pub(super) struct Libav {
    kind: EncoderKind,
    encoder: encoder::Video,
}

impl Libav {
    /// Takes pictures in memory, or those of a pool on a GPU.
    pub(super) fn open(
        kind: EncoderKind,
        name: &'static str,
        (rendition, rate): (&Rendition, Rate),
        options: Dictionary,
        pool: Option<&Pool>,
    ) -> Result<Self, EncodeError> {
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
        video.set_time_base(Rational(denominator, numerator));
        video.set_frame_rate(Some(Rational(numerator, denominator)));
        video.set_bit_rate(rendition.rung.bitrate as usize);
        video.set_max_b_frames(0);
        video.set_gop(i32::MAX as u32);
        match pool {
            Some(pool) => pool.encode_with(&mut video).map_err(failed)?,
            None => video.set_format(format::Pixel::YUV420P),
        }
        let encoder = video.open_with(options).map_err(failed)?;
        Ok(Self { kind, encoder })
    }
}

impl VideoEncoder for Libav {
    fn kind(&self) -> EncoderKind {
        self.kind
    }

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
