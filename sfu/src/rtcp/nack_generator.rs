//! Decides what to ask a publisher to resend, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a packet may be late before it counts as lost: networks reorder within a burst.
const REORDER_TOLERANCE: Duration = Duration::from_millis(5);
/// The least time between two requests for a packet, for round-trip times near zero.
const MIN_RETRY: Duration = Duration::from_millis(20);
/// How often a packet is asked for before it is given up.
const MAX_TRIES: u8 = 10;
/// How old a gap may be before it is given up: viewers have played past it by then.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The most packets that are missed at a time. A longer gap isn't loss but a jump, and none of it is asked for.
const MAX_MISSING: usize = 500;
/// The most packets that one request names, so that at worst (none near another) it fits a datagram.
const MAX_PER_REQUEST: usize = 250;

/// Which packets of one source to ask for and when: first after a small tolerance for reordering, then once a
/// round-trip time, up to 10 times and 1 s.
///
/// Driven by `on_packet`; `take_due` when `next_timeout` has come.
#[derive(Debug, Clone, Default)]
pub struct NackGenerator {
    highest: Option<u64>,
    /// Ascending by sequence number, [`MAX_MISSING`] at most; the oldest give way.
    missing: VecDeque<Missing>,
    given_up: bool,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    sequence: u64,
    noticed: Instant,
    due: Instant,
    tries: u8,
}

impl NackGenerator {
    /// Misses nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet came, the first time or resent, with its unwrapped sequence number.
    pub fn on_packet(&mut self, now: Instant, sequence: u64) {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return;
        };
        if sequence <= highest {
            if let Ok(index) = self.missing.binary_search_by_key(&sequence, |m| m.sequence) {
                self.missing.remove(index);
            }
            return;
        }
        self.highest = Some(sequence);
        self.miss(now, highest + 1, sequence);
    }

    fn miss(&mut self, now: Instant, from: u64, to: u64) {
        let gap = to - from;
        if gap > MAX_MISSING as u64 {
            self.missing.clear();
            self.given_up = true;
            return;
        }
        let excess = (self.missing.len() + gap as usize).saturating_sub(MAX_MISSING);
        self.missing.drain(..excess);
        self.given_up |= excess > 0;
        self.missing.extend((from..to).map(|sequence| Missing {
            sequence,
            noticed: now,
            due: now + REORDER_TOLERANCE,
            tries: 0,
        }));
    }

    /// When `take_due` has something to say.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.due).min()
    }

    /// Appends the packets to ask for now to `out`, ascending and 250 at most; the rest stays due. Packets that were
    /// asked for too often or for too long are forgotten.
    pub fn take_due(&mut self, now: Instant, rtt: Duration, out: &mut Vec<u16>) {
        let retry = now + rtt.max(MIN_RETRY);
        let mut room = MAX_PER_REQUEST;
        let mut given_up = false;
        self.missing.retain_mut(|missing| {
            if missing.due > now || room == 0 {
                return true;
            }
            if missing.tries == MAX_TRIES || now.duration_since(missing.noticed) > MAX_AGE {
                given_up = true;
                return false;
            }
            out.push(missing.sequence as u16);
            room -= 1;
            missing.tries += 1;
            missing.due = retry;
            true
        });
        self.given_up |= given_up;
    }

    /// Whether packets were given up since the last call: what depends on them can't be decoded any more.
    pub fn take_given_up(&mut self) -> bool {
        std::mem::take(&mut self.given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn due(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        generator.take_due(now, RTT, &mut out);
        out
    }

    #[test]
    fn packets_in_order_are_never_asked_for() {
        let start = Instant::now();
        let mut generator = NackGenerator::new();
        for sequence in 65_530..65_545 {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.next_timeout(), None);
        assert!(due(&mut generator, start + MAX_AGE).is_empty());
    }

    #[test]
    fn a_gap_is_asked_for_after_the_tolerance_and_then_once_a_round_trip() {
        let start = Instant::now();
        let mut generator = NackGenerator::new();
        generator.on_packet(start, 131_070);
        generator.on_packet(start, 131_074);
        assert!(due(&mut generator, start).is_empty());
        let first = start + REORDER_TOLERANCE;
        assert_eq!(generator.next_timeout(), Some(first));
        assert_eq!(due(&mut generator, first), [65_535, 0, 1]);
        assert!(due(&mut generator, first).is_empty());
        assert_eq!(generator.next_timeout(), Some(first + RTT));
        generator.on_packet(first, 131_072);
        assert_eq!(due(&mut generator, first + RTT), [65_535, 1]);
    }

    #[test]
    fn reordered_packets_are_not_asked_for() {
        let start = Instant::now();
        let mut generator = NackGenerator::new();
        for sequence in [70_000, 70_002, 70_001, 70_003] {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.next_timeout(), None);
    }

    #[test]
    fn a_packet_is_given_up_after_so_many_tries_or_so_long() {
        let start = Instant::now();
        for (step, expected) in [
            (Duration::from_millis(60), MAX_TRIES),
            (Duration::from_millis(300), 4),
        ] {
            let mut generator = NackGenerator::new();
            generator.on_packet(start, 70_000);
            generator.on_packet(start, 70_002);
            let mut now = start + REORDER_TOLERANCE;
            let mut tries = 0;
            while generator.next_timeout().is_some() {
                tries += due(&mut generator, now).len();
                now += step;
            }
            assert_eq!(tries, usize::from(expected));
        }
    }

    #[test]
    fn the_oldest_give_way_at_the_bound() {
        let start = Instant::now();
        let mut generator = NackGenerator::new();
        // Every second packet is lost.
        for sequence in (70_000..72_000).step_by(2) {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.missing.len(), MAX_MISSING);
        let now = start + REORDER_TOLERANCE;
        let first = due(&mut generator, now);
        assert_eq!(first.len(), MAX_PER_REQUEST);
        assert_eq!(first.first(), Some(&(70_999_u64 as u16)));
        assert_eq!(due(&mut generator, now).len(), MAX_MISSING - first.len());
    }

    #[test]
    fn a_jump_is_no_loss() {
        let start = Instant::now();
        let mut generator = NackGenerator::new();
        for sequence in [70_000, 70_002, 71_000] {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.next_timeout(), None);
    }
}
