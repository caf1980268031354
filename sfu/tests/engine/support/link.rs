//! One direction of a path.

use std::time::{Duration, Instant};

use super::ms;

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// How a path treats datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub latency: Duration,
    /// Up to so much later, each datagram for itself: reorders.
    pub jitter: Duration,
    /// Shares, 0 to 1.
    pub loss: f64,
    pub duplicates: f64,
    /// Bits per second, with a queue of 150 ms before it.
    pub rate: Option<u64>,
    pub busy_until: Option<Instant>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: ms(10),
            jitter: ms(0),
            loss: 0.0,
            duplicates: 0.0,
            rate: None,
            busy_until: None,
        }
    }
}

impl Link {
    /// Loses, doubles and reorders.
    pub fn bad(loss: f64) -> Self {
        Self {
            loss,
            duplicates: loss / 2.0,
            jitter: ms(8),
            ..Self::default()
        }
    }

    pub fn thin(rate: u64) -> Self {
        Self {
            rate: Some(rate),
            ..Self::default()
        }
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub fn carry(&mut self, now: Instant, length: usize, random: &mut Random) -> Vec<Instant> {
        let mut start = now;
        if let Some(rate) = self.rate {
            start = self.busy_until.map_or(now, |at| at.max(now));
            if start > now + ms(150) {
                return Vec::new();
            }
            start += Duration::from_secs_f64(length as f64 * 8.0 / rate as f64);
            self.busy_until = Some(start);
        }
        let mut arrivals = Vec::new();
        let copies = 1 + usize::from(random.share() < self.duplicates);
        for _ in 0..copies {
            let late = self.jitter.mul_f64(random.share());
            if random.share() >= self.loss {
                arrivals.push(start + self.latency + late);
            }
        }
        arrivals
    }
}
