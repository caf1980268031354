//! How values are spread, in counts that add up: percentiles of many nodes' and minutes' values can be told afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spillway_signaling::Percentiles;

/// The upper bounds of the classes, in milliseconds. From 100 ms to a minute none is wider than a quarter of where it begins: no
/// percentile is further off than that. They are stored with their places in this list, so it may only grow at its end.
const BOUNDS: [u32; 42] = [
    25, 50, 75, 100, 125, 150, 180, 220, 270, 330, 400, 500, 600, 750, 900, 1_100, 1_350, 1_650,
    2_000, 2_500, 3_000, 3_700, 4_500, 5_500, 6_800, 8_500, 10_000, 12_500, 15_000, 18_000, 22_000,
    27_000, 33_000, 40_000, 50_000, 60_000, 75_000, 90_000, 120_000, 180_000, 300_000, LONGEST,
];
/// What is longer counts as that.
pub(super) const LONGEST: u32 = 600_000;

/// How many values there are in each class that has any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u8, u64>);

impl Histogram {
    /// Counts one value, in milliseconds.
    pub(super) fn note(&mut self, value: u32) {
        let class = BOUNDS.partition_point(|bound| *bound < value.min(LONGEST));
        *self.0.entry(class as u8).or_default() += 1;
    }

    /// Adds what another counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            let sum = self.0.entry(*class).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let count = self
            .0
            .values()
            .fold(0, |sum: u64, n| sum.saturating_add(*n));
        Percentiles {
            count,
            p50: self.percentile(count, 0.50),
            p95: self.percentile(count, 0.95),
            p99: self.percentile(count, 0.99),
        }
    }

    /// The value that this share of all is at most: within its class, as if the class's values were spread evenly.
    fn percentile(&self, count: u64, share: f64) -> Option<u32> {
        let wanted = (count as f64 * share).max(1.0);
        let mut below = 0.0;
        for (class, inside) in &self.0 {
            let inside = *inside as f64;
            if below + inside >= wanted {
                let (from, to) = span(*class);
                let part = (wanted - below) / inside;
                return Some((from + (to - from) * part).round() as u32);
            }
            below += inside;
        }
        None
    }
}

/// From where to where a class goes. One that this release doesn't know is beyond all.
fn span(class: u8) -> (f64, f64) {
    let bound = |place: usize| BOUNDS.get(place).copied().unwrap_or(LONGEST);
    let place = usize::from(class);
    let from = place.checked_sub(1).map_or(0, bound);
    (from.into(), bound(place).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u32]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.note(*value);
        }
        histogram
    }

    #[test]
    fn classes_are_narrow_where_it_matters() {
        for pair in BOUNDS.windows(2) {
            let (from, to) = (f64::from(pair[0]), f64::from(pair[1]));
            assert!(from < to, "{from}");
            let widest = if (100.0..60_000.0).contains(&from) {
                1.25
            } else {
                2.0
            };
            assert!(to / from <= widest, "{from} to {to}");
        }
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(of(&[]).percentiles(), Percentiles::default());
    }

    #[test]
    fn one_value_is_told_as_its_class() {
        let told = of(&[180]).percentiles();
        let expected = Percentiles {
            count: 1,
            p50: Some(180),
            p95: Some(180),
            p99: Some(180),
        };
        assert_eq!(told, expected);
        assert_eq!(of(&[0]).percentiles().p50, Some(25));
        assert_eq!(of(&[u32::MAX]).percentiles().p50, Some(LONGEST));
    }

    #[test]
    fn percentiles_are_where_their_values_are() {
        let mut values = vec![140; 90];
        values.extend([2_400; 8]);
        values.extend([50_001; 2]);
        let told = of(&values).percentiles();
        assert!((125..=150).contains(&told.p50.unwrap()), "{told:?}");
        assert!((2_000..=2_500).contains(&told.p95.unwrap()), "{told:?}");
        assert!((50_000..=60_000).contains(&told.p99.unwrap()), "{told:?}");
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_a_quarter_of_the_true_one(
            mut values in proptest::collection::vec(100..60_000_u32, 1..400)
        ) {
            let told = of(&values).percentiles();
            values.sort_unstable();
            for (share, told) in [(0.50, told.p50), (0.95, told.p95), (0.99, told.p99)] {
                let rank = (values.len() as f64 * share).ceil().max(1.0) as usize;
                let (true_one, told) = (f64::from(values[rank - 1]), f64::from(told.unwrap()));
                let off = (told - true_one).abs() / true_one;
                prop_assert!(off <= 0.2501, "{told} for {true_one}");
            }
        }
    }
}
