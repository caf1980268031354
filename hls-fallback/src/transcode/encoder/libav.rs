//! libav's encoders: x264, and NVIDIA's where there is a GPU.

use ffmpeg_next::{
    self as libav, Dictionary, Packet, Rational,
    codec::{self, threading},
    encoder, format, frame, picture,
};

use super::{
    EncodeError, Encoded, EncoderKind, Peak, Rendition, VideoEncoder,
    gpus::{self, Seat},
};
use crate::{bitstream::h264, media::Rate};

/// x264, on one thread.
pub(super) fn x264(rendition: &Rendition, rate: Rate) -> Result<Libav, EncodeError> {
    let mut options = common_options(rendition.rung.bitrate);
    options.set("preset", "veryfast");
    options.set("tune", "zerolatency");
    options.set("x264-params", "scenecut=0:keyint=infinite");
    Libav::open(EncoderKind::X264, "libx264", rendition, rate, options)
}

/// NVENC, on the GPU that has the fewest of this process's renditions.
pub(super) struct Nvenc {
    encoder: Libav,
    _seat: Seat,
}

impl Nvenc {
    pub(super) fn open(rendition: &Rendition, rate: Rate) -> Result<Self, EncodeError> {
        let (seat, encoder) = gpus::on_one(gpus::count(), |gpu| {
            let options = nvenc_options(rendition.rung.bitrate, gpu);
            Libav::open(EncoderKind::Nvenc, "h264_nvenc", rendition, rate, options)
        })?;
        Ok(Self {
            encoder,
            _seat: seat,
        })
    }
}

impl VideoEncoder for Nvenc {
    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        self.encoder.encode(picture, slot, keyframe)
    }
}

fn nvenc_options(bitrate: u32, gpu: usize) -> Dictionary<'static> {
    let mut options = common_options(bitrate);
    options.set("gpu", &gpu.to_string());
    options.set("preset", "p4");
    options.set("tune", "ull");
    options.set("rc", "vbr");
    options.set("delay", "0");
    options.set("zerolatency", "1");
    options.set("no-scenecut", "1");
    options
}

/// What each needs to give keyframes only where they are asked for, and no more bits at a time than players have room for.
fn common_options(bitrate: u32) -> Dictionary<'static> {
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
    fn open(
        kind: EncoderKind,
        name: &'static str,
        rendition: &Rendition,
        rate: Rate,
        options: Dictionary,
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
        video.set_format(format::Pixel::YUV420P);
        video.set_time_base(Rational(denominator, numerator));
        video.set_frame_rate(Some(Rational(numerator, denominator)));
        video.set_bit_rate(rendition.rung.bitrate as usize);
        video.set_max_b_frames(0);
        video.set_gop(i32::MAX as u32);
        let encoder = video.open_with(options).map_err(failed)?;
        Ok(Self { kind, encoder })
    }
}

impl VideoEncoder for Libav {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_gives_each_picture_back_at_once_and_is_the_one_that_was_chosen() {
        let options = nvenc_options(1_000_000, 3);
        let set = |key| options.get(key);
        for (key, value) in [
            ("gpu", "3"),
            ("maxrate", "1200000"),
            ("bufsize", "500000"),
            ("delay", "0"),
            ("zerolatency", "1"),
            ("forced-idr", "1"),
        ] {
            assert_eq!(set(key), Some(value), "{key}");
        }
    }
}
