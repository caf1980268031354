//! What was counted: sums that add up, whoever counted them and in whatever order they come together.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use spillway_chat::protocol::{Player, Report};
use spillway_signaling::{Country, Device, Origin};

use super::histogram::{Histogram, LONGEST};

/// The minutes of a broadcast that are told apart, a week's; what comes later counts to the last.
pub const MINUTES: u16 = 7 * 24 * 60;
/// The most pixels of each class of heights, but for the last.
const HEIGHTS: [u16; 8] = [180, 240, 360, 480, 720, 1080, 1440, 2160];
/// How the class of what is beyond is called.
const BEYOND: u16 = 4320;
/// A picture that stands for a moment again and again: more isn't told apart.
const MOST_STALLS: u32 = 100;

/// Of what something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A minute of the broadcast, below [`MINUTES`].
    Minute(u16),
    /// Those who watch by that player.
    Player(Way),
    /// Those who watch on such a device.
    Device(Device),
    /// Those in a country, or of whom it isn't known.
    Country(Option<Country>),
    /// Pictures of a class of heights, by the most pixels of it.
    Height(u16),
}

/// By what somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// A peer connection.
    Webrtc,
    /// LL-HLS.
    Hls,
}

impl Way {
    /// As the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webrtc => "webrtc",
            Self::Hls => "hls",
        }
    }
}

impl From<Player> for Way {
    fn from(player: Player) -> Self {
        match player {
            Player::Webrtc => Self::Webrtc,
            Player::Hls => Self::Hls,
        }
    }
}

/// What was counted of one part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// How long pictures moved.
    #[serde(skip_serializing_if = "is_zero")]
    pub watched_ms: u64,
    /// How long they stood.
    #[serde(skip_serializing_if = "is_zero")]
    pub stalled_ms: u64,
    /// How often.
    #[serde(skip_serializing_if = "is_zero")]
    pub stalls: u64,
    /// Viewings that came to a picture.
    #[serde(skip_serializing_if = "is_zero")]
    pub joins: u64,
    /// The most sessions that a node counted. Doesn't add up: the largest stays.
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions_most: u64,
    /// How far behind players were.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub latency: Histogram,
    /// How long the first picture took.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub startup: Histogram,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// Adds what another counted.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in [
            (&mut self.watched_ms, other.watched_ms),
            (&mut self.stalled_ms, other.stalled_ms),
            (&mut self.stalls, other.stalls),
            (&mut self.joins, other.joins),
        ] {
            *sum = sum.saturating_add(count);
        }
        self.sessions_most = self.sessions_most.max(other.sessions_most);
        self.latency.add(&other.latency);
        self.startup.add(&other.startup);
    }

    fn of(report: &Report) -> Self {
        let mut tally = Self {
            watched_ms: report.played_ms.into(),
            stalled_ms: report.stalled_ms.into(),
            stalls: report.stalls.min(MOST_STALLS).into(),
            joins: report.startup_ms.is_some().into(),
            ..Self::default()
        };
        if let Some(latency) = report.latency_ms {
            tally.latency.note(latency.min(LONGEST));
        }
        if let Some(startup) = report.startup_ms {
            tally.startup.note(startup.min(LONGEST));
        }
        tally
    }
}

/// What was counted of a broadcast, by its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    parts: BTreeMap<Part, Tally>,
}

impl Slice {
    /// What one report tells, at that minute. Its times are believed.
    pub fn of(minute: u16, origin: Origin, report: &Report) -> Self {
        let tally = Tally::of(report);
        let mut slice = Self::default();
        for part in [
            Part::Minute(minute.min(MINUTES - 1)),
            Part::Player(report.player.into()),
            Part::Device(origin.device),
            Part::Country(origin.country),
        ] {
            slice.put(part, &tally);
        }
        // A player that has no picture yet doesn't know.
        if let Some(height) = report.height.filter(|height| *height > 0) {
            let watched = Tally {
                watched_ms: tally.watched_ms,
                ..Tally::default()
            };
            slice.put(Part::Height(class_of(height)), &watched);
        }
        slice
    }

    /// That many sessions, at that minute.
    pub fn of_sessions(minute: u16, sessions: u32) -> Self {
        let tally = Tally {
            sessions_most: sessions.into(),
            ..Tally::default()
        };
        let mut slice = Self::default();
        slice.put(Part::Minute(minute.min(MINUTES - 1)), &tally);
        slice
    }

    /// Adds what was counted of one part.
    pub fn put(&mut self, part: Part, tally: &Tally) {
        self.parts.entry(part).or_default().add(tally);
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: &Self) {
        for (part, tally) in &other.parts {
            self.put(*part, tally);
        }
    }

    /// Whether it has all parts that the other has.
    pub fn has_all_of(&self, other: &Self) -> bool {
        other.parts.keys().all(|part| self.parts.contains_key(part))
    }

    /// Its parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Tally)> {
        self.parts.iter().map(|(part, tally)| (*part, tally))
    }

    /// How many parts it has.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

fn class_of(height: u32) -> u16 {
    let fits = |most: &&u16| height <= u32::from(**most);
    HEIGHTS.iter().find(fits).copied().unwrap_or(BEYOND)
}

