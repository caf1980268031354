//! The writing side of a rendition.

use crate::media::{Sample, TrackConfig};

use super::{
    packager::{Packager, PushError},
    presentation::Presentation,
};

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
    finished: bool,
}

impl RenditionWriter {
    pub(super) fn new(presentation: Presentation, id: u64, packager: Packager) -> Self {
        Self {
            presentation,
            id,
            packager,
            finished: false,
        }
    }

    /// How the samples are encoded from the next segment on. Said again, it gives that segment a new `EXT-X-MAP`, and all
    /// renditions `EXT-X-DISCONTINUITY` before it: say it before any of them comes there.
    pub fn start(&mut self, config: TrackConfig) -> Result<(), PushError> {
        if let Some(segment) = self.packager.start(config)? {
            self.presentation.discontinuity(segment);
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
        self.presentation.reserve(number)?;
        let units = self.packager.begin_segment(number, start)?;
        self.presentation.publish(self.id, units)
    }

    /// The next sample, which begins where the one before it ended; only the first one after a new
    /// [`start`](Self::start) may be later. Samples before the first segment are dropped.
    pub fn push(&mut self, sample: Sample) -> Result<(), PushError> {
        let units = self.packager.push(sample)?;
        self.presentation.publish(self.id, units)
    }

    /// No sample follows. When all renditions are finished, playlists have `EXT-X-ENDLIST`.
    pub fn finish(mut self) -> Result<(), PushError> {
        let units = self.packager.finish()?;
        self.finished = true;
        self.presentation.finish(self.id, units)
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
