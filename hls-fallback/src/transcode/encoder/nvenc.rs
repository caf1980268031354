//! NVIDIA's encoder through libav, of pictures that are on its GPU already, or that are taken there.

use std::sync::Arc;

use ffmpeg_next::{Dictionary, frame};
use spillway_cuda::{Device, Pool};

use super::{
    EncodeError, Encoded, EncoderKind, Rendition, VideoEncoder,
    gpus::{self, Seat},
    libav::{Libav, common_options},
};
use crate::{media::Rate, transcode::home};

pub(super) struct Nvenc {
    encoder: Libav,
    pool: Pool,
    device: Arc<Device>,
    _seat: Seat,
}

impl Nvenc {
    /// On the GPU that is `near`, or another that has room.
    pub(super) fn open(
        rendition: &Rendition,
        rate: Rate,
        near: Option<usize>,
    ) -> Result<Self, EncodeError> {
        let (seat, (device, pool, encoder)) = gpus::on_one(gpus::count(), near, |gpu| {
            let device = home::device(gpu)?;
            let size = (rendition.size.width, rendition.size.height);
            let pool = Pool::new(&device, size).map_err(EncodeError::Gpu)?;
            let encoder = Libav::open(
                EncoderKind::Nvenc,
                "h264_nvenc",
                (rendition, rate),
                options(rendition.rung.bitrate),
                Some(&pool),
            )?;
            Ok((device, pool, encoder))
        })?;
        Ok(Self {
            encoder,
            pool,
            device,
            _seat: seat,
        })
    }
}

impl VideoEncoder for Nvenc {
    fn kind(&self) -> EncoderKind {
        EncoderKind::Nvenc
    }

    fn device(&self) -> Option<&Arc<Device>> {
        Some(&self.device)
    }

    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        let mut copy = self.pool.copy(picture).map_err(EncodeError::Gpu)?;
        self.encoder.encode(&mut copy, slot, keyframe)
    }
}

fn options(bitrate: u32) -> Dictionary<'static> {
    let mut options = common_options(bitrate);
    options.set("preset", "p4");
    options.set("tune", "ull");
    options.set("rc", "vbr");
    options.set("delay", "0");
    options.set("zerolatency", "1");
    options.set("no-scenecut", "1");
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_gives_each_picture_back_at_once() {
        let options = options(1_000_000);
        let set = |key| options.get(key);
        for (key, value) in [
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
