//! What all clients together see.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use hdrhistogram::Histogram;

use super::playlist::Position;
use crate::load::step::Spread;

/// Nanoseconds that a histogram tells apart, to three digits.
const MOST_NS: u64 = 600_000_000_000;
/// Parts whose first arrival is remembered.
const MOST_PARTS: usize = 100_000;
/// Different failures that are told apart.
const MOST_FAILURES: usize = 100;

/// Requests of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Flow {
    /// Answered with 200.
    pub requests: u64,
    /// Bytes of the bodies as they were sent.
    pub bytes: u64,
}

impl Flow {
    fn add(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += bytes as u64;
    }
}

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Playlists.
    Playlist,
    /// Parts and initialization segments.
    Media,
}

/// What is counted in the measured window.
#[derive(Debug)]
pub struct Tally {
    /// When the first of all clients had a part, in seconds since 1970.
    first: HashMap<(Rc<str>, Position), f64>,
    delivery: Histogram<u64>,
    behind: Histogram<u64>,
    /// Of playlists.
    pub playlists: Flow,
    /// Of parts and initialization segments.
    pub media: Flow,
    /// Answers that weren't what they should be.
    pub failures: BTreeMap<String, u64>,
    /// Parts that clients didn't get though they were listed.
    pub missed: u64,
    /// Parts that aren't CMAF.
    pub broken: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            first: HashMap::new(),
            delivery: histogram(),
            behind: histogram(),
            playlists: Flow::default(),
            media: Flow::default(),
            failures: BTreeMap::new(),
            missed: 0,
            broken: 0,
        }
    }
}

#[expect(clippy::expect_used, reason = "the bounds are constants")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, MOST_NS, 3)
        .expect("1 µs to 10 minutes with three digits is a histogram")
}

impl Tally {
    /// The measured window begins: what was counted so far doesn't matter.
    pub fn begin(&mut self) {
        let first = std::mem::take(&mut self.first);
        *self = Self {
            first,
            ..Self::default()
        };
    }

    /// An answer came.
    pub fn on_answer(&mut self, kind: Kind, bytes: usize) {
        match kind {
            Kind::Playlist => self.playlists.add(bytes),
            Kind::Media => self.media.add(bytes),
        }
    }

    /// A client has the whole of a part.
    pub fn on_part(&mut self, playlist: &Rc<str>, position: Position, now: f64) {
        if self.first.len() >= MOST_PARTS {
            self.first.clear();
        }
        let first = *self
            .first
            .entry((playlist.clone(), position))
            .or_insert(now);
        record(&mut self.delivery, now - first);
    }

    /// A client plays so many seconds behind the clock.
    pub fn on_behind(&mut self, seconds: f64) {
        record(&mut self.behind, seconds);
    }

    /// Something failed.
    pub fn on_failure(&mut self, why: String) {
        if self.failures.len() < MOST_FAILURES || self.failures.contains_key(&why) {
            *self.failures.entry(why).or_default() += 1;
        }
    }

    /// A client couldn't have a part that there was.
    pub fn on_missed(&mut self, why: String) {
        self.missed += 1;
        self.on_failure(why);
    }

    /// From the moment at which the first client had a part, until each had it.
    pub fn delivery_ms(&self) -> Spread {
        Spread::of_histogram(&self.delivery)
    }

    /// How far players were behind the clock.
    pub fn behind_ms(&self) -> Spread {
        Spread::of_histogram(&self.behind)
    }
}

fn record(histogram: &mut Histogram<u64>, seconds: f64) {
    histogram.saturating_record((seconds.max(0.0) * 1e9) as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_counts_from_whoever_had_it_first() {
        let mut tally = Tally::default();
        let (one, other) = (Rc::from("a"), Rc::from("b"));
        tally.on_part(&one, (7, 0), 100.0);
        tally.on_part(&other, (7, 0), 100.2);
        tally.begin();
        tally.on_part(&one, (7, 0), 100.3);
        tally.on_part(&one, (7, 1), 100.4);
        let delivery = tally.delivery_ms();
        assert_eq!(delivery.count, 2);
        assert!((delivery.max - 300.0).abs() < 1.0, "{delivery:?}");
    }

    #[test]
    fn failures_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.on_failure(number.to_string());
            tally.on_failure("0".into());
        }
        assert_eq!(tally.failures.len(), MOST_FAILURES);
        assert_eq!(tally.failures["0"], 1_001);
    }
}
