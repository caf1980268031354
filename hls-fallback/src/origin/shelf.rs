//! The media of one rendition that is at hand: what is listed, and what left the playlist a short while ago.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};

use crate::media::{Moment, TrackConfig};

use super::{
    bandwidth::Bandwidth,
    dash::Announced,
    directives::Position,
    grid,
    packager::{Part, Unit},
    settings::Timing,
};

/// An initialization segment.
#[derive(Debug)]
pub(super) struct Init {
    /// The first segment that it belongs to.
    pub(super) segment: u64,
    pub(super) config: TrackConfig,
    pub(super) data: Bytes,
}

/// A segment that has a part at least.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// When its first sample is: ticks.
    pub(super) time: u64,
    /// Where its last part ends: microseconds since time 0.
    pub(super) end: u64,
    ticks: u64,
    parts: Vec<Bytes>,
    /// All its parts in one, once there are no more to come; they are slices of it then.
    whole: Option<Bytes>,
    /// Its lines in the playlist: `EXT-X-PROGRAM-DATE-TIME`, its parts, and `EXTINF` with the URL.
    pub(super) date_line: String,
    pub(super) part_lines: String,
    pub(super) end_lines: String,
}

impl Segment {
    pub(super) fn is_complete(&self) -> bool {
        self.whole.is_some()
    }

    /// How long it lasts so far.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// As `EXTINF` says it: microseconds.
    pub(super) fn duration(&self, timescale: u32) -> u64 {
        grid::micros(self.ticks, timescale)
    }
}

/// Whether a part that isn't there may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It's one of those that may be the next: of the open segment, or the first one of the segment after it.
    Next,
    /// It's gone, or its segment ended before it.
    Never,
    Unknown,
}

/// Segments of successive numbers; all but the last are complete.
#[derive(Debug)]
pub(super) struct Shelf {
    timing: Timing,
    timescale: u32,
    inits: VecDeque<Init>,
    segments: VecDeque<Segment>,
    /// How many of them have left the playlist.
    unlisted: usize,
}

impl Shelf {
    pub(super) fn new(timing: Timing, timescale: u32) -> Self {
        Self {
            timing,
            timescale,
            inits: VecDeque::new(),
            segments: VecDeque::new(),
            unlisted: 0,
        }
    }

    pub(super) fn timescale(&self) -> u32 {
        self.timescale
    }

    pub(super) fn put(&mut self, unit: Unit) {
        match unit {
            Unit::Init {
                segment,
                config,
                data,
            } => self.inits.push_back(Init {
                segment,
                config,
                data,
            }),
            Unit::Part(part) => self.put_part(part),
            Unit::SegmentEnd => self.complete(),
        }
        self.drop_old();
    }

    fn put_part(&mut self, part: Part) {
        if part.index == 0 {
            self.segments.push_back(self.segment(&part));
        }
        let end = grid::micros(part.time + part.duration, self.timescale);
        let duration = seconds(grid::micros(part.duration, self.timescale));
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        segment.end = end;
        segment.ticks += part.duration;
        let independent = if part.independent {
            ",INDEPENDENT=YES"
        } else {
            ""
        };
        let (number, index) = (part.segment, part.index);
        // Writing to a String doesn't fail.
        let _ = writeln!(
            segment.part_lines,
            "#EXT-X-PART:DURATION={duration},URI=\"{number}.{index}.m4s\"{independent}"
        );
        segment.parts.push(part.data);
    }

    fn segment(&self, first: &Part) -> Segment {
        let wall = self.timing.wall(first.time, self.timescale);
        Segment {
            number: first.segment,
            time: first.time,
            end: grid::micros(first.time, self.timescale),
            ticks: 0,
            parts: Vec::new(),
            whole: None,
            date_line: date_line(wall),
            part_lines: String::new(),
            end_lines: String::new(),
        }
    }

