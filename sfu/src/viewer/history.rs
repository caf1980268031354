//! What was sent to a viewer, for a while: to answer NACKs, and to read transport-wide feedback.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::{
    Changes, PathSign, Rewrite,
    ring::{Ring, Slot},
};
use crate::{
    MediaKind,
    congestion::{Controller, PacketResult},
    rtcp::{TICKS_PER_REFERENCE, TransportFeedback},
};

/// Packets of one track that can be asked for again, at least and at most, and for how many milliseconds they should be: as
/// long as they are of use, on a far path.
const SENT_VIDEO: (usize, usize, u16) = (128, 4_096, 1_500);
const SENT_AUDIO: (usize, usize, u16) = (32, 512, 500);
/// Players that hold back more than so many milliseconds get no more of it.
const MOST_HELD_BACK: u16 = 10_000;
/// Packets of one session whose feedback is understood, at least and at most, and for how many microseconds it is waited for.
const TRANSPORT_PACKETS: (usize, usize, u64) = (128, 8_192, 2_000_000);
/// At most so many while none has come.
const BEFORE_FEEDBACK: usize = 1_024;
/// Missing packets of one report that are sent again without being asked for.
pub(crate) const MAX_MISSING: usize = 32;
/// A packet is sent again at most this often.
const MAX_RESENDS: u8 = 10;
/// A queue on the path longer than this says that it is full.
const QUEUE_LIMIT: Duration = Duration::from_millis(20);
/// Forget the shortest seen delay after this long: clocks drift and paths change.
const BASELINE_AGE: Duration = Duration::from_secs(30);

/// Where a packet that was sent on one track came from, by the viewer's sequence number.
#[derive(Debug)]
pub(crate) struct SentPackets {
    slots: Ring<Sent>,
    most: usize,
    /// Milliseconds that a packet is kept for.
    kept: u16,
    /// Low bits of the number that was recorded last.
    newest: u32,
}

/// Each viewer has hundreds of these.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Low bits of the source's number.
    source: u32,
    timestamp: u32,
    changes: Changes,
    /// Low bits of the viewer's number.
    out: u16,
    /// Milliseconds, wrapping.
    departed: u16,
    /// When it left for the last time.
    resent: u16,
    layer: u8,
    /// How often it was sent again; or [`UNUSED`], or [`COPIED`].
    resends: u8,
}

/// Nothing lies in this slot.
const UNUSED: u8 = u8::MAX;
/// A later packet bore a copy of it: it needn't be sent again.
const COPIED: u8 = UNUSED - 1;
const _: () = assert!(size_of::<Sent>() == 24 && MAX_RESENDS < COPIED);

impl Default for Sent {
    fn default() -> Self {
        Self {
            source: 0,
            timestamp: 0,
            changes: Changes::default(),
            out: 0,
            departed: 0,
            resent: 0,
            layer: 0,
            resends: UNUSED,
        }
    }
}

/// When a NACK is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResendPolicy {
    /// Now, in milliseconds, wrapping.
    pub(crate) now: u16,
    /// Milliseconds that the last resend needs to arrive.
    pub(crate) apart: u16,
    /// Milliseconds after which a packet comes too late to be of use.
    pub(crate) within: u16,
    /// The first number that is still needed.
    pub(crate) first: u64,
}

/// A packet of a source, by the low bits of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourcePacket {
    pub(crate) layer: u8,
    /// The timestamp that it was sent under.
    pub(crate) timestamp: u32,
    /// What was changed of it.
    pub(crate) changes: Changes,
    /// It was sent again before, and that was lost too.
    pub(crate) stubborn: bool,
    low: u32,
}

impl SourcePacket {
    /// The whole number, near the source's `highest`.
    pub(crate) fn sequence(self, highest: u64) -> Option<u64> {
        highest.checked_sub(u64::from((highest as u32).wrapping_sub(self.low)))
    }
}

impl Slot for Sent {
    fn number(&self) -> Option<u32> {
        // The lowest 16 bits decide the place.
        self.is_used().then_some(self.out.into())
    }
}

impl Sent {
    fn is_used(&self) -> bool {
        self.resends != UNUSED
    }

