//! Which layer a viewer shall get: the best that its path has room for, without going back and forth.

use std::time::{Duration, Instant};

use super::{Choice, SubLayerCap};

/// A better layer must leave this much room, so that what varies doesn't take the viewer down again at once.
const ROOM: f64 = 1.15;
/// What is far from fitting is left when it hasn't fitted for this long: one bad report says little.
const PATIENCE: Duration = Duration::from_millis(120);
/// What lacks less than this share is borne longer: somebody else's probe on the same path takes an estimate down so far,
/// and a probe of our own brings it back. Until then what doesn't fit is held back.
const NEARLY: f64 = 0.6;
const PATIENCE_NEARLY: Duration = Duration::from_millis(1_200);
/// A layer that didn't fit isn't tried again before this has passed, ...
const FIRST_PENALTY: Duration = Duration::from_millis(1_500);
/// ... and twice that each time it was left again soon after it was tried, up to this.
const MAX_PENALTY: Duration = Duration::from_secs(24);
/// Left after less than this, it was left soon.
const SOON: Duration = Duration::from_secs(10);

/// What to aim for, and what to probe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) choice: Choice,
    /// The rate at which the next better one would be taken.
    pub(crate) wanted: Option<u64>,
}

/// Chooses for one viewer.
#[derive(Debug)]
pub(crate) struct Selector {
    /// The layer and what of it was chosen last, and when.
    chosen: Option<(u8, SubLayerCap, Instant)>,
    unfit_since: Option<Instant>,
    /// When a layer was last left because it didn't fit.
    fell: Option<Instant>,
    penalty: Duration,
}

impl Selector {
    pub(crate) fn new() -> Self {
        Self {
            chosen: None,
            unfit_since: None,
            fell: None,
            penalty: FIRST_PENALTY,
        }
    }

    /// Chooses among `choices`, which are sorted by bitrate, the least first, for a path of `rate` bits per second.
    /// `None` without any.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        choices: &[Choice],
        rate: u64,
    ) -> Option<Selected> {
        let last = choices.len().checked_sub(1)?;
        let Some(present) = self.present(choices) else {
            // The first choice, or the layer is gone.
            let best = choices.iter().rposition(|c| c.bitrate <= rate);
            return Some(self.take(now, choices, best.unwrap_or(0), rate));
        };
        if choices[present].bitrate > rate && present > 0 {
            let since = *self.unfit_since.get_or_insert(now);
            let nearly = choices[present].bitrate as f64 * NEARLY <= rate as f64;
            let patience = if nearly { PATIENCE_NEARLY } else { PATIENCE };
            if now.saturating_duration_since(since) < patience {
                return Some(selected(choices, present, rate));
            }
            self.fall(now);
            let best = choices[..present].iter().rposition(|c| c.bitrate <= rate);
            return Some(self.take(now, choices, best.unwrap_or(0), rate));
        }
        self.unfit_since = None;
        let punished = |at| now.saturating_duration_since(at) < self.penalty;
        if present < last && !self.fell.is_some_and(punished) {
            let fits = |c: &Choice| (c.bitrate as f64 * ROOM) as u64 <= rate;
            if let Some(best) = choices
                .iter()
                .rposition(fits)
                .filter(|&best| best > present)
            {
                return Some(self.take(now, choices, best, rate));
            }
        }
        Some(selected(choices, present, rate))
    }

    /// The viewer asked for something else: what fits is chosen as at first.
    pub(crate) fn forget(&mut self) {
        self.chosen = None;
    }

    /// Where what was chosen last is among the choices, or what is nearest to it of its layer: what a layer is made of
    /// changes while it flows.
    fn present(&self, choices: &[Choice]) -> Option<usize> {
        let (layer, cap, _) = self.chosen?;
        let own = |c: &&Choice| c.layer == layer;
        let exactly = choices
            .iter()
            .position(|c| c.layer == layer && c.cap == cap);
        let within =
            |c: &Choice| own(&c) && c.cap.spatial <= cap.spatial && c.cap.temporal <= cap.temporal;
        exactly
            .or_else(|| choices.iter().rposition(within))
            .or_else(|| choices.iter().position(|c| own(&c)))
    }

    fn take(&mut self, now: Instant, choices: &[Choice], index: usize, rate: u64) -> Selected {
        let Choice { layer, cap, .. } = choices[index];
        self.chosen = Some((layer, cap, now));
        self.unfit_since = None;
        selected(choices, index, rate)
    }

    fn fall(&mut self, now: Instant) {
        let soon = self
            .chosen
            .is_some_and(|(.., at)| now.saturating_duration_since(at) < SOON);
        let again = soon && self.fell.is_some();
        self.penalty = if again {
            (self.penalty * 2).min(MAX_PENALTY)
        } else {
            FIRST_PENALTY
        };
        self.fell = Some(now);
    }
}

