//! One track toward one viewer: from decisions to sealed datagrams.

mod filler;
mod redundant;
mod wire;

use std::time::{Duration, Instant};

use wire::MESSAGE_BYTES;
pub(crate) use wire::{Sent, Wire};

use super::{
    Changes, Decision, FeedbackSummary, Forwarder, HeaderWriter, PathEstimate, ResendPolicy,
    Rewrite, SealedPackets, SentPackets, SourcePacket, Stamp, TransportHistory, flexfec::FlexFec,
    parity::Place, protection::Conditions,
};
use crate::{
    MediaKind,
    codec::{Codec, Counters},
    media::{Extras, ExtrasBuffer, Layer, MediaPacket, PacketInfo, Track},
    rtp::time::PlayoutDelay,
    sdp::{OutgoingTrack, Ssrcs},
    srtp::Sealer,
};

/// Packets that are decided on and written together: what Linux takes as one segmented message (`UDP_MAX_SEGMENTS`).
pub(crate) const BATCH: usize = 64;
/// Padding that is worth its bytes for having packets of equal size, which one message needs: libwebrtc's packets of
/// one frame differ by a few bytes.
const MAX_PADDING: usize = 64;
/// The last packet of a message is padded too if it takes no more: then what is sent next, such as sound, may ride in it.
const MAX_LAST_PADDING: usize = 16;
/// How long after it was due a lost packet is still of use, beside what the player was asked to hold back: a picture waits
/// for it, up to the time after which browsers ask for a keyframe instead; sound doesn't.
const VIDEO_OF_USE: Duration = Duration::from_millis(1_500);
const AUDIO_OF_USE: Duration = Duration::from_millis(400);

/// One packet to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) source: u64,
    pub(crate) rewrite: Rewrite,
    pub(crate) packet: MediaPacket<'a>,
}

impl<'a> Item<'a> {
    /// What is sent of a packet, if anything is.
    #[inline]
    pub(crate) fn new(source: u64, decision: Decision, packet: MediaPacket<'a>) -> Option<Self> {
        let Decision::Send(rewrite) = decision else {
            return None;
        };
        Some(Self {
            source,
            rewrite,
            packet: content(packet, rewrite.changes),
        })
    }

    /// What it is to the packets that it is repaired with.
    fn place(&self) -> Place {
        Place {
            sequence: self.rewrite.sequence,
            ends: self.packet.info.marker || self.rewrite.changes.marker,
            keyframe: self.packet.info.keyframe,
        }
    }
}

/// What is sent of a packet that was changed so.
#[inline]
fn content(packet: MediaPacket<'_>, changes: Changes) -> MediaPacket<'_> {
    if !changes.empty {
        return packet;
    }
    MediaPacket {
        info: PacketInfo::default(),
        extras: Extras::default(),
        payload: &[],
    }
}

/// The viewer's payload types for the codec that flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Selected {
    payload_type: u8,
    rtx: Option<u8>,
    red: Option<u8>,
    nack: bool,
    codec: Codec,
}

/// One track toward one viewer.
#[derive(Debug)]
pub(crate) struct Egress {
    pub(crate) outgoing: OutgoingTrack,
    pub(crate) ssrc: u32,
    pub(crate) forwarder: Forwarder,
    /// Packets and payload bytes sent, as sender reports count them (RFC 3550 §6.4.1).
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    rtx_ssrc: u32,
    rtx_next: u64,
    selected: Option<Selected>,
    header: HeaderWriter,
    /// What the viewer's player is asked to hold the picture back, but for a catch-up.
    playout_delay: PlayoutDelay,
    sent: SentPackets,
    /// Sealed packets for viewers that want lost ones again without RTX. A packet must never be sealed a second time
    /// under its number with other bytes, so what was sent is kept as it was.
    sealed: Option<SealedPackets>,
    /// Makes repair packets, where the viewer takes any.
    flexfec: Option<Box<FlexFec>>,
}

impl Egress {
    pub(crate) fn new(
        now: Instant,
        outgoing: OutgoingTrack,
        ssrcs: Ssrcs,
        header: HeaderWriter,
        playout_delay: PlayoutDelay,
    ) -> Self {
        let resends_plainly = outgoing.payloads.iter().any(|p| p.nack && p.rtx.is_none());
        Self {
            ssrc: ssrcs.media,
            forwarder: Forwarder::new(),
            packets: 0,
            octets: 0,
            rtx_ssrc: ssrcs.rtx,
            rtx_next: 0,
            selected: None,
            header,
            playout_delay,
            sent: SentPackets::new(outgoing.kind, playout_delay.max.saturating_mul(10)),
            flexfec: outgoing
                .flexfec
                .map(|payload_type| Box::new(FlexFec::new(now, payload_type, ssrcs))),
            sealed: resends_plainly.then(|| SealedPackets::new(outgoing.kind)),
            outgoing,
        }
    }

