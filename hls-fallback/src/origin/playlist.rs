//! The text of playlists (RFC 8216bis §4.4).

use std::{fmt::Write as _, mem::discriminant};

use super::{
    bandwidth::Bandwidth,
    captions, codec,
    dash::Announced,
    directives::Position,
    presentation::{RenditionInfo, RenditionKind},
    segment_groups::{Group, SegmentGroups},
    settings::Timing,
    shelf::{Segment, Shelf, seconds},
};
use crate::{captions::Language, media::TrackConfig};

/// What a media playlist says beside its own segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) timing: &'a Timing,
    pub(super) discontinuities: &'a Discontinuities,
    pub(super) announced: &'a Announced,
    /// The other renditions and how far they are.
    pub(super) reports: &'a [(&'a str, Position)],
    /// No more is to come, of no rendition.
    pub(super) ended: bool,
}

/// Presentations begin to count discontinuities below that.
const COUNTS: u64 = 1 << 16;

/// The segments that a discontinuity is before, the same in all renditions.
#[derive(Debug, Default)]
pub(super) struct Discontinuities {
    /// What was forgotten, and where the count began.
    before: u64,
    segments: Vec<u64>,
}

impl Discontinuities {
    /// Discontinuities are counted from half the number of a presentation's first segment: like that, one that comes two seconds
    /// after another continues with other counts, though it knows nothing of it. The count is kept small, since hls.js looks
    /// through all of them from 0 on whenever it gets a playlist: 5 s for those of the seconds since 2020. So it goes back with a
    /// presentation each 36 hours.
    pub(super) fn count_from(&mut self, number: u64) {
        self.before = number / 2 % COUNTS;
    }

    pub(super) fn insert(&mut self, segment: u64) {
        if let Err(at) = self.segments.binary_search(&segment) {
            self.segments.insert(at, segment);
        }
    }

    pub(super) fn contains(&self, segment: u64) -> bool {
        self.segments.binary_search(&segment).is_ok()
    }

    /// `EXT-X-DISCONTINUITY-SEQUENCE` of a playlist that begins with that segment.
    pub(super) fn sequence(&self, first: u64) -> u64 {
        self.before + self.segments.partition_point(|&segment| segment < first) as u64
    }

    /// No playlist has a segment before `first` any more.
    pub(super) fn forget_before(&mut self, first: u64) {
        let gone = self.segments.partition_point(|&segment| segment < first);
        self.segments.drain(..gone);
        self.before += gone as u64;
    }
}

/// A media playlist whole, and, where there's something to skip, as a delta update (RFC 8216bis §6.2.5.1).
pub(super) fn media(shelf: &Shelf, context: Context) -> (String, Option<String>) {
    let boundary = shelf.end().saturating_sub(context.timing.skip_until());
    let skipped = shelf
        .listed()
        .take_while(|segment| segment.end <= boundary && segment.is_complete())
        .count();
    let delta = skipped > 0 && !context.ended;
    (
        render(shelf, context, 0),
        delta.then(|| render(shelf, context, skipped)),
    )
}

fn render(shelf: &Shelf, context: Context, skipped: usize) -> String {
    let mut out = String::with_capacity(8192);
    media_header(&mut out, shelf, context);
    if skipped > 0 {
        line(
            &mut out,
            format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"),
        );
    }
    let parts_from = shelf.end().saturating_sub(context.timing.three_targets());
    for (index, segment) in shelf.listed().enumerate().skip(skipped) {
        segment_head(&mut out, shelf, context, segment.number, index == 0);
        out.push_str(&segment.date_line);
        if segment.end > parts_from && !context.ended {
            out.push_str(&segment.part_lines);
        }
        out.push_str(&segment.end_lines);
    }
    if context.ended {
        out.push_str("#EXT-X-ENDLIST\n");
        return out;
    }
    if let Some((segment, part)) = shelf.likely_next(context.announced) {
        line(
            &mut out,
            format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{segment}.{part}.m4s\""),
        );
    }
    for (name, position) in context.reports {
        let (segment, part) = (position.segment, position.parts.saturating_sub(1));
        line(
            &mut out,
            format_args!(
                "#EXT-X-RENDITION-REPORT:URI=\"../{name}/index.m3u8\",LAST-MSN={segment},LAST-PART={part}"
            ),
        );
    }
    out
}