/// The choice at `index`, of which the worst may not fit: then it is itself what there should be room for.
fn selected(choices: &[Choice], index: usize, rate: u64) -> Selected {
    let choice = choices[index];
    let next = if choice.bitrate > rate {
        Some(&choice)
    } else {
        choices.get(index + 1)
    };
    Selected {
        choice,
        wanted: next.map(|next| (next.bitrate as f64 * ROOM) as u64),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHOICES: [Choice; 3] = [
        Choice {
            cap: SubLayerCap::ALL,
            layer: 2,
            bitrate: 300_000,
        },
        Choice {
            cap: SubLayerCap::ALL,
            layer: 1,
            bitrate: 1_000_000,
        },
        Choice {
            cap: SubLayerCap::ALL,
            layer: 0,
            bitrate: 2_500_000,
        },
    ];

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_choice_is_what_fits() {
        for (rate, layer) in [(5_000_000, 0), (1_100_000, 1), (100_000, 2)] {
            let mut selector = Selector::new();
            let chosen = selector.choose(Instant::now(), &CHOICES, rate).unwrap();
            assert_eq!(chosen.choice.layer, layer);
        }
        assert_eq!(Selector::new().choose(Instant::now(), &[], 1), None);
    }

    #[test]
    fn it_falls_after_a_moment_and_rises_with_room() {
        let now = Instant::now();
        let mut selector = Selector::new();
        selector.choose(now, &CHOICES, 5_000_000);
        assert_eq!(
            selector
                .choose(now + ms(10), &CHOICES, 800_000)
                .unwrap()
                .choice
                .layer,
            0
        );
        let fallen = selector.choose(now + ms(200), &CHOICES, 800_000).unwrap();
        assert_eq!((fallen.choice.layer, fallen.wanted), (2, Some(1_150_000)));
        assert_eq!(
            selector
                .choose(now + ms(5_000), &CHOICES, 1_100_000)
                .unwrap()
                .choice
                .layer,
            2
        );
        assert_eq!(
            selector
                .choose(now + ms(5_100), &CHOICES, 1_160_000)
                .unwrap()
                .choice
                .layer,
            1
        );
    }

    #[test]
    fn one_that_never_stays_is_tried_less_and_less() {
        let start = Instant::now();
        let mut selector = Selector::new();
        selector.choose(start, &CHOICES, 5_000_000);
        let (mut rises, mut before) = (0, 0);
        for n in 0..6_000 {
            let now = start + ms(n * 10);
            let rate = if before == 0 { 2_000_000 } else { 3_000_000 };
            let layer = selector.choose(now, &CHOICES, rate).unwrap().choice.layer;
            rises += u32::from(before == 1 && layer == 0);
            before = layer;
        }
        assert!((2..=8).contains(&rises), "{rises} in a minute");
    }

    #[test]
    fn a_layer_that_is_gone_is_left_at_once() {
        let now = Instant::now();
        let mut selector = Selector::new();
        selector.choose(now, &CHOICES, 5_000_000);
        let left = selector
            .choose(now + ms(1), &CHOICES[..2], 5_000_000)
            .unwrap();
        assert_eq!((left.choice.layer, left.wanted), (1, None));
    }
}
