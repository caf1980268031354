//! With how many copies of packets before it a viewer's sound goes (RFC 2198), by what its path loses.
//!
//! Copies cost as much as the sound itself, so a path that loses nothing gets none. One makes up for single losses; where
//! much is lost, two packets in a row often are, and a second copy makes up for those.

use std::time::{Duration, Instant};

/// Losses are counted over about this long.
const MEMORY: Duration = Duration::from_secs(2);
/// Shares of packets lost from which on there is a first and a second copy: less than the first of them, and hardly a
/// gap is heard.
const FIRST: f32 = 0.02;
const SECOND: f32 = 0.06;
/// ... and below which each is left out again, once that has lasted [`PATIENCE`].
const NO_FIRST: f32 = 0.005;
const NO_SECOND: f32 = 0.04;
const PATIENCE: Duration = Duration::from_secs(5);
/// A share of fewer packets than these says little: the rest is presumed to have arrived.
const LEAST_PACKETS: f32 = 100.0;

/// Copies that a packet bears at most.
pub(crate) const MAX_COPIES: usize = 2;

/// Decides for one viewer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redundancy {
    /// Packets lost and sent, fading.
    lost: f32,
    total: f32,
    counted: Option<Instant>,
    copies: usize,
    /// When the present number of copies was last called for.
    needed: Option<Instant>,
}

impl Redundancy {
    /// How many packets before it a packet is to bear.
    pub(crate) fn copies(&self) -> usize {
        self.copies
    }

    /// Of `total` packets that a report speaks of `lost` are missing; below zero if more came late that an earlier one had
    /// called missing.
    pub(crate) fn on_report(&mut self, now: Instant, lost: i32, total: u32) {
        let passed = self
            .counted
            .replace(now)
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let fade = (-passed.as_secs_f32() / MEMORY.as_secs_f32()).exp();
        self.lost = (self.lost * fade + lost as f32).max(0.0);
        self.total = self.total * fade + total as f32;
        let loss = self.lost / self.total.max(LEAST_PACKETS);
        let least = copies(loss, FIRST, SECOND);
        let most = copies(loss, NO_FIRST, NO_SECOND);
        if least > self.copies {
            self.copies = least;
        }
        if most >= self.copies {
            self.needed = Some(now);
        }
        let patient = |at| now.saturating_duration_since(at) < PATIENCE;
        if !self.needed.is_some_and(patient) {
            self.copies = most;
            self.needed = Some(now);
        }
    }
}

/// The copies for a share of packets lost, by what the first and the second of them take.
fn copies(loss: f32, first: f32, second: f32) -> usize {
    usize::from(loss >= first) + usize::from(loss >= second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of copies over time, on a path that loses one packet of `every` (none: 0), for `seconds`.
    struct Path {
        redundancy: Redundancy,
        now: Instant,
        sent: u32,
    }

    impl Path {
        fn new() -> Self {
            Self {
                redundancy: Redundancy::default(),
                now: Instant::now(),
                sent: 0,
            }
        }

        /// Reports every 50 ms on 15 packets. Returns after how long there were so many copies.
        fn run(&mut self, seconds: u64, every: u32, copies: usize) -> Option<Duration> {
            let start = self.now;
            let mut reached = None;
            for _ in 0..seconds * 20 {
                let range = self.sent..self.sent + 15;
                self.sent += 15;
                let lost = range
                    .filter(|n| every > 0 && n.is_multiple_of(every))
                    .count();
                self.redundancy.on_report(self.now, lost as i32, 15);
                if self.redundancy.copies() == copies {
                    reached.get_or_insert(self.now - start);
                } else {
                    reached = None;
                }
                self.now += Duration::from_millis(50);
            }
            reached
        }
    }

    #[test]
    fn a_path_that_loses_next_to_nothing_gets_none() {
        let mut path = Path::new();
        assert_eq!(path.run(60, 0, 0), Some(Duration::ZERO));
        assert_eq!(path.run(60, 100, 0), Some(Duration::ZERO));
    }

    #[test]
    fn copies_come_within_a_second_and_go_some_seconds_after_the_loss() {
        let mut path = Path::new();
        path.run(5, 0, 0);
        assert!(path.run(20, 30, 1).unwrap_or(Duration::MAX) < Duration::from_secs(2));
        assert!(path.run(20, 10, 2).unwrap_or(Duration::MAX) < Duration::from_secs(2));
        let gone = path.run(30, 0, 0).unwrap_or_default();
        assert!(
            (Duration::from_secs(6)..Duration::from_secs(15)).contains(&gone),
            "{gone:?}"
        );
    }

    #[test]
    fn between_the_bounds_nothing_changes() {
        let mut path = Path::new();
        path.run(10, 30, 1);
        assert_eq!(path.run(60, 70, 1), Some(Duration::ZERO));
        path.run(10, 10, 2);
        assert_eq!(path.run(60, 20, 2), Some(Duration::ZERO));
    }

    #[test]
    fn what_only_came_late_was_not_lost() {
        let mut redundancy = Redundancy::default();
        let start = Instant::now();
        for n in 0..400 {
            let at = start + Duration::from_millis(50 * n);
            redundancy.on_report(at, if n % 2 == 0 { 1 } else { -1 }, 15);
            assert_eq!(redundancy.copies(), 0);
        }
    }

    #[test]
    fn one_lost_packet_of_a_few_says_nothing() {
        let mut redundancy = Redundancy::default();
        redundancy.on_report(Instant::now(), 1, 5);
        assert_eq!(redundancy.copies(), 0);
    }
}
