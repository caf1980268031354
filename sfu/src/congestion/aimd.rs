//! The delay-based rate: up while the path is free, down when its queue grows (draft-ietf-rmcat-gcc-02 §5.5).

use std::time::{Duration, Instant};

use super::{acknowledged::Acknowledged, trend::Usage};

/// After overuse the rate is this share of what arrives.
const BACKOFF: f64 = 0.85;
/// Growth per second far from the path's known capacity.
const GROWTH: f64 = 1.08;
/// The rate never runs further ahead than this of what was shown to arrive.
const AHEAD: f64 = 1.4;
const AHEAD_EXTRA: f64 = 10_000.0;
/// Weight of a new sample of the capacity, and how many deviations off it may lie before it is a new path.
const CAPACITY_WEIGHT: f64 = 0.05;
const CAPACITY_DEVIATIONS: f64 = 3.0;
/// Bits of a packet, for growth by a packet per response.
const PACKET_BITS: f64 = 9_600.0;
const FRAMES_PER_SECOND: f64 = 30.0;
/// What a receiver takes to answer beside the round trip.
const RESPONSE: Duration = Duration::from_millis(100);
const LEAST_GROWTH: f64 = 4_000.0;

/// What the path was seen to carry when it was full, in bits per second.
#[derive(Debug, Clone, Copy)]
struct Capacity {
    mean: f64,
    /// Variance over the mean, as libwebrtc keeps it.
    spread: f64,
}

impl Capacity {
    fn add(capacity: Option<Self>, sample: f64) -> Self {
        let Some(Self { mean, spread }) = capacity else {
            return Self {
                mean: sample,
                spread: 400.0,
            };
        };
        let mean = (1.0 - CAPACITY_WEIGHT) * mean + CAPACITY_WEIGHT * sample;
        let error = (mean - sample) * (mean - sample) / mean.max(1.0);
        let spread = (1.0 - CAPACITY_WEIGHT) * spread + CAPACITY_WEIGHT * error;
        Self {
            mean,
            spread: spread.clamp(400.0, 2_500.0),
        }
    }

    fn deviation(self) -> f64 {
        (self.spread * self.mean).sqrt()
    }

    fn holds(self, rate: f64) -> bool {
        (rate - self.mean).abs() <= CAPACITY_DEVIATIONS * self.deviation()
    }
}

/// The rate that the delays allow.
#[derive(Debug)]
pub(crate) struct DelayBased {
    rate: f64,
    capacity: Option<Capacity>,
    /// Overuse was over only just: one round without growth.
    hold: bool,
    grown: Option<Instant>,
    shrunk: Option<Instant>,
}