fn media_header(out: &mut String, shelf: &Shelf, context: Context) {
    let timing = context.timing;
    let part = timing.part_target(shelf.config());
    let first = shelf.listed().next().map_or(0, |segment| segment.number);
    // 9, as delta updates need it (RFC 8216bis §8).
    out.push_str("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    line(
        out,
        format_args!("#EXT-X-TARGETDURATION:{}", timing.target / 1_000_000),
    );
    out.push_str(&timing.server_control());
    line(
        out,
        format_args!("#EXT-X-PART-INF:PART-TARGET={}", seconds(part)),
    );
    sequences(out, first, context.discontinuities.sequence(first));
}

fn sequences(out: &mut String, media: u64, discontinuity: u64) {
    line(out, format_args!("#EXT-X-MEDIA-SEQUENCE:{media}"));
    line(
        out,
        format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity}"),
    );
}

/// `first`: of the playlist, so it has to say which initialization segment it needs.
fn segment_head(out: &mut String, shelf: &Shelf, context: Context, number: u64, first: bool) {
    if context.discontinuities.contains(number) {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if let Some(init) = shelf
        .init_of(number)
        .filter(|init| first || init.segment == number)
    {
        line(
            out,
            format_args!("#EXT-X-MAP:URI=\"init-{}.mp4\"", init.segment),
        );
    }
}

/// A media playlist of plain HLS: rows of segments, no parts. Nothing if there's no complete row yet.
pub(super) fn plain_media(
    shelf: &Shelf,
    groups: &SegmentGroups,
    context: Context,
) -> Option<String> {
    let first = shelf.listed().next()?.number;
    let mut rows = groups
        .iter()
        .skip_while(|group| group.first < first)
        .map_while(|group| Some((group, row(shelf, group)?)))
        .peekable();
    let oldest = rows.peek()?.0;
    let mut out = String::with_capacity(4096);
    // 6, as EXT-X-MAP needs it (RFC 8216bis §8).
    out.push_str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    line(
        &mut out,
        format_args!(
            "#EXT-X-TARGETDURATION:{}",
            context.timing.plain_target() / 1_000_000
        ),
    );
    sequences(
        &mut out,
        oldest.sequence,
        context.discontinuities.sequence(oldest.first),
    );
    for (index, (group, segments)) in rows.enumerate() {
        segment_head(&mut out, shelf, context, group.first, index == 0);
        out.push_str(&segments[0].date_line);
        let duration = segments
            .iter()
            .map(|segment| segment.duration(shelf.timescale()))
            .sum();
        line(&mut out, format_args!("#EXTINF:{},", seconds(duration)));
        line(&mut out, format_args!("{}-{}.m4s", group.first, group.last));
    }
    if context.ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Some(out)
}

/// The segments of a row, if all are complete.
fn row(shelf: &Shelf, group: Group) -> Option<Vec<&Segment>> {
    let get = |number| shelf.get(number).filter(|segment| segment.is_complete());
    (group.first..=group.last).map(get).collect()
}

/// A rendition as the multivariant playlist shows it.
#[derive(Debug)]
pub(crate) struct Variant<'a> {
    pub(crate) info: &'a RenditionInfo,
    pub(crate) config: &'a TrackConfig,
    /// What else it is encoded as, at times.
    pub(crate) others: Vec<&'a TrackConfig>,
    pub(crate) bandwidth: Bandwidth,
}