    /// Whether it is the packet with this number.
    fn is(&self, out: u16) -> bool {
        self.is_used() && self.out == out
    }

    /// Whether it left so short a time ago that it may be asked for.
    fn is_kept(&self, now: u16, kept: u16) -> bool {
        self.is_used() && now.wrapping_sub(self.departed) < kept
    }

    fn source_packet(&self) -> SourcePacket {
        SourcePacket {
            layer: self.layer,
            timestamp: self.timestamp,
            changes: self.changes,
            stubborn: (2..=MAX_RESENDS).contains(&self.resends),
            low: self.source,
        }
    }
}

impl SentPackets {
    /// `held_back` is how many milliseconds longer than others the viewer's player may wait for a packet.
    pub(crate) fn new(kind: MediaKind, held_back: u16) -> Self {
        let (least, most, kept) = match kind {
            MediaKind::Video => SENT_VIDEO,
            MediaKind::Audio => SENT_AUDIO,
        };
        Self {
            slots: Ring::new(least),
            most,
            kept: kept + held_back.min(MOST_HELD_BACK),
            newest: 0,
        }
    }

    /// Forgets everything: the source is gone.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    #[inline]
    pub(crate) fn record(&mut self, now: u16, out: Rewrite, layer: u8, source: u64) {
        self.newest = out.sequence as u32;
        let number = out.sequence as u32;
        let kept = self.kept;
        let slot = self
            .slots
            .place(number, self.most, |sent| sent.is_kept(now, kept));
        *slot = Sent {
            source: source as u32,
            timestamp: out.timestamp,
            changes: out.changes,
            out: number as u16,
            departed: now,
            resent: now,
            layer,
            resends: 0,
        };
    }

    /// Gives memory back after a time of many packets.
    pub(crate) fn fit(&mut self, now: u16) {
        let (kept, newest) = (self.kept, self.newest as u16);
        // What fills a probe is written like the newest.
        self.slots
            .fit(|sent| sent.is_kept(now, kept) || sent.is(newest));
    }

    /// The packet that was sent so many before the last one, with the viewer's number for it.
    pub(crate) fn recent(&self, back: u32) -> Option<(u16, SourcePacket)> {
        let out = self.newest.wrapping_sub(back);
        let slot = self.slots.at(out);
        let out = out as u16;
        slot.is(out).then(|| (out, slot.source_packet()))
    }

    /// The timestamp of the last one; 0 before any.
    pub(crate) fn last_timestamp(&self) -> u32 {
        self.slots.at(self.newest).timestamp
    }

    /// Whether the packet with this number left for the last time at `at`, in milliseconds, wrapping.
    pub(crate) fn left_last(&self, out: u16, at: u16) -> bool {
        let slot = self.slots.at(out.into());
        slot.is(out) && slot.resent == at
    }

    /// A later packet bore a copy of the one with this number: it needn't be sent again.
    pub(crate) fn mark_copied(&mut self, out: u16) {
        let slot = self.slots.at_mut(out.into());
        if slot.is(out) {
            slot.resends = COPIED;
        }
    }

    /// Where the packet with this number came from.
    pub(crate) fn find(&self, out: u16) -> Option<SourcePacket> {
        let slot = self.slots.at(out.into());
        slot.is(out).then(|| slot.source_packet())
    }

    /// The packet to send again for a NACK of `out`, unless that was done often or just now, or is of no use any more.
    pub(crate) fn resend(&mut self, out: u16, policy: ResendPolicy) -> Option<SourcePacket> {
        // The newest isn't always the highest: what a publisher sent late is recorded under its old number.
        let ahead = out.wrapping_sub(self.newest as u16) as i16;
        let number = self.newest.wrapping_add_signed(ahead.into());
        let needless = (number.wrapping_sub(policy.first as u32) as i32) < 0;
        let slot = self.slots.at_mut(out.into());
        let since = |at| policy.now.wrapping_sub(at);
        let too_soon = slot.resends > 0 && since(slot.resent) < policy.apart;
        let too_late = since(slot.departed) > policy.within;
        if !slot.is(out) || slot.resends >= MAX_RESENDS || too_soon || too_late || needless {
            return None;
        }
        slot.resends += 1;
        slot.resent = policy.now;
        Some(slot.source_packet())
    }
}

