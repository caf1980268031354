//! What a viewer without transport-wide feedback says that its path carries (REMB).
//!
//! A receiver never estimates more than one and a half times what it gets (draft-ietf-rmcat-gcc-02 §5.5): of a viewer of a
//! small layer one would never learn that its path carries a larger one. So where that is wanted, it is sent as much as it
//! says that its path carries, media filled up with retransmissions, for as long as it then says more and more.

use std::time::{Duration, Instant};

/// Filling is judged after so long: receivers grow their estimate by 8 % a second, and less near a limit that they know.
const LENGTH: Duration = Duration::from_secs(5);
/// It was of use if the estimate grew so far meanwhile; fallen so far, the path is full.
const GREW: f64 = 1.05;
const FELL: f64 = 0.95;
/// Rest after filling that was of no use, and how far that grows while it stays so.
const REST: Duration = Duration::from_secs(4);
const MAX_REST: Duration = Duration::from_mins(1);
/// What is lacking is sent in steps of this, and never more than this much later.
const STEP: Duration = Duration::from_millis(10);
const LATENESS: Duration = Duration::from_millis(40);

/// More than the media's own rate is sent for a while.
#[derive(Debug, Clone, Copy)]
struct Filling {
    started: Instant,
    /// What was said of the path then.
    from: f64,
    /// What would be of use: nothing is filled beyond it, whatever the receiver says.
    wanted: f64,
    /// Bytes that may be added, as of `filled`.
    credit: f64,
    filled: Instant,
}

