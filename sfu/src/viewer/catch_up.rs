//! The pace at which a joining viewer gets the cached group of pictures.
//!
//! It starts at twice the media's rate and at least 5 Mbit/s, doubles with each clean feedback up to 50 Mbit/s, and
//! halves when packets were lost or queued up. A viewer who can't reach the live edge within 2 s so waits for the next
//! keyframe instead: flooding a thin path would hurt it and everyone behind it. If that doesn't come although it was asked
//! for, the group follows at what the path is known to carry, if the live edge can be reached within 8 s so.

use std::time::{Duration, Instant};

/// The pace that every path is tried at.
const FIRST_RATE: u64 = 5_000_000;
/// The pace that no path is driven beyond.
const MAX_RATE: u64 = 50_000_000;
/// The live edge must be reached within this.
const DEADLINE: Duration = Duration::from_secs(2);
/// ... or within this where it is no faster than the path is known to be: the next keyframe may be long in coming.
const STEADY_DEADLINE: Duration = Duration::from_secs(8);
/// Until it is known how much arrives, where nothing flowed.
const RESUMING: Duration = Duration::from_secs(1);
/// What may leave at once: the pace is kept in steps of this much.
const BURST: Duration = Duration::from_millis(4);
/// What leaves before any pacing: gets a small first picture across without delay.
const HEAD_START_BYTES: f64 = 16_000.0;
/// What may be made up for at once when the worker woke late: a receiver's socket of the usual size holds about 90
/// packets, and this is 65 at the highest pace.
const LATENESS: Duration = Duration::from_millis(12);
/// Feedback that came before the pace could have had an effect doesn't count again.
const SETTLE: Duration = Duration::from_millis(40);
/// What the pace filled the path's queue with says nothing of the slower one that follows, for so long.
const DRAIN: Duration = Duration::from_millis(400);
/// When congestion shows, the pace was doubled once or twice since it fitted: it is this much too high to drain the queue.
const OVERSHOT: u64 = 4;
/// Time that a doubling is expected to take when the pace ahead is estimated.
const DOUBLING: Duration = Duration::from_millis(100);

/// What a feedback report says of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathSign {
    /// Everything arrived, without queueing.
    Clean,
    /// Packets were lost or queued up on the way.
    Congested,
}

/// One viewer's way from the cached keyframe to the live edge.
#[derive(Debug, Clone)]
pub(crate) struct CatchUp {
    /// The source's number of the next packet to send.
    pub(crate) cursor: u64,
    rate: u64,
    /// Congestion was seen: the pace won't be raised any more.
    capped: bool,
    /// The viewer sends the feedback that raising the pace needs.
    feedback: bool,
    credit: f64,
    filled: Instant,
    started: Instant,
    /// The live edge must be reached within this.
    deadline: Duration,
    /// When the pace was last changed.
    changed: Option<Instant>,
    /// It keeps to what the path is known to carry, and doesn't try for more.
    steady: bool,
}

impl CatchUp {
    /// Begins at `cursor`. `media_rate` is in bits per second.
    pub(crate) fn new(now: Instant, cursor: u64, media_rate: u64, feedback: bool) -> Self {
        Self {
            cursor,
            rate: (2 * media_rate).clamp(FIRST_RATE, MAX_RATE),
            capped: false,
            feedback,
            credit: HEAD_START_BYTES,
            filled: now,
            started: now,
            deadline: DEADLINE,
            changed: None,
            steady: false,
        }
    }

