//! The writing side of a rendition.

use crate::media::{Sample, TrackConfig};

use super::{
    packager::{Packager, PushError, Unit},
    presentation::Presentation,
};

/// Hears what a rendition publishes, in order. It is called by the thread that encodes the rendition, and mustn't wait.
pub trait Tap: Send + std::fmt::Debug {
    /// This is published now.
    fn take(&mut self, unit: &Unit);
    /// All renditions have a discontinuity before this segment, which none has come to.
    fn discontinuity(&mut self, segment: u64);
}

/// Writes one rendition of a [`Presentation`]; dropped without [`finish`](Self::finish), it removes it.
///
/// Driving contract: [`start`](Self::start) once, [`begin_segment`](Self::begin_segment) before the first sample of each
/// segment, as early as its instant is known, and [`push`](Self::push) for each sample, in order. A part is published when the
/// sample is pushed that reaches its end. A segment whose end is known then, because the next one was announced, is complete
/// with its last sample; one whose end isn't known when the next one begins.
#[derive(Debug)]
pub struct RenditionWriter {
    presentation: Presentation,
    id: u64,
    packager: Packager,
    tap: Option<Box<dyn Tap>>,
    finished: bool,
}

impl RenditionWriter {
    pub(super) fn new(presentation: Presentation, id: u64, packager: Packager) -> Self {
        Self {
            presentation,
            id,
            packager,
            tap: None,
            finished: false,
        }
    }

    /// All that is published from now on is given to `tap` too.
    pub fn tee(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// The rendition is made when somebody asks for it ([`Presentation::demand`]), and would be encoded like this, with so many
    /// bits per second: it is listed before it has any media, and while it rests.
    pub fn expect(&mut self, config: TrackConfig, bitrate: u32) {
        self.presentation.expect(self.id, config, bitrate);
    }

    /// What comes may be encoded like any of these, now or later: players are told that they need decoders for all of them. It holds
    /// until it is said again.
    pub fn may_be(&mut self, configs: Vec<TrackConfig>) {
        self.presentation.may_be(self.id, configs);
    }

    /// The rendition isn't made for a while, and what there is of it is forgotten: who asks for it waits until it has a whole
    /// segment again. If it isn't `offered`, it isn't listed, and its URLs are unknown. It goes on with [`start`](Self::start),
    /// and a segment that it hadn't begun.
    pub fn rest(&mut self, offered: bool) {
        self.packager.rest();
        self.presentation.rest(self.id, offered);
    }

    /// How the samples are encoded from the next segment on. Said again, it gives that segment a new `EXT-X-MAP`, and all
    /// renditions `EXT-X-DISCONTINUITY` before it: say it before any of them comes there.
    pub fn start(&mut self, config: TrackConfig) -> Result<(), PushError> {
        if let Some(segment) = self.packager.start(config)? {
            self.presentation.discontinuity(segment);
            if let Some(tap) = &mut self.tap {
                tap.discontinuity(segment);
            }
        }
        Ok(())
    }

    /// Segment `number` begins at frame `start` of the grid, in all renditions: with a keyframe in video, with the first AAC
    /// frame at or after that instant in sound. Numbers follow each other; see
    /// [`first_segment_number`](super::first_segment_number) for the first one. A rendition that is added later begins with
    /// the number that the others have come to.
    ///
    /// It may be said any time before the segment's first sample is pushed, for up to 16 segments ahead, and said again with
    /// another instant, which forgets what was announced after it.
    pub fn begin_segment(&mut self, number: u64, start: u64) -> Result<(), PushError> {
        self.presentation.reserve(number, start)?;
        let units = self.packager.begin_segment(number, start)?;
        self.publish(units)
    }

    /// The next sample, which begins where the one before it ended; only the first one after a new
    /// [`start`](Self::start) may be later. Samples before the first segment are dropped.
    pub fn push(&mut self, sample: Sample) -> Result<(), PushError> {
        let units = self.packager.push(sample)?;
        self.publish(units)
    }

    /// No sample follows. When all renditions are finished, playlists have `EXT-X-ENDLIST`.
    pub fn finish(mut self) -> Result<(), PushError> {
        let units = self.packager.finish()?;
        self.finished = true;
        self.tell(&units);
        self.presentation.finish(self.id, units)
    }

    fn publish(&mut self, units: Vec<Unit>) -> Result<(), PushError> {
        self.tell(&units);
        self.presentation.publish(self.id, units)
    }

    fn tell(&mut self, units: &[Unit]) {
        if let Some(tap) = &mut self.tap {
            for unit in units {
                tap.take(unit);
            }
        }
    }

    /// Takes the rendition out of the presentation: who plays it finds the others in the multivariant playlist.
    pub fn remove(self) {}
}

impl Drop for RenditionWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.presentation.remove(self.id);
        }
    }
}
