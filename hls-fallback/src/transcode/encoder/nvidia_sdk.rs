//! NVIDIA's encoder through its SDK, on the least busy GPU that has room.

use ffmpeg_next::frame;
use spillway_nvidia::{Driver, Encoder, Picture, Plane, Settings};

use super::{
    EncodeError, Encoded, EncoderKind, Peak, Rendition, VideoEncoder,
    gpus::{self, Seat},
};
use crate::{bitstream::h264, media::Rate};

pub(super) struct NvidiaSdk {
    encoder: Encoder,
    _seat: Seat,
}

impl NvidiaSdk {
    pub(super) fn open(rendition: &Rendition, rate: Rate) -> Result<Self, EncodeError> {
        let driver = Driver::load()?;
        let settings = settings(rendition, rate);
        let (seat, encoder) = gpus::on_one(driver.gpus(), None, |gpu| {
            Ok(Encoder::open(driver, gpu, settings)?)
        })?;
        Ok(Self {
            encoder,
            _seat: seat,
        })
    }
}

fn settings(rendition: &Rendition, rate: Rate) -> Settings {
    let peak = Peak::of(rendition.rung.bitrate);
    Settings {
        width: rendition.size.width,
        height: rendition.size.height,
        rate: (rate.numerator, rate.denominator),
        bitrate: rendition.rung.bitrate,
        peak_bitrate: peak.bitrate,
        buffer: peak.buffer,
    }
}

impl VideoEncoder for NvidiaSdk {
    fn kind(&self) -> EncoderKind {
        EncoderKind::NvidiaSdk
    }

    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        let plane = |number| Plane {
            data: picture.data(number),
            stride: picture.stride(number),
        };
        let planes = Picture([plane(0), plane(1), plane(2)]);
        let coded = self.encoder.encode(&planes, slot, keyframe)?;
        Ok(Some(Encoded {
            slot: coded.timestamp,
            unit: h264::take_apart(&coded.data),
            keyframe: coded.keyframe,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendition_becomes_settings() {
        let rate = Rate {
            numerator: 25,
            denominator: 1,
        };
        let expected = Settings {
            width: 854,
            height: 480,
            rate: (25, 1),
            bitrate: 1_000_000,
            peak_bitrate: 1_200_000,
            buffer: 500_000,
        };
        assert_eq!(
            settings(&super::super::sample(854, 480, 1_000_000), rate),
            expected
        );
    }
}