impl DelayBased {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            rate,
            capacity: None,
            hold: false,
            grown: None,
            shrunk: None,
        }
    }

    /// Bits per second.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// When the queue was last seen to grow.
    pub(crate) fn shrunk(&self) -> Option<Instant> {
        self.shrunk
    }

    /// Takes what the last feedback said.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        acknowledged: &Acknowledged,
        rtt: Duration,
    ) {
        match usage {
            Usage::Over => {
                self.shrink(now, acknowledged.recent_rate(), rtt);
                self.hold = true;
                self.grown = Some(now);
            }
            Usage::Under => {
                self.hold = true;
                self.grown = Some(now);
            }
            Usage::Normal => {
                if std::mem::take(&mut self.hold) {
                    self.grown = Some(now);
                }
                self.grow(now, acknowledged, rtt);
            }
        }
    }

    /// A probe showed that the path carries this much.
    pub(crate) fn on_probe(&mut self, now: Instant, rate: f64) {
        if rate > self.rate {
            self.rate = rate;
            self.grown = Some(now);
            if self.capacity.is_some_and(|c| rate > c.mean) {
                self.capacity = None;
            }
        }
    }

    /// Nothing is heard of the path any more.
    pub(crate) fn on_silence(&mut self, now: Instant) {
        self.rate /= 2.0;
        self.grown = Some(now);
    }

    pub(crate) fn bound(&mut self, least: f64, most: f64) {
        self.rate = self.rate.clamp(least, most);
    }

    fn shrink(&mut self, now: Instant, acknowledged: Option<f64>, rtt: Duration) {
        let patience = rtt.clamp(Duration::from_millis(10), Duration::from_millis(200));
        let recent = self
            .shrunk
            .is_some_and(|at| now.saturating_duration_since(at) < patience);
        let far_over = acknowledged.is_some_and(|rate| rate < 0.5 * self.rate);
        if recent && !far_over {
            return;
        }
        let Some(acknowledged) = acknowledged else {
            self.rate *= 0.5;
            self.shrunk = Some(now);
            return;
        };
        let mut lower = BACKOFF * acknowledged;
        if lower > self.rate
            && let Some(capacity) = self.capacity
        {
            lower = BACKOFF * capacity.mean;
        }
        if self
            .capacity
            .is_some_and(|c| !c.holds(acknowledged) && acknowledged < c.mean)
        {
            self.capacity = None;
        }
        self.rate = self.rate.min(lower);
        self.capacity = Some(Capacity::add(self.capacity, acknowledged));
        self.shrunk = Some(now);
    }

    fn grow(&mut self, now: Instant, acknowledged: &Acknowledged, rtt: Duration) {
        let since = self.grown.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(since).as_secs_f64().min(1.0);
        let (Some(recent), Some(steady)) = (acknowledged.recent_rate(), acknowledged.steady_rate())
        else {
            return;
        };
        let acknowledged = acknowledged.rate().unwrap_or(recent);
        if self
            .capacity
            .is_some_and(|c| acknowledged > c.mean && !c.holds(acknowledged))
        {
            self.capacity = None;
        }
        // What arrives without a queue growing is carried.
        self.rate = self.rate.max(recent);
        // Without this a viewer of a small layer would be believed to have any path.
        let limit = AHEAD * steady + AHEAD_EXTRA;
        if self.rate >= limit {
            return;
        }
        let grown = if self.capacity.is_some() {
            self.rate + packet_per_response(self.rate, rtt) * passed
        } else {
            self.rate * GROWTH.powf(passed)
        };
        self.rate = grown.min(limit);
    }
}

/// Growth near the path's capacity, in bits per second per second: a packet for each time that the path takes to answer.
fn packet_per_response(rate: f64, rtt: Duration) -> f64 {
    let frame = rate / FRAMES_PER_SECOND;
    let packet = frame / (frame / PACKET_BITS).ceil().max(1.0);
    (packet / (rtt + RESPONSE).as_secs_f64()).max(LEAST_GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    /// What is known when so many bits per second have arrived for a while.
    fn arriving(rate: i64) -> Acknowledged {
        let mut acknowledged = Acknowledged::default();
        for n in 0..rate * 4 / 9_600 {
            acknowledged.on_packet(n * 9_600 * 1_000_000 / rate, 1_200);
        }
        acknowledged
    }

    #[test]
    fn overuse_takes_it_below_what_arrives() {
        let now = Instant::now();
        let mut rate = DelayBased::new(2_500_000.0);
        rate.update(now, Usage::Over, &arriving(800_000), RTT);
        assert!(
            (600_000.0..720_000.0).contains(&rate.rate()),
            "{}",
            rate.rate()
        );
        let before = rate.rate();
        rate.update(
            now + Duration::from_millis(5),
            Usage::Over,
            &arriving(700_000),
            RTT,
        );
        assert!((rate.rate() - before).abs() < 1.0, "once in a round trip");
    }

    #[test]
    fn it_stays_near_what_was_shown_to_arrive() {
        let start = Instant::now();
        let mut rate = DelayBased::new(500_000.0);
        for n in 0..600 {
            let now = start + Duration::from_millis(n * 100);
            rate.update(now, Usage::Normal, &arriving(300_000), RTT);
        }
        assert!(rate.rate() <= 500_000.0);
        for n in 600..1_200 {
            let now = start + Duration::from_millis(n * 100);
            rate.update(now, Usage::Normal, &arriving(1_000_000), RTT);
        }
        assert!(
            (1_350_000.0..=1_430_000.0).contains(&rate.rate()),
            "{}",
            rate.rate()
        );
    }

    #[test]
    fn a_probe_lifts_it_at_once_and_never_lowers_it() {
        let now = Instant::now();
        let mut rate = DelayBased::new(500_000.0);
        rate.on_probe(now, 1_200_000.0);
        assert!((rate.rate() - 1_200_000.0).abs() < 1.0);
        rate.on_probe(now, 100_000.0);
        assert!((rate.rate() - 1_200_000.0).abs() < 1.0);
    }
}
