//! How much of a path retransmissions take.

use std::time::{Duration, Instant};

/// What was sent again fades over this long.
const MEMORY: Duration = Duration::from_secs(1);

/// A rate that follows what is sent again.
#[derive(Debug)]
pub(crate) struct ResendRate {
    /// Bytes per second at `at`.
    rate: f64,
    at: Instant,
}

impl ResendRate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { rate: 0.0, at: now }
    }

    pub(crate) fn on_sent(&mut self, now: Instant, bytes: u64) {
        self.rate = self.faded(now) + bytes as f64 / MEMORY.as_secs_f64();
        self.at = now;
    }

    pub(crate) fn bits_per_second(&self, now: Instant) -> u64 {
        (self.faded(now) * 8.0) as u64
    }

    fn faded(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.rate * (-passed / MEMORY.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_is_sent_again_and_forgets_it() {
        let start = Instant::now();
        let mut resends = ResendRate::new(start);
        let at = |n: u64| start + Duration::from_millis(n * 10);
        for n in 0..500 {
            resends.on_sent(at(n), 125);
        }
        let rate = resends.bits_per_second(at(500));
        assert!((95_000..105_000).contains(&rate), "{rate}");
        assert!(resends.bits_per_second(at(1_000)) < 1_000);
    }
}
