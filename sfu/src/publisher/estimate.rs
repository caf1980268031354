//! What a publisher without transport-wide feedback is told that its uplink carries (REMB).

use std::time::Instant;

/// Before anything was measured.
const FIRST: u64 = 2_500_000;
const LEAST: u64 = 150_000;
const MOST: u64 = 50_000_000;
/// Loss above which the estimate shrinks, and below which it grows, in 1/256 (draft-ietf-rmcat-gcc-02 §6).
const HIGH_LOSS: u8 = 26;
const LOW_LOSS: u8 = 5;

/// A loss-based estimate: it grows while what comes in is nearly all of it, and shrinks with heavy loss.
#[derive(Debug)]
pub(crate) struct ReceiveEstimate {
    bitrate: u64,
    bytes: u64,
    updated: Instant,
}

impl ReceiveEstimate {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            bitrate: FIRST,
            bytes: 0,
            updated: now,
        }
    }

    /// The estimate in bits per second, after `bytes` in all came in and `loss` (in 1/256) was lost lately. Call it
    /// once a second.
    pub(crate) fn update(&mut self, now: Instant, bytes: u64, loss: u8) -> u64 {
        let span = now
            .saturating_duration_since(self.updated)
            .as_secs_f64()
            .max(0.001);
        let incoming = ((bytes - self.bytes) as f64 * 8.0 / span) as u64;
        (self.bytes, self.updated) = (bytes, now);
        if loss > HIGH_LOSS {
            let kept = 1.0 - 0.5 * f64::from(loss) / 256.0;
            self.bitrate = (self.bitrate.min(incoming * 3 / 2) as f64 * kept) as u64;
        } else if loss < LOW_LOSS {
            self.bitrate = (self.bitrate * 108 / 100).max(incoming * 3 / 2);
        }
        self.bitrate = self.bitrate.clamp(LEAST, MOST);
        self.bitrate
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_follows_a_growing_sender_and_backs_off_on_loss() {
        let start = Instant::now();
        let mut estimate = ReceiveEstimate::new(start);
        let second = |n: u64| start + Duration::from_secs(n);
        assert!(
            estimate.update(second(1), 1_000_000, 0) >= 12_000_000,
            "1.5 × 8 Mbit/s"
        );
        let before = estimate.update(second(2), 2_000_000, 0);
        let after = estimate.update(second(3), 3_000_000, 64);
        assert!(after < before, "{after} < {before}");
        for n in 4..40 {
            estimate.update(second(n), 3_000_000, 255);
        }
        assert_eq!(estimate.update(second(40), 3_000_000, 255), LEAST);
    }
}