/// What left on a session's transport, by transport-wide sequence number.
#[derive(Debug)]
pub(crate) struct TransportHistory {
    next: u16,
    slots: Ring<Departure>,
    /// Feedback has come.
    heard: bool,
    /// All times are counted from here, in microseconds.
    epoch: Instant,
    /// Shortest one-way delay seen, up to the difference between the two clocks, and when.
    baseline: Option<(i64, Instant)>,
    /// A probe runs: packets that leave belong to it.
    probing: bool,
    /// Video packets that the last report called missing: their numbers, and when they left, in milliseconds, wrapping.
    missing: ArrayVec<(u16, u16), MAX_MISSING>,
    /// Is told what became of what left.
    controller: Controller,
}

#[derive(Debug, Clone, Copy, Default)]
struct Departure {
    at: u64,
    bytes: u16,
    sequence: u16,
    /// The number of the video packet that it was or repeated; 0 where it needn't come again.
    video: u16,
    fate: Fate,
    probe: bool,
}

/// What is known of a packet that left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    /// No report spoke of it, or it was never sent.
    #[default]
    Unknown,
    Pending,
    /// Reported as missing. It may still be reported as arrived, late.
    Missing,
}

impl Slot for Departure {
    fn number(&self) -> Option<u32> {
        (self.at > 0).then_some(self.sequence.into())
    }
}

impl Departure {
    /// Whether a report may still speak of it.
    fn is_awaited(&self, now: u64) -> bool {
        self.fate != Fate::Unknown && now.saturating_sub(self.at) < TRANSPORT_PACKETS.2
    }
}

/// What one feedback report says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FeedbackSummary {
    pub(crate) received: u32,
    pub(crate) lost: u32,
    /// Of those received, what an earlier report had called missing: it came late, or came again as it was.
    pub(crate) late: u32,
    pub(crate) received_bytes: u64,
    /// How much longer the newest packet was on its way than the fastest ever.
    pub(crate) queueing: Duration,
}

impl FeedbackSummary {
    /// What it says of the path; nothing where a few packets were lost, as happens on any radio link: then the pace
    /// stays (draft-ietf-rmcat-gcc-02 §6).
    pub(crate) fn sign(&self) -> Option<PathSign> {
        let total = self.received + self.lost;
        if self.queueing >= QUEUE_LIMIT || self.lost * 10 > total {
            return Some(PathSign::Congested);
        }
        (self.lost * 50 <= total).then_some(PathSign::Clean)
    }
}

impl TransportHistory {
    /// `number` tells its viewer from others.
    pub(crate) fn new(now: Instant, number: u32) -> Self {
        Self {
            next: 1,
            slots: Ring::new(TRANSPORT_PACKETS.0),
            heard: false,
            epoch: now,
            baseline: None,
            probing: false,
            missing: ArrayVec::new(),
            controller: Controller::new(number.wrapping_mul(0x9e37_79b9)),
        }
    }

    /// What the path carries.
    pub(crate) fn controller(&mut self) -> &mut Controller {
        &mut self.controller
    }

    /// What the path is believed to carry, in bits per second.
    pub(crate) fn estimate(&self) -> u64 {
        self.controller.rate()
    }

    /// A better layer needs this much: probes for it if it is time for that.
    pub(crate) fn probe_for(&mut self, now: Instant, bits_per_second: u64) {
        self.controller.probe_for(now, bits_per_second);
        self.probing = self.controller.is_probing();
    }

