//! What receiver reports say (RFC 3550 §6.4.1), computed as in its appendices A.3 and A.8.

use std::time::{Duration, Instant};

use super::{ReportBlock, report::MAX_CUMULATIVE_LOST};
use crate::rtp::NtpTime;

/// Receive statistics of one source.
#[derive(Debug, Clone)]
pub struct ReceiveStatistics {
    ssrc: u32,
    received: u64,
    arrivals: Option<Arrivals>,
    /// Expected and received packets at the last report.
    reported: (u64, u64),
    /// The middle of the last sender report's NTP timestamp, and when it came.
    sender_report: Option<(u32, Instant)>,
}

/// What only exists once a packet came.
#[derive(Debug, Clone, Copy)]
struct Arrivals {
    first_at: Instant,
    lowest: u64,
    highest: u64,
    transit: u32,
    /// 16 times the jitter (A.8).
    jitter: u64,
}

impl ReceiveStatistics {
    /// Nothing has come yet.
    pub const fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            received: 0,
            arrivals: None,
            reported: (0, 0),
            sender_report: None,
        }
    }

    /// A packet came, duplicates included. `sequence` is unwrapped; `clock_rate` is of `timestamp`, per second.
    pub fn record(&mut self, now: Instant, sequence: u64, timestamp: u32, clock_rate: u32) {
        self.received += 1;
        let Some(arrivals) = &mut self.arrivals else {
            self.arrivals = Some(Arrivals {
                first_at: now,
                lowest: sequence,
                highest: sequence,
                transit: 0_u32.wrapping_sub(timestamp),
                jitter: 0,
            });
            return;
        };
        arrivals.lowest = arrivals.lowest.min(sequence);
        arrivals.highest = arrivals.highest.max(sequence);
        let elapsed = in_units(now.duration_since(arrivals.first_at), clock_rate);
        let transit = elapsed.wrapping_sub(timestamp);
        let difference = transit.wrapping_sub(arrivals.transit).cast_signed();
        arrivals.transit = transit;
        let decay = (arrivals.jitter + 8) >> 4;
        arrivals.jitter = arrivals.jitter - decay + u64::from(difference.unsigned_abs());
    }

    /// The source's sender report came.
    pub const fn on_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.sender_report = Some((ntp.middle(), now));
    }

    /// What to report now. The share of lost packets is since the last call. Without a packet so far all is 0.
    pub fn report_block(&mut self, now: Instant) -> ReportBlock {
        let expected = self.arrivals.map_or(0, |a| a.highest - a.lowest + 1);
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let lost = expected as i64 - self.received as i64;
        let bound = i64::from(MAX_CUMULATIVE_LOST);
        let (last_sr, delay) = self.sender_report.map_or((0, 0), |(ntp, at)| {
            let delay = now.duration_since(at).as_nanos() * 65_536 / 1_000_000_000;
            (ntp, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction_lost(
                expected - expected_before,
                self.received - received_before,
            ),
            cumulative_lost: lost.clamp(-bound - 1, bound) as i32,
            // Unwrapping starts in cycle 1, RTCP in cycle 0.
            highest_sequence: self
                .arrivals
                .map_or(0, |a| a.highest.saturating_sub(1 << 16) as u32),
            jitter: self.arrivals.map_or(0, |a| (a.jitter >> 4) as u32),
            last_sr,
            delay_since_last_sr: delay,
        }
    }
}

/// A.3: in 1/256; none if more came than was expected.
fn fraction_lost(expected: u64, received: u64) -> u8 {
    let lost = expected.saturating_sub(received);
    let fraction = (lost << 8).checked_div(expected).unwrap_or(0);
    u8::try_from(fraction).unwrap_or(u8::MAX)
}

fn in_units(elapsed: Duration, clock_rate: u32) -> u32 {
    (elapsed.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: u64 = 1 << 16;
    const FRAME: Duration = Duration::from_millis(20);

    /// Packets every 20 ms with the timestamps of a 48 kHz clock, but for those that are `lost`.
    fn receive(statistics: &mut ReceiveStatistics, start: Instant, lost: impl Fn(u64) -> bool) {
        for index in (0..100).filter(|index| !lost(*index)) {
            let now = start + FRAME * index as u32;
            let timestamp = (index as u32)
                .wrapping_mul(960)
                .wrapping_add(u32::MAX - 5000);
            statistics.record(now, CYCLE + 65_500 + index, timestamp, 48_000);
        }
    }

    #[test]
    fn loss_is_counted_across_the_wrap() {
        let start = Instant::now();
        let mut statistics = ReceiveStatistics::new(7);
        receive(&mut statistics, start, |index| index % 4 == 1);
        let report = statistics.report_block(start);
        assert_eq!(report.ssrc, 7);
        assert_eq!(report.cumulative_lost, 25);
        assert_eq!(report.fraction_lost, 64);
        assert_eq!(report.highest_sequence, 65_599);
        assert_eq!(report.jitter, 0);
        // Nothing came since.
        let report = statistics.report_block(start);
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 25));
    }

    #[test]
    fn duplicates_count_against_loss() {
        let start = Instant::now();
        let mut statistics = ReceiveStatistics::new(7);
        for sequence in [CYCLE, CYCLE, CYCLE, CYCLE + 1] {
            statistics.record(start, sequence, 0, 48_000);
        }
        let report = statistics.report_block(start);
        assert_eq!((report.cumulative_lost, report.fraction_lost), (-2, 0));
    }

    #[test]
    fn jitter_follows_the_deviation_of_arrivals() {
        let start = Instant::now();
        let mut statistics = ReceiveStatistics::new(7);
        // Every second packet is 10 ms late: transit times alternate by 480 units.
        for index in 0..400_u32 {
            let late = Duration::from_millis(u64::from(index % 2) * 10);
            let now = start + FRAME * index + late;
            statistics.record(now, CYCLE + u64::from(index), index * 960, 48_000);
        }
        let jitter = statistics.report_block(start).jitter;
        assert!((470..=480).contains(&jitter), "{jitter}");
    }

    #[test]
    fn a_sender_report_is_referred_to() {
        let start = Instant::now();
        let mut statistics = ReceiveStatistics::new(7);
        assert_eq!(statistics.report_block(start).last_sr, 0);
        statistics.on_sender_report(start, NtpTime::from_bits(0x1122_3344_5566_7788));
        let report = statistics.report_block(start + Duration::from_millis(1500));
        assert_eq!(report.last_sr, 0x3344_5566);
        assert_eq!(report.delay_since_last_sr, 98_304);
    }

    #[test]
    fn no_order_of_packets_overflows() {
        let start = Instant::now();
        let mut statistics = ReceiveStatistics::new(7);
        for (sequence, timestamp) in [
            (CYCLE, 0),
            (CYCLE, 1 << 31),
            (CYCLE, 0),
            (CYCLE, 1 << 31),
            (0, u32::MAX / 2),
            (1 << 48, u32::MAX),
        ] {
            statistics.record(start, sequence, timestamp, u32::MAX);
            statistics.report_block(start);
        }
    }
}
