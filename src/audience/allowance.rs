//! How much a player may report: figures are for people to believe.

use spillway_chat::{Millis, protocol::Report};

/// Between two reports of one player; players report every 10 s.
const LEAST_MS: Millis = 8_000;
/// How much more than what passed a report may tell of: it's on its way for a while.
const GRACE_MS: u64 = 1_000;
/// How much a report may tell of at most: what is between two of them, and what delays them. Who was silent for long mayn't put all of it
/// into one minute, and by a report alone nobody knows when the last one was.
const MOST_MS: u64 = 12_000;

/// What one player may report.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// When it came, or reported last.
    since: Millis,
    has_reported: bool,
}

impl Allowance {
    /// Of a player that came now.
    pub fn new(now: Millis) -> Self {
        Self {
            since: now,
            has_reported: false,
        }
    }

    /// What is believed of a report; nothing if it comes too soon after the last.
    pub fn take(&mut self, now: Millis, report: &Report) -> Option<Report> {
        let passed = now.saturating_sub(self.since);
        if self.has_reported && passed < LEAST_MS {
            return None;
        }
        *self = Self {
            since: now,
            has_reported: true,
        };
        Some(within((passed + GRACE_MS).min(MOST_MS), report))
    }
}

/// What is believed of a report that comes by itself.
pub fn alone(report: &Report) -> Report {
    within(MOST_MS, report)
}

/// No more time than that; where there is more, pictures that moved are believed first.
fn within(most: u64, report: &Report) -> Report {
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let played_ms = report.played_ms.min(most);
    Report {
        played_ms,
        stalled_ms: report.stalled_ms.min(most - played_ms),
        ..*report
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use spillway_chat::protocol::Player;

    use super::*;
    use crate::audience::slice::tests::report;

    fn told(played_ms: u32, stalled_ms: u32) -> Report {
        Report {
            stalled_ms,
            ..report(Player::Webrtc, played_ms)
        }
    }

    fn times(report: Option<Report>) -> Option<(u32, u32)> {
        report.map(|report| (report.played_ms, report.stalled_ms))
    }

    #[test]
    fn no_more_is_believed_than_what_passed() {
        let mut allowance = Allowance::new(50_000);
        let first = allowance.take(53_000, &told(3_500, 1_000));
        assert_eq!(times(first), Some((3_500, 500)));
        let second = allowance.take(63_000, &told(u32::MAX, u32::MAX));
        assert_eq!(times(second), Some((11_000, 0)));
        let honest = told(9_000, 1_000);
        assert_eq!(allowance.take(73_000, &honest), Some(honest));
    }

    #[test]
    fn who_was_silent_for_long_tells_of_twelve_seconds_at_most() {
        let mut allowance = Allowance::new(0);
        let first = allowance.take(600_000, &told(600_000, 0));
        assert_eq!(times(first), Some((12_000, 0)));
        let next = allowance.take(1_200_000, &told(7_000, 600_000));
        assert_eq!(times(next), Some((7_000, 5_000)));
    }

    #[test]
    fn a_report_too_soon_is_dropped_and_changes_nothing() {
        let mut allowance = Allowance::new(0);
        assert!(allowance.take(10_000, &told(10_000, 0)).is_some());
        assert_eq!(allowance.take(17_999, &told(7_999, 0)), None);
        let next = allowance.take(20_000, &told(10_000, 0));
        assert_eq!(times(next), Some((10_000, 0)));
    }

    #[test]
    fn a_clock_that_stands_gives_no_more_than_the_grace() {
        let mut allowance = Allowance::new(5_000);
        assert_eq!(
            times(allowance.take(1_000, &told(9_000, 9_000))),
            Some((1_000, 0))
        );
    }

    #[test]
    fn a_report_by_itself_tells_of_twelve_seconds_at_most() {
        assert_eq!(
            times(Some(alone(&told(10_000, 9_000)))),
            Some((10_000, 2_000))
        );
        assert_eq!(times(Some(alone(&told(0, u32::MAX)))), Some((0, 12_000)));
    }
}