    fn complete(&mut self) {
        let timescale = self.timescale;
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        let mut whole = BytesMut::with_capacity(segment.parts.iter().map(Bytes::len).sum());
        for part in &segment.parts {
            whole.extend_from_slice(part);
        }
        let whole = whole.freeze();
        let mut offset = 0;
        for part in &mut segment.parts {
            let end = offset + part.len();
            *part = whole.slice(offset..end);
            offset = end;
        }
        segment.whole = Some(whole);
        let duration = seconds(segment.duration(timescale));
        segment.end_lines = format!("#EXTINF:{duration},\n{}.m4s\n", segment.number);
    }

    /// Unlists what is older than the window, and forgets what has been unlisted for three target durations.
    fn drop_old(&mut self) {
        let oldest = self.end().saturating_sub(self.timing.window);
        let kept = oldest.saturating_sub(self.timing.three_targets());
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.is_complete() && segment.end <= kept)
        {
            self.segments.pop_front();
            self.unlisted = self.unlisted.saturating_sub(1);
        }
        let is_old = |segment: &Segment| segment.is_complete() && segment.end <= oldest;
        while self.segments.get(self.unlisted).is_some_and(is_old) {
            self.unlisted += 1;
        }
        let first = self.segments.front().map(|segment| segment.number);
        while self
            .inits
            .get(1)
            .is_some_and(|next| first.is_some_and(|first| next.segment <= first))
        {
            self.inits.pop_front();
        }
    }

    /// Where the last part ends: microseconds since time 0.
    pub(super) fn end(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.end)
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.segments.back().map(|segment| Position {
            segment: segment.number,
            parts: segment.parts.len() as u32,
            complete: segment.is_complete(),
        })
    }

    /// The part that most likely comes next: of the open segment, or the first one of the next.
    pub(super) fn likely_next(&self, announced: &Announced) -> Option<(u64, u32)> {
        let position = self.position()?;
        Some(if position.complete || self.ends_now(position, announced) {
            (position.segment + 1, 0)
        } else {
            (position.segment, position.parts)
        })
    }

    /// Whether the open segment has all its parts, as far as one can tell: up to where the next one was announced, or else as many
    /// as the one before it.
    fn ends_now(&self, open: Position, announced: &Announced) -> bool {
        let Some(segment) = self.segments.back() else {
            return false;
        };
        if let Some(&next) = announced.get(&(open.segment + 1)) {
            return self.timing.grid.ticks(next, self.timescale) <= segment.time + segment.ticks;
        }
        let before = open.segment.checked_sub(1).and_then(|n| self.get(n));
        before.is_some_and(|before| segment.parts.len() >= before.parts.len())
    }

    /// What is known of a part that isn't there.
    pub(super) fn absent(&self, segment: u64, index: u32) -> Absent {
        let Some(position) = self.position() else {
            return Absent::Unknown;
        };
        let is_next = if position.complete {
            (segment, index) == (position.segment + 1, 0)
        } else {
            (segment, index) == (position.segment, position.parts)
                || (segment, index) == (position.segment + 1, 0)
        };
        let is_old = self.first().is_some_and(|first| segment < first);
        let is_past_the_end = self.get(segment).is_some_and(Segment::is_complete);
        if is_next {
            Absent::Next
        } else if is_old || is_past_the_end {
            Absent::Never
        } else {
            Absent::Unknown
        }
    }

    pub(super) fn listed(&self) -> impl Iterator<Item = &Segment> + Clone {
        self.segments
            .range(self.unlisted.min(self.segments.len())..)
    }

    pub(super) fn has_complete_segment(&self) -> bool {
        self.segments.front().is_some_and(Segment::is_complete)
    }

    /// The number of the oldest segment that is at hand.
    pub(super) fn first(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.number)
    }

    pub(super) fn get(&self, number: u64) -> Option<&Segment> {
        let index = number.checked_sub(self.first()?)?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    pub(super) fn whole(&self, number: u64) -> Option<Bytes> {
        self.get(number)?.whole.clone()
    }

    pub(super) fn part(&self, number: u64, index: u32) -> Option<Bytes> {
        self.get(number)?.parts.get(index as usize).cloned()
    }

    pub(super) fn init(&self, segment: u64) -> Option<Bytes> {
        let init = self.inits.iter().find(|init| init.segment == segment)?;
        Some(init.data.clone())
    }

    /// The one that segment `number` needs.
    pub(super) fn init_of(&self, number: u64) -> Option<&Init> {
        self.inits.iter().rev().find(|init| init.segment <= number)
    }

    /// How the last segment is encoded.
    pub(super) fn config(&self) -> Option<&TrackConfig> {
        let last = self.segments.back()?;
        self.init_of(last.number).map(|init| &init.config)
    }

    pub(super) fn bandwidth(&self) -> Bandwidth {
        let segments = self.listed().filter_map(|segment| {
            Some((
                segment.whole.as_ref()?.len(),
                segment.duration(self.timescale),
            ))
        });
        Bandwidth::measure(segments, self.timing.target)
    }
}