    /// Ends what has run its time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let last = self.slots.at(self.next.wrapping_sub(1).into());
        let sent = (last.at > 0).then(|| self.epoch + Duration::from_micros(last.at));
        self.controller.handle_timeout(now, sent);
        self.probing = self.controller.is_probing();
    }

    /// When [`TransportHistory::handle_timeout`] is to be called, or a probe filled.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.controller.next_timeout()
    }

    /// The next packet's transport-wide number. `video` is the number of the video packet that it is or repeats, 0 where it
    /// needn't come again.
    #[inline]
    pub(crate) fn depart(&mut self, now: Instant, bytes: usize, video: u16) -> u16 {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        let at = self.microseconds(now);
        let most = if self.heard {
            TRANSPORT_PACKETS.1
        } else {
            BEFORE_FEEDBACK
        };
        *self
            .slots
            .place(sequence.into(), most, |slot| slot.is_awaited(at)) = Departure {
            at,
            bytes: bytes as u16,
            sequence,
            video,
            fate: Fate::Pending,
            probe: self.probing,
        };
        if self.probing {
            self.controller.on_probe_sent(bytes);
        }
        sequence
    }

    /// Gives memory back after a time of many packets.
    pub(crate) fn fit(&mut self, now: Instant) {
        let now = self.microseconds(now);
        let newest = self.next.wrapping_sub(1);
        // When the newest left tells whether anything flows.
        self.slots
            .fit(|slot| slot.is_awaited(now) || slot.sequence == newest);
    }

    fn microseconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_micros() as u64
    }

    /// Milliseconds since the session began, wrapping.
    pub(crate) fn milliseconds(&self, now: Instant) -> u16 {
        now.saturating_duration_since(self.epoch).as_millis() as u16
    }

    /// Reads a feedback report. Packets that were reported before, or were never sent, count for nothing.
    pub(crate) fn on_feedback(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        feedback: &TransportFeedback<'_>,
    ) -> FeedbackSummary {
        self.heard = true;
        let mut summary = FeedbackSummary::default();
        self.missing.clear();
        let mut newest = None;
        let reference = i64::from(feedback.reference_time) * TICKS_PER_REFERENCE;
        for (sequence, arrival) in feedback.statuses() {
            let slot = self.slots.at_mut(sequence.into());
            if slot.fate == Fate::Unknown || slot.sequence != sequence {
                continue;
            }
            let arrived = arrival.map(|ticks| (reference + ticks) * 250);
            match (arrived, slot.fate) {
                (None, Fate::Pending) => {
                    slot.fate = Fate::Missing;
                    summary.lost += 1;
                    if slot.video != 0 {
                        let _ = self.missing.try_push((slot.video, (slot.at / 1000) as u16));
                    }
                }
                (None, _) => continue,
                (Some(at), fate) => {
                    slot.fate = Fate::Unknown;
                    summary.received += 1;
                    summary.received_bytes += u64::from(slot.bytes);
                    newest = Some(at - slot.at as i64);
                    if fate == Fate::Missing {
                        summary.late += 1;
                        continue;
                    }
                }
            }
            self.controller.on_packet(&PacketResult {
                sent: slot.at,
                arrived,
                bytes: slot.bytes,
                probe: slot.probe,
            });
        }
        if let Some(delay) = newest {
            summary.queueing = self.queueing(now, delay);
        }
        if summary.received + summary.lost > 0 {
            self.controller.on_feedback(now, rtt, summary.queueing);
        }
        summary
    }

    /// The video packets that the last report called missing, and when they left, in milliseconds, wrapping.
    pub(crate) fn take_missing(&mut self) -> ArrayVec<(u16, u16), MAX_MISSING> {
        std::mem::take(&mut self.missing)
    }

    /// How much longer a packet was on its way than the fastest, from its one-way delay in microseconds.
    fn queueing(&mut self, now: Instant, delay: i64) -> Duration {
        let baseline = match self.baseline {
            Some((least, at))
                if least <= delay && now.saturating_duration_since(at) < BASELINE_AGE =>
            {
                least
            }
            _ => {
                self.baseline = Some((delay, now));
                delay
            }
        };
        Duration::from_micros((delay - baseline).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_behind_a_late_packet_is_known() {
        let mut sent = SentPackets::new(MediaKind::Video, 0);
        // 95 came late from the publisher, and has its place from before.
        for sequence in (96..=103).chain([95]) {
            let out = Rewrite {
                sequence,
                timestamp: 0,
                changes: Changes::default(),
            };
            sent.record(0, out, 0, sequence);
        }
        let policy = ResendPolicy {
            now: 10,
            apart: 5,
            within: 1_000,
            first: 96,
        };
        assert!(sent.resend(103, policy).is_some());
        assert!(
            sent.resend(95, policy).is_none(),
            "from before the viewer began"
        );
        assert!(sent.resend(104, policy).is_none(), "not sent yet");
    }
}
