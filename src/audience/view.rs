//! What was counted, as the API tells it.

use std::collections::BTreeMap;

use spillway_signaling::{
    Audience, AudienceHeight, AudiencePoint, AudienceShare, AudienceSums, AudienceTotal,
    api::model::{Broadcast, Timestamp},
};

use super::slice::{MINUTES, Part, Slice, Tally};

/// The most points where nobody asks for a step.
const POINTS: u32 = 240;
/// Countries that are told by their names; the rest are told together.
const COUNTRIES: usize = 64;
const MINUTE_MS: u64 = 60_000;

/// The minute of a broadcast at that moment.
pub(super) fn minute_of(started_at: Timestamp, now: Timestamp) -> u16 {
    let minute = now.0.saturating_sub(started_at.0) / MINUTE_MS;
    u16::try_from(minute).unwrap_or(MINUTES).min(MINUTES - 1)
}

/// How a broadcast's audience did by now, in points of `step` minutes.
pub fn view(broadcast: Broadcast, counted: &Slice, step: Option<u32>, now: Timestamp) -> Audience {
    let end = broadcast.ended_at.unwrap_or(now);
    let mut groups = Groups::of(counted);
    // What was counted at the very end may be a minute further than the end that was written down.
    let last = groups.minutes.keys().last().copied().unwrap_or_default();
    let minutes = u32::from(minute_of(broadcast.started_at, end).max(last)) + 1;
    let step = step.unwrap_or_else(|| minutes.div_ceil(POINTS)).max(1);
    groups.order_countries();
    Audience {
        broadcast: broadcast.id,
        channel: broadcast.channel,
        started_at: broadcast.started_at,
        ended_at: broadcast.ended_at,
        step,
        total: groups.total(),
        points: points(&groups.minutes, step, minutes),
        players: shares(groups.players),
        devices: shares(groups.devices),
        countries: shares(groups.countries),
        heights: groups.heights,
        raised: BTreeMap::new(),
    }
}

/// The parts by what they are.
#[derive(Default)]
struct Groups {
    minutes: BTreeMap<u16, Tally>,
    players: Vec<(String, Tally)>,
    devices: Vec<(String, Tally)>,
    countries: Vec<(String, Tally)>,
    nowhere: Option<Tally>,
    heights: Vec<AudienceHeight>,
}

impl Groups {
    fn of(counted: &Slice) -> Self {
        let mut groups = Self::default();
        for (part, tally) in counted.parts() {
            let named = |name: &str| (name.to_owned(), tally.clone());
            match part {
                Part::Minute(minute) => {
                    groups.minutes.insert(minute, tally.clone());
                }
                Part::Player(way) => groups.players.push(named(way.name())),
                Part::Device(device) => groups.devices.push(named(device.name())),
                Part::Country(Some(country)) => groups.countries.push(named(&country.to_string())),
                Part::Country(None) => groups.nowhere = Some(tally.clone()),
                Part::Height(height) => groups.heights.push(AudienceHeight {
                    height: height.into(),
                    watched_s: seconds(tally.watched_ms),
                }),
            }
        }
        groups
    }

    /// The most watched first, then the rest of them, then those of whom it isn't known.
    fn order_countries(&mut self) {
        self.countries
            .sort_by_key(|(_, tally)| std::cmp::Reverse(tally.watched_ms));
        if self.countries.len() > COUNTRIES {
            let mut other = Tally::default();
            for (_, tally) in self.countries.drain(COUNTRIES..) {
                other.add(&tally);
            }
            self.countries.push(("other".into(), other));
        }
        if let Some(nowhere) = self.nowhere.take() {
            self.countries.push(("unknown".into(), nowhere));
        }
    }

    fn total(&self) -> AudienceTotal {
        let mut total = Tally::default();
        self.minutes.values().for_each(|minute| total.add(minute));
        let viewers = self.minutes.values().map(|minute| viewers(minute, 1));
        AudienceTotal {
            sums: sums(&total),
            viewers_most: viewers.fold(0.0, f64::max),
            sessions_most: total.sessions_most,
            latency_ms: total.latency.percentiles(),
            startup_ms: total.startup.percentiles(),
        }
    }
}

