//! The frame rate of what is received, as one of those that cameras and encoders have.

use crate::media::{Moment, Rate};

/// Pictures that are looked at before a rate is told.
const ENOUGH: usize = 16;

const fn rate(numerator: u32, denominator: u32) -> Rate {
    Rate {
        numerator,
        denominator,
    }
}

/// The usual rates. What is slower than the first gets it, with pictures repeated.
const USUAL: [Rate; 8] = [
    rate(15, 1),
    rate(20, 1),
    rate(24, 1),
    rate(25, 1),
    rate(30_000, 1_001),
    rate(30, 1),
    rate(50, 1),
    rate(60, 1),
];
/// What it is when too few pictures came to tell.
pub(super) const DEFAULT: Rate = rate(30, 1);
/// Between 60 and 59.94 and between 30 and 29.97 a mean distance decides that is this close, in microseconds: pictures of
/// cameras jitter more than the two differ.
const CLOSE: f64 = 8.0;

/// Finds the rate from the times of pictures.
#[derive(Debug, Default)]
pub(super) struct RateFinder {
    times: Vec<Moment>,
}

impl RateFinder {
    /// A picture came. Tells the rate once enough did.
    pub(super) fn on_picture(&mut self, time: Moment) -> Option<Rate> {
        if self.times.last().is_none_or(|last| time > *last) {
            self.times.push(time);
        }
        (self.times.len() >= ENOUGH).then(|| self.tell())
    }

    /// The best guess by now.
    pub(super) fn tell(&self) -> Rate {
        let mut distances: Vec<i64> = self.times.windows(2).map(|w| w[1].since(w[0])).collect();
        distances.sort_unstable();
        let Some(&median) = distances.get(distances.len() / 2) else {
            return DEFAULT;
        };
        // Pictures that were left out make some distances a multiple; jitter is evened out among the others.
        let whole: Vec<i64> = distances
            .into_iter()
            .filter(|d| *d * 2 > median && *d < median * 3 / 2)
            .collect();
        let mean = whole.iter().sum::<i64>() as f64 / whole.len() as f64;
        nearest(mean)
    }
}

fn nearest(mean: f64) -> Rate {
    let off = |rate: &Rate| {
        let period = 1e6 / rate.per_second();
        // By proportion, since the rates are spread that way.
        (mean / period).ln().abs()
    };
    let best = USUAL
        .into_iter()
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .unwrap_or(DEFAULT);
    if best == rate(30_000, 1_001) && (mean - 1e6 * 1_001.0 / 30_000.0).abs() > CLOSE {
        return rate(30, 1);
    }
    if best == rate(60, 1) && (mean - 1e6 * 1_001.0 / 60_000.0).abs() < CLOSE {
        return rate(60_000, 1_001);
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn found(period: f64, jitter: i64) -> Rate {
        let mut finder = RateFinder::default();
        for i in 0.. {
            let shaken = if i % 2 == 0 { jitter } else { -jitter };
            let time = Moment((f64::from(i) * period) as i64 + shaken);
            if let Some(rate) = finder.on_picture(time) {
                return rate;
            }
        }
        unreachable!()
    }

    #[test]
    fn usual_rates_are_told_apart() {
        for rate in USUAL.into_iter().chain([rate(60_000, 1_001)]) {
            assert_eq!(found(1e6 / rate.per_second(), 0), rate);
        }
    }

    #[test]
    fn jitter_and_odd_rates_take_the_nearest() {
        assert_eq!(found(1e6 / 30.0, 3_000), rate(30, 1));
        assert_eq!(found(1e6 / 28.0, 0), rate(30, 1));
        assert_eq!(found(1e6 / 5.0, 0), rate(15, 1));
        assert_eq!(found(1e6 / 144.0, 0), rate(60, 1));
    }

    #[test]
    fn pictures_left_out_do_not_count() {
        let mut finder = RateFinder::default();
        for i in (0..40).filter(|i| i % 5 != 0) {
            finder.on_picture(Moment(i * 40_000));
        }
        assert_eq!(finder.tell(), rate(25, 1));
        assert_eq!(RateFinder::default().tell(), DEFAULT);
    }
}
