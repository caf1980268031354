//! How late a worker is: how long what comes waits until everything that came before it is dealt with.

use std::time::{Duration, Instant};

/// What was is forgotten over this long.
const MEMORY: Duration = Duration::from_millis(500);

/// Follows a worker's turns. A worker with spare time has turns of a few milliseconds at most; one that has more to do
/// than it can has long ones, or leaves things behind.
#[derive(Debug)]
pub(crate) struct Lag {
    /// When the worker last turned to what came after it had dealt with everything.
    behind_since: Option<Instant>,
    /// Seconds, smoothed over time.
    smoothed: f64,
    at: Instant,
    busy: Duration,
}

impl Lag {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            behind_since: None,
            smoothed: 0.0,
            at: now,
            busy: Duration::ZERO,
        }
    }

    /// A turn began and ended then, and `left` says whether it left something behind.
    pub(crate) fn on_turn(&mut self, began: Instant, ended: Instant, left: bool) {
        self.pass(began, 0.0);
        let since = *self.behind_since.get_or_insert(began);
        let late = ended.saturating_duration_since(since);
        self.pass(ended, late.as_secs_f64());
        self.busy += ended.saturating_duration_since(began);
        if !left {
            self.behind_since = None;
        }
    }

    fn pass(&mut self, now: Instant, late: f64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let kept = (-passed / MEMORY.as_secs_f64()).exp();
        self.smoothed = self.smoothed * kept + late * (1.0 - kept);
        self.at = now;
    }

    /// Whether something that the worker left behind has waited for longer than `most`.
    pub(crate) fn is_behind(&self, now: Instant, most: Duration) -> bool {
        self.behind_since
            .is_some_and(|since| now.saturating_duration_since(since) > most)
    }

    /// How late the worker was lately.
    pub(crate) fn smoothed(&self) -> Duration {
        Duration::from_secs_f64(self.smoothed)
    }

    /// How long it was busy, since the start.
    pub(crate) fn busy(&self) -> Duration {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of `work` ms, one after each `pause` ms, for `seconds`.
    fn lag(work: u64, pause: u64, seconds: u64, left: bool) -> Duration {
        let mut now = Instant::now();
        let mut lag = Lag::new(now);
        let end = now + Duration::from_secs(seconds);
        while now < end {
            let began = now + Duration::from_millis(pause);
            now = began + Duration::from_millis(work);
            lag.on_turn(began, now, left);
        }
        lag.smoothed()
    }

    #[test]
    fn short_turns_with_time_between_them_are_no_lag() {
        assert!(lag(1, 9, 5, false) < Duration::from_millis(1));
        assert!(lag(10, 10, 5, false) < Duration::from_millis(6));
    }

    #[test]
    fn turns_without_a_pause_are_as_late_as_they_are_long() {
        let late = lag(120, 0, 5, false).as_millis();
        assert!((115..=120).contains(&late), "{late} ms");
    }

    #[test]
    fn what_is_left_behind_adds_up() {
        assert!(lag(5, 0, 3, true) > Duration::from_secs(2));
    }

    #[test]
    fn who_has_read_all_is_not_behind() {
        let start = Instant::now();
        let mut lag = Lag::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        let most = Duration::from_millis(50);
        lag.on_turn(at(0), at(40), true);
        assert!(!lag.is_behind(at(40), most));
        lag.on_turn(at(40), at(60), true);
        assert!(lag.is_behind(at(60), most));
        lag.on_turn(at(60), at(90), false);
        assert!(!lag.is_behind(at(90), most));
    }

    #[test]
    fn one_long_turn_is_soon_forgotten() {
        let start = Instant::now();
        let mut lag = Lag::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        lag.on_turn(at(0), at(300), false);
        assert!(lag.smoothed() > Duration::from_millis(100));
        lag.on_turn(at(1_300), at(1_301), false);
        assert!(lag.smoothed() < Duration::from_millis(20));
        assert_eq!(lag.busy(), Duration::from_millis(301));
    }
}
