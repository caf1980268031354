//! Instants of the grid in the ticks of a rendition.

use crate::media::Rate;

/// Grid frames since time 0, and how long one lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid(pub(super) Rate);

impl Grid {
    /// The instant of `frame` in ticks, rounded down: whoever rounds its sample's time, in whatever way, isn't before it.
    pub(super) fn ticks(self, frame: u64, timescale: u32) -> u64 {
        let ticks = u128::from(frame) * u128::from(self.0.denominator) * u128::from(timescale)
            / u128::from(self.0.numerator);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// How long `frames` last: microseconds, rounded up.
    pub(super) fn micros(self, frames: u64) -> u64 {
        let micros = (u128::from(frames) * u128::from(self.0.denominator) * 1_000_000)
            .div_ceil(u128::from(self.0.numerator));
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

/// Ticks as microseconds, rounded to the nearest.
pub(crate) fn micros(ticks: u64, timescale: u32) -> u64 {
    let timescale = u128::from(timescale.max(1));
    u64::try_from((u128::from(ticks) * 1_000_000 + timescale / 2) / timescale).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn an_instant_is_never_after_a_sample_that_was_timed_to_it() {
        let grid = Grid(Rate {
            numerator: 24_000,
            denominator: 1001,
        });
        for frame in 0..1000 {
            let rounded_down = frame * 1001 * 90_000 / 24_000;
            assert_eq!(grid.ticks(frame, 90_000), rounded_down);
            assert_eq!(grid.ticks(frame, 24_000), frame * 1001);
        }
    }
}
