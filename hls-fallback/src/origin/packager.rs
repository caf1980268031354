//! Samples of one rendition in, parts out. Sans-IO.
//!
//! Driving contract: [`Packager::start`] with how the samples are encoded, [`Packager::begin_segment`] with the instant and
//! number of a segment as soon as they are known, [`Packager::push`] for each sample, [`Packager::finish`]. What each gives back
//! is to be published at once, in order.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::media::{Sample, TrackConfig};

use super::{
    cmaf::{self, CmafError},
    settings::Timing,
};

/// Segments whose beginnings were announced and that no sample has reached.
const MAX_ANNOUNCED: usize = 16;
/// Samples of a part: over a thousand a second are none.
const MAX_SAMPLES: usize = 1024;
/// A segment lasts this many target durations at most.
const MAX_SEGMENT: u64 = 3;

/// What is to be published.
#[derive(Debug, Clone)]
pub enum Unit {
    /// The initialization segment of this segment and those after it.
    Init {
        /// The first that needs it.
        segment: u64,
        /// How its samples are encoded.
        config: TrackConfig,
        /// `ftyp` and `moov`.
        data: Bytes,
    },
    /// A part is complete; the first one begins its segment.
    Part(Part),
    /// The segment holds all its parts.
    SegmentEnd,
}

/// A part: times are ticks.
#[derive(Debug, Clone)]
pub struct Part {
    /// The number of its segment.
    pub segment: u64,
    /// Its place there, from 0 on.
    pub index: u32,
    /// The instant on the grid at which the segment begins.
    pub start: u64,
    /// When its first sample is.
    pub time: u64,
    /// How long its samples last.
    pub duration: u64,
    /// It has a keyframe.
    pub independent: bool,
    /// `moof` and `mdat`; before them, in a segment's first, what a segment begins with.
    pub data: Bytes,
}

/// Why a sample or a segment was refused.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// A sample came before [`super::RenditionWriter::start`].
    #[error("no track configuration yet: start the rendition before its first sample")]
    NotStarted,
    /// The rendition has been finished.
    #[error("the rendition is finished: add one to go on")]
    Finished,
    /// A sample doesn't begin where the one before it ended.
    #[error(
        "a sample at {got} doesn't follow what ended at {expected}: only a segment after a new start may leave a gap"
    )]
    Gap {
        /// Where the one before it ended: ticks.
        expected: u64,
        /// Where it begins.
        got: u64,
    },
    /// A sample without a duration.
    #[error("the sample at {0} has no duration")]
    NoDuration(u64),
    /// A video segment begins with another picture than a keyframe.
    #[error("segment {0} doesn't begin with a keyframe: begin segments at keyframes only")]
    NoKeyframe(u64),
    /// Numbers have to follow each other.
    #[error("segment {got} can't be begun: the next one is {next}")]
    Number {
        /// What may be begun.
        next: u64,
        /// What was to be.
        got: u64,
    },
    /// A segment's beginning was announced when samples after it had been pushed, or before the segment before it.
    #[error(
        "segment {0} would begin before what was already pushed or announced: announce it earlier"
    )]
    TooLate(u64),
    /// More than 16 segments are announced.
    #[error("more than {MAX_ANNOUNCED} segments are announced: push the samples of the first ones")]
    TooManyAnnounced,
    /// A segment without an end.
    #[error("segment {0} has lasted over {MAX_SEGMENT} target durations: begin the next one")]
    SegmentTooLong(u64),
    /// A part of too many samples.
    #[error(
        "a part of segment {0} has over {MAX_SAMPLES} samples: give samples their true durations"
    )]
    TooManySamples(u64),
    /// A new presentation of the channel has taken this one's place.
    #[error(
        "the channel has a new presentation, or the rendition was removed: write to the new one"
    )]
    Replaced,
    /// The track can't be written.
    #[error(transparent)]
    Cmaf(#[from] CmafError),
}

