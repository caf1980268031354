//! Repair packets for the video of one viewer: `FlexFEC` as draft-ietf-payload-flexible-fec-scheme-03 has it. That is what
//! browsers take; RFC 8627's header is another.

use std::{ops::Range, time::Instant};

use super::{
    FeedbackSummary, HeaderWriter, Stamp, TransportHistory, Wire,
    parity::{Group, Place},
    protection::{Conditions, Protection},
};
use crate::{media::Extras, sdp::Ssrcs};

/// Repair packets are a little longer than what they repair. None is longer than what IPv6 over Ethernet takes in one
/// piece: groups that would need such are left unprotected.
const MAX_DATAGRAM: usize = 1_452;

/// Protects one track by repair packets, which have a stream of their own.
#[derive(Debug)]
pub(crate) struct FlexFec {
    payload_type: u8,
    ssrcs: Ssrcs,
    /// The next number, extended: never one that was used.
    next: u64,
    protection: Protection,
    /// There while packets are protected.
    group: Option<Group>,
    /// A group that the packet added last is beyond: its repair packets are due.
    passed: Option<Group>,
}

impl FlexFec {
    pub(crate) fn new(now: Instant, payload_type: u8, ssrcs: Ssrcs) -> Self {
        Self {
            payload_type,
            ssrcs,
            next: 0,
            protection: Protection::new(now),
            group: None,
            passed: None,
        }
    }

    /// Transport-wide feedback came.
    pub(crate) fn on_feedback(&mut self, now: Instant, summary: &FeedbackSummary) {
        self.protection.on_feedback(now, summary);
    }

    /// Protects what leaves from now on, or no more, as the path is. Memory is taken when that begins and given back when
    /// it ends.
    pub(crate) fn judge(&mut self, now: Instant, path: Conditions) {
        let on = self.protection.judge(now, path);
        if !on {
            self.group = None;
        } else if self.group.is_none() {
            self.group = Some(Group::new(now));
        }
    }

    /// How many of the next packets may leave before [`FlexFec::send`] is to be called; `None` if all may.
    pub(crate) fn before_close(&self, next: impl Iterator<Item = Place>) -> Option<usize> {
        self.group.as_ref()?.before_close(next)
    }

    /// Adds a packet as it leaves, before it is sealed: its header, with `fleeting` what receivers take for 0 in it, and
    /// what follows.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        place: Place,
        packet: (&[u8], &[u8]),
        fleeting: [Option<Range<usize>>; 2],
    ) {
        if let Some(group) = &mut self.group
            && let Some(passed) = group.add(now, place, packet, fleeting)
        {
            self.passed = Some(passed);
        }
    }

    /// Sends the repair packets of what left, if it is complete: in one message, as they are of one size.
    pub(crate) fn send(
        &mut self,
        writer: &HeaderWriter,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        if let Some(passed) = self.passed.take() {
            self.repair(&passed, writer, history, wire);
        }
        let complete = |group: &mut Group| {
            let waited = wire.now.saturating_duration_since(group.began());
            let whole = group.is_whole() && self.protection.is_due(group.count(), waited);
            whole || group.is_full()
        };
        if let Some(mut group) = self.group.take_if(complete) {
            self.repair(&group, writer, history, wire);
            group.clear();
            self.group = Some(group);
        }
    }

    /// Sends the repair packets of a group, as many as the path and the losses allow.
    fn repair(
        &mut self,
        group: &Group,
        writer: &HeaderWriter,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let header = writer.length(Extras::default());
        let bytes = group
            .repair_bytes()
            .map(|bytes| header + bytes + wire.sealer.tag_len());
        if let Some(size) = bytes.filter(|&bytes| bytes <= MAX_DATAGRAM) {
            let (packets, keyframe) = (group.count(), group.has_keyframe());
            let count = self.protection.grant(wire.now, packets, keyframe, size);
            self.write(group, count, (header, size), writer, history, wire);
        }
    }

    /// Writes, seals and sends `count` repair packets of `size` bytes, of which the RTP header takes `header`.
    fn write(
        &mut self,
        group: &Group,
        count: usize,
        (header, size): (usize, usize),
        writer: &HeaderWriter,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let mut written = 0;
        let (sealer, now, send_time) = (wire.sealer, wire.now, wire.send_time);
        let room = wire.room(count * size);
        for index in 0..count {
            let Some(target) = room.get_mut(written..written + size) else {
                break;
            };
            let payload = &mut target[header..size - sealer.tag_len()];
            if group
                .write(payload, (index, count), self.ssrcs.media)
                .is_none()
            {
                continue;
            }
            let stamp = Stamp {
                payload_type: self.payload_type,
                marker: false,
                padding: false,
                sequence: self.next as u16,
                timestamp: group.timestamp(),
                ssrc: self.ssrcs.flexfec,
                transport_sequence: history.depart(now, size, 0),
                send_time,
                frame_number: 0,
            };
            writer.write(target, &stamp, Extras::default());
            sealer.seal_rtp(target, header, self.next);
            self.next += 1;
            written += size;
        }
        wire.push(written, size);
    }

    /// What left so far isn't protected any more.
    pub(crate) fn forget(&mut self) {
        self.passed = None;
        if let Some(group) = &mut self.group {
            group.clear();
        }
    }
}
