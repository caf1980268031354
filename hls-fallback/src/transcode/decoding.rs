//! The decoder of what is sent now.

use std::sync::Arc;

use ffmpeg_next::frame;

use super::{DecodeError, decoder::Decoder, home::Home};
use crate::media::{Content, Frame, Moment};

pub(super) type Picture = Arc<frame::Video>;

/// Decodes a broadcast's pictures, whatever their codec.
pub(super) struct Decoding {
    home: Home,
    decoder: Option<Decoder>,
    waits_for_keyframe: bool,
    broken: u64,
    latest: Option<Picture>,
}

impl Decoding {
    /// Where its pictures are to be.
    pub(super) fn new(home: Home) -> Self {
        Self {
            home,
            decoder: None,
            waits_for_keyframe: false,
            broken: 0,
            latest: None,
        }
    }

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
        let device = self.home.device();
        let is_right = |d: &Decoder| d.codec() == codec && (device.is_some() || !d.may_be_on_gpu());
        if !self.decoder.as_ref().is_some_and(is_right) {
            match Decoder::open(codec, device) {
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
            Err(error) => {
                if decoder.blames_gpu(&error) {
                    self.home.leave(&error);
                }
                self.failed(&error)
            }
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