    /// Begins at `cursor`, at the `rate` in bits per second that the path is known to carry.
    pub(crate) fn steady(now: Instant, cursor: u64, rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            credit: 0.0,
            steady: true,
            deadline: STEADY_DEADLINE,
            ..Self::new(now, cursor, 0, false)
        }
    }

    /// Under way, it isn't given up for what the path carries less for a moment.
    pub(crate) fn persist(&mut self) {
        self.deadline *= 2;
    }

    pub(crate) fn is_steady(&self) -> bool {
        self.steady
    }

    /// Whether what it fills the path's queue with says nothing of the path: it leaves faster than that is known to carry, or
    /// nothing flowed before, so that what arrives isn't known yet.
    pub(crate) fn is_surge(&self, now: Instant) -> bool {
        !self.steady || now.saturating_duration_since(self.started) < RESUMING
    }

    /// Now the path is known to carry `rate` bits per second.
    pub(crate) fn keep_to(&mut self, rate: u64) {
        if self.steady {
            self.rate = rate.max(1);
        }
    }

    /// Goes on at `cursor` of a layer of `media_rate` bits per second, so slowly that the path's queue drains.
    pub(crate) fn instead(&self, now: Instant, cursor: u64, media_rate: u64) -> Self {
        Self {
            rate: (self.rate / OVERSHOT).max(1),
            capped: self.capped,
            credit: self.credit.min(0.0),
            changed: Some(now + DRAIN),
            ..Self::new(now, cursor, media_rate, self.feedback)
        }
    }

    /// Bytes that may leave now.
    pub(crate) fn allowance(&mut self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let saved = self.rate as f64 / 8.0 * LATENESS.as_secs_f64();
        let ceiling = saved.max(self.credit);
        self.credit = (self.credit + passed * self.rate as f64 / 8.0).min(ceiling);
        self.filled = now;
        self.credit.max(0.0) as usize
    }

    /// Accounts for bytes that left.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.credit -= bytes as f64;
    }

    /// When the next bytes may leave.
    pub(crate) fn next_timeout(&self) -> Instant {
        let debt = (-self.credit).max(0.0) * 8.0 / self.rate as f64;
        self.filled + BURST + Duration::from_secs_f64(debt)
    }

    /// Takes what the viewer's feedback says of the path.
    pub(crate) fn on_feedback(&mut self, now: Instant, sign: PathSign) {
        let settling = |changed| now.saturating_duration_since(changed) < SETTLE;
        if self.steady || self.changed.is_some_and(settling) {
            return;
        }
        match sign {
            PathSign::Clean if !self.capped => self.rate = (self.rate * 2).min(MAX_RATE),
            PathSign::Clean => return,
            PathSign::Congested => {
                self.rate = (self.rate / 2).max(1);
                self.capped = true;
            }
        }
        self.changed = Some(now);
    }

    /// Whether the live edge can't be reached in time: `backlog` bytes wait, and `media_rate` bits per second are added.
    pub(crate) fn is_hopeless(&self, now: Instant, backlog: u64, media_rate: u64) -> bool {
        let left = self
            .deadline
            .saturating_sub(now.saturating_duration_since(self.started))
            .as_secs_f64();
        let mut backlog = backlog as f64 * 8.0;
        let mut rate = self.rate as f64;
        let step = DOUBLING.as_secs_f64();
        let mut time = 0.0;
        while time < left && backlog > 0.0 {
            backlog -= (rate - media_rate as f64) * step;
            time += step;
            if self.feedback && !self.capped {
                rate = (rate * 2.0).min(MAX_RATE as f64);
            }
        }
        backlog > 0.0
    }

    #[cfg(test)]
    fn rate(&self) -> u64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIA: u64 = 2_500_000;

    /// Runs until `backlog` bytes are gone; the path is clean up to `capacity` bits per second.
    fn run(backlog: u64, capacity: u64) -> Result<Duration, Duration> {
        let start = Instant::now();
        let mut catch_up = CatchUp::new(start, 0, MEDIA, true);
        let (mut now, mut left) = (start, backlog as f64);
        while left > 0.0 {
            if catch_up.is_hopeless(now, left as u64, MEDIA) {
                return Err(now - start);
            }
            let bytes = catch_up.allowance(now);
            catch_up.on_sent(bytes);
            left -= bytes as f64;
            let step = Duration::from_millis(4);
            now += step;
            left += MEDIA as f64 / 8.0 * step.as_secs_f64();
            if (now - start).as_millis().is_multiple_of(60) {
                let sign = if catch_up.rate() + MEDIA > capacity {
                    PathSign::Congested
                } else {
                    PathSign::Clean
                };
                catch_up.on_feedback(now, sign);
            }
        }
        Ok(now - start)
    }

    #[test]
    fn a_wide_path_gets_ten_seconds_in_less_than_one() {
        let took = run(MEDIA / 8 * 10, 1_000_000_000);
        assert!(took.is_ok_and(|t| t < Duration::from_secs(1)), "{took:?}");
    }

    #[test]
    fn a_thin_path_is_let_go_early() {
        let took = run(MEDIA / 8 * 10, 6_000_000);
        assert!(
            took.is_err_and(|t| t < Duration::from_millis(200)),
            "{took:?}"
        );
    }

    #[test]
    fn a_short_backlog_fits_a_thin_path() {
        let took = run(100_000, 9_000_000);
        assert!(took.is_ok(), "{took:?}");
    }

    #[test]
    fn a_steady_one_keeps_to_what_the_path_carries() {
        let now = Instant::now();
        let mut catch_up = CatchUp::steady(now, 0, 800_000);
        catch_up.on_feedback(now + SETTLE, PathSign::Clean);
        catch_up.on_feedback(now + SETTLE, PathSign::Congested);
        assert_eq!(catch_up.rate(), 800_000);
        assert!(!catch_up.is_hopeless(now, 150_000, 300_000));
        catch_up.keep_to(400_000);
        assert!(catch_up.is_hopeless(now, 150_000, 300_000));
    }

    #[test]
    fn without_feedback_the_pace_stays() {
        let now = Instant::now();
        let catch_up = CatchUp::new(now, 0, MEDIA, false);
        assert_eq!(catch_up.rate(), 5_000_000);
        assert!(catch_up.is_hopeless(now, MEDIA / 8 * 10, MEDIA));
        assert!(!catch_up.is_hopeless(now, MEDIA / 8, MEDIA));
    }
}