/// A receiver's own estimate, and what is done to have it grow.
#[derive(Debug)]
pub(crate) struct Receiver {
    told: Option<f64>,
    filling: Option<Filling>,
    next: Option<Instant>,
    rest: Duration,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            told: None,
            filling: None,
            next: None,
            rest: REST,
        }
    }

    /// Its estimate, in bits per second, if it ever told one.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.told
    }

    /// Its estimate came.
    pub(crate) fn on_estimate(&mut self, now: Instant, rate: f64) {
        self.told = Some(rate);
        if self.filling.is_some_and(|f| rate < f.from * FELL) {
            self.stop(now, false);
        }
    }

    /// `wanted` bits per second would be of use: fills up to what was told if that is less, and it is time for it.
    pub(crate) fn want(&mut self, now: Instant, wanted: f64) {
        if let Some(filling) = &mut self.filling {
            filling.wanted = wanted;
            if self.told.is_some_and(|told| told >= wanted) {
                self.stop(now, true);
            }
            return;
        }
        let due = self.next.is_none_or(|at| now >= at);
        if let Some(from) = self.told.filter(|told| *told < wanted)
            && due
        {
            self.filling = Some(Filling {
                started: now,
                from,
                wanted,
                credit: 0.0,
                filled: now,
            });
        }
    }

    pub(crate) fn is_filling(&self) -> bool {
        self.filling.is_some()
    }

    /// Accounts for bytes that left.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        if let Some(filling) = &mut self.filling {
            filling.credit -= bytes as f64;
        }
    }

    /// Bytes that are lacking now.
    pub(crate) fn missing(&self, now: Instant) -> usize {
        let Some(filling) = &self.filling else {
            return 0;
        };
        self.credit(filling, now).max(0.0) as usize
    }

    fn credit(&self, filling: &Filling, now: Instant) -> f64 {
        let pace = self.told.unwrap_or_default().min(filling.wanted) / 8.0;
        let passed = now.saturating_duration_since(filling.filled).as_secs_f64();
        (filling.credit + pace * passed).min(pace * LATENESS.as_secs_f64())
    }

    /// Ends what has run its time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(mut filling) = self.filling else {
            return;
        };
        if now.saturating_duration_since(filling.started) >= LENGTH {
            let grew = self.told.is_some_and(|told| told >= filling.from * GREW);
            return self.stop(now, grew);
        }
        filling.credit = self.credit(&filling, now);
        filling.filled = now;
        self.filling = Some(filling);
    }

    /// When [`Receiver::handle_timeout`] is to be called, or what is missing sent.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.filling.map(|filling| filling.filled + STEP)
    }

    /// Stops filling, which was `of_use` or not.
    pub(crate) fn stop(&mut self, now: Instant, of_use: bool) {
        self.filling = None;
        if of_use {
            (self.next, self.rest) = (None, REST);
        } else {
            self.next = Some(now + self.rest);
            self.rest = (self.rest * 2).min(MAX_REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wants 3 Mbit/s for `time` while the media takes 300 kbit/s, of a receiver whose path carries `capacity`; says how
    /// many bytes were added.
    fn run(receiver: &mut Receiver, start: Instant, time: Duration, capacity: f64) -> usize {
        let (mut now, mut added, mut second, mut in_second) = (start, 0, start, 0);
        while now < start + time {
            receiver.want(now, 3e6);
            receiver.on_sent(300_000 / 8 / 100);
            let missing = receiver.missing(now);
            receiver.on_sent(missing);
            receiver.handle_timeout(now);
            added += missing;
            in_second += missing + 300_000 / 8 / 100;
            now += STEP;
            if now - second >= Duration::from_secs(1) {
                let got = in_second as f64 * 8.0;
                let told = receiver.rate().unwrap_or(450e3);
                let most = told.max(got * 1.5).min(capacity);
                receiver.on_estimate(now, (told * 1.08).min(most));
                (second, in_second) = (now, 0);
            }
        }
        added
    }

    #[test]
    fn a_wide_path_is_found_to_be_wide() {
        let mut receiver = Receiver::new();
        run(&mut receiver, Instant::now(), Duration::from_secs(30), 1e7);
        assert!(receiver.rate() >= Some(3e6), "{:?}", receiver.rate());
        assert!(!receiver.is_filling());
    }

    #[test]
    fn a_full_path_is_filled_less_and_less() {
        let mut receiver = Receiver::new();
        let start = Instant::now();
        let minute = Duration::from_mins(1);
        let first = run(&mut receiver, start, minute, 6e5);
        run(&mut receiver, start + minute, 4 * minute, 6e5);
        let later = run(&mut receiver, start + 5 * minute, 5 * minute, 6e5);
        assert!(first > 0 && later > 0, "{first} {later}");
        assert!(later / 5 < first / 2, "{first} {later}");
    }

    #[test]
    fn one_that_says_less_is_left_alone_at_once() {
        let (mut receiver, now) = (Receiver::new(), Instant::now());
        receiver.on_estimate(now, 1e6);
        receiver.want(now, 3e6);
        assert!(receiver.is_filling());
        receiver.on_estimate(now, 9e5);
        assert!(!receiver.is_filling() && receiver.missing(now + STEP) == 0);
        receiver.want(now + STEP, 3e6);
        assert!(!receiver.is_filling());
    }

    #[test]
    fn one_that_says_too_much_gets_what_is_of_use() {
        let (mut receiver, now) = (Receiver::new(), Instant::now());
        receiver.on_estimate(now, 1e5);
        receiver.want(now, 3e6);
        receiver.on_estimate(now, 1e18);
        let most = (3e6 / 8.0 * LATENESS.as_secs_f64()) as usize;
        assert!(receiver.missing(now + LENGTH) <= most);
        receiver.want(now, 3e6);
        assert!(!receiver.is_filling());
    }

    #[test]
    fn nothing_is_added_to_what_suffices() {
        let (mut receiver, now) = (Receiver::new(), Instant::now());
        receiver.want(now, 3e6);
        assert!(!receiver.is_filling(), "it never told anything");
        receiver.on_estimate(now, 4e6);
        receiver.want(now, 3e6);
        assert!(!receiver.is_filling() && receiver.next_timeout().is_none());
    }
}
