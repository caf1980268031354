//! The tone: a soft hum, and a beep from each full second on, together with the picture's flash.

use std::f32::consts::TAU;

use super::picture::FLASH_MS;

/// Samples per second and channel.
pub(super) const SAMPLE_RATE: u32 = 48_000;
/// Interleaved channels.
pub(super) const CHANNELS: usize = 2;
/// Samples per channel of one 20 ms packet.
pub(super) const PACKET_SAMPLES: usize = 960;

const HUM_HZ: f32 = 220.0;
const HUM_AMPLITUDE: f32 = 0.02;
const BEEP_HZ: f32 = 1000.0;
const BEEP_AMPLITUDE: f32 = 0.3;

/// Fills one packet that begins at `unix_us` (microseconds).
///
/// Both frequencies complete whole periods in a second, so packets join without a click.
pub(super) fn fill(packet: &mut [f32; PACKET_SAMPLES * CHANNELS], unix_us: u64) {
    let first = (unix_us % 1_000_000) as f32 * (SAMPLE_RATE as f32 / 1e6);
    for (i, frame) in packet.chunks_exact_mut(CHANNELS).enumerate() {
        let second = (first + i as f32) / SAMPLE_RATE as f32 % 1.0;
        frame.fill(sample(second));
    }
}

fn sample(second: f32) -> f32 {
    let hum = HUM_AMPLITUDE * (TAU * HUM_HZ * second).sin();
    if second * 1000.0 >= FLASH_MS as f32 {
        return hum;
    }
    hum + BEEP_AMPLITUDE * (TAU * BEEP_HZ * second).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(unix_us: u64) -> f32 {
        let mut packet = [0.0; PACKET_SAMPLES * CHANNELS];
        fill(&mut packet, unix_us);
        packet
            .iter()
            .fold(0.0, |loudest, sample| sample.abs().max(loudest))
    }

    #[test]
    fn it_beeps_for_a_tenth_of_each_second() {
        let second = 1_795_003_200_000_000;
        for offset in [0, 40_000, 80_000, 990_000] {
            assert!(loudest(second + offset) > 0.25, "beep at {offset} µs");
        }
        for offset in [100_000, 500_000, 970_000] {
            let loudest = loudest(second + offset);
            assert!(
                (0.01..0.05).contains(&loudest),
                "hum at {offset} µs, not {loudest}"
            );
        }
    }
}
