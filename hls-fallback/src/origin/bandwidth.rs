//! What a rendition takes of a path, measured.

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bandwidth {
    pub(crate) peak: u64,
    pub(crate) average: u64,
}

impl Bandwidth {
    /// Of segments, each with its bytes and microseconds. The peak is that of the segments of at least half a target
    /// duration (RFC 8216bis §4.1): what was cut short by a reconnect doesn't count, unless there's nothing else.
    pub(crate) fn measure(
        segments: impl Iterator<Item = (usize, u64)> + Clone,
        target: u64,
    ) -> Self {
        let rate = |(bytes, micros): (usize, u64)| bytes as u64 * 8_000_000 / micros.max(1);
        let whole = segments.clone().filter(|(_, micros)| micros * 2 >= target);
        let peak = whole
            .map(rate)
            .max()
            .or_else(|| segments.clone().map(rate).max());
        let total = segments.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        Self {
            peak: peak.unwrap_or(0),
            average: rate(total),
        }
    }

    /// Of what is encoded with so many bits per second, before it is: no more than a fifth above that for long
    /// ([`crate::transcode::EncoderKind`]).
    pub(super) fn expected(bitrate: u32) -> Self {
        let average = u64::from(bitrate);
        Self {
            peak: average + average / 5,
            average,
        }
    }

    /// Of both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            peak: self.peak + other.peak,
            average: self.average + other.average,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_peak_is_the_largest_whole_segments_rate_and_the_average_that_of_all() {
        let segments = [
            (250_000, 2_000_000),
            (500_000, 2_000_000),
            (100_000, 100_000),
        ];
        let bandwidth = Bandwidth::measure(segments.into_iter(), 2_000_000);
        assert_eq!(bandwidth.peak, 2_000_000);
        assert_eq!(bandwidth.average, 850_000 * 8 * 10 / 41);
    }
}
