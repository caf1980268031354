//! Sound as recognizers take it: 16 kHz, one channel, 16 bits.

use std::collections::VecDeque;

/// Samples a second that recognizers take.
pub const RATE: u32 = 16_000;
/// Of so many samples of 48 kHz one is left.
const FACTOR: usize = 3;
/// Taps of the low-pass filter, an odd number.
const TAPS: usize = 49;

/// Leaves every third sample, of what is below 8 kHz. Sans-IO.
#[derive(Debug)]
pub(super) struct Downsampler {
    taps: [f32; TAPS],
    /// The last samples, both channels together: as many as there are taps, and those that follow.
    recent: VecDeque<f32>,
}

impl Downsampler {
    pub(super) fn new() -> Self {
        Self {
            taps: low_pass(),
            recent: VecDeque::from(vec![0.0; TAPS - 1]),
        }
    }

    /// `samples`: of 48 kHz, left and right in turn.
    pub(super) fn take(&mut self, samples: &[f32]) -> Vec<i16> {
        let (pairs, _) = samples.as_chunks::<2>();
        self.recent
            .extend(pairs.iter().map(|[left, right]| (left + right) / 2.0));
        let mut taken = Vec::with_capacity(pairs.len() / FACTOR + 1);
        while self.recent.len() >= TAPS + FACTOR - 1 {
            let filtered: f32 = self
                .recent
                .iter()
                .zip(self.taps)
                .map(|(s, tap)| s * tap)
                .sum();
            taken.push((filtered * 32_767.0).clamp(-32_768.0, 32_767.0) as i16);
            self.recent.drain(..FACTOR);
        }
        taken
    }
}

/// A sinc of 7 kHz under a Hann window.
fn low_pass() -> [f32; TAPS] {
    let cutoff = 7_000.0 / 48_000.0;
    let middle = (TAPS - 1) as f32 / 2.0;
    let mut taps = [0.0; TAPS];
    for (index, tap) in taps.iter_mut().enumerate() {
        let at = index as f32 - middle;
        let angle = std::f32::consts::TAU * cutoff * at;
        let sinc = if at == 0.0 { 1.0 } else { angle.sin() / angle };
        let window = 0.5 + 0.5 * (std::f32::consts::PI * at / (middle + 1.0)).cos();
        *tap = sinc * window;
    }
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How loud a tone of so many hertz comes out, of 0.5.
    fn loudness(hertz: f32) -> f32 {
        let tone: Vec<f32> = (0..48_000)
            .flat_map(|i| {
                let angle = i as f32 / 48_000.0 * hertz * std::f32::consts::TAU;
                [angle.sin() * 0.5; 2]
            })
            .collect();
        let mut downsampler = Downsampler::new();
        let out: Vec<i16> = tone
            .chunks(2 * 1_024)
            .flat_map(|piece| downsampler.take(piece))
            .collect();
        assert!((15_990..=16_000).contains(&out.len()), "{}", out.len());
        let middle = &out[1_000..15_000];
        let loudest = middle.iter().map(|s| i32::from(*s).abs()).max();
        loudest.unwrap_or(0) as f32 / 32_767.0
    }

    #[test]
    fn speech_stays_and_what_would_fold_into_it_goes() {
        for hertz in [200.0, 1_000.0, 4_000.0] {
            assert!((loudness(hertz) - 0.5).abs() < 0.02, "{hertz} Hz");
        }
        for hertz in [9_500.0, 12_000.0, 15_000.0, 20_000.0] {
            assert!(loudness(hertz) < 0.01, "{hertz} Hz: {}", loudness(hertz));
        }
    }
}
