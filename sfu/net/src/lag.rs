//! How late a worker is: how long what comes waits until everything that came before it is dealt with.

use std::time::{Duration, Instant};

/// What was is forgotten over this long.
const MEMORY: Duration = Duration::from_millis(500);

/// Datagrams that no socket's buffer holds (16 MiB as the kernel counts, 768 bytes for the smallest): when so many were read,
/// whatever waited before is read.
const MOST_QUEUED: u64 = 32_768;

/// Follows a worker's turns. A worker with spare time has turns of a few milliseconds at most; one that has more to do
/// than it can has long ones, or leaves things behind.
#[derive(Debug)]
pub(crate) struct Lag {
    behind: Option<Behind>,
    /// Seconds, smoothed over time.
    smoothed: f64,
    at: Instant,
    busy: Duration,
}

/// A worker has left something behind.
#[derive(Debug)]
struct Behind {
    /// Nothing that came before this still waits.
    since: Instant,
    /// `since` as soon as [`MOST_QUEUED`] datagrams are read from then on.
    next: Instant,
    read: u64,
}

impl Behind {
    fn new(since: Instant) -> Self {
        Self {
            since,
            next: since,
            read: 0,
        }
    }

    fn on_read(&mut self, began: Instant, datagrams: u64) {
        self.read += datagrams;
        if self.read >= MOST_QUEUED {
            self.since = self.next;
            self.next = began;
            self.read = 0;
        }
    }
}

impl Lag {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            behind: None,
            smoothed: 0.0,
            at: now,
            busy: Duration::ZERO,
        }
    }

    /// A turn began and ended then. If it left something behind, `left` says how many datagrams it read.
    pub(crate) fn on_turn(&mut self, began: Instant, ended: Instant, left: Option<u64>) {
        self.pass(began, 0.0);
        let behind = self.behind.get_or_insert_with(|| Behind::new(began));
        let late = ended.saturating_duration_since(behind.since);
        behind.on_read(began, left.unwrap_or(0));
        self.pass(ended, late.as_secs_f64());
        self.busy += ended.saturating_duration_since(began);
        if left.is_none() {
            self.behind = None;
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
        self.behind
            .as_ref()
            .is_some_and(|behind| now.saturating_duration_since(behind.since) > most)
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
    fn lag(work: u64, pause: u64, seconds: u64, left: Option<u64>) -> Duration {
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
        assert!(lag(1, 9, 5, None) < Duration::from_millis(1));
        assert!(lag(10, 10, 5, None) < Duration::from_millis(6));
    }

    #[test]
    fn turns_without_a_pause_are_as_late_as_they_are_long() {
        let late = lag(120, 0, 5, None).as_millis();
        assert!((115..=120).contains(&late), "{late} ms");
    }

    #[test]
    fn what_is_left_behind_adds_up() {
        assert!(lag(5, 0, 3, Some(10)) > Duration::from_secs(2));
    }

    #[test]
    fn a_flood_that_is_read_as_fast_as_it_comes_is_not_all_lag() {
        // 2,000 datagrams every 5 ms, and never all of them: the oldest waits for no more than a full buffer takes.
        let late = lag(5, 0, 20, Some(2_000)).as_millis();
        assert!((50..200).contains(&late), "{late} ms");
    }

    #[test]
    fn who_has_read_all_is_not_behind() {
        let start = Instant::now();
        let mut lag = Lag::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        let most = Duration::from_millis(50);
        lag.on_turn(at(0), at(40), Some(1));
        assert!(!lag.is_behind(at(40), most));
        lag.on_turn(at(40), at(60), Some(1));
        assert!(lag.is_behind(at(60), most));
        lag.on_turn(at(60), at(90), None);
        assert!(!lag.is_behind(at(90), most));
    }

    #[test]
    fn one_long_turn_is_soon_forgotten() {
        let start = Instant::now();
        let mut lag = Lag::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        lag.on_turn(at(0), at(300), None);
        assert!(lag.smoothed() > Duration::from_millis(100));
        lag.on_turn(at(1_300), at(1_301), None);
        assert!(lag.smoothed() < Duration::from_millis(20));
        assert_eq!(lag.busy(), Duration::from_millis(301));
    }
}
