//! The arrival log behind transport-wide feedback.

use std::time::Instant;

use super::{
    Writer,
    transport_feedback::{MAX_STATUSES, TICK},
};
use crate::rtp::SequenceUnwrapper;

/// Packets that the log reaches back over. Older ones that come late are ignored, and if more come between two reports
/// the oldest are never reported.
const WINDOW: u64 = 2048;
/// Marks a packet that hasn't arrived.
const MISSING: i64 = -1;

/// Notes when each packet of a publisher's transport arrived, and reports it.
#[derive(Debug, Clone)]
pub struct FeedbackRecorder {
    unwrapper: SequenceUnwrapper,
    started: Option<Instant>,
    /// Ticks since `started` of the packets `end - WINDOW..end`, each at its number modulo [`WINDOW`].
    arrivals: Box<[i64]>,
    /// The first packet that the next report speaks of.
    next: u64,
    /// Behind the highest packet that arrived.
    end: u64,
    feedback_count: u8,
}

impl Default for FeedbackRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl FeedbackRecorder {
    /// Nothing has arrived yet.
    pub fn new() -> Self {
        Self {
            unwrapper: SequenceUnwrapper::default(),
            started: None,
            arrivals: vec![MISSING; WINDOW as usize].into(),
            next: 0,
            end: 0,
            feedback_count: 0,
        }
    }

    /// A packet with this transport-wide sequence number arrived. A packet that comes late, after it was reported as
    /// missing, is reported once more, together with all behind it.
    pub fn record(&mut self, now: Instant, sequence: u16) {
        let started = *self.started.get_or_insert(now);
        let ticks = now.duration_since(started).as_nanos() / TICK.as_nanos();
        let first = self.unwrapper.highest().is_none();
        let sequence = self.unwrapper.unwrap(sequence);
        if first {
            (self.next, self.end) = (sequence, sequence);
        }
        if sequence >= self.end {
            self.advance(sequence);
        } else if sequence < self.end.saturating_sub(WINDOW)
            || self.arrivals[slot(sequence)] != MISSING
        {
            return;
        } else {
            self.next = self.next.min(sequence);
        }
        self.arrivals[slot(sequence)] = ticks as i64;
    }

    /// Moves the window up so that `sequence` is its last packet.
    fn advance(&mut self, sequence: u64) {
        let end = sequence + 1;
        let start = end.saturating_sub(WINDOW);
        for missed in self.end.max(start)..end {
            self.arrivals[slot(missed)] = MISSING;
        }
        self.end = end;
        self.next = self.next.max(start);
    }

    /// Whether something arrived that hasn't been reported.
    pub const fn pending(&self) -> bool {
        self.next < self.end
    }

    /// Appends one report if something is pending: at most 450 packets within 8 s, about 1050 bytes. What doesn't fit
    /// stays pending for the next report, which belongs into another datagram.
    pub fn write(&mut self, sender: u32, media: u32, writer: &mut Writer<'_>) {
        let arrival = |sequence: u64| match self.arrivals[slot(sequence)] {
            MISSING => None,
            ticks => Some(ticks),
        };
        let Some(arrived) = (self.next..self.end).find(|sequence| arrival(*sequence).is_some())
        else {
            return;
        };
        // A gap that no report can hold is reported as far as one can.
        let base = self
            .next
            .max((arrived + 1).saturating_sub(MAX_STATUSES as u64));
        let reported = writer.transport_feedback(
            sender,
            media,
            base as u16,
            self.feedback_count,
            (base..self.end).map(arrival),
        );
        self.next = base + reported as u64;
        self.feedback_count = self.feedback_count.wrapping_add(1);
    }
}

