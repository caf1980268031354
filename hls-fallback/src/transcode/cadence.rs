//! Where parts and segments of a broadcast begin: the same in all its renditions.

use std::time::Duration;

use crate::media::{Moment, Rate};

/// The timescale of video is at least so many ticks a second.
const LEAST_TIMESCALE: u32 = 10_000;

/// Seven frames of AAC are about as long: of fewer, one more or less would be over 15 % of a part, which is the most that parts may
/// differ by (RFC 8216bis §4.4.4.9).
const SHORTEST_PART: Duration = Duration::from_millis(150);

/// Seconds that a segment may last beyond whole ones: less than half of one, which would be rounded up.
const ROUNDED_DOWN: f64 = 0.49;

/// The lengths of parts and segments, in slots of the grid. A part lasts a whole number of slots, so that its length is exact at
/// any frame rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// When slot 0 is.
    pub epoch: Moment,
    /// Slots a second.
    pub rate: Rate,
    /// Slots of a part.
    pub part: u32,
    /// Slots of a segment that is encoded: a whole number of parts.
    pub segment: u32,
    /// Slots of a segment at most: while the source is passed through, its keyframes say where segments begin. Rounded to seconds, none is longer than [`Self::segment_seconds`] (RFC 8216bis §4.4.3.1).
    pub longest: u32,
    /// The number of the segment that begins with slot 0.
    pub first_segment: u64,
}

impl Cadence {
    /// Parts and segments as close to these lengths as whole slots allow; parts of at least 150 ms and at most half a segment, segments
    /// of at least a second.
    pub fn new(
        (epoch, first_segment): (Moment, u64),
        rate: Rate,
        part: Duration,
        segment: Duration,
    ) -> Self {
        let slots = |length: Duration| length.as_secs_f64() * rate.per_second();
        let at_least = segment.max(Duration::from_secs(1));
        let shortest = slots(SHORTEST_PART).ceil() as u32;
        let longest = (slots(at_least) / 2.0) as u32;
        let part = (slots(part).round() as u32).clamp(shortest, longest.max(shortest));
        // A hair less, so that 2 s at 29.97 a second are 60 slots.
        let parts = ((slots(at_least) - 0.1) / f64::from(part)).ceil() as u32;
        let segment = parts.max(1) * part;
        let seconds = (f64::from(segment) / rate.per_second()).round();
        let longest = ((seconds + ROUNDED_DOWN) * rate.per_second()) as u32;
        Self {
            epoch,
            rate,
            part,
            segment,
            longest: longest.max(segment),
            first_segment,
        }
    }

    /// Slots of a second, to the nearest.
    pub fn second(&self) -> u32 {
        self.rate.per_second().round() as u32
    }

    /// The slots that last at least so many microseconds.
    pub(super) fn slots(&self, micros: i64) -> u64 {
        (micros.max(0) as f64 * self.rate.per_second() / 1e6).ceil() as u64
    }

    /// When slot `number` is.
    pub(super) fn time_of(&self, number: u64) -> Moment {
        self.epoch.plus(self.ticks_at(number, 1_000_000) as i64)
    }

    /// The slot of `time`, as a fraction; negative before the epoch.
    pub(super) fn place_of(&self, time: Moment) -> f64 {
        time.since(self.epoch) as f64 * self.rate.per_second() / 1e6
    }

    /// The length of segments, rounded to whole seconds as `EXT-X-TARGETDURATION` is.
    pub fn segment_seconds(&self) -> u32 {
        (f64::from(self.segment) / self.rate.per_second()).round() as u32
    }

    /// Ticks of video's timescale in a slot.
    pub fn ticks_per_slot(&self) -> u32 {
        self.rate.denominator * self.multiple()
    }

    /// Ticks of video a second.
    pub fn video_timescale(&self) -> u32 {
        self.rate.numerator * self.multiple()
    }

    fn multiple(&self) -> u32 {
        LEAST_TIMESCALE.div_ceil(self.rate.numerator)
    }

    /// When slot `number` is, in ticks of `timescale` since the epoch, rounded up.
    pub fn ticks_at(&self, number: u64, timescale: u32) -> u64 {
        let ticks = u128::from(number) * u128::from(self.rate.denominator) * u128::from(timescale);
        ticks.div_ceil(u128::from(self.rate.numerator)) as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn cadence(numerator: u32, denominator: u32) -> Cadence {
        let rate = Rate {
            numerator,
            denominator,
        };
        let epoch = Moment(1_700_000_000_500_000);
        Cadence::new(
            (epoch, 700),
            rate,
            Duration::from_millis(200),
            Duration::from_secs(2),
        )
    }

    #[test]
    fn parts_are_whole_frames_close_to_the_length_asked_for() {
        let lengths = [
            (24, 1, 5, 50),
            (25, 1, 5, 50),
            (30_000, 1_001, 6, 60),
            (30, 1, 6, 60),
            (50, 1, 10, 100),
            (60, 1, 12, 120),
        ];
        for (numerator, denominator, part, segment) in lengths {
            let cadence = cadence(numerator, denominator);
            assert_eq!(
                (cadence.part, cadence.segment),
                (part, segment),
                "{numerator}/{denominator}"
            );
            assert!(cadence.video_timescale() >= LEAST_TIMESCALE);
            let longest = f64::from(cadence.longest) / cadence.rate.per_second();
            assert!((2.45..2.5).contains(&longest), "{longest}");
            let rate = f64::from(cadence.video_timescale()) / f64::from(cadence.ticks_per_slot());
            assert!((rate - cadence.rate.per_second()).abs() < 1e-9);
        }
    }

    #[test]
    fn whatever_is_asked_for_can_be_presented() {
        for (numerator, denominator) in [(15, 1), (20, 1), (24, 1), (30_000, 1_001), (60, 1)] {
            let rate = Rate {
                numerator,
                denominator,
            };
            for part in [160, 161, 250, 333, 500, 1_000] {
                for segment in [1_000, 1_500, 2_000, 6_000] {
                    let (part, segment) =
                        (Duration::from_millis(part), Duration::from_millis(segment));
                    let cadence = Cadence::new((Moment(0), 0), rate, part, segment);
                    let settings = crate::origin::Settings {
                        grid: rate,
                        part_frames: cadence.part,
                        target_duration: cadence.segment_seconds(),
                        audio_rate: 48_000,
                        opus: false,
                        epoch: Moment(0),
                        window: Duration::from_mins(1),
                    };
                    let made = crate::origin::Presentation::new(settings);
                    assert!(made.is_ok(), "{rate:?}, {part:?}, {segment:?}: {made:?}");
                }
            }
        }
    }

    #[test]
    fn segments_begin_at_the_same_time_in_all_timescales() {
        let cadence = cadence(30_000, 1_001);
        assert_eq!(
            cadence.ticks_at(60, cadence.video_timescale()),
            60 * u64::from(cadence.ticks_per_slot())
        );
        // 2.002 s
        assert_eq!(cadence.ticks_at(60, 48_000), 96_096);
        assert_eq!(cadence.segment_seconds(), 2);
    }
}
