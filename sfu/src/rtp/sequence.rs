//! Counters that wrap on the wire, and the ones they stand for.

/// What the first sequence number is raised by, so that packets before it have numbers as well.
const FIRST_CYCLE: u64 = 1 << 16;

/// Unwraps 16-bit sequence numbers: each is taken for the number nearest to the highest so far (RFC 3711 §3.3.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct SequenceUnwrapper {
    highest: Option<u64>,
}

impl SequenceUnwrapper {
    /// The number that `sequence` stands for. The first one becomes 65536 + `sequence`; the lower 16 bits are always
    /// `sequence`. A number that would lie before 0 becomes one ahead.
    pub fn unwrap(&mut self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = FIRST_CYCLE + u64::from(sequence);
            self.highest = Some(first);
            return first;
        };
        let step = sequence.wrapping_sub(highest as u16);
        let unwrapped = highest
            .checked_add_signed(i64::from(step.cast_signed()))
            .unwrap_or(highest + u64::from(step));
        self.highest = Some(highest.max(unwrapped));
        unwrapped
    }

    /// The highest number so far.
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// Unwraps 32-bit RTP timestamps: each is taken for the one nearest to the latest so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimestampUnwrapper {
    latest: Option<i64>,
}

impl TimestampUnwrapper {
    /// The timestamp that `timestamp` stands for. The first one becomes itself; earlier ones may be negative. The lower
    /// 32 bits are always `timestamp`.
    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let Some(latest) = self.latest else {
            let first = i64::from(timestamp);
            self.latest = Some(first);
            return first;
        };
        let step = timestamp.wrapping_sub(latest as u32).cast_signed();
        let unwrapped = latest + i64::from(step);
        self.latest = Some(latest.max(unwrapped));
        unwrapped
    }

    /// The latest timestamp so far.
    pub const fn latest(&self) -> Option<i64> {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequence_numbers_go_on_over_the_wrap_and_back() {
        let mut unwrapper = SequenceUnwrapper::default();
        assert_eq!(unwrapper.highest(), None);
        assert_eq!(unwrapper.unwrap(0xFFFE), 0x1_FFFE);
        assert_eq!(unwrapper.unwrap(1), 0x2_0001);
        assert_eq!(unwrapper.unwrap(0xFFFF), 0x1_FFFF);
        assert_eq!(unwrapper.highest(), Some(0x2_0001));
    }

    #[test]
    fn packets_before_the_first_have_numbers() {
        let mut unwrapper = SequenceUnwrapper::default();
        assert_eq!(unwrapper.unwrap(0), 65_536);
        assert_eq!(unwrapper.unwrap(0xFFFF), 65_535);
    }

    #[test]
    fn timestamps_go_on_over_the_wrap_and_back() {
        let mut unwrapper = TimestampUnwrapper::default();
        assert_eq!(unwrapper.unwrap(10), 10);
        assert_eq!(unwrapper.unwrap(u32::MAX), -1);
        assert_eq!(unwrapper.unwrap(0x7000_0000), 0x7000_0000);
        assert_eq!(unwrapper.unwrap(0xE000_0000), 0xE000_0000);
        assert_eq!(unwrapper.unwrap(5), 0x1_0000_0005);
        assert_eq!(unwrapper.latest(), Some(0x1_0000_0005));
    }

    proptest! {
        #[test]
        fn the_lower_bits_are_kept(numbers: Vec<u16>, stamps: Vec<u32>) {
            let mut sequences = SequenceUnwrapper::default();
            for number in numbers {
                prop_assert_eq!(sequences.unwrap(number) as u16, number);
            }
            let mut timestamps = TimestampUnwrapper::default();
            for stamp in stamps {
                prop_assert_eq!(timestamps.unwrap(stamp) as u32, stamp);
            }
        }

        #[test]
        fn a_walk_in_small_steps_is_followed(start: u16, steps in prop::collection::vec(-300_i64..3000, 1..200)) {
            let mut unwrapper = SequenceUnwrapper::default();
            let mut position = unwrapper.unwrap(start);
            for step in steps {
                position = position.saturating_add_signed(step);
                prop_assert_eq!(unwrapper.unwrap(position as u16), position);
                position = unwrapper.highest().unwrap_or(position);
            }
        }
    }
}