/// Cuts the samples of one rendition into parts and segments.
#[derive(Debug)]
pub(super) struct Packager {
    timing: Timing,
    timescale: u32,
    video: bool,
    /// Set by `start`, until a segment begins with it.
    new_config: Option<(TrackConfig, Bytes)>,
    started: bool,
    announced: VecDeque<Boundary>,
    segment: Option<Segment>,
    /// The samples of the part that isn't complete.
    samples: Vec<Sample>,
    /// Where the last sample began, and where the next one does.
    last_time: Option<u64>,
    next_time: Option<u64>,
    /// The segment that was begun last; it may have ended.
    last_begun: Option<Boundary>,
    chunks: u32,
    finished: bool,
}

#[derive(Debug, Clone, Copy)]
struct Boundary {
    number: u64,
    /// Frames of the grid.
    start: u64,
    ticks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    boundary: Boundary,
    parts: u32,
    /// Where its first sample begins.
    time: u64,
}

impl Packager {
    pub(super) fn new(timing: Timing, timescale: u32, video: bool) -> Self {
        Self {
            timing,
            timescale,
            video,
            new_config: None,
            started: false,
            announced: VecDeque::new(),
            segment: None,
            samples: Vec::new(),
            last_time: None,
            next_time: None,
            last_begun: None,
            chunks: 0,
            finished: false,
        }
    }

    /// The samples of the next segment and those after it are encoded so. Gives the number of that segment where the
    /// playlist needs a discontinuity: not before the first.
    pub(super) fn start(&mut self, config: TrackConfig) -> Result<Option<u64>, PushError> {
        let init = cmaf::init_segment(&config, self.timescale)?;
        self.new_config = Some((config, init));
        self.started = true;
        Ok(self.last_begun.map(|boundary| boundary.number + 1))
    }

    /// Segment `number` begins at frame `start` of the grid. Said again of a number whose first sample hasn't come, it holds
    /// instead, and what was announced after it is forgotten.
    pub(super) fn begin_segment(
        &mut self,
        number: u64,
        start: u64,
    ) -> Result<Vec<Unit>, PushError> {
        if self.finished {
            return Err(PushError::Finished);
        }
        let before = self
            .announced
            .iter()
            .take_while(|known| known.number < number)
            .count();
        let last = before
            .checked_sub(1)
            .map(|at| self.announced[at])
            .or(self.last_begun);
        if let Some(last) = last {
            if number != last.number + 1 {
                return Err(PushError::Number {
                    next: last.number + 1,
                    got: number,
                });
            }
            if start <= last.start {
                return Err(PushError::TooLate(number));
            }
        }
        let ticks = self.timing.grid.ticks(start, self.timescale);
        // The last sample may end after the instant, as sound does, but not begin after it. And where the segment before it
        // has ended already, this one can't begin any later.
        let passed =
            self.last_begun.is_some() && self.last_time.is_some_and(|began| began >= ticks);
        let ended = before == 0 && self.last_begun.is_some() && self.segment.is_none();
        if passed || ended && self.next_time.is_some_and(|end| ticks > end) {
            return Err(PushError::TooLate(number));
        }
        if before >= MAX_ANNOUNCED {
            return Err(PushError::TooManyAnnounced);
        }
        self.announced.truncate(before);
        self.announced.push_back(Boundary {
            number,
            start,
            ticks,
        });
        let mut units = Vec::new();
        self.cut(&mut units)?;
        Ok(units)
    }

    pub(super) fn push(&mut self, sample: Sample) -> Result<Vec<Unit>, PushError> {
        if self.finished {
            return Err(PushError::Finished);
        }
        if !self.started {
            return Err(PushError::NotStarted);
        }
        if sample.duration == 0 {
            return Err(PushError::NoDuration(sample.time));
        }
        let mut units = Vec::new();
        let begins = self
            .announced
            .front()
            .copied()
            .filter(|next| next.ticks <= sample.time);
        self.check_contiguous(&sample, begins.is_some())?;
        if let Some(boundary) = begins {
            self.begin(boundary, &sample, &mut units)?;
        }
        let Some(segment) = self.segment else {
            // Before the first segment.
            return Ok(units);
        };
        if sample.time.saturating_sub(segment.time) / u64::from(self.timescale)
            >= MAX_SEGMENT * self.timing.target / 1_000_000
        {
            return Err(PushError::SegmentTooLong(segment.boundary.number));
        }
        if self.samples.len() >= MAX_SAMPLES {
            return Err(PushError::TooManySamples(segment.boundary.number));
        }
        self.last_time = Some(sample.time);
        self.next_time = Some(sample.time.saturating_add(u64::from(sample.duration)));
        self.samples.push(sample);
        self.cut(&mut units)?;
        Ok(units)
    }

