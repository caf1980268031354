//! How much arrives: the acknowledged bitrate, as libwebrtc estimates it. Each window's rate is one sample; the further
//! it lies from what is believed, the less it is believed.

/// The first estimate is drawn from this long, later ones from less.
const FIRST_WINDOW_US: i64 = 500_000;
const WINDOW_US: i64 = 150_000;
/// Doubt in a sample for its distance from the estimate.
const DOUBT: f64 = 10.0;
/// Variance that is added between two samples, in (kbit/s)².
const DRIFT: f64 = 5.0;
const FIRST_VARIANCE: f64 = 50.0;
/// Weight of a sample in the steady rate: frames don't fit windows, so samples of a steady stream vary by a fifth.
const STEADY_WEIGHT: f64 = 0.15;

/// Samples that say what arrives just now.
const RECENT: usize = 3;

/// The bitrate that the receiver acknowledges.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    estimate: Option<(f64, f64)>,
    /// In kbit/s, as the estimate.
    steady: f64,
    /// The last samples.
    recent: [f64; RECENT],
    bytes: u64,
    window: i64,
    last: Option<i64>,
}

impl Acknowledged {
    /// In bits per second.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.estimate.map(|(kilobits, _)| kilobits * 1e3)
    }

    /// The same over about a second, in bits per second.
    pub(crate) fn steady_rate(&self) -> Option<f64> {
        self.estimate.map(|_| self.steady * 1e3)
    }

    /// What arrived in about the last half second, if that is less than the estimate, in bits per second: the estimate
    /// takes as long again to follow a path that fell.
    pub(crate) fn recent_rate(&self) -> Option<f64> {
        let mean = self.recent.iter().sum::<f64>() / RECENT as f64;
        self.estimate.map(|(kilobits, _)| kilobits.min(mean) * 1e3)
    }

    /// Takes a packet that arrived at `at`, in microseconds of the receiver's clock.
    pub(crate) fn on_packet(&mut self, at: i64, bytes: u16) {
        let window = if self.estimate.is_none() {
            FIRST_WINDOW_US
        } else {
            WINDOW_US
        };
        let passed = self.last.map_or(0, |last| (at - last).max(0));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        self.window += passed;
        if passed > window {
            // A pause: what was sampled before it is of no use.
            self.bytes = 0;
            self.window %= window;
        }
        if self.window >= window {
            let kilobits = self.bytes as f64 * 8.0 / (window as f64 / 1e3);
            self.bytes = 0;
            self.window -= window;
            self.on_sample(kilobits);
        }
        self.bytes += u64::from(bytes);
    }

    fn on_sample(&mut self, sample: f64) {
        let Some((estimate, variance)) = self.estimate else {
            self.estimate = Some((sample, FIRST_VARIANCE));
            self.steady = sample;
            self.recent = [sample; RECENT];
            return;
        };
        self.recent.rotate_left(1);
        self.recent[RECENT - 1] = sample;
        self.steady += STEADY_WEIGHT * (sample - self.steady);
        let doubt = (DOUBT * (estimate - sample).abs() / (estimate + sample).max(1.0)).max(1e-3);
        let sample_variance = doubt * doubt;
        let predicted = variance + DRIFT;
        let sum = sample_variance + predicted;
        self.estimate = Some((
            (sample_variance * estimate + predicted * sample) / sum,
            sample_variance * predicted / sum,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: &mut Acknowledged, from_us: i64, span_us: i64, bits_per_second: i64) {
        let step = 1_200 * 8 * 1_000_000 / bits_per_second;
        for at in (from_us..from_us + span_us).step_by(step as usize) {
            rate.on_packet(at, 1_200);
        }
    }

    #[test]
    fn it_finds_a_steady_rate_and_follows_its_fall_within_a_second() {
        let mut rate = Acknowledged::default();
        assert_eq!(rate.rate(), None);
        run(&mut rate, 0, 2_000_000, 2_500_000);
        let seen = rate.rate().unwrap_or_default();
        assert!((2.3e6..2.7e6).contains(&seen), "{seen}");
        run(&mut rate, 2_000_000, 1_000_000, 800_000);
        let seen = rate.rate().unwrap_or_default();
        assert!((0.7e6..1.1e6).contains(&seen), "{seen}");
    }

    #[test]
    fn times_that_go_backwards_do_no_harm() {
        let mut rate = Acknowledged::default();
        for at in [0, 600_000, 5, i64::from(i32::MAX), -7, 700_000] {
            rate.on_packet(at, u16::MAX);
        }
        assert!(rate.rate().is_none_or(f64::is_finite));
    }
}