const fn slot(sequence: u64) -> usize {
    (sequence % WINDOW) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{collections::BTreeMap, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::rtcp::{Rtcp, TICKS_PER_REFERENCE, packets};

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// All reports that are due: for each its base and its statuses, arrivals in ticks since the recorder's start.
    fn reports(recorder: &mut FeedbackRecorder) -> Vec<Vec<(u16, Option<i64>)>> {
        let mut all = Vec::new();
        while recorder.pending() {
            let mut buffer = Vec::new();
            recorder.write(1, 2, &mut Writer::new(&mut buffer));
            assert!(buffer.len() <= 1100, "{}", buffer.len());
            let Rtcp::TransportFeedback(feedback) = packets(&buffer).next().unwrap().unwrap()
            else {
                panic!("no feedback");
            };
            assert_eq!(usize::from(feedback.feedback_count), all.len() % 256);
            let reference = i64::from(feedback.reference_time) * TICKS_PER_REFERENCE;
            let absolute = |(sequence, arrival): (u16, Option<i64>)| {
                (sequence, arrival.map(|ticks| ticks + reference))
            };
            all.push(feedback.statuses().map(absolute).collect());
        }
        all
    }

    #[test]
    fn nothing_is_pending_at_first() {
        let mut recorder = FeedbackRecorder::new();
        assert!(!recorder.pending());
        let mut buffer = Vec::new();
        recorder.write(1, 2, &mut Writer::new(&mut buffer));
        assert!(buffer.is_empty());
    }

    #[test]
    fn arrivals_and_losses_are_reported_across_the_wrap() {
        let start = Instant::now();
        let mut recorder = FeedbackRecorder::new();
        for (millis, sequence) in [(0, 65_534), (1, 0), (200, 1)] {
            recorder.record(start + MILLISECOND * millis, sequence);
        }
        let expected = [
            (65_534, Some(0)),
            (65_535, None),
            (0, Some(4)),
            (1, Some(800)),
        ];
        assert_eq!(reports(&mut recorder), [expected]);
        assert!(!recorder.pending());
    }

    #[test]
    fn reordering_makes_negative_deltas() {
        let start = Instant::now();
        let mut recorder = FeedbackRecorder::new();
        for (millis, sequence) in [(0, 10), (5, 12), (9, 11)] {
            recorder.record(start + MILLISECOND * millis, sequence);
        }
        let expected = [(10, Some(0)), (11, Some(36)), (12, Some(20))];
        assert_eq!(reports(&mut recorder), [expected]);
    }

    #[test]
    fn a_late_packet_is_reported_after_all() {
        let start = Instant::now();
        let mut recorder = FeedbackRecorder::new();
        recorder.record(start, 10);
        recorder.record(start, 12);
        let mut buffer = Vec::new();
        recorder.write(1, 2, &mut Writer::new(&mut buffer));
        assert!(!recorder.pending());
        // Repeated packets say nothing new.
        recorder.record(start, 12);
        assert!(!recorder.pending());
        recorder.record(start + MILLISECOND, 11);
        assert!(recorder.pending());
        recorder.feedback_count = 0;
        assert_eq!(reports(&mut recorder), [[(11, Some(4)), (12, Some(0))]]);
    }

    #[test]
    fn a_pause_too_long_for_a_delta_splits_the_report() {
        let start = Instant::now();
        let mut recorder = FeedbackRecorder::new();
        recorder.record(start, 1);
        recorder.record(start + Duration::from_secs(9), 3);
        let all = reports(&mut recorder);
        assert_eq!(
            all,
            [vec![(1, Some(0)), (2, None)], vec![(3, Some(36_000))]]
        );
    }

    #[test]
    fn a_gap_beyond_the_window_is_shortened() {
        let start = Instant::now();
        let mut recorder = FeedbackRecorder::new();
        recorder.record(start, 0);
        recorder.record(start, 30_000);
        // Too late for the window.
        recorder.record(start, 1);
        let all = reports(&mut recorder);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].len(), MAX_STATUSES);
        assert_eq!(all[0].last(), Some(&(30_000, Some(0))));
        assert_eq!(all[0].iter().filter(|(_, a)| a.is_some()).count(), 1);
    }

    proptest! {
        #[test]
        fn every_arrival_within_the_window_is_reported(
            start_sequence: u16,
            steps in prop::collection::vec((-3_i64..40, 0_u64..400_000), 1..300),
        ) {
            let start = Instant::now();
            let mut recorder = FeedbackRecorder::new();
            let mut expected = BTreeMap::new();
            let (mut sequence, mut elapsed) = (100_000 + i64::from(start_sequence), Duration::ZERO);
            for (step, micros) in steps {
                sequence += step;
                recorder.record(start + elapsed, sequence as u16);
                expected.entry(sequence).or_insert((elapsed.as_micros() / 250) as i64);
                elapsed += Duration::from_micros(micros);
            }
            let last = *expected.last_key_value().unwrap().0;
            let reported: BTreeMap<i64, i64> = reports(&mut recorder)
                .into_iter()
                .flatten()
                .filter_map(|(sequence, arrival)| {
                    let distance = (last as u16).wrapping_sub(sequence);
                    Some((last - i64::from(distance), arrival?))
                })
                .collect();
            expected.retain(|sequence, _| *sequence > last - WINDOW as i64);
            prop_assert_eq!(reported, expected);
        }
    }
}
