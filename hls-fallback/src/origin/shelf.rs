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

    /// The part that comes next, as far as one knows.
    pub(super) fn next_part(&self) -> Option<(u64, u32)> {
        self.position().map(|position| {
            if position.complete {
                (position.segment + 1, 0)
            } else {
                (position.segment, position.parts)
            }
        })
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
