//! The playlists of a recording (RFC 8216bis §4.4), while it is made and when it is whole.

use std::fmt::Write as _;

use super::{
    captions,
    courier::Lists,
    model::{Recording, Rendition, Segment},
    spine::Place,
};
use crate::origin::{
    Bandwidth, RenditionInfo, RenditionKind, Variant, date_line, multivariant as write, seconds,
};

/// All of them, and the recording itself as JSON: names below the recording's folder, the multivariant playlist after those it
/// leads to.
pub(super) fn all(recording: &Recording, places: &[Place], whole: bool) -> Lists {
    let mut lists = Vec::new();
    for rendition in &recording.renditions {
        if let Some(text) = media(recording, places, rendition, whole) {
            lists.push((format!("{}/index.m3u8", rendition.name), text.into()));
        }
    }
    if whole {
        lists.extend(captions::all(recording, places));
    }
    if let Some(text) = multivariant(recording, whole) {
        lists.push(("index.m3u8".to_owned(), text.into()));
    }
    // Numbers and text: that can be written as JSON.
    if let Ok(json) = serde_json::to_vec(recording) {
        lists.push((RECORD.to_owned(), json.into()));
    }
    lists
}

/// The recording itself, beside its media.
pub(super) const RECORD: &str = "recording.json";

