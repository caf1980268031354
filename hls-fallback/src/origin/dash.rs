//! The manifest of DASH (ISO/IEC 23009-1), of the same segments as the playlists of HLS.
//!
//! Its time line is that of the media: it begins at the epoch, and every period's time 0 is the epoch's, so that no player has
//! to shift anything. It lists each segment from its first part on; what players fetch of one that isn't whole is sent as it
//! grows ([`super::growing`]).

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    bandwidth::Bandwidth,
    codec,
    presentation::{RenditionInfo, RenditionKind},
    settings::Timing,
    shelf::{Segment, Shelf, seconds},
};
use crate::media::{Moment, TrackConfig};

/// How far a player is to be behind what was captured: so many hundredths of a target duration. It hears of a segment when it has
/// asked for the manifest again, which it does each half.
const LATENCY: u64 = 150;
/// How far it may be.
const MAX_LATENCY: u64 = 400;

/// What has no discontinuity within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    /// The number of its first segment.
    pub(super) first: u64,
    /// Where that begins: frames of the grid.
    pub(super) start: u64,
}

/// The periods of a presentation, each begun by a discontinuity.
#[derive(Debug, Default)]
pub(super) struct Periods(VecDeque<Period>);

impl Periods {
    /// A rendition has come to segment `first`, which begins at `start`.
    pub(super) fn segment_began(&mut self, first: u64, start: u64, discontinuous: bool) {
        let follows = self.0.back().is_none_or(|last| first > last.first);
        if self.0.is_empty() || discontinuous && follows {
            self.0.push_back(Period { first, start });
        }
    }

    /// Segments before `first` are gone. A period of which something is left keeps its beginning.
    pub(super) fn forget_before(&mut self, first: u64) {
        while self.0.get(1).is_some_and(|next| next.first <= first) {
            self.0.pop_front();
        }
    }

    /// Each with the number of the first segment of the next one.
    fn iter(&self) -> impl Iterator<Item = (Period, u64)> + '_ {
        let ends = self.0.iter().skip(1).map(|next| next.first);
        self.0.iter().copied().zip(ends.chain([u64::MAX]))
    }
}

/// Where segments begin that were announced, by number: frames of the grid.
pub(super) type Announced = BTreeMap<u64, u64>;

/// A rendition as the manifest shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Track<'a> {
    pub(super) info: &'a RenditionInfo,
    pub(super) shelf: &'a Shelf,
    pub(super) bandwidth: Bandwidth,
}

/// What the manifest says beside its tracks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) timing: &'a Timing,
    pub(super) periods: &'a Periods,
    pub(super) announced: &'a Announced,
    /// No more is to come.
    pub(super) ended: bool,
}

/// The manifest.
pub(super) fn manifest(tracks: &[Track], context: Context) -> String {
    let mut out = String::with_capacity(4096);
    head(&mut out, tracks, context);
    for (period, next) in context.periods.iter() {
        let listed: Vec<_> = tracks
            .iter()
            .filter_map(|track| Some((track, Range::of(track.shelf, period, next)?)))
            .collect();
        if listed.is_empty() {
            continue;
        }
        let start = context.timing.grid.micros(period.start);
        let _ = writeln!(
            out,
            "<Period id=\"{}\" start=\"PT{}S\">",
            period.first,
            seconds(start)
        );
        for kind in [Kind::Video, Kind::Audio, Kind::Opus] {
            adaptation_set(&mut out, kind, &listed, context);
        }
        out.push_str("</Period>\n");
    }
    if !context.ended {
        out.push_str(
            "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"time\"/>\n",
        );
    }
    out.push_str("</MPD>\n");
    out
}

fn head(out: &mut String, tracks: &[Track], context: Context) {
    let timing = context.timing;
    let end = tracks.iter().map(|track| track.shelf.end()).max();
    let end = end.unwrap_or(0);
    // What there is changes as it grows, so its end on the clock is when the manifest became what it is, or a little before.
    let published = date(timing.epoch.plus(i64::try_from(end).unwrap_or(i64::MAX)));
    let target = timing.target;
    let latency = target * LATENCY / 100;
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(
        out,
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" availabilityStartTime=\"{}\" publishTime=\"{published}\" maxSegmentDuration=\"PT{}S\" minBufferTime=\"PT{}S\"",
        date(timing.epoch),
        seconds(target + target / 2),
        seconds(target / 2),
    );
    if context.ended {
        // Players are told of the end by the type that it becomes.
        let _ = writeln!(
            out,
            " type=\"static\" mediaPresentationDuration=\"PT{}S\">",
            seconds(end)
        );
        return;
    }
    let _ = writeln!(
        out,
        " type=\"dynamic\" minimumUpdatePeriod=\"PT{}S\" timeShiftBufferDepth=\"PT{}S\" suggestedPresentationDelay=\"PT{}S\">",
        seconds(target / 2),
        seconds(timing.window),
        seconds(latency),
    );
    let _ = writeln!(
        out,
        "<ServiceDescription id=\"0\"><Latency target=\"{}\" min=\"{}\" max=\"{}\"/><PlaybackRate min=\"0.96\" max=\"1.04\"/></ServiceDescription>",
        latency / 1000,
        target / 2 / 1000,
        target * MAX_LATENCY / 100 / 1000
    );
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Audio,
    /// Players switch between codecs only from one set to another.
    Opus,
}

