//! Continuous sequence numbers and timestamps toward one viewer, whatever is forwarded: small pure rewriters.

use std::time::Instant;

/// A jump in the source's sequence numbers larger than this is closed: the viewer would wait for packets that will
/// never come (a publisher's outage), where a contiguous stream lets it go on at the next keyframe.
const MAX_GAP: u64 = 512;
/// Stretches of the source with a packet left out between them that are remembered, so that packets which arrive late
/// still find their place. Later ones than these are dropped.
const STRETCHES: usize = 32;

/// Numbers below the next one of which it is known whether they were used: a power of two. A packet that comes later
/// than these isn't sent any more.
const WINDOW: u64 = 1024;

/// Maps a source's extended sequence numbers to the viewer's.
///
/// Between switches the distance is constant, so a packet that arrives late still finds its place. Numbers go out once
/// and never backwards across a switch: SRTP's replay protection kills a session that steps back, and sealing two
/// packets under one number would break the cipher.
#[derive(Debug, Clone)]
pub(crate) struct SequenceRewriter {
    stretches: Stretches,
    /// The next number that was never used.
    next: u64,
    /// Where the present source began.
    begun: u64,
    /// One bit for each of the last [`WINDOW`] numbers below `next`: it was used, or left to nobody.
    used: [u64; WINDOW as usize / 64],
}

/// Runs of a source's numbers, the newest first: between two of them a number was left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Stretches([Stretch; STRETCHES]);

/// A run of the source's numbers at one distance from the viewer's.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    first: u64,
    /// One past the last; 0 in a stretch that was never used.
    end: u64,
    out: u64,
}

impl Stretches {
    /// Begins anew: `first` becomes `out`.
    pub(super) fn begin(&mut self, first: u64, out: u64) {
        *self = Self::default();
        self.0[0] = Stretch {
            first,
            end: u64::MAX,
            out,
        };
    }

    /// The viewer's number.
    pub(super) fn map(&self, number: u64) -> Option<u64> {
        let stretch = self.0.iter().find(|s| (s.first..s.end).contains(&number))?;
        Some(stretch.out + (number - stretch.first))
    }

    /// Leaves a number out: the one behind it takes its place, which is returned. `None` if a later number than `next`,
    /// the viewer's next, would move: that was given out already.
    pub(super) fn skip(&mut self, number: u64, next: u64) -> Option<u64> {
        let newest = &mut self.0[0];
        let out = newest.out + number.checked_sub(newest.first)?;
        if newest.end == 0 || out < next {
            return None;
        }
        let behind = Stretch {
            first: number + 1,
            end: u64::MAX,
            out,
        };
        if newest.first == number {
            *newest = behind;
        } else {
            newest.end = number;
            self.0.rotate_right(1);
            self.0[0] = behind;
        }
        Some(out)
    }
}

impl SequenceRewriter {
    pub(crate) fn new() -> Self {
        Self {
            stretches: Stretches::default(),
            next: 0,
            begun: 0,
            used: [0; WINDOW as usize / 64],
        }
    }

    /// Continues with a source whose first packet is `sequence`.
    pub(crate) fn switch(&mut self, sequence: u64) {
        self.stretches.begin(sequence, self.next);
        self.begun = self.next;
    }

    /// The viewer's number at the last switch.
    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// The viewer's number for a packet of the present source; `None` if it came before the switch, or if its number was
    /// given out already: a source may repeat a packet, and its number must not be sealed twice.
    pub(crate) fn map(&mut self, sequence: u64) -> Option<u64> {
        let mut out = self.stretches.map(sequence)?;
        if out > self.next + MAX_GAP {
            self.switch(sequence);
            out = self.next;
        }
        self.take(out).then_some(out)
    }

    /// Marks a number as used. False if it was, or if that isn't known any more.
    fn take(&mut self, out: u64) -> bool {
        if out + WINDOW < self.next {
            return false;
        }
        while self.next <= out {
            self.set(self.next, false);
            self.next += 1;
        }
        !self.set(out, true)
    }

    /// Sets a number's bit and returns what it was.
    fn set(&mut self, out: u64, used: bool) -> bool {
        let word = &mut self.used[(out / 64 % (WINDOW / 64)) as usize];
        let bit = 1 << (out % 64);
        let before = *word & bit != 0;
        *word = if used { *word | bit } else { *word & !bit };
        before
    }

    /// Leaves out a packet of the source, so that the viewer sees no gap. For one that comes late the gap is there: then
    /// its number is returned, to be filled with something else.
    pub(crate) fn skip(&mut self, sequence: u64) -> Option<u64> {
        let Some(out) = self.stretches.skip(sequence, self.next) else {
            let open = self.stretches.map(sequence)?;
            return self.take(open).then_some(open);
        };
        if out > self.next + MAX_GAP {
            self.switch(sequence + 1);
            return None;
        }
        while self.next < out {
            self.set(self.next, false);
            self.next += 1;
        }
        None
    }
}

/// Maps a source's timestamps to the viewer's.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimestampRewriter {
    offset: u32,
    last: Option<(u32, Instant)>,
    /// What the present source's first timestamp became.
    begun: Option<u32>,
}

