//! Decoding of pictures, through libav: by the processor, or by a GPU where they then are.

use std::sync::Arc;

use ffmpeg_next::{
    self as libav, Dictionary, Packet, codec,
    codec::{Flags, threading},
    color::TransferCharacteristic,
    decoder,
    format::Pixel,
    frame,
};

use spillway_cuda::{Device, Filter, is_on_gpu};

use super::ladder::Size;
use crate::media::VideoCodec;

/// Why nothing is decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// libav was built without it.
    #[error(
        "libavcodec on this machine can't decode {0}: install Debian's libavcodec, or one built with it"
    )]
    Missing(VideoCodec),
    /// It doesn't begin, or what it was given is broken.
    #[error("decoding {codec}: {source}")]
    Library {
        /// Of what.
        codec: VideoCodec,
        /// What libav said.
        source: libav::Error,
    },
}

/// Larger pictures aren't decoded: those of 8192 × 4352, which is level 6.2 of H.264. A few bytes may ask for gigabytes else.
const MOST_PIXELS: &str = "35651584";

/// Decodes one codec, without delay.
pub(super) struct Decoder {
    codec: VideoCodec,
    library: decoder::Video,
    /// Which may decode it.
    device: Option<Arc<Device>>,
    settling: Settling,
}

/// A GPU's decoder has few pictures, and none left if it isn't given them back soon. So they are copied, and brought into the one form
/// that the encoders take: 4:2:0 with 8 bits in three planes.
#[derive(Default)]
struct Settling(Option<Filter>);

impl Settling {
    const CHAIN: &str = "scale_cuda=format=yuv420p:passthrough=0";

    fn settle(&mut self, picture: &frame::Video) -> Result<frame::Video, libav::Error> {
        let filter = match self.0.take() {
            Some(filter) if filter.fits(picture) => filter,
            _ => Filter::new(picture, Self::CHAIN)?,
        };
        self.0.insert(filter).run(picture)
    }
}

impl Decoder {
    /// On a GPU what that can decode, all else on the processor.
    pub(super) fn open(
        codec: VideoCodec,
        device: Option<Arc<Device>>,
    ) -> Result<Self, DecodeError> {
        let id = match codec {
            VideoCodec::H264 => codec::Id::H264,
            VideoCodec::H265 => codec::Id::HEVC,
            VideoCodec::Vp8 => codec::Id::VP8,
            VideoCodec::Vp9 => codec::Id::VP9,
            VideoCodec::Av1 => codec::Id::AV1,
        };
        let found = decoder::find(id).ok_or(DecodeError::Missing(codec))?;
        let failed = |source| DecodeError::Library { codec, source };
        let mut context = codec::Context::new_with_codec(found);
        context.set_flags(Flags::LOW_DELAY);
        // Several at once would each hold a picture back.
        context.set_threading(threading::Config::count(1));
        if let Some(device) = &device {
            device.decode_with(&mut context).map_err(failed)?;
        }
        let mut options = Dictionary::new();
        options.set("max_pixels", MOST_PIXELS);
        let library = context
            .decoder()
            .open_as_with(found, options)
            .and_then(decoder::Opened::video)
            .map_err(failed)?;
        Ok(Self {
            codec,
            library,
            device,
            settling: Settling::default(),
        })
    }

    pub(super) fn codec(&self) -> VideoCodec {
        self.codec
    }

    /// Whether a GPU may decode it, or does.
    pub(super) fn may_be_on_gpu(&self) -> bool {
        self.device.is_some()
    }

    /// Whether it's the GPU that failed, and not what was sent.
    pub(super) fn blames_gpu(&self, error: &DecodeError) -> bool {
        let is_broken = matches!(
            error,
            DecodeError::Library {
                source: libav::Error::InvalidData,
                ..
            }
        );
        self.device.is_some() && !is_broken
    }

    /// Decodes a frame. `time` comes back with the picture, which may be of an earlier frame: B pictures are reordered.
    pub(super) fn decode(
        &mut self,
        data: &[u8],
        time: i64,
        mut take: impl FnMut(frame::Video, i64),
    ) -> Result<(), DecodeError> {
        let failed = |source| DecodeError::Library {
            codec: self.codec,
            source,
        };
        let mut packet = Packet::copy(data);
        packet.set_pts(Some(time));
        self.library.send_packet(&packet).map_err(failed)?;
        loop {
            let mut picture = frame::Video::empty();
            match self.library.receive_frame(&mut picture) {
                Ok(()) => {
                    let time = picture.timestamp().unwrap_or(time);
                    if is_on_gpu(&picture) {
                        picture = self.settling.settle(&picture).map_err(failed)?;
                    } else if self.device.take().is_some() {
                        let codec = self.codec;
                        tracing::info!(%codec, "no GPU decodes this source: the processor does");
                    }
                    take(picture, time);
                }
                Err(
                    libav::Error::Other {
                        errno: libav::error::EAGAIN,
                    }
                    | libav::Error::Eof,
                ) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// What a keyframe shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) size: Size,
    pub(super) format: Pixel,
    pub(super) transfer: TransferCharacteristic,
}

/// Found by decoding it.
pub(super) fn look_at(codec: VideoCodec, keyframe: &[u8]) -> Result<Shown, DecodeError> {
    let mut decoder = Decoder::open(codec, None)?;
    let mut found = None;
    let mut note = |picture: &frame::Video| {
        let (width, height) = (picture.width(), picture.height());
        found = Some(Shown {
            size: Size { width, height },
            format: picture.format(),
            transfer: picture.color_transfer_characteristic(),
        });
    };
    decoder.decode(keyframe, 0, |picture, _| note(&picture))?;
    // One that reorders pictures holds it back.
    let failed = |source| DecodeError::Library { codec, source };
    decoder.library.send_eof().map_err(failed)?;
    let mut picture = frame::Video::empty();
    if decoder.library.receive_frame(&mut picture).is_ok() {
        note(&picture);
    }
    found.ok_or(failed(libav::Error::InvalidData))
}