    /// Fits the viewer's payload types to what the track carries. False if the viewer has none for it.
    pub(crate) fn select(&mut self, track: &Track) -> bool {
        let matching = track
            .payload()
            .and_then(|published| self.outgoing.matching(published));
        self.selected = matching.map(|p| Selected {
            payload_type: p.payload_type,
            rtx: p.rtx,
            red: p.red,
            nack: p.nack,
            codec: p.codec,
        });
        self.selected.is_some()
    }

    /// The source is gone; what was sent of it can't be asked for any more.
    pub(crate) fn reset(&mut self) {
        self.forwarder.reset();
        self.header.set_playout_delay(self.playout_delay);
        self.sent.clear();
        if let Some(flexfec) = &mut self.flexfec {
            flexfec.forget();
        }
    }

    /// Protects what is sent by repair packets where that is worth it: `estimate` is what the path carries, `media` what the
    /// picture takes of it, in bits per second.
    pub(crate) fn protect(&mut self, now: Instant, path: &PathEstimate, estimate: u64, media: u64) {
        if let Some(flexfec) = &mut self.flexfec {
            let conditions = Conditions {
                rtt: path.rtt,
                queueing: path.queueing,
                estimate,
                media,
                live: !self.forwarder.is_waiting() && self.forwarder.catch_up_timeout().is_none(),
            };
            flexfec.judge(now, conditions);
        }
    }

    /// Transport-wide feedback came.
    pub(crate) fn on_feedback(&mut self, now: Instant, summary: &FeedbackSummary) {
        if let Some(flexfec) = &mut self.flexfec {
            flexfec.on_feedback(now, summary);
        }
    }

    /// Sends the target's cached group of pictures, which begins at `keyframe`, and follows it to the live edge. The
    /// player must show it as fast as it can: held back at all, it would stay behind.
    pub(crate) fn catch_up(&mut self, now: Instant, track: &Track, keyframe: u64, feedback: bool) {
        self.forwarder.catch_up(now, track, keyframe, feedback);
        self.header.set_playout_delay(PlayoutDelay::NONE);
    }

    /// The catch-up reached the live edge.
    pub(crate) fn go_live(&mut self) {
        self.forwarder.go_live();
        self.header.set_playout_delay(self.playout_delay);
    }

    /// The catch-up can't succeed: the next keyframe is waited for.
    pub(crate) fn wait(&mut self) {
        self.forwarder.wait();
        self.header.set_playout_delay(self.playout_delay);
    }

    /// Gives memory back after a time of many packets.
    pub(crate) fn fit(&mut self, now: u16) {
        self.sent.fit(now);
    }

    /// Whether this track bears this SSRC, retransmissions included.
    pub(crate) fn bears(&self, ssrc: u32) -> bool {
        self.ssrc == ssrc || self.rtx_ssrc == ssrc
    }