/// A rendition's media playlist. Of one that isn't `whole`, there is what the storage has up to the first segment that it hasn't,
/// so that nothing of it changes later; nothing, while that is nothing.
fn media(
    recording: &Recording,
    places: &[Place],
    rendition: &Rendition,
    whole: bool,
) -> Option<String> {
    let until = if whole {
        places.last()?.number
    } else {
        let stored = rendition.segments.iter().take_while(|s| s.stored);
        stored.last()?.number.min(settled(recording))
    };
    let listed: Vec<(&Place, Option<&Segment>)> = places
        .iter()
        .take_while(|place| place.number <= until)
        .map(|place| {
            let segment = rendition.get(place.number).filter(|s| s.stored);
            (place, segment)
        })
        .collect();
    let mut out = String::with_capacity(256 + listed.len() * 48);
    // 8, as EXT-X-GAP needs it (RFC 8216bis §8).
    out.push_str("#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    line(
        &mut out,
        format_args!("#EXT-X-TARGETDURATION:{}", target(recording)),
    );
    line(
        &mut out,
        format_args!(
            "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:{}",
            if whole { "VOD" } else { "EVENT" }
        ),
    );
    let mut init = None;
    // Each segment of fMP4 has an initialization segment before it, gaps too (RFC 8216bis §3.1.2).
    let first = rendition.segments.iter().find(|s| s.stored);
    let first = first.and_then(|segment| rendition.init_of(segment.number));
    for (index, (place, segment)) in listed.into_iter().enumerate() {
        if place.discontinuous {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let needed = match segment {
            Some(_) => rendition.init_of(place.number),
            None => first.filter(|_| init.is_none()),
        };
        if let Some(needed) = needed
            && init != Some(needed.segment)
        {
            init = Some(needed.segment);
            line(
                &mut out,
                format_args!("#EXT-X-MAP:URI=\"init-{}.mp4\"", needed.segment),
            );
        }
        if index == 0 || place.discontinuous {
            let wall = segment.map_or(place.wall, |segment| recording.wall(segment));
            out.push_str(&date_line(wall));
        }
        if segment.is_none() {
            out.push_str("#EXT-X-GAP\n");
        }
        // The place's, not the segment's own: what comes before a discontinuity lasts equally long in all renditions. By that players
        // align them; hls.js never begins where it doesn't.
        line(
            &mut out,
            format_args!("#EXTINF:{},\n{}.m4s", seconds(place.duration), place.number),
        );
    }
    if whole {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Some(out)
}

/// Segments by which a rendition is behind the others when no more of it is to come.
const AHEAD: u64 = 3;

/// Up to which segment it's known how long each lasts: all that go on have it.
fn settled(recording: &Recording) -> u64 {
    let last = |rendition: &Rendition| Some(rendition.segments.last()?.number);
    let lasts = || recording.renditions.iter().filter_map(last);
    let (first, furthest) = (lasts().min().unwrap_or(0), lasts().max().unwrap_or(0));
    first.max(furthest.saturating_sub(AHEAD))
}

/// `EXT-X-TARGETDURATION`: that of the live playlists, unless something came longer.
fn target(recording: &Recording) -> u64 {
    let segments = recording.renditions.iter().flat_map(|r| &r.segments);
    let longest = segments.map(|segment| segment.duration).max().unwrap_or(0);
    let sessions = recording
        .sessions
        .iter()
        .map(|session| u64::from(session.target));
    // To the nearest second (RFC 8216bis §4.4.3.1).
    sessions
        .max()
        .unwrap_or(1)
        .max((longest + 500_000) / 1_000_000)
}

/// The multivariant playlist of the renditions that have a media playlist.
fn multivariant(recording: &Recording, whole: bool) -> Option<String> {
    let micros = target(recording) * 1_000_000;
    let listed: Vec<_> = recording
        .renditions
        .iter()
        .filter_map(|rendition| {
            let begins = rendition.segments.first()?.stored;
            let stored = rendition.segments.iter().filter(|segment| segment.stored);
            if !whole && !begins {
                return None;
            }
            let last = stored.clone().next_back()?;
            let init = rendition.init_of(last.number)?;
            let info = RenditionInfo {
                name: rendition.name.clone(),
                kind: init.kind,
                timescale: init.timescale,
            };
            let sizes = stored.map(|segment| (segment.bytes as usize, segment.duration));
            // Who plays it plays all of it.
            let others: Vec<_> = rendition.inits.iter().map(|init| &init.config).collect();
            Some((info, init, others, Bandwidth::measure(sizes, micros)))
        })
        .collect();
    let mut variants: Vec<_> = listed
        .iter()
        .map(|(info, init, others, bandwidth)| Variant {
            info,
            config: &init.config,
            others: others.clone(),
            bandwidth: *bandwidth,
        })
        .collect();
    if variants.is_empty() {
        return None;
    }
    // The best first: players begin with it, and those that can't tell play it.
    variants.sort_by_key(|variant| {
        (
            variant.info.kind == RenditionKind::Audio,
            std::cmp::Reverse(variant.bandwidth.average),
        )
    });
    let language = captions::language(recording).filter(|_| whole);
    Some(write(&variants, language, "index.m3u8"))
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    // Writing to a String doesn't fail.
    let _ = out.write_fmt(text);
    out.push('\n');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::{
        model::{Entry, Piece},
        spine::{
            places,
            tests::{add, session},
        },
    };

    fn recording() -> Recording {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11, 12]);
        add(&mut recording, "audio", 10, &[10, 11, 12]);
        session(&mut recording, 1_030);
        add(&mut recording, "360p", 25, &[25]);
        add(&mut recording, "audio", 25, &[25, 26]);
        recording
    }

    fn playlist(recording: &Recording, rendition: &str, whole: bool) -> Option<String> {
        let rendition = recording.rendition(rendition).unwrap();
        media(recording, &places(recording), rendition, whole)
    }

    #[test]
    fn a_whole_recording_says_where_it_breaks_and_what_is_missing() {
        let expected = "#EXTM3U
#EXT-X-VERSION:8
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI=\"init-10.mp4\"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:40.000Z
#EXTINF:2.000000,
10.m4s
#EXTINF:2.000000,
11.m4s
#EXTINF:2.000000,
12.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-25.mp4\"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:17:10.000Z
#EXTINF:2.000000,
25.m4s
#EXT-X-GAP
#EXTINF:2.000000,
26.m4s
#EXT-X-ENDLIST
";
        assert_eq!(playlist(&recording(), "360p", true).unwrap(), expected);
    }

    #[test]
    fn while_it_is_made_a_playlist_only_grows() {
        let mut recording = recording();
        add(&mut recording, "360p", 25, &[26]);
        let stored = |recording: &mut Recording, number, stored| {
            for rendition in &mut recording.renditions {
                for segment in &mut rendition.segments {
                    if segment.number == number {
                        segment.stored = stored;
                    }
                }
            }
        };
        for number in [10, 11, 12, 25, 26] {
            stored(&mut recording, number, false);
        }
        assert_eq!(playlist(&recording, "audio", false), None);
        assert_eq!(multivariant(&recording, false), None);
        let mut before = String::new();
        // The storage gets them in another order.
        for number in [10, 12, 11, 26, 25] {
            stored(&mut recording, number, true);
            let now = playlist(&recording, "audio", false).unwrap();
            assert!(now.starts_with(&before), "{before}\nbecame\n{now}");
            before = now;
        }
        assert_eq!(before.matches("#EXTINF").count(), 5);
        let whole = playlist(&recording, "audio", true).unwrap();
        let expected = before.replace("EVENT", "VOD") + "#EXT-X-ENDLIST\n";
        assert_eq!(whole, expected);
    }

    fn durations(text: &str) -> Vec<&str> {
        let lines = text.lines();
        lines
            .filter_map(|line| line.strip_prefix("#EXTINF:"))
            .collect()
    }

    #[test]
    fn what_comes_before_a_discontinuity_lasts_equally_long_in_all_renditions() {
        for (picture, sound, lasts) in [
            (1_000_000, 810_667, "1.000000,"),
            (810_667, 1_005_333, "1.005333,"),
            (2_000_000, 1_984_000, "2.000000,"),
        ] {
            let mut recording = recording();
            for (name, duration) in [("360p", picture), ("audio", sound)] {
                let mut renditions = recording.renditions.iter_mut();
                let rendition = renditions.find(|rendition| rendition.name == name).unwrap();
                rendition.segments[2].duration = duration;
            }
            for whole in [false, true] {
                for rendition in ["360p", "audio"] {
                    let text = playlist(&recording, rendition, whole).unwrap();
                    let expected = ["2.000000,", "2.000000,", lasts, "2.000000,"];
                    assert_eq!(durations(&text)[..4], expected, "{rendition}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_listed_before_all_that_go_on_have_it() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10]);
        add(&mut recording, "audio", 10, &[10, 11, 12, 13]);
        let listed =
            |recording: &Recording| durations(&playlist(recording, "audio", false).unwrap()).len();
        assert_eq!(listed(&recording), 1);
        add(&mut recording, "audio", 10, &[14, 15]);
        assert_eq!(listed(&recording), 3, "up to three before the last");
        add(&mut recording, "360p", 10, &[14]);
        assert_eq!(listed(&recording), 5);
    }

    #[test]
    fn a_segment_that_was_lost_is_a_gap() {
        let mut recording = recording();
        recording.apply(Entry::Lost(Piece {
            rendition: "360p".to_owned(),
            segment: 11,
            init: false,
        }));
        assert_eq!(recording.lost, 1);
        let text = playlist(&recording, "360p", true).unwrap();
        assert!(
            text.contains("#EXT-X-GAP\n#EXTINF:2.000000,\n11.m4s\n"),
            "{text}"
        );
    }

    #[test]
    fn a_gap_at_the_beginning_has_an_initialization_segment_too() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "audio", 10, &[10, 11]);
        add(&mut recording, "360p", 10, &[11]);
        let text = playlist(&recording, "360p", true).unwrap();
        let begins = "#EXT-X-MAP:URI=\"init-11.mp4\"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:40.000Z
#EXT-X-GAP
#EXTINF:2.000000,
10.m4s
#EXTINF:2.000000,
11.m4s
";
        assert!(text.contains(begins), "{text}");
    }

    #[test]
    fn the_multivariant_playlist_has_measured_rates() {
        let text = multivariant(&recording(), false).unwrap();
        assert!(
            text.contains("BANDWIDTH=800000,AVERAGE-BANDWIDTH=800000,CODECS=\"avc1.64001F,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO=\"audio\",CLOSED-CAPTIONS=NONE\n360p/index.m3u8"),
            "{text}"
        );
    }
}
