//! Chapters: what streamers and the node marked, on the recording's time line.

use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::spine::{self, Place};
use crate::{
    captions::{escaped, write_cue},
    media::Moment,
};

/// Chapters of a recording, at most: the last ones aren't listed.
const MAX_CHAPTERS: usize = 255;

/// Something that happened in a broadcast, as the node keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Marker {
    /// When: RFC 3339.
    pub at: String,
    /// What.
    pub title: String,
}

/// From here to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chapter {
    /// Microseconds since the recording's beginning.
    pub(super) start: u64,
    pub(super) title: String,
}

/// The first is always there.
pub(super) fn chapters(markers: &[Marker], places: &[Place]) -> Vec<Chapter> {
    let mut chapters = vec![Chapter {
        start: 0,
        title: "Start".to_owned(),
    }];
    let mut found: Vec<Chapter> = markers.iter().filter_map(|m| chapter(m, places)).collect();
    found.sort_by_key(|chapter| chapter.start);
    for next in found {
        match chapters.last_mut() {
            // Two at once would be one of no length.
            Some(last) if last.start == next.start => {
                last.title.push_str(", ");
                last.title.push_str(&next.title);
            }
            _ => chapters.push(next),
        }
    }
    chapters.truncate(MAX_CHAPTERS);
    chapters
}

fn chapter(marker: &Marker, places: &[Place]) -> Option<Chapter> {
    let Ok(at) = humantime::parse_rfc3339(&marker.at) else {
        tracing::warn!(
            at = marker.at,
            "a marker's time can't be read: it's no chapter"
        );
        return None;
    };
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall = Moment(i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
    let last = places.last()?;
    // In milliseconds, as players tell them apart; and not where `Start` is, nor at the very end.
    let latest = (last.start + last.duration) / 1_000;
    let start = (spine::position(places, wall) / 1_000).clamp(1, latest.saturating_sub(1).max(1));
    let title: String = marker
        .title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Some(Chapter {
        start: start * 1_000,
        title,
    })
}

/// As `WebVTT`, of a recording that lasts so many microseconds.
pub(super) fn web_vtt(chapters: &[Chapter], duration: u64) -> String {
    let mut out = "WEBVTT\n".to_owned();
    let ends = chapters.iter().skip(1).map(|next| next.start);
    for (chapter, end) in chapters.iter().zip(ends.chain([duration])) {
        let end = end.max(chapter.start + 1_000);
        write_cue(&mut out, chapter.start, end, &escaped(&chapter.title));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::{
        model::Recording,
        spine::{
            places,
            tests::{add, session},
        },
    };

    fn marker(at: &str, title: &str) -> Marker {
        Marker {
            at: at.to_owned(),
            title: title.to_owned(),
        }
    }

    #[test]
    fn markers_become_chapters_where_the_recording_has_their_moment() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11]);
        session(&mut recording, 1_030);
        add(&mut recording, "360p", 25, &[25, 26]);
        let places = places(&recording);
        let markers = [
            marker("1970-01-01T00:17:10.500Z", "Q & A\n<live>"),
            marker("1970-01-01T00:16:00.000Z", "too early"),
            marker("1970-01-01T00:17:00Z", "Back"),
            marker("yesterday", "unreadable"),
            marker("1970-01-01T00:17:09Z", "again"),
        ];
        let chapters = chapters(&markers, &places);
        let seen: Vec<_> = chapters
            .iter()
            .map(|c| (c.start / 1_000, c.title.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (0, "Start"),
                (1, "too early"),
                (4_000, "Back, again"),
                (4_500, "Q & A <live>")
            ]
        );
        let text = web_vtt(&chapters, 8_000_000);
        assert!(text.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:00.001\nStart\n"));
        assert!(
            text.ends_with("\n00:00:04.500 --> 00:00:08.000\nQ &amp; A &lt;live&gt;\n"),
            "{text}"
        );
    }

    #[test]
    fn without_markers_there_is_one_chapter() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "audio", 10, &[10]);
        let chapters = chapters(&[], &places(&recording));
        assert_eq!(chapters.len(), 1);
        assert_eq!(crate::captions::clock(3_723_004_000), "01:02:03.004");
        assert_eq!(
            web_vtt(&chapters, 2_000_000),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nStart\n"
        );
    }
}
