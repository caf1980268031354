//! Packets in the order of their sending.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::packet::{Packet, Unwrap};
use super::repair::Repair;
use super::statistics::TrackStatistics;

/// How long the first packet waits for one that it overtook.
const START: Duration = Duration::from_millis(10);
/// The most packets that wait for an earlier one: some 5 MB. Then it is given up.
const MAX_WAITING: usize = 4096;
/// So many packets in a row from before what was given out aren't late: the source counts anew.
const RESTART_AFTER: u32 = 100;

/// Sorts one track's packets. A packet that is missing is waited for, for a bounded time.
///
/// `insert` what comes, then `pop` until it gives nothing, again at `next_timeout`.
#[derive(Debug)]
pub(super) struct Reorder {
    ssrc: Option<u32>,
    sequence: Unwrap<16>,
    /// What is given out next; none before the first packet.
    next: Option<i64>,
    /// Until then earlier packets than the first are taken.
    starts: Option<Instant>,
    waiting: BTreeMap<i64, Packet>,
    highest: i64,
    /// Something before the next packet is lost.
    gap: bool,
    late_in_a_row: u32,
    repair: Repair,
}

/// A packet in its turn.
#[derive(Debug)]
pub(super) struct InOrder {
    pub(super) packet: Packet,
    /// What was directly before it is lost, or unknown.
    pub(super) after_gap: bool,
}

impl Reorder {
    pub(super) fn new() -> Self {
        Self {
            ssrc: None,
            sequence: Unwrap::new(),
            next: None,
            starts: None,
            waiting: BTreeMap::new(),
            highest: 0,
            gap: true,
            late_in_a_row: 0,
            repair: Repair::default(),
        }
    }

    pub(super) fn insert(&mut self, now: Instant, packet: Packet, counts: &mut TrackStatistics) {
        counts.packets += 1;
        if self.ssrc != Some(packet.ssrc) {
            self.restart();
            self.ssrc = Some(packet.ssrc);
        }
        let sequence = self.sequence.peek(u32::from(packet.sequence));
        let Some(next) = self.next else {
            return self.begin(now, packet);
        };
        if sequence < next {
            if self.starts.is_some() {
                self.next = Some(sequence);
                self.repair.note(now, sequence + 1..next);
            } else {
                return self.late(now, packet, counts);
            }
        } else if self.waiting.contains_key(&sequence) {
            counts.duplicates += 1;
            return;
        }
        self.late_in_a_row = 0;
        if self.repair.arrived(now, sequence) {
            counts.repaired += 1;
        }
        if sequence > self.highest {
            self.repair.note(now, self.highest + 1..sequence);
            self.highest = sequence;
        }
        self.sequence.advance(u32::from(packet.sequence));
        self.waiting.insert(sequence, packet);
    }

    /// The next packet in order, if it is there or what is before it was waited for long enough.
    pub(super) fn pop(&mut self, now: Instant, counts: &mut TrackStatistics) -> Option<InOrder> {
        if self.starts.is_some_and(|starts| now < starts) {
            return None;
        }
        self.starts = None;
        let next = self.next?;
        let (&first, _) = self.waiting.first_key_value()?;
        if first > next {
            let waits = self
                .repair
                .deadline(next)
                .is_some_and(|deadline| now < deadline);
            if waits && self.waiting.len() < MAX_WAITING {
                return None;
            }
            counts.lost += (first - next) as u64;
            self.repair.forget(first);
            self.gap = true;
        }
        let (first, packet) = self.waiting.pop_first()?;
        self.next = Some(first + 1);
        Some(InOrder {
            packet,
            after_gap: std::mem::take(&mut self.gap),
        })
    }

    /// The sequence numbers to ask for now.
    pub(super) fn requests(&mut self, now: Instant) -> Vec<u16> {
        let due = self.repair.due(now);
        due.into_iter().map(|sequence| sequence as u16).collect()
    }

    /// When `pop` or `requests` may have something.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let gap = self.next.zip(self.waiting.first_key_value());
        let gap =
            gap.and_then(|(next, (&first, _))| self.repair.deadline(next).filter(|_| first > next));
        [self.starts, gap, self.repair.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn begin(&mut self, now: Instant, packet: Packet) {
        let sequence = self.sequence.advance(u32::from(packet.sequence));
        self.next = Some(sequence);
        self.highest = sequence;
        self.starts = Some(now + START);
        self.waiting.insert(sequence, packet);
    }

    /// What comes again when it was there or given up is of no use.
    fn late(&mut self, now: Instant, packet: Packet, counts: &mut TrackStatistics) {
        counts.late += 1;
        // Resends of old packets fill up probes: they say nothing of where the source is.
        if packet.resent {
            return;
        }
        self.late_in_a_row += 1;
        if self.late_in_a_row >= RESTART_AFTER {
            self.restart();
            self.ssrc = Some(packet.ssrc);
            self.begin(now, packet);
        }
    }

    fn restart(&mut self) {
        let repair = std::mem::take(&mut self.repair);
        *self = Self::new();
        self.repair = repair;
        self.repair.forget(i64::MAX);
    }
}
