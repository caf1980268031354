//! openh264: Cisco's encoder, compiled in from its source. Constrained baseline, no pictures out of order, one thread.

use ffmpeg_next::frame;
use openh264::{
    OpenH264API, Timestamp,
    encoder::{
        BitRate, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
        RateControlMode,
    },
    formats::YUVSource,
};

use super::{EncodeError, Encoded, EncoderKind, Rendition, Size, VideoEncoder};
use crate::{bitstream::h264, media::Rate};

pub(super) struct Openh264 {
    encoder: Encoder,
    size: Size,
    rate: Rate,
    /// What a picture's bytes are gathered in.
    bytes: Vec<u8>,
}

impl Openh264 {
    /// Pixels of the longer and of the shorter side at most: more is refused with the first picture, which would be too late.
    const LARGEST: (u32, u32) = (3_840, 2_160);

    pub(super) fn open(rendition: &Rendition, rate: Rate) -> Result<Self, EncodeError> {
        let size = rendition.size;
        let (long, short) = (size.width.max(size.height), size.width.min(size.height));
        if long > Self::LARGEST.0 || short > Self::LARGEST.1 {
            return Err(EncodeError::TooLarge(size.to_string()));
        }
        let config = config(rendition.rung.bitrate, rate);
        Ok(Self {
            encoder: Encoder::with_api_config(OpenH264API::from_source(), config)?,
            size,
            rate,
            bytes: Vec::new(),
        })
    }
}

fn config(bitrate: u32, rate: Rate) -> EncoderConfig {
    let hertz = rate.numerator as f32 / rate.denominator as f32;
    EncoderConfig::new()
        .profile(Profile::Baseline)
        .bitrate(BitRate::from_bps(bitrate))
        .max_frame_rate(FrameRate::from_hz(hertz))
        .rate_control_mode(RateControlMode::Bitrate)
        // Every slot of the grid has a picture. Without this, and with the quantizer free to the end of its range, the bitrate is
        // kept by quality alone.
        .skip_frames(false)
        .qp(QpRange::new(12, 51))
        // Keyframes are asked for.
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .scene_change_detect(false)
        .num_threads(1)
}

impl VideoEncoder for Openh264 {
    fn kind(&self) -> EncoderKind {
        EncoderKind::Openh264
    }

    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        if keyframe {
            self.encoder.force_intra_frame();
        }
        let time = slot * 1_000 * u64::from(self.rate.denominator) / u64::from(self.rate.numerator);
        let planes = Planes {
            picture,
            size: self.size,
        };
        let stream = self
            .encoder
            .encode_at(&planes, Timestamp::from_millis(time))?;
        self.bytes.clear();
        stream.write_vec(&mut self.bytes);
        Ok(Some(Encoded {
            slot,
            unit: h264::take_apart(&self.bytes),
            keyframe: stream.frame_type() == FrameType::IDR,
        }))
    }
}

/// A picture of libav's as openh264 takes it.
struct Planes<'a> {
    picture: &'a frame::Video,
    size: Size,
}

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.size.width as usize, self.size.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let stride = |plane| self.picture.stride(plane);
        (stride(0), stride(1), stride(2))
    }

    fn y(&self) -> &[u8] {
        self.picture.data(0)
    }

    fn u(&self) -> &[u8] {
        self.picture.data(1)
    }

    fn v(&self) -> &[u8] {
        self.picture.data(2)
    }
}
