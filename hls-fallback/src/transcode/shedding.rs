//! Which rendition is given up when the machine can't make all, and when it is tried again. Sans-IO.
//!
//! The one that fewest ask for is worth the least; among equals the largest, since it costs the most. Never the best one: it is
//! what the broadcast looks like, and costs nothing while it is the source itself.

use crate::media::Moment;

/// How often renditions are looked at.
const LOOK: i64 = 1_000_000;
/// A rendition that leaves out a picture in so many can't keep up.
const LEFT_OUT: u64 = 10;
/// One is given up when that lasted for so many looks, and the next one when it still does so many later.
const LOOKS: u32 = 3;
/// It is tried again after so long: twice as long each time that another is given up within that time again ...
const PAUSE: i64 = 30_000_000;
/// ... and at most so long.
const LONGEST_PAUSE: i64 = 600_000_000;

/// A rendition that may be given up, in what was counted of it since it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) pictures: u64,
    pub(super) left_out: u64,
}

/// What a rendition is worth, and costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    /// Requests of late.
    pub(super) requests: u64,
    pub(super) pixels: u64,
}

impl Worth {
    /// The place of the one that is worth the least.
    pub(super) fn least(of: impl Iterator<Item = (usize, Self)>) -> Option<usize> {
        of.min_by_key(|(_, worth)| (worth.requests, std::cmp::Reverse(worth.pixels)))
            .map(|(place, _)| place)
    }
}

/// Finds out whether the machine keeps up.
#[derive(Debug)]
pub(super) struct Shedding {
    looked: Option<(Moment, Load)>,
    /// Looks in a row at which it didn't.
    behind: u32,
    pause: i64,
    shed: Option<Moment>,
}

impl Default for Shedding {
    fn default() -> Self {
        Self {
            looked: None,
            behind: 0,
            pause: PAUSE,
            shed: None,
        }
    }
}

impl Shedding {
    /// Looks at all renditions together, each second. True if one is to be given up.
    pub(super) fn look(&mut self, load: Load, now: Moment) -> bool {
        let Some((last, before)) = self.looked else {
            self.looked = Some((now, load));
            return false;
        };
        if now.since(last) < LOOK {
            return false;
        }
        self.looked = Some((now, load));
        let pictures = load.pictures.saturating_sub(before.pictures);
        let left_out = load.left_out.saturating_sub(before.left_out);
        if left_out > 0 && left_out * LEFT_OUT >= pictures {
            self.behind += 1;
        } else {
            self.behind = 0;
        }
        self.behind >= LOOKS
    }

    /// One is given up `now`: until when.
    pub(super) fn shed(&mut self, now: Moment) -> Moment {
        self.behind = 0;
        let again = self
            .shed
            .is_some_and(|shed| now.since(shed) < 2 * self.pause);
        self.pause = if again {
            (self.pause * 2).min(LONGEST_PAUSE)
        } else {
            PAUSE
        };
        self.shed = Some(now);
        now.plus(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// After how many seconds one is to be given up, when so many pictures of thirty are left out each second.
    fn looks(left_out: u64) -> Option<i64> {
        let mut shedding = Shedding::default();
        (0..60).find(|&second| {
            let load = Load {
                pictures: second as u64 * 30,
                left_out: second as u64 * left_out,
            };
            shedding.look(load, Moment(second * SECOND))
        })
    }

    #[test]
    fn only_what_lasts_is_too_much() {
        assert_eq!(looks(0), None);
        assert_eq!(looks(2), None);
        assert_eq!(looks(3), Some(3));
        let mut shedding = Shedding::default();
        for second in 0..60 {
            let left_out = second as u64 / 3 * 20;
            let load = Load {
                pictures: second as u64 * 30,
                left_out,
            };
            assert!(!shedding.look(load, Moment(second * SECOND)), "{second}");
        }
    }

    #[test]
    fn pauses_grow_while_it_is_too_much_again_and_again() {
        let mut shedding = Shedding::default();
        let mut now = Moment(0);
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            let until = shedding.shed(now);
            assert_eq!(until.since(now), pause * SECOND);
            now = until.plus(5 * SECOND);
        }
        now = now.plus(3_600 * SECOND);
        assert_eq!(shedding.shed(now).since(now), 30 * SECOND);
    }

    #[test]
    fn the_one_fewest_ask_for_is_worth_least_and_then_the_largest() {
        let worth = |requests, pixels| Worth { requests, pixels };
        let least = |worths: &[Worth]| Worth::least(worths.iter().copied().enumerate());
        assert_eq!(least(&[worth(9, 100), worth(1, 50), worth(2, 25)]), Some(1));
        assert_eq!(
            least(&[worth(0, 50), worth(0, 100), worth(3, 900)]),
            Some(1)
        );
        assert_eq!(least(&[]), None);
    }
}