    /// Forgets all: the next sample comes after a new start, in a later segment.
    pub(super) fn rest(&mut self) {
        let chunks = self.chunks;
        *self = Self::new(self.timing, self.timescale, self.video);
        self.chunks = chunks;
    }

    /// No sample follows.
    pub(super) fn finish(&mut self) -> Result<Vec<Unit>, PushError> {
        let mut units = Vec::new();
        self.end_segment(&mut units)?;
        self.finished = true;
        Ok(units)
    }

    fn check_contiguous(&self, sample: &Sample, begins: bool) -> Result<(), PushError> {
        let Some(expected) = self.next_time else {
            return Ok(());
        };
        let may_leave_gap = begins && self.new_config.is_some() && sample.time > expected;
        if sample.time == expected || may_leave_gap {
            return Ok(());
        }
        Err(PushError::Gap {
            expected,
            got: sample.time,
        })
    }

    fn begin(
        &mut self,
        boundary: Boundary,
        sample: &Sample,
        units: &mut Vec<Unit>,
    ) -> Result<(), PushError> {
        if self.video && !sample.keyframe {
            return Err(PushError::NoKeyframe(boundary.number));
        }
        // It would be a segment of nothing.
        if self
            .announced
            .get(1)
            .is_some_and(|next| next.ticks <= sample.time)
        {
            return Err(PushError::Gap {
                expected: boundary.ticks,
                got: sample.time,
            });
        }
        self.end_segment(units)?;
        self.announced.pop_front();
        if let Some((config, data)) = self.new_config.take() {
            units.push(Unit::Init {
                segment: boundary.number,
                config,
                data,
            });
        }
        self.last_begun = Some(boundary);
        self.segment = Some(Segment {
            boundary,
            parts: 0,
            time: sample.time,
        });
        Ok(())
    }

    /// Ends the part, and the segment, if the last sample reaches to where they end.
    fn cut(&mut self, units: &mut Vec<Unit>) -> Result<(), PushError> {
        let (Some(segment), Some(end)) = (self.segment, self.next_time) else {
            return Ok(());
        };
        if self.announced.front().is_some_and(|next| next.ticks <= end) {
            return self.end_segment(units);
        }
        let part = u64::from(segment.parts + 1) * self.timing.part_frames;
        if self
            .timing
            .grid
            .ticks(segment.boundary.start + part, self.timescale)
            <= end
        {
            self.end_part(units)?;
        }
        Ok(())
    }

    fn end_segment(&mut self, units: &mut Vec<Unit>) -> Result<(), PushError> {
        self.end_part(units)?;
        if self.segment.take_if(|segment| segment.parts > 0).is_some() {
            units.push(Unit::SegmentEnd);
        }
        Ok(())
    }

    fn end_part(&mut self, units: &mut Vec<Unit>) -> Result<(), PushError> {
        let (Some(segment), Some(first), Some(end)) =
            (&mut self.segment, self.samples.first(), self.next_time)
        else {
            return Ok(());
        };
        let mut data = Vec::new();
        if segment.parts == 0 {
            let wall = self.timing.wall(first.time, self.timescale);
            data = cmaf::segment_head(first.time, wall)?;
        }
        self.chunks = self.chunks.wrapping_add(1);
        cmaf::write_chunk(&mut data, self.chunks, &self.samples)?;
        units.push(Unit::Part(Part {
            segment: segment.boundary.number,
            index: segment.parts,
            start: segment.boundary.start,
            time: first.time,
            duration: end - first.time,
            independent: self.samples.iter().any(|sample| sample.keyframe),
            data: data.into(),
        }));
        segment.parts += 1;
        self.samples.clear();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        media::{Moment, Rate},
        origin::{Settings, frames_per_part},
    };

