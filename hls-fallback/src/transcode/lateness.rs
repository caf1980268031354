//! How long after its time a frame may still come.

use crate::media::Moment;

/// How fast the bound comes down again when frames come early: a second for each ten.
const FORGETTING: i64 = 10;
/// What is waited beyond the latest frame of late, in microseconds.
const MARGIN: i64 = 60_000;
/// Frames later than this after the earliest aren't waited for.
const LONGEST: i64 = 1_000_000;
/// What one may still be later by than the first, where nothing is known yet: microseconds, forgotten as any other lateness.
const UNKNOWN: i64 = 300_000;

/// Learns from the frames that come. Clocks that differ are part of it: it knows only differences.
#[derive(Debug, Default, Clone)]
pub(super) struct Lateness {
    /// Of the earliest and the latest frame of late, in microseconds.
    range: Option<(i64, i64)>,
    seen: Option<Moment>,
    /// What is expected beyond the first.
    unknown: i64,
}

impl Lateness {
    /// Of what has just begun, with everything that comes with it on both sides.
    pub(super) fn of_a_beginning() -> Self {
        Self {
            unknown: UNKNOWN,
            ..Self::default()
        }
    }

    /// A frame of `time` came `now`.
    pub(super) fn on_frame(&mut self, time: Moment, now: Moment) {
        let late = now.since(time);
        let (least, most) = self.range.unwrap_or((late, late + self.unknown));
        let forgotten = self
            .seen
            .map_or(0, |seen| now.since(seen).max(0) / FORGETTING);
        let middle = i64::midpoint(least, most);
        let least = (least + forgotten).min(middle).min(late);
        let most = (most - forgotten).max(middle).max(late);
        self.range = Some((least, most.min(least + LONGEST)));
        self.seen = Some(now);
    }

    /// Until when a frame of `time` is waited for. None before the first frame came.
    pub(super) fn deadline(&self, time: Moment) -> Option<Moment> {
        let (_, most) = self.range?;
        Some(time.plus(most + MARGIN))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_latest_frame_is_waited_for_until_it_is_long_ago() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.deadline(Moment(0)), None);
        lateness.on_frame(Moment(0), Moment(5_000_000));
        lateness.on_frame(Moment(100_000), Moment(5_300_000));
        let deadline = |lateness: &Lateness| lateness.deadline(Moment(0)).unwrap().0;
        assert_eq!(deadline(&lateness), 5_200_000 + MARGIN);
        for i in 2..200 {
            lateness.on_frame(Moment(i * 100_000), Moment(5_000_000 + i * 100_000));
        }
        assert_eq!(deadline(&lateness), 5_000_000 + MARGIN);
    }

    #[test]
    fn more_is_waited_for_in_the_beginning() {
        let mut lateness = Lateness::of_a_beginning();
        let deadline = |lateness: &Lateness| lateness.deadline(Moment(0)).unwrap().0;
        lateness.on_frame(Moment(0), Moment(0));
        assert_eq!(deadline(&lateness), UNKNOWN + MARGIN);
        for i in 1..=40 {
            lateness.on_frame(Moment(i * 100_000), Moment(i * 100_000));
        }
        assert!(
            deadline(&lateness) < MARGIN + 30_000,
            "{}",
            deadline(&lateness)
        );
    }

    #[test]
    fn nothing_is_waited_for_without_end() {
        let mut lateness = Lateness::default();
        lateness.on_frame(Moment(0), Moment(0));
        lateness.on_frame(Moment(0), Moment(60_000_000));
        let deadline = lateness.deadline(Moment(0)).unwrap();
        assert!(deadline <= Moment(60_000_000));
    }
}
