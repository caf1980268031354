//! One client's way through the log: every entry once, in order, the same as all others.

use std::collections::BTreeSet;

use super::log::{Agreement, Log, Word};

/// Missing entries that are remembered each by itself, so that one that comes late is known from one that comes twice.
const MOST_MISSING: usize = 10_000;

/// Entries that a client may be behind: the node says of older ones only that they are skipped.
const KEPT: u64 = 10_000;

/// What a client found wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// Entries that never came.
    pub missing: u64,
    /// Entries that came again.
    pub doubled: u64,
    /// Entries that came behind later ones.
    pub out_of_order: u64,
    /// Entries that others heard otherwise.
    pub differing: u64,
    /// Entries that others were shown and this client wasn't, since it was too far behind.
    pub unseen: u64,
}

impl Faults {
    /// Those of another as well.
    pub fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.differing += other.differing;
        self.unseen += other.unseen;
    }
}

/// Where a client is.
#[derive(Debug)]
pub struct Follower {
    next: u64,
    missing: BTreeSet<u64>,
    /// Missing ones that aren't remembered.
    more_missing: u64,
    faults: Faults,
}

impl Follower {
    /// Behind the entry `start`.
    pub fn new(start: u64) -> Self {
        Self {
            next: start + 1,
            missing: BTreeSet::new(),
            more_missing: 0,
            faults: Faults::default(),
        }
    }

    /// The last entry that it has.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// It heard of an entry. Whether that was the first time.
    pub fn hear(&mut self, seq: u64, word: Word, log: &mut Log) -> bool {
        let is_new = seq >= self.next || self.missing.remove(&seq);
        if !is_new {
            self.faults.doubled += 1;
        } else if seq < self.next {
            self.faults.out_of_order += 1;
        } else {
            self.miss(seq);
            self.next = seq + 1;
        }
        match log.hear(seq, word) {
            Agreement::Agrees => {}
            Agreement::Unseen if seq.saturating_add(KEPT) <= log.last() => self.faults.unseen += 1,
            Agreement::Unseen | Agreement::Differs => self.faults.differing += 1,
        }
        is_new
    }

    /// What was wrong, if the log ends with `last`.
    pub fn faults(&self, last: u64) -> Faults {
        let behind = (last + 1).saturating_sub(self.next);
        Faults {
            missing: self.missing.len() as u64 + self.more_missing + behind,
            ..self.faults
        }
    }

    fn miss(&mut self, until: u64) {
        let room = (MOST_MISSING - self.missing.len()) as u64;
        let remembered = until.min(self.next.saturating_add(room));
        self.missing.extend(self.next..remembered);
        self.more_missing += until - remembered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(order: &[u64]) -> Faults {
        let mut log = Log::new(0);
        let mut follower = Follower::new(0);
        for &seq in order {
            follower.hear(seq, Word::Shown(seq), &mut log);
        }
        follower.faults(log.last())
    }

    #[test]
    fn every_entry_once_in_order_is_no_fault() {
        assert_eq!(follow(&[1, 2, 3, 4]), Faults::default());
    }

    #[test]
    fn a_lost_a_doubled_and_a_late_entry_are_told_apart() {
        let lost = Faults {
            missing: 1,
            ..Faults::default()
        };
        assert_eq!(follow(&[1, 3, 4]), lost);
        let doubled = Faults {
            doubled: 1,
            ..Faults::default()
        };
        assert_eq!(follow(&[1, 2, 2, 3]), doubled);
        let late = Faults {
            out_of_order: 1,
            ..Faults::default()
        };
        assert_eq!(follow(&[1, 3, 2, 4]), late);
        let late_and_doubled = Faults {
            out_of_order: 1,
            doubled: 1,
            ..Faults::default()
        };
        assert_eq!(follow(&[1, 3, 2, 2, 4]), late_and_doubled);
    }

    #[test]
    fn who_stays_behind_misses_the_end() {
        let mut log = Log::new(0);
        let (mut ahead, mut behind) = (Follower::new(0), Follower::new(0));
        for seq in 1..=5 {
            ahead.hear(seq, Word::Shown(seq), &mut log);
        }
        behind.hear(1, Word::Shown(1), &mut log);
        assert_eq!(ahead.faults(log.last()), Faults::default());
        assert_eq!(behind.faults(log.last()).missing, 4);
    }

    #[test]
    fn another_entry_under_the_same_number_differs() {
        let mut log = Log::new(0);
        let (mut one, mut other) = (Follower::new(0), Follower::new(0));
        for follower in [&mut one, &mut other] {
            follower.hear(1, Word::Shown(1), &mut log);
        }
        one.hear(2, Word::Shown(2), &mut log);
        other.hear(2, Word::Shown(3), &mut log);
        one.hear(3, Word::Shown(3), &mut log);
        other.hear(3, Word::Skipped, &mut log);
        // Once more, and not the same.
        one.hear(1, Word::Shown(9), &mut log);
        let mut faults = one.faults(3);
        faults.add(other.faults(3));
        let expected = Faults {
            differing: 3,
            doubled: 1,
            ..Faults::default()
        };
        assert_eq!(faults, expected);
    }

    #[test]
    fn only_what_is_old_may_be_skipped_for_one() {
        let mut log = Log::new(0);
        let mut one = Follower::new(0);
        for seq in 1..=KEPT + 2 {
            one.hear(seq, Word::Shown(seq), &mut log);
        }
        let mut other = Follower::new(0);
        for seq in 1..=3 {
            other.hear(seq, Word::Skipped, &mut log);
        }
        let faults = other.faults(3);
        assert_eq!((faults.unseen, faults.differing), (2, 1));
    }

    #[test]
    fn many_missing_entries_are_counted_without_being_remembered() {
        let far = 3 * MOST_MISSING as u64;
        let mut log = Log::new(0);
        let mut follower = Follower::new(0);
        follower.hear(far + 1, Word::Skipped, &mut log);
        assert_eq!(follower.faults(far + 1).missing, far);
        assert_eq!(follower.missing.len(), MOST_MISSING);
    }
}
