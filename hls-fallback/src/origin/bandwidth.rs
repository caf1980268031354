//! What a rendition takes of a path, measured.

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bandwidth {
    pub(crate) peak: u64,
    pub(crate) average: u64,
}

impl Bandwidth {
    /// Of segments in order, each with its bytes and microseconds. The peak is that of any of them that follow each other and last
    /// between a half and one and a half target durations together (RFC 8216bis §4.1): one that was cut short by a reconnect
    /// counts with its neighbours, and by itself only where there's nothing else.
    pub(crate) fn measure(segments: impl Iterator<Item = (usize, u64)>, target: u64) -> Self {
        let segments: Vec<Span> = segments.map(Span::from).collect();
        let all = segments.iter().fold(Span::default(), Span::with);
        let average = all.rate();
        let peak = (0..segments.len()).filter_map(|first| peak_from(&segments[first..], target));
        Self {
            // What no such row takes in, as a short last one behind a long one, counts for the average all the same.
            peak: peak.max().unwrap_or(0).max(average),
            average,
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

/// Segments that follow each other.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    bytes: u64,
    micros: u64,
}

impl From<(usize, u64)> for Span {
    fn from((bytes, micros): (usize, u64)) -> Self {
        Self {
            bytes: bytes as u64,
            micros,
        }
    }
}

impl Span {
    fn with(self, next: &Self) -> Self {
        Self {
            bytes: self.bytes + next.bytes,
            micros: self.micros + next.micros,
        }
    }

    fn rate(self) -> u64 {
        self.bytes * 8_000_000 / self.micros.max(1)
    }
}

/// The largest rate of those that begin with the first segment. None, if they don't last long enough or the first one too long.
fn peak_from(segments: &[Span], target: u64) -> Option<u64> {
    let rows = segments.iter().scan(Span::default(), |row, next| {
        *row = row.with(next);
        Some(*row)
    });
    rows.take_while(|row| row.micros * 2 <= target * 3)
        .filter(|row| row.micros * 2 >= target)
        .map(Span::rate)
        .max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

    use super::*;

    const TARGET: u64 = 2_000_000;

    fn measured(segments: &[(usize, u64)]) -> (u64, u64) {
        let bandwidth = Bandwidth::measure(segments.iter().copied(), TARGET);
        (bandwidth.peak, bandwidth.average)
    }

    #[test]
    fn the_peak_is_the_largest_rate_of_a_target_duration_and_the_average_that_of_all() {
        let segments = [(250_000, 2_000_000), (500_000, 2_000_000)];
        assert_eq!(measured(&segments), (2_000_000, 1_500_000));
        assert_eq!(measured(&[]), (0, 0));
    }

    #[test]
    fn short_segments_count_with_their_neighbours() {
        // A keyframe and little more, as where the source is encoded from there on.
        let segments = [
            (100_000, 2_000_000),
            (90_000, 400_000),
            (100_000, 2_000_000),
        ];
        let (peak, average) = measured(&segments);
        assert_eq!(peak, 190_000 * 8 * 10 / 24);
        assert_eq!(average, 290_000 * 8 * 10 / 44);
        // Three that last long enough together; the last one alone has the largest rate, and is too short.
        let segments = [(10_000, 600_000), (20_000, 600_000), (40_000, 600_000)];
        assert_eq!(measured(&segments).0, 60_000 * 8 * 10 / 12);
    }

    #[test]
    fn the_average_is_never_above_the_peak() {
        // 0.2 s, which no row of up to 3 s takes in.
        let segments = [(100_000, 2_900_000), (900_000, 200_000)];
        let (peak, average) = measured(&segments);
        assert_eq!(peak, average);
        assert_eq!(measured(&[(1_000, 100_000)]), (80_000, 80_000));
        let mut random = SmallRng::seed_from_u64(8_216);
        for _ in 0..1_000 {
            let segment = |random: &mut SmallRng| {
                let bytes = random.random_range(1_000..1_000_000);
                (bytes, random.random_range(100_000..2_500_000))
            };
            let segments: Vec<_> = (0..8).map(|_| segment(&mut random)).collect();
            let (peak, average) = measured(&segments);
            assert!(average <= peak, "{segments:?}");
        }
    }
}
