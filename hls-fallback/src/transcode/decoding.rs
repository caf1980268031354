//! The decoder of what is sent now.

use std::sync::Arc;

use ffmpeg_next::frame;

use super::{DecodeError, decoder::Decoder};
use crate::media::{Content, Frame, Moment};

pub(super) type Picture = Arc<frame::Video>;

/// Decodes a broadcast's pictures, whatever their codec.
#[derive(Default)]
pub(super) struct Decoding {
    decoder: Option<Decoder>,
    waits_for_keyframe: bool,
    broken: u64,
    latest: Option<Picture>,
}

impl Decoding {
    /// Decodes a frame of `time`. False if a keyframe is needed.
    pub(super) fn decode(
        &mut self,
        frame: &Frame,
        time: Moment,
        mut take: impl FnMut(Picture, Moment),
    ) -> bool {
        let Content::Video { codec, keyframe } = frame.content else {
            return true;
        };
        if self.decoder.as_ref().is_none_or(|d| d.codec() != codec) {
            match Decoder::open(codec) {
                Ok(decoder) => self.decoder = Some(decoder),
                Err(error) => return self.failed(&error),
            }
            self.waits_for_keyframe = true;
        }
        self.waits_for_keyframe &= !keyframe;
        if self.waits_for_keyframe {
            return false;
        }
        let Some(decoder) = &mut self.decoder else {
            return false;
        };
        let latest = &mut self.latest;
        let decoded = decoder.decode(&frame.data, time.0, |mut picture, time| {
            picture.set_kind(ffmpeg_next::picture::Type::None);
            let picture = Arc::new(picture);
            *latest = Some(picture.clone());
            take(picture, Moment(time));
        });
        match decoded {
            Ok(()) => true,
            Err(error) => self.failed(&error),
        }
    }

    /// The last picture, if any has been decoded since it was stopped.
    pub(super) fn latest(&self) -> Option<&Picture> {
        self.latest.as_ref()
    }

    pub(super) fn is_on(&self) -> bool {
        self.decoder.is_some()
    }

    /// Nobody needs pictures. It goes on with a keyframe.
    pub(super) fn stop(&mut self) {
        (self.decoder, self.latest) = (None, None);
    }

    fn failed(&mut self, error: &DecodeError) -> bool {
        self.waits_for_keyframe = true;
        self.broken += 1;
        if self.broken.is_power_of_two() {
            tracing::warn!(%error, times = self.broken, "pictures can't be decoded: waiting for a keyframe");
        }
        false
    }
}
