//! The segments of a recording in order, the same ones in all its renditions.

use super::model::{Recording, Rendition, Segment};
use crate::media::Moment;

/// A segment's place in the recording. At least one rendition has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    /// It doesn't continue the place before it: another session, a new encoding, or something that no rendition has is missing.
    pub(super) discontinuous: bool,
    /// When it begins in the recording, and how long it lasts: microseconds.
    pub(super) start: u64,
    pub(super) duration: u64,
    /// When that was.
    pub(super) wall: Moment,
}

/// A segment of one rendition that is longer than that of another by so many microseconds has what the other lacks: sound doesn't end with
/// the picture to the frame, but nearly.
const LACKING: u64 = 100_000;

/// All places. How long one lasts is told by pictures, where there are some, unless they lack an end that something else has.
pub(super) fn places(recording: &Recording) -> Vec<Place> {
    let mut numbers: Vec<u64> = recording
        .renditions
        .iter()
        .flat_map(|rendition| rendition.segments.iter().map(|segment| segment.number))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    // What goes on while the publisher pauses belongs to it once that has come back.
    let pause = recording.pause().unwrap_or(u64::MAX);
    numbers.retain(|number| *number < pause);
    let mut by_rank: Vec<&Rendition> = recording.renditions.iter().collect();
    by_rank.sort_by_key(|rendition| rendition.is_audio());
    let mut places: Vec<Place> = Vec::with_capacity(numbers.len());
    let mut before: Option<(u64, usize)> = None;
    let mut start = 0;
    for number in numbers {
        let have: Vec<&Segment> = by_rank.iter().filter_map(|r| r.get(number)).collect();
        let Some(first) = have.first() else { continue };
        let goes_on = before == number.checked_sub(1).map(|number| (number, first.session))
            && !have.iter().any(|segment| segment.discontinuous);
        let longest = have.iter().map(|segment| segment.duration).max();
        let longer = longest.filter(|longest| *longest > first.duration + LACKING);
        let duration = longer.unwrap_or(first.duration);
        places.push(Place {
            number,
            discontinuous: before.is_some() && !goes_on,
            start,
            duration,
            wall: recording.wall(first),
        });
        before = Some((number, first.session));
        start += duration;
    }
    places
}

