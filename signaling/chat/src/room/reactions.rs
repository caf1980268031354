//! Taps, counted.

use std::collections::BTreeMap;

/// Counts of what was tapped since clients were told.
#[derive(Debug)]
pub(super) struct Reactions {
    counts: Vec<(String, u64)>,
    any: bool,
}

impl Reactions {
    pub(super) fn new(emoji: &[String]) -> Self {
        Self {
            counts: emoji.iter().map(|emoji| (emoji.clone(), 0)).collect(),
            any: false,
        }
    }

    /// Counts taps. False: there's no such emoji.
    pub(super) fn add(&mut self, emoji: &str, taps: u32) -> bool {
        let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| known == emoji) else {
            return false;
        };
        *count += u64::from(taps);
        self.any = true;
        true
    }

    /// What there is to tell, which counts as told then.
    pub(super) fn take(&mut self) -> Option<BTreeMap<String, u64>> {
        if !std::mem::take(&mut self.any) {
            return None;
        }
        let taken = self
            .counts
            .iter_mut()
            .map(|(emoji, count)| (emoji.clone(), std::mem::take(count)));
        Some(taken.filter(|&(_, count)| count > 0).collect())
    }

    pub(super) fn emoji(&self) -> Vec<String> {
        self.counts.iter().map(|(emoji, _)| emoji.clone()).collect()
    }
}