/// `EXT-X-PROGRAM-DATE-TIME`, to the nearest millisecond.
pub(crate) fn date_line(wall: Moment) -> String {
    let wall = Duration::from_micros(u64::try_from(wall.0).unwrap_or(0).saturating_add(500));
    let date = humantime::format_rfc3339_millis(UNIX_EPOCH + wall);
    format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n")
}

/// Microseconds as decimal-floating-point seconds.
pub(crate) fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{media::Rate, origin::Settings};

    const PART: u64 = 18_000;

    /// A shelf of segments with so many parts of 200 ms, of which the last is open.
    fn shelf(parts: &[u32]) -> Shelf {
        let settings = Settings {
            grid: Rate {
                numerator: 30,
                denominator: 1,
            },
            part_frames: 6,
            target_duration: 2,
            audio_rate: 48_000,
            opus: false,
            epoch: Moment(0),
            window: Duration::from_mins(1),
        };
        let mut shelf = Shelf::new(settings.timing().unwrap(), 90_000);
        let mut time = 0;
        for (number, &parts) in (7..).zip(parts) {
            if number > 7 {
                shelf.put(Unit::SegmentEnd);
            }
            for index in 0..parts {
                shelf.put(Unit::Part(Part {
                    segment: number,
                    index,
                    start: time * 30 / 90_000,
                    time,
                    duration: PART,
                    independent: index == 0,
                    data: Bytes::from_static(b"part"),
                }));
                time += PART;
            }
        }
        shelf
    }

    fn likely_next(shelf: &Shelf) -> (u64, u32) {
        shelf.likely_next(&Announced::new()).unwrap()
    }

    #[test]
    fn a_segment_is_likely_to_have_as_many_parts_as_the_one_before_it() {
        assert_eq!(likely_next(&shelf(&[10, 9])), (8, 9));
        assert_eq!(likely_next(&shelf(&[10, 10])), (9, 0));
        assert_eq!(likely_next(&shelf(&[10, 11])), (9, 0));
        assert_eq!(likely_next(&shelf(&[10, 12, 10])), (9, 10));
        assert_eq!(likely_next(&shelf(&[10])), (7, 10), "nothing to go by");
    }

    #[test]
    fn what_was_announced_is_more_than_likely() {
        let open = shelf(&[5, 5]);
        // Frame 60 is where they come to.
        assert_eq!(open.likely_next(&[(9, 72)].into()), Some((8, 5)));
        assert_eq!(open.likely_next(&[(9, 60)].into()), Some((9, 0)));
        assert_eq!(shelf(&[5, 3]).likely_next(&[(9, 48)].into()), Some((9, 0)));
    }

    #[test]
    fn of_an_open_segment_the_next_part_may_come_and_the_first_of_the_next_segment() {
        let open = shelf(&[10, 10]);
        assert_eq!(open.absent(8, 10), Absent::Next);
        assert_eq!(open.absent(9, 0), Absent::Next);
        assert_eq!(open.absent(8, 11), Absent::Unknown);
        assert_eq!(open.absent(9, 1), Absent::Unknown);
        assert_eq!(open.absent(7, 10), Absent::Never);
        assert_eq!(open.absent(6, 0), Absent::Never);
        let mut whole = open;
        whole.put(Unit::SegmentEnd);
        assert_eq!(whole.absent(8, 10), Absent::Never);
        assert_eq!(whole.absent(9, 0), Absent::Next);
        assert_eq!(whole.absent(10, 0), Absent::Unknown);
    }
}