/// Where in the recording something is that was at `wall`: microseconds. What was while nothing was recorded is where the
/// recording goes on.
pub(super) fn position(places: &[Place], wall: Moment) -> u64 {
    let after = places.partition_point(|place| place.wall <= wall);
    let Some(place) = after.checked_sub(1).map(|at| &places[at]) else {
        return 0;
    };
    let into = u64::try_from(wall.since(place.wall)).unwrap_or(0);
    place.start + into.min(place.duration)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        media::{Rate, TrackConfig},
        origin::RenditionKind,
        record::model::{Entry, Init, Piece, Session},
    };

    /// A rendition's segments of two seconds, in one session that began at `epoch` seconds with segment `first`.
    pub(in crate::record) fn add(
        recording: &mut Recording,
        rendition: &str,
        first: u64,
        numbers: &[u64],
    ) {
        let session = recording.sessions.len() - 1;
        let (kind, config) = if rendition == "audio" {
            let config = TrackConfig::Aac {
                config: Bytes::from_static(&[0x11, 0x90]),
                sample_rate: 48_000,
                channels: 2,
            };
            (RenditionKind::Audio, config)
        } else {
            let rate = Rate {
                numerator: 30,
                denominator: 1,
            };
            let config = TrackConfig::H264 {
                avcc: Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]),
                width: 640,
                height: 360,
            };
            (RenditionKind::Video { rate }, config)
        };
        recording.apply(Entry::Init {
            rendition: rendition.to_owned(),
            init: Init {
                segment: numbers[0],
                kind,
                timescale: 30_000,
                config,
                blank: false,
                stored: true,
            },
        });
        for &number in numbers {
            recording.apply(Entry::Segment {
                rendition: rendition.to_owned(),
                segment: Segment {
                    number,
                    session,
                    start: (number - first) * 2_000_000,
                    duration: 2_000_000,
                    bytes: 100_000,
                    discontinuous: false,
                    stored: true,
                },
            });
        }
    }

    pub(in crate::record) fn session(recording: &mut Recording, epoch: i64) {
        recording.apply(Entry::Session(Session {
            epoch: Moment(epoch * 1_000_000),
            target: 2,
        }));
    }

    #[test]
    fn what_all_renditions_lack_is_skipped_and_what_one_has_isnt() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11, 15]);
        add(&mut recording, "audio", 10, &[10, 11, 12, 15]);
        let places = places(&recording);
        let seen: Vec<_> = places
            .iter()
            .map(|p| (p.number, p.discontinuous, p.start / 1_000_000))
            .collect();
        assert_eq!(
            seen,
            [
                (10, false, 0),
                (11, false, 2),
                (12, false, 4),
                (15, true, 6)
            ]
        );
    }

    #[test]
    fn another_session_is_a_discontinuity_even_where_numbers_go_on() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11]);
        session(&mut recording, 1_030);
        add(&mut recording, "360p", 12, &[12, 13]);
        let places = places(&recording);
        let seen: Vec<_> = places.iter().map(|place| place.discontinuous).collect();
        assert_eq!(seen, [false, false, true, false]);
        assert_eq!(places[2].wall, Moment(1_030_000_000));
    }

    #[test]
    fn moments_are_found_in_the_recording_and_those_between_where_it_goes_on() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11]);
        session(&mut recording, 1_030);
        add(&mut recording, "360p", 25, &[25]);
        let places = places(&recording);
        let at = |seconds: f64| position(&places, Moment((seconds * 1e6) as i64)) as f64 / 1e6;
        assert!((at(999.0) - 0.0).abs() < 1e-6, "before it began");
        assert!((at(1_002.5) - 2.5).abs() < 1e-6);
        assert!(
            (at(1_020.0) - 4.0).abs() < 1e-6,
            "nothing was recorded then"
        );
        assert!((at(1_031.0) - 5.0).abs() < 1e-6);
        assert!((at(2_000.0) - 6.0).abs() < 1e-6, "after its end");
    }

    #[test]
    fn what_goes_on_while_the_publisher_pauses_belongs_to_it_when_that_comes_back() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11, 12, 13, 14]);
        add(&mut recording, "audio", 10, &[10, 11, 12, 13]);
        let numbers = |recording: &Recording| -> Vec<u64> {
            places(recording).iter().map(|place| place.number).collect()
        };
        let heard = |recording: &mut Recording, seconds: f64| {
            let until = Moment(1_000_000_000 + (seconds * 1e6) as i64);
            recording.apply(Entry::Heard(Some(until)));
        };
        for (seconds, last) in [(3.0, 11), (4.2, 11), (4.3, 12), (7.9, 13), (9.9, 14)] {
            heard(&mut recording, seconds);
            assert_eq!(numbers(&recording).last(), Some(&last), "{seconds}");
            assert_eq!(recording.duration(), (last - 9) * 2_000_000);
        }
        heard(&mut recording, 0.1);
        assert_eq!(numbers(&recording), [10], "something is left");
        recording.apply(Entry::Heard(None));
        assert_eq!(numbers(&recording), [10, 11, 12, 13, 14]);
        assert_eq!(recording.pause(), None);

        heard(&mut recording, 4.1);
        let from = recording.pause().unwrap();
        let cut: Vec<_> = recording.from(from).iter().map(Piece::path).collect();
        assert_eq!(
            cut,
            [
                "360p/12.m4s",
                "360p/13.m4s",
                "360p/14.m4s",
                "audio/12.m4s",
                "audio/13.m4s"
            ]
        );
        recording.apply(Entry::Cut(from));
        assert_eq!((numbers(&recording), recording.heard), (vec![10, 11], None));
    }
}