/// The multivariant playlist; `file` is the name of the media playlists that it leads to. `captions`: their language, if there are
/// any.
pub(crate) fn multivariant(
    variants: &[Variant],
    captions: Option<&Language>,
    file: &str,
) -> String {
    let is_audio = |variant: &&Variant| variant.info.kind == RenditionKind::Audio;
    let audio: Vec<_> = variants.iter().filter(is_audio).collect();
    let mut out = String::with_capacity(2048);
    out.push_str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let groups = groups(&audio);
    for group in &groups {
        for (index, variant) in group.members.iter().enumerate() {
            audio_rendition(&mut out, variant, group.id, index == 0, file);
        }
    }
    if let Some(language) = captions {
        out.push_str(&captions::media_line(language, file));
    }
    let captions = captions.is_some();
    // Players take the first of what is equally good to them: AAC comes first.
    let or_none = groups.is_empty().then_some(None);
    for group in groups.iter().map(Some).chain(or_none) {
        for video in variants.iter().filter(|variant| !is_audio(variant)) {
            stream(&mut out, video, group, captions, file);
        }
    }
    for group in &groups {
        stream(&mut out, group.members[0], Some(group), captions, file);
    }
    out
}

/// Sound of one codec. Never empty.
struct AudioGroup<'a> {
    id: &'a str,
    members: Vec<&'a Variant<'a>>,
}

/// Sound of each codec is a group of its own (RFC 8216bis §4.4.6.1.1): the first one is called `audio`, the others as their first
/// rendition.
fn groups<'a>(audio: &[&'a Variant<'a>]) -> Vec<AudioGroup<'a>> {
    let mut groups: Vec<AudioGroup> = Vec::new();
    for &variant in audio {
        let codec = discriminant(variant.config);
        let is_its = |group: &&mut AudioGroup| discriminant(group.members[0].config) == codec;
        if let Some(group) = groups.iter_mut().find(is_its) {
            group.members.push(variant);
            continue;
        }
        let is_first = groups.is_empty();
        groups.push(AudioGroup {
            id: if is_first {
                "audio"
            } else {
                &variant.info.name
            },
            members: vec![variant],
        });
    }
    groups
}

fn audio_rendition(out: &mut String, variant: &Variant, group: &str, default: bool, file: &str) {
    let name = &variant.info.name;
    let default = if default { "YES" } else { "NO" };
    let channels = variant
        .config
        .sound()
        .map_or_else(String::new, |(_, channels)| {
            format!(",CHANNELS=\"{channels}\"")
        });
    line(
        out,
        format_args!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\",DEFAULT={default},AUTOSELECT=YES{channels},URI=\"{name}/{file}\""
        ),
    );
}

/// A variant: a video rendition with the sound beside it, or sound alone.
fn stream(
    out: &mut String,
    variant: &Variant,
    group: Option<&AudioGroup>,
    captions: bool,
    file: &str,
) {
    let is_sound = variant.info.kind == RenditionKind::Audio;
    let sound = group.filter(|_| !is_sound).map(|group| group.members[0]);
    let bandwidth = sound.map_or(variant.bandwidth, |sound| {
        variant.bandwidth.plus(sound.bandwidth)
    });
    let mut codecs = codec::names(variant.config, &variant.others);
    codecs.extend(sound.and_then(|sound| codec::name(sound.config)));
    let mut attributes = format!(
        "BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
        bandwidth.peak,
        bandwidth.average,
        codecs.join(",")
    );
    if let Some((width, height)) = variant.config.size() {
        let _ = write!(attributes, ",RESOLUTION={width}x{height}");
    }
    if let RenditionKind::Video { rate } = variant.info.kind {
        let _ = write!(attributes, ",FRAME-RATE={:.3}", rate.per_second());
    }
    if let Some(group) = group {
        let _ = write!(attributes, ",AUDIO=\"{}\"", group.id);
    }
    if captions {
        attributes.push_str(",SUBTITLES=\"captions\"");
    }
    // Captions in the pictures (§4.4.6.2) aren't offered: where the source has some, other renditions don't. Shaka Player 5.2.12 would
    // look for them in the segment that isn't whole yet, and fail.
    attributes.push_str(",CLOSED-CAPTIONS=NONE");
    line(
        out,
        format_args!(
            "#EXT-X-STREAM-INF:{attributes}\n{}/{file}",
            variant.info.name
        ),
    );
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    // Writing to a String doesn't fail.
    let _ = out.write_fmt(text);
    out.push('\n');
}
