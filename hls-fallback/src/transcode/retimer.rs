//! The source's own pictures on the grid: none is left out, since others refer to it. Sans-IO.
//!
//! A picture lasts until the next one comes, so it is given out with that. Each begins with a slot, by its time; of those that
//! come for one slot, each gets a share of it; a slot that nothing came for belongs to the picture before. Parts end where they
//! would if all were even: a picture that comes for a slot behind the end of a part begins there, if that isn't much too early.

use super::cadence::Cadence;
use crate::media::Moment;

/// A picture stays in the slot after the last one's while it is closer to it than this share of a slot, as those that are encoded
/// do ([`super::grid`]): drift is made up for by a whole slot, once it is nearly one.
const STICKS: f64 = 0.8;
/// Pictures that share a slot at most. The usual rates need three, for 144 a second at 60.
const MOST_SHARE: usize = 8;
/// A picture whose time is so many microseconds before its place isn't late, but of another time.
const BACK: i64 = 500_000;

/// A picture with its place, in ticks of video's timescale.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timed<P> {
    pub(super) picture: P,
    pub(super) time: u64,
    pub(super) duration: u32,
}

/// Why pictures can't be put on the grid as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Irregular {
    /// None came for so long that a part would have no picture of its own.
    Gap,
    /// Too many for a slot.
    Crowd,
    /// It is of the past.
    Back,
}

/// Gives the pictures of the source their places. The first one is in hand from the beginning.
#[derive(Debug)]
pub(super) struct Retimer<P> {
    cadence: Cadence,
    /// Where the segment began: parts are counted from there.
    segment: u64,
    /// The slot of those that are in hand.
    at: u64,
    held: Vec<P>,
}

impl<P> Retimer<P> {
    /// `picture` is in `slot`, and begins a segment.
    pub(super) fn new(cadence: Cadence, slot: u64, picture: P) -> Self {
        Self {
            cadence,
            segment: slot,
            at: slot,
            held: vec![picture],
        }
    }

    /// Where the slots end that are given away.
    pub(super) fn frontier(&self) -> u64 {
        self.at + 1
    }

    /// The slot of the next picture. `alone`: it doesn't share one, so that it can begin a segment.
    pub(super) fn slot_for(&self, time: Moment, alone: bool) -> Result<u64, Irregular> {
        let exact = self.cadence.place_of(time);
        let next = self.at + 1;
        if self.cadence.time_of(self.at).since(time) > BACK {
            return Err(Irregular::Back);
        }
        let by_time = if (exact - next as f64).abs() < STICKS {
            next
        } else {
            (exact.round().max(0.0) as u64).max(self.at)
        };
        let slot = if alone { by_time.max(next) } else { by_time };
        if slot == self.at {
            let full = self.held.len() >= MOST_SHARE;
            return if full {
                Err(Irregular::Crowd)
            } else {
                Ok(slot)
            };
        }
        let end = self.part_end();
        if slot > end + self.patience() {
            return Err(Irregular::Gap);
        }
        Ok(slot.min(end))
    }

    /// Takes the next picture in `slot`, which [`Self::slot_for`] gave, and gives out those before it if it is another one.
    pub(super) fn take(&mut self, picture: P, slot: u64, emit: impl FnMut(Timed<P>)) {
        if slot > self.at {
            self.flush(slot, emit);
            self.at = slot;
        }
        self.held.push(picture);
    }

    /// The slot of the picture in hand begins a segment.
    pub(super) fn begin_segment(&mut self) {
        self.segment = self.at;
    }

    /// The slot until which the next picture is waited for, at most.
    pub(super) fn waits_until(&self) -> u64 {
        self.part_end() + self.patience() + 1
    }

    /// Where what is given out ends, if nothing more is taken: before a picture of `time`, or at the end of the part.
    pub(super) fn end_before(&self, time: Option<Moment>) -> u64 {
        let end = self.part_end();
        let natural = time.map(|time| self.cadence.place_of(time).round().max(0.0) as u64);
        natural.unwrap_or(end).clamp(self.at + 1, end)
    }

    /// Gives out what is in hand, which lasts until `slot`.
    pub(super) fn finish(mut self, slot: u64, emit: impl FnMut(Timed<P>)) {
        self.flush(slot, emit);
    }

    /// A picture may be shown early by a part: behind a gap there's nothing else to show.
    fn patience(&self) -> u64 {
        u64::from(self.cadence.part)
    }

    /// Where the part ends that the picture in hand is in: at the latest with the segment, which may last no longer.
    fn part_end(&self) -> u64 {
        let part = u64::from(self.cadence.part);
        let lasted = self.at - self.segment;
        let longest = u64::from(self.cadence.longest).max(lasted + 1);
        self.segment + ((lasted / part + 1) * part).min(longest)
    }

    fn flush(&mut self, until: u64, mut emit: impl FnMut(Timed<P>)) {
        let slot = u64::from(self.cadence.ticks_per_slot());
        let (begin, end) = (self.at * slot, until * slot);
        let count = self.held.len() as u64;
        // They share the first slot; the last one has all slots after it as well.
        for (i, picture) in (0..).zip(self.held.drain(..)) {
            let time = begin + slot * i / count;
            let next = if i + 1 == count {
                end
            } else {
                begin + slot * (i + 1) / count
            };
            emit(Timed {
                picture,
                time,
                duration: (next - time) as u32,
            });
        }
    }
}

#[cfg(test)]
#[path = "retimer_tests.rs"]
mod tests;