    const SECONDS: u64 = 30;

    fn timing(grid: Rate) -> Timing {
        let settings = Settings {
            grid,
            part_frames: frames_per_part(grid, Duration::from_millis(200)),
            target_duration: 2,
            audio_rate: 48_000,
            opus: true,
            epoch: Moment(0),
            window: Duration::from_mins(1),
        };
        settings.timing().unwrap()
    }

    /// The parts of samples that begin at these ticks, with segments of so many frames; and which are the last of theirs.
    fn parts(
        timing: Timing,
        timescale: u32,
        video: bool,
        times: &[u64],
        segment: u64,
    ) -> Vec<(Part, bool)> {
        let mut packager = Packager::new(timing, timescale, video);
        let config = Bytes::from_static(&[0x11, 0x90]);
        packager
            .start(TrackConfig::Aac {
                config,
                sample_rate: 48_000,
                channels: 2,
            })
            .unwrap();
        let mut units = Vec::new();
        let mut announced = 0;
        for window in times.windows(2) {
            while packager.announced.len() < 2 {
                units.extend(
                    packager
                        .begin_segment(announced, announced * segment)
                        .unwrap(),
                );
                announced += 1;
            }
            let duration = (window[1] - window[0]) as u32;
            let data = Bytes::from_static(b"x");
            units.extend(
                packager
                    .push(Sample {
                        data,
                        time: window[0],
                        duration,
                        keyframe: true,
                    })
                    .unwrap(),
            );
        }
        let is_end = |unit: Option<&Unit>| matches!(unit, Some(Unit::SegmentEnd));
        let with_next = units
            .iter()
            .enumerate()
            .filter_map(|(index, unit)| match unit {
                Unit::Part(part) => Some((part.clone(), is_end(units.get(index + 1)))),
                _ => None,
            });
        with_next.collect()
    }

    #[test]
    fn parts_obey_the_85_percent_rule_at_every_rate() {
        for (numerator, denominator) in [
            (24, 1),
            (24_000, 1001),
            (25, 1),
            (30_000, 1001),
            (30, 1),
            (50, 1),
            (60_000, 1001),
            (60, 1),
        ] {
            let grid = Rate {
                numerator,
                denominator,
            };
            let timing = timing(grid);
            // Two seconds or a little less, as a whole number of frames.
            let segment = (2.0 * grid.per_second()) as u64;
            let frames = (SECONDS as f64 * grid.per_second()) as u64;
            let times: Vec<_> = (0..frames)
                .map(|frame| frame * u64::from(denominator))
                .collect();
            let video = parts(timing, numerator, true, &times, segment);
            check(&video, timing.part, numerator, grid);
            for (samples, first, target) in [
                (1024, 0, timing.audio_part),
                (960, 648, timing.opus_part.unwrap()),
            ] {
                let times: Vec<_> = (0..SECONDS * 48_000 / samples)
                    .map(|frame| first + frame * samples)
                    .collect();
                let sound = parts(timing, 48_000, false, &times, segment);
                check(&sound, target, 48_000, grid);
            }
        }
    }

    fn check(parts: &[(Part, bool)], target: u64, timescale: u32, grid: Rate) {
        assert!(
            parts.len() as u64 >= SECONDS * 4,
            "{grid:?}: {}",
            parts.len()
        );
        for (part, last) in parts {
            let duration = crate::origin::grid::micros(part.duration, timescale);
            assert!(
                duration <= target,
                "{grid:?} at {timescale}: {duration} of {target}"
            );
            assert!(
                *last || duration * 100 >= target * 85,
                "{grid:?}: {duration} of {target}"
            );
        }
    }
}