    /// Writes, seals and sends packets of layer `layer`: as few messages as their sizes allow.
    pub(crate) fn send(
        &mut self,
        layer: u8,
        items: &[Item<'_>],
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let Some(selected) = self.selected else {
            return;
        };
        let mut rest = items;
        while !rest.is_empty() {
            let (count, size, last) = self.run(rest, wire.sealer.tag_len());
            let places = rest.iter().take(count).map(Item::place);
            let until_repaired = self.flexfec.as_ref().and_then(|f| f.before_close(places));
            let (run, after) = rest.split_at(until_repaired.unwrap_or(count));
            let is_whole = run.len() == count && size - last <= MAX_LAST_PADDING;
            let sizes = (size, if is_whole { size } else { 0 });
            self.send_run(layer, run, sizes, selected, history, wire);
            if let Some(flexfec) = &mut self.flexfec {
                flexfec.send(&self.header, history, wire);
            }
            rest = after;
        }
    }

    /// The extensions of a packet that was changed so: other than they came only where it names decode targets.
    #[inline]
    fn extras<'a>(
        &self,
        extras: Extras<'a>,
        changes: Changes,
        changed: &'a mut Option<ExtrasBuffer>,
    ) -> Extras<'a> {
        if !changes.targets {
            return extras;
        }
        let Some(active) = self.forwarder.targets() else {
            return extras;
        };
        let buffer = changed.insert(ExtrasBuffer::new());
        buffer.push_with_targets(extras, active);
        buffer.extras()
    }

    /// How many of the first items go into one message, the size that they are padded to, and that of the last by itself.
    /// Segments of a message are of one size, but for the last, which may be shorter.
    fn run(&self, items: &[Item<'_>], tag: usize) -> (usize, usize, usize) {
        let size = |item: &Item<'_>| {
            let mut changed = None;
            let extras = self.extras(item.packet.extras, item.rewrite.changes, &mut changed);
            self.header.length(extras) + item.packet.payload.len().max(1)
        };
        let Some(first) = items.first() else {
            return (0, 0, 0);
        };
        let (mut least, mut most) = (size(first), size(first));
        let (mut count, mut last) = (1, most);
        for item in items.iter().skip(1).take(BATCH - 1) {
            let size = size(item);
            let larger = most.max(size);
            if larger - least > MAX_PADDING && size >= least
                || (count + 1) * (larger + tag) > MESSAGE_BYTES
            {
                break;
            }
            count += 1;
            last = size;
            if larger - size > MAX_PADDING {
                break;
            }
            (least, most) = (least.min(size), larger);
        }
        (count, most, last)
    }

    fn send_run(
        &mut self,
        layer: u8,
        run: &[Item<'_>],
        (size, last): (usize, usize),
        selected: Selected,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let segment = size + wire.sealer.tag_len();
        let milliseconds = history.milliseconds(wire.now);
        let mut written = 0;
        let mut flexfec = self.flexfec.take();
        let sealer = wire.sealer;
        let (now, send_time) = (wire.now, wire.send_time);
        let room = wire.room(MESSAGE_BYTES);
        for (index, item) in run.iter().enumerate() {
            let padded = if index + 1 < run.len() { size } else { last };
            let Some(target) = room.get_mut(written..) else {
                break;
            };
            let Some(length) = self.write(
                target,
                item,
                padded,
                selected,
                sealer,
                history,
                now,
                send_time,
                flexfec.as_deref_mut(),
            ) else {
                continue;
            };
            if let Some(sealed) = &mut self.sealed {
                sealed.keep(item.rewrite.sequence, &target[..length]);
            }
            self.sent
                .record(milliseconds, item.rewrite, layer, item.source);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(item.packet.payload.len() as u32);
            written += length;
        }
        self.flexfec = flexfec;
        wire.push(written, segment);
    }

    /// Writes and seals one packet, padded to `padded` bytes before the tag. `None` if `target` lacks the room.
    #[expect(
        clippy::too_many_arguments,
        reason = "the innermost step: its parts are borrowed apart from each other"
    )]
    #[inline]
    fn write(
        &self,
        target: &mut [u8],
        item: &Item<'_>,
        padded: usize,
        selected: Selected,
        sealer: &Sealer,
        history: &mut TransportHistory,
        now: Instant,
        send_time: [u8; 3],
        flexfec: Option<&mut FlexFec>,
    ) -> Option<usize> {
        let packet = &item.packet;
        let changes = item.rewrite.changes;
        let mut changed = None;
        let extras = self.extras(packet.extras, changes, &mut changed);
        let header = self.header.length(extras);
        let end = header + packet.payload.len();
        // A packet without content is one of padding (RFC 3550 §5.1), which takes a byte.
        let least = usize::from(changes.empty);
        let padding = padded.saturating_sub(end).clamp(least, 255);
        let total = end + padding + sealer.tag_len();
        let target = target.get_mut(..total.max(16))?;
        let video = match self.outgoing.kind {
            MediaKind::Audio => 0,
            MediaKind::Video => item.rewrite.sequence as u16,
        };
        let stamp = Stamp {
            payload_type: selected.payload_type,
            marker: packet.info.marker || changes.marker,
            padding: padding > 0,
            sequence: item.rewrite.sequence as u16,
            timestamp: item.rewrite.timestamp,
            ssrc: self.ssrc,
            transport_sequence: history.depart(now, total, video),
            send_time,
            frame_number: changes.frame_number,
        };
        self.header.write(target, &stamp, extras);
        if padding == 0 && !changes.payload() {
            let room = &mut target[..total];
            if let Some(flexfec) = flexfec {
                let (header, _) = room.split_at(header);
                let fleeting = self.header.fleeting(header);
                flexfec.add(now, item.place(), (header, packet.payload), fleeting);
            }
            sealer.seal_rtp_from(room, header, packet.payload, item.rewrite.sequence);
            return Some(total);
        }
        let payload = &mut target[header..end];
        payload.copy_from_slice(packet.payload);
        shift_counters(selected.codec, payload, changes);
        if padding > 0 {
            target[end..end + padding].fill(0);
            target[end + padding - 1] = padding as u8;
        }
        if let Some(flexfec) = flexfec {
            let (header, body) = target[..end + padding].split_at(header);
            flexfec.add(
                now,
                item.place(),
                (header, body),
                self.header.fleeting(header),
            );
        }
        sealer.seal_rtp(&mut target[..total], header, item.rewrite.sequence);
        Some(total)
    }

    /// The packet that a NACK of the viewer's number `lost` asks for, if it may be sent again now.
    pub(crate) fn lost(
        &mut self,
        lost: u16,
        now: u16,
        round_trip: Duration,
    ) -> Option<SourcePacket> {
        // The next picture is a keyframe, and waits for nothing before it.
        if self.forwarder.is_waiting() {
            return None;
        }
        // It counts in steps of 10 ms.
        let held_back = Duration::from_millis(u64::from(self.playout_delay.max) * 10);
        let of_use = match self.outgoing.kind {
            MediaKind::Audio => AUDIO_OF_USE,
            MediaKind::Video => VIDEO_OF_USE,
        };
        // Until it is there another half of a round trip passes.
        let within = (of_use + held_back).saturating_sub(round_trip / 2);
        let policy = ResendPolicy {
            now,
            apart: (round_trip.as_millis() as u16).clamp(5, 1000) * 3 / 4,
            within: within.as_millis().min(u16::MAX.into()) as u16,
            first: self.forwarder.begun(),
        };
        self.sent.resend(lost, policy)
    }

    /// Where the packet came from that was sent under this number.
    pub(crate) fn sent_packet(&self, sequence: u16) -> Option<SourcePacket> {
        self.sent.find(sequence)
    }

    /// Whether the packet with this number left for the last time at `at`, in milliseconds, wrapping.
    pub(crate) fn left_last(&self, sequence: u16, at: u16) -> bool {
        self.sent.left_last(sequence, at)
    }

    /// Lost packets are sent again as RTX.
    pub(crate) fn has_rtx(&self) -> bool {
        self.selected.is_some_and(|s| s.rtx.is_some())
    }

    /// Lost packets are asked for.
    pub(crate) fn has_nack(&self) -> bool {
        self.selected.is_some_and(|s| s.nack)
    }

    /// Packets may go with copies of those before them.
    pub(crate) fn has_red(&self) -> bool {
        self.selected.is_some_and(|s| s.red.is_some())
    }

    /// Sends a packet again: as RTX (RFC 4588 §4) where that was negotiated, else as it was. `tracked`: it is sent once more
    /// if this gets lost.
    pub(crate) fn resend(
        &mut self,
        (lost, tracked): (u16, bool),
        source: SourcePacket,
        layer: &Layer,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let Some(Selected {
            rtx: Some(payload_type),
            codec,
            ..
        }) = self.selected
        else {
            if let Some(datagram) = self.sealed.as_ref().and_then(|sealed| sealed.get(lost)) {
                wire.room(datagram.len())[..datagram.len()].copy_from_slice(datagram);
                wire.push(datagram.len(), datagram.len());
            }
            return;
        };
        let highest = layer.cache.highest().unwrap_or(0);
        let Some(packet) = source
            .sequence(highest)
            .and_then(|sequence| layer.cache.get(sequence))
        else {
            return;
        };
        let changes = source.changes;
        let packet = content(packet, changes);
        let mut changed = None;
        let extras = self.extras(packet.extras, changes, &mut changed);
        let header = self.header.length(extras);
        let end = header + 2 + packet.payload.len();
        let total = end + wire.sealer.tag_len();
        let (sealer, now, send_time) = (wire.sealer, wire.now, wire.send_time);
        let Some(target) = wire.room(total).get_mut(..total) else {
            return;
        };
        let stamp = Stamp {
            payload_type,
            marker: packet.info.marker || changes.marker,
            padding: false,
            sequence: self.rtx_next as u16,
            timestamp: source.timestamp,
            ssrc: self.rtx_ssrc,
            transport_sequence: history.depart(now, total, if tracked { lost } else { 0 }),
            send_time,
            frame_number: changes.frame_number,
        };
        self.header.write(target, &stamp, extras);
        target[header..header + 2].copy_from_slice(&lost.to_be_bytes());
        let payload = &mut target[header + 2..end];
        payload.copy_from_slice(packet.payload);
        shift_counters(codec, payload, changes);
        sealer.seal_rtp(target, header, self.rtx_next);
        self.rtx_next += 1;
        wire.push(total, total);
    }
}

/// Counts the counters in a payload on.
fn shift_counters(codec: Codec, payload: &mut [u8], changes: Changes) {
    if changes.payload() {
        Counters::shift(codec, payload, changes.picture_id, changes.tl0picidx);
    }
}