fn points(minutes: &BTreeMap<u16, Tally>, step: u32, begun: u32) -> Vec<AudiencePoint> {
    let mut tallies = BTreeMap::<u32, Tally>::new();
    for (minute, tally) in minutes {
        let at = u32::from(*minute) / step * step;
        tallies.entry(at).or_default().add(tally);
    }
    let point = |(at, tally): (u32, Tally)| AudiencePoint {
        at,
        viewers: viewers(&tally, step.min(begun - at)),
        sessions_most: tally.sessions_most,
        sums: sums(&tally),
        latency_ms: tally.latency.percentiles(),
    };
    tallies.into_iter().map(point).collect()
}

fn shares(tallies: Vec<(String, Tally)>) -> Vec<AudienceShare> {
    let share = |(name, tally): (String, Tally)| AudienceShare {
        name,
        sums: sums(&tally),
        latency_ms: tally.latency.percentiles(),
        startup_ms: tally.startup.percentiles(),
    };
    tallies.into_iter().map(share).collect()
}

fn sums(tally: &Tally) -> AudienceSums {
    AudienceSums {
        watched_s: seconds(tally.watched_ms),
        stalled_s: seconds(tally.stalled_ms),
        stalls: tally.stalls,
        joins: tally.joins,
    }
}

/// How many were there on average, to two places.
fn viewers(tally: &Tally, minutes: u32) -> f64 {
    let there = tally.watched_ms.saturating_add(tally.stalled_ms) as f64;
    let viewers = there / (f64::from(minutes) * MINUTE_MS as f64);
    (viewers * 100.0).round() / 100.0
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use spillway_chat::protocol::{Player, Report};
    use spillway_signaling::{Device, Origin};

    use super::*;
    use crate::audience::slice::tests::report;

    const START: Timestamp = Timestamp(1_000_000);

    fn at(minutes: u64) -> Timestamp {
        Timestamp(START.0 + minutes * MINUTE_MS)
    }

    fn broadcast(ended_at: Option<Timestamp>) -> Broadcast {
        Broadcast {
            id: "01".into(),
            channel: "demo".parse().unwrap(),
            title: String::new(),
            started_at: START,
            ended_at,
            peak_viewers: 0,
        }
    }

    fn watched(minute: u16, played_ms: u32) -> Slice {
        Slice::of(
            minute,
            Origin::default(),
            &report(Player::Webrtc, played_ms),
        )
    }

    fn all(slices: &[Slice]) -> Slice {
        let mut sum = Slice::default();
        for slice in slices {
            sum.add(slice);
        }
        sum
    }

    #[test]
    fn viewers_are_the_time_that_they_were_there() {
        let counted = all(&[
            watched(0, 60_000),
            watched(0, 30_000),
            watched(2, 60_000),
            Slice::of_sessions(2, 7),
        ]);
        let told = view(broadcast(Some(at(3))), &counted, None, at(99));
        let shown: Vec<_> = told
            .points
            .iter()
            .map(|p| (p.at, p.viewers, p.sessions_most))
            .collect();
        assert_eq!(shown, [(0, 1.5, 0), (2, 1.0, 7)]);
        assert_eq!(
            (told.step, told.total.viewers_most, told.total.sessions_most),
            (1, 1.5, 7)
        );
        assert_eq!(told.total.sums.watched_s, 150.0);
        let told = view(broadcast(Some(at(3))), &counted, Some(3), at(99));
        let shown: Vec<_> = told.points.iter().map(|p| (p.at, p.viewers)).collect();
        assert_eq!(shown, [(0, 0.83)], "150 s of three minutes");
        assert_eq!(told.total.viewers_most, 1.5, "whatever the step");
    }

    #[test]
    fn minutes_that_have_not_begun_count_for_nothing() {
        let counted = watched(0, 60_000);
        let told = view(broadcast(None), &counted, Some(60), at(0));
        assert_eq!(told.points[0].viewers, 1.0);
        let told = view(broadcast(None), &counted, Some(60), at(3));
        assert_eq!(told.points[0].viewers, 0.25);
    }

    #[test]
    fn there_are_at_most_240_points_unless_asked_for() {
        let counted = all(&(0..MINUTES)
            .map(|minute| watched(minute, 10))
            .collect::<Vec<_>>());
        for (minutes, step) in [(239, 1), (240, 2), (479, 2), (480, 3), (1_000_000, 42)] {
            let short: Vec<_> = (0..MINUTES.min(minutes.min(20_000) as u16)).collect();
            let counted = all(&short
                .iter()
                .map(|minute| watched(*minute, 10))
                .collect::<Vec<_>>());
            let told = view(broadcast(Some(at(minutes))), &counted, None, at(0));
            assert_eq!(told.step, step, "{minutes}");
            assert!(told.points.len() <= 240);
        }
        let told = view(broadcast(None), &counted, Some(1), at(1_000_000));
        assert_eq!(told.points.len(), usize::from(MINUTES));
    }

    #[test]
    fn what_nobody_watched_is_told_as_nothing() {
        let told = view(broadcast(None), &Slice::default(), None, at(5));
        assert_eq!(
            (told.points.len(), told.total),
            (0, AudienceTotal::default())
        );
        assert!(told.countries.is_empty() && told.players.is_empty() && told.heights.is_empty());
    }

    #[test]
    fn few_countries_are_told_by_name_and_all_are_counted() {
        let letters = || b'A'..=b'J';
        let names = letters().flat_map(|a| letters().map(move |b| [a, b]));
        let mut counted = watched(0, 5);
        for (place, name) in (1..).zip(names) {
            let country = str::from_utf8(&name).unwrap().parse().ok();
            let origin = Origin {
                country,
                device: Device::Tv,
            };
            counted.add(&Slice::of(0, origin, &report(Player::Hls, place * 1000)));
        }
        let told = view(broadcast(None), &counted, None, at(0));
        assert_eq!(told.countries.len(), COUNTRIES + 2);
        assert_eq!(
            (
                told.countries[0].name.as_str(),
                told.countries[0].sums.watched_s
            ),
            ("JJ", 100.0)
        );
        assert_eq!(told.countries[64].name, "other");
        assert_eq!(
            told.countries[64].sums.watched_s,
            f64::from((1..=36).sum::<u32>())
        );
        assert_eq!(
            (
                told.countries[65].name.as_str(),
                told.countries[65].sums.watched_s
            ),
            ("unknown", 0.005)
        );
        let names: Vec<_> = told
            .devices
            .iter()
            .map(|device| device.name.as_str())
            .collect();
        assert_eq!(names, ["tv", "other"]);
    }

    #[test]
    fn each_report_counts_to_all_that_it_is_of() {
        let told = Report {
            stalled_ms: 500,
            stalls: 2,
            latency_ms: Some(180),
            height: Some(720),
            startup_ms: Some(300),
            ..report(Player::Webrtc, 9_500)
        };
        let told = view(
            broadcast(None),
            &Slice::of(0, Origin::default(), &told),
            None,
            at(0),
        );
        let expected = AudienceSums {
            watched_s: 9.5,
            stalled_s: 0.5,
            stalls: 2,
            joins: 1,
        };
        for sums in [
            told.total.sums,
            told.points[0].sums,
            told.players[0].sums,
            told.devices[0].sums,
            told.countries[0].sums,
        ] {
            assert_eq!(sums, expected);
        }
        assert_eq!(told.total.latency_ms.p50, Some(180));
        assert_eq!(told.total.startup_ms.count, 1);
        assert_eq!(
            (told.heights[0].height, told.heights[0].watched_s),
            (720, 9.5)
        );
    }
}
