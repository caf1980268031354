//! What a publisher without transport-wide feedback is told that its uplink carries (REMB).

use std::time::{Duration, Instant};

/// Before anything was measured.
const FIRST: u64 = 2_500_000;
const LEAST: u64 = 150_000;
const MOST: u64 = 50_000_000;
/// Loss above which the estimate shrinks, and below which it grows, in 1/256 (draft-ietf-rmcat-gcc-02 §6).
const HIGH_LOSS: u8 = 26;
const LOW_LOSS: u8 = 5;
/// The estimate follows what comes in by this much at most, and at least while the path is clean: a publisher that was
/// never held back finds out quickly what it can send.
const AHEAD: (u64, u64) = (3, 2);
/// A path that lost much is only felt out slowly until so much time without such loss has passed.
const CLEAN: Duration = Duration::from_secs(10);
/// After a loss that followed growth nothing grows for so long: the path is full.
const FULL: Duration = Duration::from_secs(3);

/// A loss-based estimate: it grows while what comes in is nearly all of it, and shrinks with heavy loss.
#[derive(Debug)]
pub(crate) struct ReceiveEstimate {
    bitrate: u64,
    bytes: u64,
    updated: Instant,
    /// When the path last lost much, or something after the estimate had grown.
    lossy: Option<Instant>,
    /// What the estimate was before it grew, if it did last time.
    before: Option<u64>,
}

impl ReceiveEstimate {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            bitrate: FIRST,
            bytes: 0,
            updated: now,
            lossy: None,
            before: None,
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
        let ahead = incoming * AHEAD.0 / AHEAD.1;
        let since = self.lossy.map(|at| now.saturating_duration_since(at));
        let before = self.before.take();
        if loss > HIGH_LOSS {
            self.lossy = Some(now);
            let kept = 1.0 - 0.5 * f64::from(loss) / 256.0;
            // What came in is what the path carries: what lies above was lost.
            self.bitrate = ((self.bitrate as f64 * kept) as u64).min(incoming);
        } else if loss < LOW_LOSS {
            let held = since.is_some_and(|since| since < FULL);
            let clean = since.is_none_or(|since| since >= CLEAN);
            // A publisher that sends less than it may says nothing of what lies beyond.
            let grown = (self.bitrate * 108 / 100).min(ahead.max(self.bitrate));
            if !held {
                self.before = Some(self.bitrate);
                self.bitrate = if clean { grown.max(ahead) } else { grown };
            }
        } else if let Some(before) = before {
            // Some paths lose a little whatever is sent; that it began with the growth tells that this one is full.
            self.lossy = Some(now);
            self.bitrate = before * 19 / 20;
        }
        self.bitrate = self.bitrate.clamp(LEAST, MOST);
        self.bitrate
    }
}

#[cfg(test)]
mod tests {
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

    /// A publisher that sends what it is told, up to `most`, over a path of this rate: estimate, and what was lost of
    /// all in 1/256, for each second.
    fn follow(seconds: u64, rate: impl Fn(u64) -> u64, most: u64) -> Vec<(u64, u64)> {
        let start = Instant::now();
        let mut estimate = ReceiveEstimate::new(start);
        let (mut told, mut bytes) = (FIRST, 0);
        (1..=seconds)
            .map(|n| {
                let sent = told.min(most);
                let arrived = sent.min(rate(n));
                bytes += arrived / 8;
                let loss = (sent - arrived) * 256 / sent;
                told = estimate.update(start + Duration::from_secs(n), bytes, loss as u8);
                (told, loss)
            })
            .collect()
    }

    #[test]
    fn it_settles_on_a_thin_path_and_comes_back() {
        let rate = |n| {
            if (10..70).contains(&n) {
                1_000_000
            } else {
                8_000_000
            }
        };
        let run = follow(120, rate, 4_000_000);
        let settled = &run[14..69];
        let lost: u64 = settled.iter().map(|(_, loss)| loss).sum();
        assert!(
            lost * 100 < settled.len() as u64 * 256 * 6,
            "6 % lost: {settled:?}"
        );
        assert!(
            settled
                .iter()
                .all(|(told, _)| (800_000..1_250_000).contains(told))
        );
        let back = run.iter().skip(69).position(|(told, _)| *told >= 4_000_000);
        assert!(back.is_some_and(|seconds| seconds <= 20), "{back:?}");
    }

    #[test]
    fn it_does_not_grow_beyond_what_is_tried() {
        let run = follow(300, |_| 50_000_000, 1_000_000);
        assert_eq!(run[299].0, FIRST);
    }
}