impl Kind {
    fn of(track: &Track) -> Self {
        match (track.info.kind, track.shelf.config()) {
            (RenditionKind::Video { .. }, _) => Self::Video,
            (RenditionKind::Audio, Some(TrackConfig::Opus { .. })) => Self::Opus,
            (RenditionKind::Audio, _) => Self::Audio,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio | Self::Opus => "audio",
        }
    }
}

/// The segments of a period that a rendition lists.
struct Range<'a> {
    segments: Vec<&'a Segment>,
    period: Period,
}

impl<'a> Range<'a> {
    fn of(shelf: &'a Shelf, period: Period, next: u64) -> Option<Self> {
        let segments: Vec<_> = shelf
            .listed()
            .filter(|segment| (period.first..next).contains(&segment.number))
            .collect();
        (!segments.is_empty()).then_some(Self { segments, period })
    }
}

fn adaptation_set(out: &mut String, kind: Kind, listed: &[(&Track, Range)], context: Context) {
    let mut tracks = listed
        .iter()
        .filter(|(track, _)| Kind::of(track) == kind)
        .peekable();
    if tracks.peek().is_none() {
        return;
    }
    let name = kind.name();
    let _ = writeln!(
        out,
        "<AdaptationSet id=\"{}\" contentType=\"{name}\" mimeType=\"{name}/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">",
        kind as u8
    );
    for (track, range) in tracks {
        representation(out, track, range, context);
    }
    out.push_str("</AdaptationSet>\n");
}

fn representation(out: &mut String, track: &Track, range: &Range, context: Context) {
    let (Some(first), name) = (range.segments.first(), &track.info.name) else {
        return;
    };
    let Some(init) = track.shelf.init_of(first.number) else {
        return;
    };
    let _ = write!(
        out,
        "<Representation id=\"{name}\" bandwidth=\"{}\"",
        track.bandwidth.peak
    );
    if let Some(codec) = codec::name(&init.config) {
        let _ = write!(out, " codecs=\"{codec}\"");
    }
    if let Some((width, height)) = init.config.size() {
        let _ = write!(out, " width=\"{width}\" height=\"{height}\"");
    }
    if let Some((sample_rate, _)) = init.config.sound() {
        let _ = write!(out, " audioSamplingRate=\"{sample_rate}\"");
    }
    if let RenditionKind::Video { rate } = track.info.kind {
        let _ = write!(
            out,
            " frameRate=\"{}/{}\"",
            rate.numerator, rate.denominator
        );
    }
    let timing = context.timing;
    let timescale = track.info.timescale;
    // How much earlier than it is whole a segment can be asked for: when it has its first part.
    let early = timing.target.saturating_sub(timing.part);
    let _ = writeln!(
        out,
        ">\n<SegmentTemplate timescale=\"{timescale}\" presentationTimeOffset=\"{}\" initialization=\"{name}/init-{}.mp4\" media=\"{name}/$Number$.m4s\" startNumber=\"{}\" availabilityTimeOffset=\"{}\" availabilityTimeComplete=\"false\">",
        timing.grid.ticks(range.period.start, timescale),
        init.segment,
        first.number,
        seconds(early)
    );
    timeline(out, range, track, context);
    out.push_str("</SegmentTemplate>\n</Representation>\n");
}

/// A row of segments of the same duration is one element, with the number of those that follow the first.
fn timeline(out: &mut String, range: &Range, track: &Track, context: Context) {
    out.push_str("<SegmentTimeline>");
    let mut rows: Vec<(u64, u64, u64)> = Vec::new();
    for segment in &range.segments {
        let duration = duration(segment, track, context);
        match rows.last_mut() {
            Some((time, each, more))
                if *each == duration && *time + *each * (*more + 1) == segment.time =>
            {
                *more += 1;
            }
            _ => rows.push((segment.time, duration, 0)),
        }
    }
    for (time, duration, more) in rows {
        let _ = write!(out, "<S t=\"{time}\" d=\"{duration}\"");
        if more > 0 {
            let _ = write!(out, " r=\"{more}\"");
        }
        out.push_str("/>");
    }
    out.push_str("</SegmentTimeline>\n");
}

/// Of one that isn't whole: up to where the next one was announced, else as long as the one before it.
fn duration(segment: &Segment, track: &Track, context: Context) -> u64 {
    if segment.is_complete() {
        return segment.ticks();
    }
    let timescale = track.info.timescale;
    let announced = context
        .announced
        .get(&(segment.number + 1))
        .map(|&frame| context.timing.grid.ticks(frame, timescale))
        .and_then(|end| end.checked_sub(segment.time));
    let before = || {
        let before = segment.number.checked_sub(1)?;
        track.shelf.get(before).map(Segment::ticks)
    };
    let target = || context.timing.target * u64::from(timescale) / 1_000_000;
    announced
        .or_else(before)
        .unwrap_or_else(target)
        .max(segment.ticks())
}

/// To the nearest millisecond.
fn date(moment: Moment) -> String {
    let since = Duration::from_micros(u64::try_from(moment.0).unwrap_or(0).saturating_add(500));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}
