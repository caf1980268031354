//! The pace at which live video leaves toward one viewer.
//!
//! A keyframe comes from the publisher in one burst, ten times as large as other frames. Sent on as it came, it would
//! fill the queue of a thin path, and the sound behind it would wait or be lost. Sound and retransmissions aren't held
//! back, but what they take is taken from the picture.

use std::time::{Duration, Instant};

/// A path gets video so many times as fast as it is believed to carry: a keyframe mustn't take long where there's room.
const FACTOR: f64 = 2.5;
/// What may leave at once, at the pace: ordinary frames pass unhindered, in messages as large as they came.
const BURST: Duration = Duration::from_millis(40);
/// ... and at least this much.
const LEAST_BURST: f64 = 3_000.0;
/// What is held back leaves in steps of this, large enough for segmented messages.
const STEP: Duration = Duration::from_millis(5);

/// A bucket of bytes that fills with time.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Bytes per second.
    rate: f64,
    credit: f64,
    filled: Instant,
}

impl Pacer {
    pub(crate) fn new(now: Instant, estimate: u64) -> Self {
        let rate = estimate as f64 / 8.0 * FACTOR;
        Self {
            rate,
            credit: rate * BURST.as_secs_f64(),
            filled: now,
        }
    }

    /// `estimate` is what the path is believed to carry and `media` what is sent, in bits per second. `measured`: the
    /// estimate isn't just what was never exceeded, the path was seen to carry no more. Then nothing must leave faster
    /// that doesn't fit: it would only wait on the path instead of here.
    pub(crate) fn set_rate(&mut self, now: Instant, estimate: u64, media: u64, measured: bool) {
        self.fill(now);
        let rate = if estimate < media && measured {
            estimate as f64
        } else {
            estimate.max(media) as f64 * FACTOR
        };
        self.rate = rate / 8.0;
    }

    /// Bytes that may leave now: none if it isn't positive.
    #[inline]
    pub(crate) fn credit(&mut self, now: Instant) -> f64 {
        self.fill(now);
        self.credit
    }

    /// Accounts for bytes that left.
    #[inline]
    pub(crate) fn on_sent(&mut self, bytes: u64) {
        self.credit -= bytes as f64;
    }

    /// Bits per second.
    pub(crate) fn rate(&self) -> u64 {
        (self.rate * 8.0) as u64
    }

    /// When a step of what is held back may leave.
    pub(crate) fn next_timeout(&self) -> Instant {
        let step = self.rate * STEP.as_secs_f64();
        let lacking = (step - self.credit).max(0.0) / self.rate;
        self.filled + Duration::from_secs_f64(lacking)
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let most = (self.rate * BURST.as_secs_f64()).max(LEAST_BURST);
        self.credit = (self.credit + passed * self.rate).min(most);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 8_000_000;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_pace() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, RATE);
        // 2.5 MB/s: 100 kB in 40 ms.
        assert!((pacer.credit(start) - 100_000.0).abs() < 1.0);
        pacer.on_sent(100_000);
        let at = pacer.next_timeout();
        assert_eq!(at - start, STEP);
        assert!((pacer.credit(at) - 12_500.0).abs() < 1.0);
        pacer.on_sent(37_500);
        assert!((pacer.next_timeout() - at).as_secs_f64() > 0.014);
    }

    #[test]
    fn what_does_not_fit_a_known_path_leaves_no_faster_than_that() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now, RATE);
        pacer.set_rate(now, RATE, RATE * 2, true);
        assert_eq!(pacer.rate(), RATE);
        pacer.set_rate(now, RATE, RATE * 2, false);
        assert_eq!(pacer.rate(), RATE * 5);
        pacer.set_rate(now, RATE, RATE / 2, true);
        assert_eq!(pacer.rate(), RATE * 5 / 2);
    }
}