impl TimestampRewriter {
    /// Continues with a source whose first packet bears `timestamp`. `aligned` is the viewer's timestamp for it where
    /// the clocks of both sources are known; else the time that passed decides. The first source keeps its timestamps.
    pub(crate) fn switch(
        &mut self,
        now: Instant,
        timestamp: u32,
        clock_rate: u32,
        aligned: Option<u32>,
    ) {
        let Some((last, at)) = self.last else {
            self.begun = Some(timestamp);
            return;
        };
        let elapsed = now.saturating_duration_since(at).as_secs_f64() * f64::from(clock_rate);
        let out = aligned.unwrap_or_else(|| last.wrapping_add(elapsed as u32));
        // At least 10 ms on: two frames with one timestamp are one frame to a decoder.
        let step = clock_rate / 100;
        let ahead = out.wrapping_sub(last) as i32;
        let out = if ahead < step as i32 {
            last.wrapping_add(step)
        } else {
            out
        };
        self.offset = out.wrapping_sub(timestamp);
        self.begun = Some(out);
    }

    /// The timestamp for a number that is left to nobody, in place of a packet with `timestamp`: none from before the
    /// present source began, though its packet may be.
    pub(crate) fn map_empty(&mut self, now: Instant, timestamp: u32) -> u32 {
        let out = self.map(now, timestamp);
        match self.begun {
            Some(begun) if (out.wrapping_sub(begun) as i32) < 0 => begun,
            _ => out,
        }
    }

    /// The viewer's timestamp for a packet of the present source.
    pub(crate) fn map(&mut self, now: Instant, timestamp: u32) -> u32 {
        let out = timestamp.wrapping_add(self.offset);
        if self
            .last
            .is_none_or(|(last, _)| out.wrapping_sub(last) as i32 > 0)
        {
            self.last = Some((out, now));
        }
        out
    }

    /// The viewer's timestamp for the source's `timestamp`, without sending anything.
    pub(crate) fn peek(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_late_packet_finds_its_place() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(1000);
        let first = rewriter.map(1000).unwrap();
        assert_eq!(rewriter.map(1002), Some(first + 2));
        assert_eq!(rewriter.map(1001), Some(first + 1));
        assert_eq!(rewriter.map(999), None);
    }

    #[test]
    fn a_switch_is_contiguous() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(50);
        let first = rewriter.map(50).unwrap();
        rewriter.map(52);
        rewriter.switch(9_000_000);
        assert_eq!(rewriter.map(9_000_000), Some(first + 3));
        assert_eq!(rewriter.map(51), None, "a packet of the old source");
    }

    #[test]
    fn a_skipped_packet_leaves_no_gap() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(50);
        let first = rewriter.map(50).unwrap();
        assert_eq!(rewriter.skip(51), None);
        assert_eq!(rewriter.map(52), Some(first + 1));
        rewriter.map(55);
        assert_eq!(
            rewriter.skip(54),
            Some(first + 3),
            "late: its number is open"
        );
        assert_eq!(rewriter.skip(54), None);
        assert_eq!(rewriter.map(54), None);
        assert_eq!(rewriter.map(56), Some(first + 5), "and nothing moves");
        rewriter.skip(58);
        assert_eq!(rewriter.map(59), Some(first + 7));
        assert_eq!(
            rewriter.map(57),
            Some(first + 6),
            "late, from before the packet left out"
        );
    }

    #[test]
    fn late_packets_find_their_place_between_many_left_out() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(0);
        // Pictures of four packets: every other one is left out.
        for picture in 0..20u64 {
            for sequence in 4 * picture..4 * picture + 4 {
                if picture % 2 == 1 {
                    assert_eq!(rewriter.skip(sequence), None);
                } else if sequence != 8 {
                    rewriter.map(sequence);
                }
            }
        }
        assert_eq!(rewriter.map(8), Some(4));
        assert_eq!(rewriter.map(80), Some(40));
    }

    #[test]
    fn an_outage_of_the_source_is_closed() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(0);
        let first = rewriter.map(0).unwrap();
        assert_eq!(rewriter.map(10_000), Some(first + 1));
    }

    #[test]
    fn a_packet_that_the_source_repeats_gets_no_second_number() {
        let mut rewriter = SequenceRewriter::new();
        rewriter.switch(1000);
        for sequence in 1000..3000 {
            assert!(rewriter.map(sequence).is_some());
            assert_eq!(rewriter.map(sequence), None);
            assert_eq!(rewriter.map(sequence - (sequence - 1000) / 2), None);
        }
        rewriter.skip(3001);
        assert_eq!(rewriter.map(3002), Some(2001));
        assert_eq!(rewriter.map(3000), Some(2000), "late");
        assert_eq!(rewriter.map(3000), None);
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let mut seen = std::collections::HashSet::new();
        let mut rewriter = SequenceRewriter::new();
        let mut random = 12345u64;
        for source in 0..50u64 {
            let start = 1000 + source * 100_000;
            rewriter.switch(start);
            for n in 0..200 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let sequence = start + n + (random >> 60);
                let out = if random & 0x3000 == 0 {
                    rewriter.skip(sequence)
                } else {
                    rewriter.map(sequence)
                };
                if let Some(out) = out {
                    assert!(seen.insert(out), "{out} was used twice");
                }
            }
        }
    }

    #[test]
    fn timestamps_advance_by_the_time_that_passed() {
        let start = Instant::now();
        let mut rewriter = TimestampRewriter::default();
        rewriter.switch(start, 5000, 90_000, None);
        assert_eq!(rewriter.map(start, 5000), 5000);
        let later = start + Duration::from_secs(2);
        rewriter.switch(later, 77, 90_000, None);
        assert_eq!(rewriter.map(later, 77), 185_000);
        rewriter.switch(later, 1, 90_000, Some(185_000));
        assert_eq!(
            rewriter.map(later, 1),
            185_900,
            "never the same timestamp for another frame"
        );
    }
}
