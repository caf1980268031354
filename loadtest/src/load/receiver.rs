//! One RTP stream as a viewer receives it: reports (RFC 3550 §6.4), and what is asked for again (RFC 4585 §6.2.1).

use std::time::{Duration, Instant};

use rtc_rtcp::reception_report::ReceptionReport;

/// The clock rate of Opus (RFC 7587 §4).
pub const SOUND_CLOCK: u32 = 48_000;
/// A gap is asked for after so long: what only came out of order has come by then.
const REORDERING: Duration = Duration::from_millis(10);
/// And again, until it comes.
const REPEAT: Duration = Duration::from_millis(100);
const MOST_TIMES: u8 = 8;
/// Gaps that are remembered.
const MOST_MISSING: usize = 512;
/// A jump that is no loss but something new.
const JUMP: u16 = 3_000;

#[derive(Debug)]
struct Missing {
    sequence: u16,
    ask_at: Instant,
    times: u8,
}

/// The state of one SSRC.
#[derive(Debug)]
pub struct Receiver {
    ssrc: u32,
    clock_rate: u32,
    base: u64,
    highest: u64,
    received: u64,
    before: (u64, u64),
    missing: Vec<Missing>,
    transit: Option<f64>,
    jitter: f64,
    sender_report: Option<(u32, Instant)>,
}

impl Receiver {
    /// The first packet has come.
    pub fn new(ssrc: u32, clock_rate: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            clock_rate,
            base: u64::from(sequence),
            highest: u64::from(sequence).wrapping_sub(1),
            received: 0,
            before: (0, 0),
            missing: Vec::new(),
            transit: None,
            jitter: 0.0,
            sender_report: None,
        }
    }

    /// Whether it is Opus.
    pub fn is_sound(&self) -> bool {
        self.clock_rate == SOUND_CLOCK
    }

    /// Whose it is.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// A packet came, at so many nanoseconds since 1970.
    pub fn note(&mut self, now: Instant, sequence: u16, timestamp: u32, arrived: u64) {
        self.received += 1;
        self.note_jitter(timestamp, arrived);
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead == 0 || ahead > u16::MAX / 2 {
            self.found(sequence);
            return;
        }
        if ahead < JUMP {
            for skipped in 1..ahead {
                self.miss(now, (self.highest as u16).wrapping_add(skipped));
            }
        } else {
            self.missing.clear();
        }
        self.highest = self.highest.wrapping_add(u64::from(ahead));
    }

    /// A packet that was missing came, if need be as a retransmission.
    pub fn found(&mut self, sequence: u16) {
        self.missing.retain(|missing| missing.sequence != sequence);
    }

    /// When [`Self::to_ask`] has something.
    pub fn next_ask(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.ask_at).min()
    }

    /// What to ask for now.
    pub fn to_ask(&mut self, now: Instant) -> Vec<u16> {
        let mut asked = Vec::new();
        for missing in self
            .missing
            .iter_mut()
            .filter(|missing| missing.ask_at <= now)
        {
            missing.ask_at = now + REPEAT;
            missing.times += 1;
            asked.push(missing.sequence);
        }
        self.missing.retain(|missing| missing.times < MOST_TIMES);
        asked
    }

    /// A sender report came, whose middle 32 bits of NTP time are these.
    pub fn on_sender_report(&mut self, now: Instant, middle: u32) {
        self.sender_report = Some((middle, now));
    }

    /// The block of the next receiver report.
    pub fn report(&mut self, now: Instant) -> ReceptionReport {
        let expected = self.highest.wrapping_sub(self.base).wrapping_add(1);
        let (expected_before, received_before) = self.before;
        self.before = (expected, self.received);
        let of = expected.saturating_sub(expected_before);
        let lost_now = of.saturating_sub(self.received - received_before);
        let (last, delay) = self.sender_report.map_or((0, 0), |(middle, at)| {
            let since = now.saturating_duration_since(at);
            (middle, (since.as_secs_f64() * 65_536.0) as u32)
        });
        ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost: (lost_now * 256).checked_div(of).unwrap_or(0).min(255) as u8,
            total_lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            last_sequence_number: self.highest as u32,
            jitter: self.jitter as u32,
            last_sender_report: last,
            delay,
        }
    }

    fn miss(&mut self, now: Instant, sequence: u16) {
        if self.missing.len() < MOST_MISSING {
            self.missing.push(Missing {
                sequence,
                ask_at: now + REORDERING,
                times: 0,
            });
        }
    }

    /// RFC 3550 §A.8.
    fn note_jitter(&mut self, timestamp: u32, arrived: u64) {
        let clock_rate = f64::from(self.clock_rate);
        let ticks = arrived as f64 / 1e9 * clock_rate;
        let transit = ticks - f64::from(timestamp);
        if let Some(before) = self.transit {
            let difference = (transit - before).abs();
            // A timestamp that wrapped or began anew is no jitter.
            if difference < clock_rate {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_asked_for_until_they_are_filled() {
        let start = Instant::now();
        let mut receiver = Receiver::new(1, 90_000, 65_534);
        for sequence in [65_534, 1, 2] {
            receiver.note(start, sequence, 0, 0);
        }
        assert!(receiver.to_ask(start).is_empty());
        let later = start + REORDERING;
        assert_eq!(receiver.next_ask(), Some(later));
        assert_eq!(receiver.to_ask(later), [65_535, 0]);
        assert_eq!(receiver.next_ask(), Some(later + REPEAT));
        assert!(receiver.to_ask(later).is_empty());
        receiver.note(later, 65_535, 0, 0);
        assert_eq!(receiver.to_ask(later + REPEAT), [0]);
        let report = receiver.report(later);
        assert_eq!(
            (report.total_lost, report.last_sequence_number),
            (1, 0x1_0002)
        );
        let asked = (0..20).filter(|i| !receiver.to_ask(later + REPEAT * (2 + i)).is_empty());
        assert_eq!(asked.count(), usize::from(MOST_TIMES) - 2);
    }
}
