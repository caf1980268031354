//! Where the segments of a broadcast begin: the same in all its renditions. Sans-IO.
//!
//! While the source is encoded, the next segment's beginning is known ahead, as the one before lasts so long; it may be brought
//! forward as long as nobody has come there. While it is passed through, a keyframe of the source begins a segment, and nobody
//! knows ahead.

use super::cadence::Cadence;

/// A segment that begins with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) number: u64,
    pub(super) slot: u64,
}

#[derive(Debug)]
pub(super) struct Segments {
    cadence: Cadence,
    /// The last one that has begun.
    current: Option<Beginning>,
    /// The slot that the next one begins with, where that is known.
    planned: Option<u64>,
}

impl Segments {
    /// None has begun. The first one is planned to begin with slot 0.
    pub(super) fn new(cadence: Cadence) -> Self {
        Self {
            cadence,
            current: None,
            planned: Some(0),
        }
    }

    pub(super) fn current(&self) -> Option<Beginning> {
        self.current
    }

    /// The next one, where its beginning is known.
    pub(super) fn next(&self) -> Option<Beginning> {
        let slot = self.planned?;
        let number = self.next_number();
        Some(Beginning { number, slot })
    }

    pub(super) fn next_number(&self) -> u64 {
        self.current
            .map_or(self.cadence.first_segment, |current| current.number + 1)
    }

    /// How long the current one has lasted when `slot` comes.
    pub(super) fn lasted(&self, slot: u64) -> u64 {
        self.current
            .map_or(0, |current| slot.saturating_sub(current.slot))
    }

    /// The next one begins now, with `slot`. The one after it follows when that has lasted as long as segments that are encoded
    /// do, or is not planned.
    pub(super) fn begin(&mut self, slot: u64, plans: bool) -> Beginning {
        let begun = Beginning {
            number: self.next_number(),
            slot,
        };
        self.current = Some(begun);
        self.planned = plans.then(|| slot + u64::from(self.cadence.segment));
        begun
    }

    /// Whether the next one may begin with `slot`: segments are numbered by the clock, so that on average none lasts less than a
    /// second (see [`crate::origin::first_segment_number`]).
    pub(super) fn may_begin(&self, slot: u64) -> bool {
        let Some(current) = self.current else {
            return true;
        };
        let numbers = self.next_number() - self.cadence.first_segment;
        let seconds = self.cadence.ticks_at(slot, 1);
        slot >= current.slot + u64::from(self.cadence.part) && numbers <= seconds
    }

    /// Whether a keyframe of the source in `slot` is to begin a segment, where the next one is expected so many slots later: once
    /// the current one has lasted a second, or if it would get too long until then.
    pub(super) fn begins_with_keyframe(&self, slot: u64, next_after: u64) -> bool {
        let lasted = self.lasted(slot);
        let enough = lasted >= u64::from(self.cadence.second());
        let too_long = lasted + next_after > u64::from(self.cadence.longest);
        self.current.is_none() || (enough || too_long) && self.may_begin(slot)
    }

    /// Has the current one end as soon as it has lasted a second, with a whole part: somebody waits for the next. Nobody has come
    /// to `frontier` yet. True if that changes what is planned.
    pub(super) fn shorten(&mut self, frontier: u64) -> bool {
        let (Some(current), Some(planned)) = (self.current, self.planned) else {
            return false;
        };
        let part = u64::from(self.cadence.part);
        let least = u64::from(self.cadence.second()).max(frontier.saturating_sub(current.slot));
        let slot = current.slot + least.div_ceil(part) * part;
        let sooner = slot < planned && self.may_begin(slot);
        if sooner {
            self.planned = Some(slot);
        }
        sooner
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use super::*;
    use crate::media::{Moment, Rate};

    fn segments() -> Segments {
        let rate = Rate {
            numerator: 30,
            denominator: 1,
        };
        let (part, segment) = (Duration::from_millis(200), Duration::from_secs(2));
        Segments::new(Cadence::new((Moment(0), 700), rate, part, segment))
    }

    #[test]
    fn encoded_segments_follow_each_other_as_planned() {
        let mut segments = segments();
        for i in 0..5 {
            let next = segments.next().unwrap();
            assert_eq!((next.number, next.slot), (700 + i, i * 60));
            assert_eq!(segments.begin(next.slot, true), next);
        }
    }

    #[test]
    fn who_waits_gets_the_next_one_after_a_second() {
        let mut segments = segments();
        segments.begin(0, true);
        segments.begin(60, true);
        assert!(segments.shorten(62));
        assert_eq!(segments.next().unwrap().slot, 90);
        assert!(!segments.shorten(63), "it is planned already");
        segments.begin(90, true);
        assert!(segments.shorten(127));
        assert_eq!(segments.next().unwrap().slot, 132, "with a whole part");
        assert!(!segments.shorten(150), "never later than planned");
    }

    #[test]
    fn keyframes_begin_segments_of_a_second_or_more() {
        let mut segments = segments();
        assert!(segments.begins_with_keyframe(0, 60));
        segments.begin(0, false);
        assert_eq!(segments.next(), None);
        assert!(!segments.begins_with_keyframe(15, 15));
        assert!(segments.begins_with_keyframe(30, 15));
        segments.begin(60, false);
        segments.begin(120, false);
        // The next one would come after 2.7 s.
        assert!(segments.begins_with_keyframe(141, 60));
        // One that is passed over because of that can't be made up for often: numbers stay behind the clock.
        let mut slot = 120;
        let mut begun = 2;
        for _ in 0..100 {
            slot += 15;
            if segments.begins_with_keyframe(slot, 60) {
                segments.begin(slot, false);
                begun += 1;
            }
        }
        assert!(begun <= slot / 30 + 1, "{begun} in {slot} slots");
    }
}
