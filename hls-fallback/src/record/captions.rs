//! Captions of a recording that is whole: a file of `WebVTT` for each stretch without a discontinuity, where the clock of cues is the
//! media's.

use std::fmt::Write as _;

use super::{
    courier::Lists,
    model::{Recording, Said},
    spine::Place,
};
use crate::{
    captions::{Language, segment},
    origin::{CAPTIONS, date_line, seconds},
};

/// What is spoken, if anything was recognized.
pub(super) fn language(recording: &Recording) -> Option<&Language> {
    let language = recording.language.as_ref();
    language.filter(|_| !recording.cues.is_empty())
}

/// Places that follow each other.
struct Stretch<'a> {
    first: &'a Place,
    /// Microseconds.
    duration: u64,
}

/// The files and their playlist, if there are captions.
pub(super) fn all(recording: &Recording, places: &[Place]) -> Lists {
    let mut lists = Vec::new();
    if language(recording).is_none() {
        return lists;
    }
    let stretches = stretches(places);
    for stretch in &stretches {
        let name = format!("{CAPTIONS}/{}.vtt", stretch.first.number);
        lists.push((name, text(recording, stretch).into()));
    }
    let name = format!("{CAPTIONS}/index.m3u8");
    lists.push((name, playlist(&stretches).into()));
    lists
}

fn stretches(places: &[Place]) -> Vec<Stretch<'_>> {
    let parts = places.chunk_by(|_, next| !next.discontinuous);
    let stretch = |part: &'_ [Place]| part.iter().map(|place| place.duration).sum();
    parts
        .filter_map(|part| {
            Some(Stretch {
                first: part.first()?,
                duration: stretch(part),
            })
        })
        .collect()
}

fn text(recording: &Recording, stretch: &Stretch) -> String {
    let number = stretch.first.number;
    let found = recording.renditions.iter().find_map(|r| r.get(number));
    let session = found.map_or(0, |segment| segment.session);
    let epoch = recording.sessions.get(session).map(|session| session.epoch);
    let start = epoch.map_or(0, |epoch| stretch.first.wall.since(epoch));
    let start = u64::try_from(start).unwrap_or(0);
    let end = start + stretch.duration;
    let within =
        |said: &&Said| said.session == session && said.cue.start < end && said.cue.end > start;
    let cues = recording.cues.iter().filter(within);
    segment(start, cues.map(|said| &said.cue))
}

fn playlist(stretches: &[Stretch]) -> String {
    let longest = stretches.iter().map(|stretch| stretch.duration).max();
    // To the next second, which is above the nearest (RFC 8216bis §4.4.3.1); of recordings, subtitles may have one of their own
    // (§6.2.4).
    let target = longest.unwrap_or(0).div_ceil(1_000_000).max(1);
    // Writing to a String doesn't fail.
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    );
    for stretch in stretches {
        if stretch.first.discontinuous {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        out.push_str(&date_line(stretch.first.wall));
        let (duration, number) = (seconds(stretch.duration), stretch.first.number);
        let _ = write!(out, "#EXTINF:{duration},\n{number}.vtt\n");
    }
    out.push_str("#EXT-X-ENDLIST\n");
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        captions::Cue,
        record::{
            model::Entry,
            spine::{
                places,
                tests::{add, session},
            },
        },
    };

    fn say(recording: &mut Recording, session: usize, seconds: u64, text: &str) {
        let start = seconds * 1_000_000;
        recording.apply(Entry::Cue(Said {
            session,
            cue: Cue {
                start,
                end: start + 1_500_000,
                text: text.to_owned(),
            },
        }));
    }

    fn recording() -> Recording {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11, 12]);
        session(&mut recording, 1_030);
        // The first segments of this session are missing: what is there begins four seconds in.
        add(&mut recording, "360p", 25, &[27, 28]);
        recording
    }

    #[test]
    fn each_stretch_has_what_was_said_in_it_with_the_medias_times() {
        let mut recording = recording();
        let language = "en".parse().unwrap();
        recording.apply(Entry::Captions { language });
        say(&mut recording, 0, 1, "one & two");
        say(&mut recording, 0, 5, "three");
        say(&mut recording, 1, 1, "in what is missing");
        say(&mut recording, 1, 5, "four");
        let lists = all(&recording, &places(&recording));
        let text = |name: &str| {
            let (_, text) = lists.iter().find(|(known, _)| known == name).unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        };
        assert_eq!(
            text("captions/10.vtt"),
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n\
            00:00:01.000 --> 00:00:02.500\none &amp; two\n\n00:00:05.000 --> 00:00:06.500\nthree\n"
        );
        assert_eq!(
            text("captions/27.vtt"),
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:360000,LOCAL:00:00:04.000\n\n00:00:05.000 --> 00:00:06.500\nfour\n"
        );
        assert_eq!(
            text("captions/index.m3u8"),
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:40.000Z\n#EXTINF:6.000000,\n10.vtt\n#EXT-X-DISCONTINUITY\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:17:14.000Z\n#EXTINF:4.000000,\n27.vtt\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn where_nothing_was_recognized_there_are_none() {
        let mut recording = recording();
        let language = "en".parse().unwrap();
        recording.apply(Entry::Captions { language });
        assert!(all(&recording, &places(&recording)).is_empty());
        assert_eq!(super::language(&recording), None);
    }
}
