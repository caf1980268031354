//! Reactions: taps are gathered and told five times a second, as a page does; and what is told of everybody's.

use std::ops::Range;

use serde_json::json;

/// Between two frames of one client: the protocol has five a second at most.
const EVERY_NS: u64 = 200_000_000;
/// Taps that one frame may tell.
const MOST_COUNT: u64 = 100;
/// Updates of the server that the protocol has in a second at most.
const MOST_UPDATES: f64 = 10.0;
/// Taps a second that one client can tell.
pub const MOST_A_SECOND: f64 = 500.0;

/// Who taps.
#[derive(Debug)]
pub struct Tapper {
    per_ns: f64,
    /// Clients don't tell in step: when in the fifth of a second.
    phase: u64,
    window: Range<u64>,
    frames: u64,
    sent: u64,
}

impl Tapper {
    /// Taps so often a second, once it may; `phase` is from 0 to 1.
    pub fn new(per_second: f64, phase: f64) -> Self {
        Self {
            per_ns: per_second / 1e9,
            phase: (EVERY_NS as f64 * phase) as u64,
            window: 0..0,
            frames: 0,
            sent: 0,
        }
    }

    /// When it is to tap, in nanoseconds since 1970.
    pub fn begin(&mut self, window: Range<u64>) {
        self.window = window;
    }

    /// Taps told so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// When there is something to tell next.
    pub fn next_timeout(&self) -> Option<u64> {
        let at = self.window.start + self.phase + self.frames * EVERY_NS;
        self.window.contains(&at).then_some(at)
    }

    /// The frame that is due, if there is one.
    pub fn due(&mut self, now: u64, emoji: &str) -> Option<String> {
        let at = self.next_timeout().filter(|at| *at <= now)?;
        // Whoever was away tells at the next turn what was tapped, not one frame for each turn that was missed.
        self.frames += 1 + (now - at) / EVERY_NS;
        let passed = now.min(self.window.end) - self.window.start;
        let owed = (passed as f64 * self.per_ns) as u64;
        let count = owed.saturating_sub(self.sent).min(MOST_COUNT);
        if count == 0 {
            return None;
        }
        self.sent += count;
        Some(json!({ "type": "reaction", "emoji": emoji, "count": count }).to_string())
    }
}

/// What one client was told of everybody's taps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// Taps.
    pub taps: u64,
    /// How often it was told.
    pub updates: u64,
    first: u64,
    last: u64,
}

impl Told {
    /// It was told.
    pub fn note(&mut self, now: u64, taps: u64) {
        if self.updates == 0 {
            self.first = now;
        }
        self.last = now;
        self.updates += 1;
        self.taps += taps;
    }

    /// Updates a second, from the first to the last.
    pub fn per_second(&self) -> f64 {
        let seconds = self.last.saturating_sub(self.first) as f64 / 1e9;
        if seconds > 0.0 {
            self.updates.saturating_sub(1) as f64 / seconds
        } else {
            0.0
        }
    }

    /// Whether it was told more often than the protocol has it. One that came late and one that came early don't matter.
    pub fn is_too_often(&self) -> bool {
        let seconds = self.last.saturating_sub(self.first) as f64 / 1e9;
        self.updates as f64 > seconds * MOST_UPDATES + 3.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn told(tapper: &mut Tapper) -> Vec<(u64, u64)> {
        let mut told = Vec::new();
        while let Some(at) = tapper.next_timeout() {
            if let Some(frame) = tapper.due(at, "x") {
                let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
                told.push((at, frame["count"].as_u64().unwrap()));
            }
        }
        told
    }

    #[test]
    fn taps_are_told_at_most_five_times_a_second_with_their_count() {
        let mut tapper = Tapper::new(50.0, 0.5);
        tapper.begin(SECOND..3 * SECOND);
        let told = told(&mut tapper);
        assert_eq!(told.len(), 10);
        assert_eq!(told[0], (SECOND + EVERY_NS / 2, 5));
        assert!(told.windows(2).all(|two| two[1].0 - two[0].0 >= EVERY_NS));
        assert_eq!(
            tapper.sent(),
            told.iter().map(|(_, count)| count).sum::<u64>()
        );
        assert_eq!(tapper.sent(), 95);
    }

    #[test]
    fn few_taps_are_told_when_there_is_one() {
        let mut tapper = Tapper::new(1.0, 0.0);
        tapper.begin(SECOND..5 * SECOND);
        assert_eq!(
            told(&mut tapper),
            [(2 * SECOND, 1), (3 * SECOND, 1), (4 * SECOND, 1)]
        );
    }

    #[test]
    fn who_was_away_tells_once() {
        let mut tapper = Tapper::new(1_000.0, 0.0);
        tapper.begin(SECOND..5 * SECOND);
        assert!(tapper.due(3 * SECOND, "x").is_some());
        assert_eq!(tapper.sent(), MOST_COUNT);
        assert!(tapper.due(3 * SECOND + 1, "x").is_none());
    }

    #[test]
    fn updates_are_counted_by_the_second() {
        let (mut calm, mut hasty) = (Told::default(), Told::default());
        for number in 0..100 {
            calm.note(number * SECOND / 10, 2);
            hasty.note(number * SECOND / 20, 1);
        }
        assert_eq!((calm.taps, calm.updates), (200, 100));
        assert!((calm.per_second() - 10.0).abs() < 0.01);
        assert!(!calm.is_too_often() && hasty.is_too_often());
    }
}
