//! The round trip to a peer, from samples.

use std::time::Duration;

/// What is believed before anything was measured: nearly all paths are shorter.
const UNKNOWN: Duration = Duration::from_millis(200);
/// The bounds of [`RoundTrip::answer`]: a peer's timers take a while even on loopback, and a longer path than this is
/// as good as none.
const ANSWER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Longer samples are clocks that were set, or lies.
const LONGEST: Duration = Duration::from_secs(10);

/// A smoothed round trip and its deviation, as RFC 6298 §2 keeps them.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
    deviation: Duration,
}

impl RoundTrip {
    /// Takes one measurement. Absurd ones are ignored.
    pub fn sample(&mut self, sample: Duration) {
        if sample > LONGEST {
            return;
        }
        if let Some(smoothed) = self.smoothed {
            self.deviation = (self.deviation * 3 + smoothed.abs_diff(sample)) / 4;
            self.smoothed = Some((smoothed * 7 + sample) / 8);
        } else {
            self.deviation = sample / 2;
            self.smoothed = Some(sample);
        }
    }

    /// Takes a measurement in the units of reports, 1/65536 s, as the middle of an NTP time `now` less what a report
    /// says (RFC 3550 §6.4.1, RFC 3611 §4.5). `last` is 0 where the peer had nothing to refer to.
    pub fn sample_report(&mut self, now: u32, last: u32, delay: u32) {
        let round = now.wrapping_sub(last).wrapping_sub(delay);
        // More than half the range is a negative round trip: clocks were set, or the report is a lie.
        if last != 0 && round < 1 << 31 {
            self.sample(Duration::from_secs_f64(f64::from(round) / 65_536.0));
        }
    }

    /// The smoothed round trip, once measured.
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// When an answer may be missed: the round trip and twice its deviation, from 20 ms to 1 s.
    pub fn answer(&self) -> Duration {
        self.smoothed
            .map_or(UNKNOWN, |smoothed| smoothed + 2 * self.deviation)
            .clamp(ANSWER.0, ANSWER.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn samples_are_smoothed_and_their_deviation_is_waited_for() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.smoothed(), None);
        assert_eq!(round_trip.answer(), UNKNOWN);
        round_trip.sample(60 * MS);
        assert_eq!(round_trip.answer(), 120 * MS);
        for _ in 0..40 {
            round_trip.sample(60 * MS);
        }
        assert_eq!(round_trip.smoothed(), Some(60 * MS));
        assert!(round_trip.answer() < 61 * MS);
        round_trip.sample(100 * MS);
        let (smoothed, answer) = (
            round_trip.smoothed().unwrap_or_default(),
            round_trip.answer(),
        );
        assert_eq!(smoothed, 65 * MS);
        assert!(answer > 80 * MS && answer < 90 * MS, "{answer:?}");
    }

    #[test]
    fn a_report_tells_the_round_trip_and_a_lie_does_not() {
        let mut round_trip = RoundTrip::default();
        round_trip.sample_report(5, 0, 0);
        round_trip.sample_report(0x1_0000, 0x1_0000, 1);
        round_trip.sample_report(u32::MAX, 1, 0);
        assert_eq!(round_trip.smoothed(), None);
        // Sent before the clock's wrap, held for half a second.
        round_trip.sample_report(0x1_0000, 0xffff_e000, 0x8000);
        let expected = Duration::from_secs_f64(f64::from(0x1_2000 - 0x8000) / 65_536.0);
        assert_eq!(round_trip.smoothed(), Some(expected));
        assert_eq!(round_trip.answer(), ANSWER.1);
    }
}
