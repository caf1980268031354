//! The time line of a broadcast, which goes on whatever the clock of its frames does.
//!
//! Frames tell their time on the node's clock. Within a session with the node it is steady; the next session begins a new one,
//! and a clock that was set meanwhile makes it leap.

use crate::media::Moment;

/// Frames that are earlier than usual by more than this come from another time: two seconds, in microseconds.
const EARLY: i64 = 2_000_000;
/// And those that stay later than usual by more than this, which is more than is waited for, ...
const LATE: i64 = 1_000_000;
/// ... for so long: what a viewer gets from the cache is late as well, but not for long.
const STAYS_LATE: i64 = 3_000_000;
/// A share of this is what a frame changes of what is usual.
const SMOOTHING: i64 = 64;

/// Puts the times of frames on one time line.
#[derive(Debug)]
pub(super) struct Timeline {
    /// What is added to the frames' times, in microseconds.
    shift: i64,
    /// How long after their times frames usually come.
    usual: i64,
    late_since: Option<Moment>,
}

impl Timeline {
    /// It begins with a frame of `time` that came `now`, `late` behind its time. Nothing is shown before it is captured: what comes
    /// before its time is put back, and all that follows by as much.
    pub(super) fn new(time: Moment, late: i64, now: Moment) -> Self {
        let shift = late.min(0);
        Self {
            shift,
            usual: now.since(time.plus(shift)),
            late_since: None,
        }
    }

    /// Where a frame of `time` is, if nothing leapt since.
    pub(super) fn shifted(&self, time: Moment) -> Moment {
        time.plus(self.shift)
    }

    /// Where a frame of `time` is that came `now`.
    pub(super) fn place(&mut self, time: Moment, now: Moment) -> Moment {
        let off = now.since(time.plus(self.shift)) - self.usual;
        if off > LATE {
            let since = *self.late_since.get_or_insert(now);
            if now.since(since) > STAYS_LATE {
                self.leap(off);
            }
        } else {
            self.late_since = None;
            if off < -EARLY {
                self.leap(off);
            } else {
                self.usual += off / SMOOTHING;
            }
        }
        time.plus(self.shift)
    }

    fn leap(&mut self, off: i64) {
        tracing::warn!(
            seconds = off as f64 / 1e6,
            "the clock of a broadcast leapt; it goes on as if it hadn't"
        );
        self.shift = self.shift.saturating_add(off);
        self.late_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 30 a second for so many seconds, whose clock is off by `off`: where the last one is put, against where it should be.
    fn run(timeline: &mut Timeline, from: i64, seconds: i64, off: i64) -> i64 {
        let mut error = 0;
        for i in 0..seconds * 30 {
            let now = Moment((from + i / 30) * 1_000_000 + i % 30 * 33_333);
            let placed = timeline.place(now.plus(off - 100_000), now);
            error = now.plus(-100_000).since(placed).abs();
        }
        error
    }

    #[test]
    fn leaps_of_the_clock_are_evened_out() {
        for leap in [3_000_000, 3_600_000_000, -10_000_000, -3_600_000_000] {
            let mut timeline = Timeline::new(Moment(-100_000), 100_000, Moment(0));
            assert_eq!(run(&mut timeline, 0, 10, 0), 0);
            assert!(run(&mut timeline, 10, 10, leap) < 1_000, "{leap}");
            assert!(run(&mut timeline, 20, 10, 0) < 1_000, "back from {leap}");
        }
    }

    #[test]
    fn what_comes_before_its_time_is_put_back() {
        // Of a node whose clock is an hour ahead.
        let now = Moment(-3_600_000_000);
        let mut timeline = Timeline::new(Moment(700_000), -700_000, now);
        for i in 0..300 {
            let passed = i * 33_333;
            let placed = timeline.place(Moment(700_000 + passed), now.plus(passed));
            assert_eq!(placed, Moment(passed));
        }
        assert_eq!(timeline.shifted(Moment(700_000)), Moment(0));
    }

    #[test]
    fn pictures_of_the_past_are_no_leap() {
        let mut timeline = Timeline::new(Moment(-100_000), 100_000, Moment(0));
        run(&mut timeline, 0, 10, 0);
        // Twenty seconds of the cache within one.
        for i in 0..600 {
            let now = Moment(10_000_000 + i * 1_666);
            let time = Moment(-10_000_000 + i * 35_000);
            assert_eq!(timeline.place(time, now), time);
        }
        assert_eq!(run(&mut timeline, 11, 5, 0), 0);
    }

    #[test]
    fn a_path_that_gets_longer_is_no_leap() {
        let mut timeline = Timeline::new(Moment(-100_000), 100_000, Moment(0));
        assert_eq!(run(&mut timeline, 0, 60, -800_000), 800_000);
    }
}
