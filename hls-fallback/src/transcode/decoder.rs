//! Decoding of pictures, through libav.

use ffmpeg_next::{
    self as libav, Dictionary, Packet, codec,
    codec::{Flags, threading},
    color::TransferCharacteristic,
    decoder,
    format::Pixel,
    frame,
};

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
    decoder: decoder::Video,
}

impl Decoder {
    pub(super) fn open(codec: VideoCodec) -> Result<Self, DecodeError> {
        let id = match codec {
            VideoCodec::H264 => codec::Id::H264,
            VideoCodec::H265 => codec::Id::HEVC,
            VideoCodec::Vp8 => codec::Id::VP8,
            VideoCodec::Vp9 => codec::Id::VP9,
            VideoCodec::Av1 => codec::Id::AV1,
        };
        let library = decoder::find(id).ok_or(DecodeError::Missing(codec))?;
        let failed = |source| DecodeError::Library { codec, source };
        let mut context = codec::Context::new_with_codec(library);
        context.set_flags(Flags::LOW_DELAY);
        // Several at once would each hold a picture back.
        context.set_threading(threading::Config::count(1));
        let mut options = Dictionary::new();
        options.set("max_pixels", MOST_PIXELS);
        let decoder = context
            .decoder()
            .open_as_with(library, options)
            .and_then(decoder::Opened::video)
            .map_err(failed)?;
        Ok(Self { codec, decoder })
    }

    pub(super) fn codec(&self) -> VideoCodec {
        self.codec
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
        self.decoder.send_packet(&packet).map_err(failed)?;
        loop {
            let mut picture = frame::Video::empty();
            match self.decoder.receive_frame(&mut picture) {
                Ok(()) => {
                    let time = picture.timestamp().unwrap_or(time);
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
    let mut decoder = Decoder::open(codec)?;
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
    decoder.decoder.send_eof().map_err(failed)?;
    let mut picture = frame::Video::empty();
    if decoder.decoder.receive_frame(&mut picture).is_ok() {
        note(&picture);
    }
    found.ok_or(failed(libav::Error::InvalidData))
}
