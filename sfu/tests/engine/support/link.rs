//! One direction of a path.

use std::time::{Duration, Instant};

pub use spillway_loadtest::link::model::BurstLoss;
use spillway_loadtest::link::model::{Conditions, Model, QueueLimit};

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

/// How one direction of a path treats datagrams: what [`Model`] does with them.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub latency: Duration,
    /// Up to so much later, without overtaking.
    pub jitter: Duration,
    /// Shares, 0 to 1.
    pub loss: f64,
    pub duplicates: f64,
    /// These arrive 8 ms later than they should.
    pub reordered: f64,
    pub bursts: Option<BurstLoss>,
    /// Bits per second.
    pub rate: Option<u64>,
    /// What may wait for the rate.
    pub queue: Duration,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: ms(10),
            jitter: ms(0),
            loss: 0.0,
            duplicates: 0.0,
            reordered: 0.0,
            bursts: None,
            rate: None,
            queue: ms(150),
        }
    }
}

impl Link {
    /// Loses, doubles and reorders.
    pub fn bad(loss: f64) -> Self {
        Self {
            loss,
            duplicates: loss / 2.0,
            reordered: 0.1,
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

    fn conditions(&self) -> Conditions {
        Conditions {
            rate: self.rate,
            queue: Some(QueueLimit::Time(self.queue)),
            delay: self.latency,
            jitter: self.jitter,
            loss: self.loss,
            burst_loss: self.bursts,
            reorder: self.reordered,
            reorder_by: ms(8),
            duplicate: self.duplicates,
        }
    }
}

/// What is on its way in one direction.
pub struct Way(Model<Vec<u8>>);

impl Way {
    pub fn new(seed: u64) -> Self {
        Self(Model::new(Conditions::default(), seed))
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub fn carry(&mut self, now: Instant, bytes: Vec<u8>, link: &Link) -> Vec<(Instant, Vec<u8>)> {
        self.0.set_conditions(link.conditions());
        self.0.send(now, bytes);
        let mut arrivals = Vec::new();
        while let Some(at) = self.0.next_arrival() {
            arrivals.extend(self.0.receive(at).map(|bytes| (at, bytes)));
        }
        arrivals
    }
}