/// As the store calls it.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minute(minute) => write!(f, "minute {minute}"),
            Self::Player(way) => write!(f, "player {}", way.name()),
            Self::Device(device) => write!(f, "device {}", device.name()),
            Self::Country(Some(country)) => write!(f, "country {country}"),
            Self::Country(None) => f.write_str("country ?"),
            Self::Height(most) => write!(f, "height {most}"),
        }
    }
}

/// What no part is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no part of an audience is called \"{0}\"")]
pub struct InvalidPart(String);

impl FromStr for Part {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let read = || {
            let (kind, name) = text.split_once(' ')?;
            Some(match kind {
                "minute" => Self::Minute(name.parse().ok().filter(|minute| *minute < MINUTES)?),
                "player" => {
                    let mut ways = [Way::Webrtc, Way::Hls].into_iter();
                    Self::Player(ways.find(|way| way.name() == name)?)
                }
                "device" => {
                    let mut devices = Device::ALL.into_iter();
                    Self::Device(devices.find(|device| device.name() == name)?)
                }
                "country" if name == "?" => Self::Country(None),
                "country" => Self::Country(Some(name.parse().ok()?)),
                "height" => Self::Height(name.parse().ok()?),
                _ => return None,
            })
        };
        read().ok_or_else(|| InvalidPart(text.to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn report(player: Player, played_ms: u32) -> Report {
        Report {
            player,
            played_ms,
            stalled_ms: 0,
            stalls: 0,
            latency_ms: None,
            height: None,
            startup_ms: None,
        }
    }

    fn reports() -> impl Strategy<Value = Slice> {
        let figures = (0..20_000_u32, 0..20_000_u32, any::<u32>());
        let known = (
            any::<Option<u32>>(),
            any::<Option<u32>>(),
            any::<Option<u32>>(),
        );
        let whose = (0..3_u16, any::<bool>(), 0..5_usize, "[A-C]{2}");
        (figures, known, whose).prop_map(|(figures, known, whose)| {
            let (played_ms, stalled_ms, stalls) = figures;
            let (latency_ms, height, startup_ms) = known;
            let (minute, is_hls, device, country) = whose;
            let report = Report {
                player: if is_hls { Player::Hls } else { Player::Webrtc },
                played_ms,
                stalled_ms,
                stalls,
                latency_ms,
                height,
                startup_ms,
            };
            let origin = Origin {
                country: country.parse().ok(),
                device: Device::ALL[device],
            };
            Slice::of(minute, origin, &report)
        })
    }

    fn sessions() -> impl Strategy<Value = Slice> {
        (0..3_u16, 0..50_u32).prop_map(|(minute, count)| Slice::of_sessions(minute, count))
    }

    fn sum<'a>(slices: impl IntoIterator<Item = &'a Slice>) -> Slice {
        let mut sum = Slice::default();
        slices.into_iter().for_each(|slice| sum.add(slice));
        sum
    }

    fn each_with_its_place() -> impl Strategy<Value = Vec<(Slice, usize, u32)>> {
        let slice = prop_oneof![4 => reports(), 1 => sessions()];
        proptest::collection::vec((slice, 0..4_usize, any::<u32>()), 0..60)
    }

    proptest! {
        /// Several nodes count, and write what they have now and then: it's the same as if one had counted all.
        #[test]
        fn slices_come_together_in_any_order_and_split(mut counted in each_with_its_place()) {
            let at_once = sum(counted.iter().map(|(slice, ..)| slice));
            counted.sort_by_key(|(.., order)| *order);
            let nodes: Vec<_> = (0..4)
                .map(|node| sum(counted.iter().filter(|(_, of, _)| *of == node).map(|(slice, ..)| slice)))
                .collect();
            prop_assert_eq!(sum(nodes.iter().rev()), at_once);
        }

        #[test]
        fn a_part_is_read_as_it_was_written(counted in each_with_its_place()) {
            for (slice, ..) in &counted {
                for (part, tally) in slice.parts() {
                    prop_assert_eq!(part.to_string().parse(), Ok(part));
                    let written = serde_json::to_string(tally).unwrap();
                    prop_assert_eq!(&serde_json::from_str::<Tally>(&written).unwrap(), tally);
                }
            }
        }
    }

    #[test]
    fn heights_are_of_few_classes() {
        for (height, class) in [
            (1, 180),
            (180, 180),
            (181, 240),
            (720, 720),
            (1088, 1440),
            (2160, 2160),
            (2161, BEYOND),
            (u32::MAX, BEYOND),
        ] {
            assert_eq!(class_of(height), class, "{height}");
        }
    }

    #[test]
    fn what_comes_after_the_last_minute_counts_to_it() {
        let slice = Slice::of(u16::MAX, Origin::default(), &report(Player::Hls, 1));
        assert!(
            slice
                .parts()
                .any(|(part, _)| part == Part::Minute(MINUTES - 1))
        );
        for wrong in [
            "minute 10080",
            "minute x",
            "country XX",
            "player vhs",
            "height",
            "",
        ] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
