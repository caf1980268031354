//! The loss-based rate: a path that drops much of what it gets is given less (draft-ietf-rmcat-gcc-02 §6), unless giving
//! it less was seen not to help: a radio link loses packets whatever the rate.

use std::time::{Duration, Instant};

/// Loss up to which the rate grows, and from which on it shrinks.
const LOW: f64 = 0.02;
const HIGH: f64 = 0.10;
/// Growth at each interval without loss.
const GROWTH: f64 = 1.05;
/// Loss is judged this often, over at least so many packets.
const INTERVAL: Duration = Duration::from_millis(250);
const LEAST_PACKETS: u32 = 40;
/// Loss is high if it is even this many standard deviations below what was seen: few packets say little.
const CONFIDENCE: f64 = 1.6;
/// A longer interval is judged although fewer packets were sent.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
/// A lower rate must have had this much time, and have cut the loss to this share, or it didn't help.
const TRIAL: Duration = Duration::from_millis(800);
const HELPED: f64 = 0.6;
/// What the path loses anyway is tolerated with this much on top, for this long.
const TOLERANCE: f64 = 1.3;
const TOLERATED: Duration = Duration::from_mins(1);
/// No path that loses more than this carries anything worth sending.
const MOST_TOLERATED: f64 = 0.4;

/// What a lower rate is hoped to do.
#[derive(Debug, Clone, Copy)]
struct Trial {
    since: Instant,
    /// The loss that was surely there before, and the rate.
    loss: f64,
    rate: f64,
    /// What was reported since.
    lost: u32,
    total: u32,
}

/// The rate that losses allow.
#[derive(Debug)]
pub(crate) struct LossBased {
    rate: f64,
    lost: u32,
    total: u32,
    since: Option<Instant>,
    trial: Option<Trial>,
    tolerated: Option<(f64, Instant)>,
}

impl LossBased {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            rate,
            lost: 0,
            total: 0,
            since: None,
            trial: None,
            tolerated: None,
        }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// The share of packets lost above which the rate shrinks.
    fn high(&self, now: Instant) -> f64 {
        let tolerated = self
            .tolerated
            .filter(|(_, since)| now.saturating_duration_since(*since) < TOLERATED)
            .map_or(0.0, |(loss, _)| loss * TOLERANCE);
        tolerated.clamp(HIGH, MOST_TOLERATED)
    }

    /// Takes counts of packets that feedback spoke of. `acknowledged` bits per second arrive.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        lost: u32,
        total: u32,
        acknowledged: Option<f64>,
    ) {
        self.lost += lost;
        self.total += total;
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        let enough = self.total >= LEAST_PACKETS || passed >= LONGEST_INTERVAL;
        if passed < INTERVAL || !enough || self.total == 0 {
            return;
        }
        let (lost, total) = (self.lost, self.total);
        let loss = f64::from(lost) / f64::from(total);
        (self.lost, self.total, self.since) = (0, 0, Some(now));
        self.judge_trial(now, lost, total);
        let doubt = CONFIDENCE * (loss * (1.0 - loss) / f64::from(total)).sqrt();
        if loss - doubt > self.high(now) {
            // What arrives is what such a path carries; sent more, it loses more.
            let carried = acknowledged.unwrap_or(self.rate);
            let lower = (self.rate * (1.0 - 0.5 * loss)).min(carried * 1.1);
            if lower < self.rate {
                self.trial.get_or_insert(Trial {
                    since: now,
                    loss: loss - doubt,
                    rate: self.rate,
                    lost: 0,
                    total: 0,
                });
                self.rate = lower;
            }
        } else if loss < LOW || loss < self.high(now) * 0.5 {
            self.rate *= GROWTH;
        }
    }

    fn judge_trial(&mut self, now: Instant, lost: u32, total: u32) {
        let Some(trial) = &mut self.trial else {
            return;
        };
        trial.lost += lost;
        trial.total += total;
        if now.saturating_duration_since(trial.since) < TRIAL {
            return;
        }
        let trial = *trial;
        self.trial = None;
        let loss = f64::from(trial.lost) / f64::from(trial.total);
        if loss > trial.loss * HELPED {
            self.tolerated = Some((loss.max(trial.loss), now));
            self.rate = self.rate.max(trial.rate);
        }
    }

    /// The path was shown to carry this much.
    pub(crate) fn on_probe(&mut self, rate: f64) {
        self.rate = self.rate.max(rate);
    }

    pub(crate) fn bound(&mut self, least: f64, most: f64) {
        self.rate = self.rate.clamp(least, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for `seconds` on a path that loses `inherent`, and what is above `capacity`.
    fn run(rate: &mut LossBased, start: Instant, seconds: u64, inherent: f64, capacity: f64) {
        for n in 0..seconds * 20 {
            let sent = rate.rate().min(3e6);
            let over = (1.0 - capacity / sent).max(0.0);
            let loss = inherent + (1.0 - inherent) * over;
            let lost = (loss * 100.0).round() as u32;
            let now = start + Duration::from_millis(50 * n);
            rate.update(now, lost, 100, Some(sent * (1.0 - loss)));
            rate.bound(50_000.0, 3e6);
        }
    }

    #[test]
    fn a_path_that_drops_what_is_too_much_gets_less() {
        let mut rate = LossBased::new(3e6);
        run(&mut rate, Instant::now(), 5, 0.0, 1e6);
        assert!((0.7e6..1.3e6).contains(&rate.rate()), "{}", rate.rate());
    }

    #[test]
    fn loss_that_a_lower_rate_doesnt_cure_is_borne() {
        let mut rate = LossBased::new(3e6);
        run(&mut rate, Instant::now(), 20, 0.15, 1e9);
        assert!(rate.rate() > 2e6, "{}", rate.rate());
    }

    #[test]
    fn some_loss_changes_nothing() {
        let mut rate = LossBased::new(1e6);
        run(&mut rate, Instant::now(), 20, 0.07, 1e9);
        assert!((rate.rate() - 1e6).abs() < 1.0, "{}", rate.rate());
    }
}
