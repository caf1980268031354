//! What a viewer's reports say, and what it is told: retransmissions, feedback, sender reports.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::{Egress, FAR, FeedbackSummary, MAX_MISSING, NEAR, RESEND_BYTES, Viewer, Wire};
use crate::{
    MediaKind,
    media::{Channel, Track, track_index},
    rtcp::{LostSequences, ReportBlock, TransportFeedback, Writer},
    rtp::time::NtpTime,
};

/// Sender reports leave this often (RFC 3550 §6.2 allows less than its 5 s for low bandwidth shares).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const EARLY_REPORT_INTERVAL: Duration = Duration::from_millis(150);
/// The longest round trip that is believed, in 1/65536 s: 10 s.
const MAX_ROUND_TRIP: u32 = 10 << 16;
/// A round trip before any was measured.
const ASSUMED_RTT: Duration = Duration::from_millis(50);
/// Retransmissions may take this share of what is sent, themselves included: a path that loses more is too thin, and
/// sending more would make it worse.
const RESEND_SHARE: f64 = 0.5;
/// Retransmissions may save up what the path takes in this time, ...
const RESEND_TIME: Duration = Duration::from_millis(150);
/// ... and at least this much, at most [`RESEND_BYTES`].
const LEAST_RESEND_BYTES: f64 = 12_000.0;
/// Behind a longer queue than this packets aren't lost by chance: then only what is asked for is sent again.
const UNHURRIED: Duration = Duration::from_millis(50);
/// Parameter sets are among so many first packets of a keyframe; their loss has it sent again at most this often.
const HEAD_PACKETS: u16 = 4;
const HEAD_INTERVAL: Duration = Duration::from_millis(300);

/// What is known of the path to a viewer, from its feedback, beside what it carries: that the controller estimates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PathEstimate {
    /// Round trip, from receiver reports.
    pub(crate) rtt: Option<Duration>,
    /// Share of packets lost, 0 to 1, smoothed.
    pub(crate) loss: f32,
    /// How full the path's queue is, from transport-wide feedback.
    pub(crate) queueing: Duration,
    /// What arrived lately, in bits per second.
    pub(crate) delivered: u64,
    delivered_bytes: u64,
    measured: Option<Instant>,
}

impl PathEstimate {
    fn on_feedback(&mut self, now: Instant, summary: &FeedbackSummary) {
        let total = summary.received + summary.lost;
        if total == 0 {
            return;
        }
        self.loss = self.loss * 0.9 + 0.1 * summary.lost as f32 / total as f32;
        self.queueing = summary.queueing;
        self.delivered_bytes += summary.received_bytes;
        let since = *self.measured.get_or_insert(now);
        let span = now.saturating_duration_since(since);
        if span >= Duration::from_millis(500) {
            self.delivered = (self.delivered_bytes as f64 * 8.0 / span.as_secs_f64()) as u64;
            self.delivered_bytes = 0;
            self.measured = Some(now);
        }
    }
}

impl Viewer {
    /// Sends lost packets again (RFC 4585 §6.2.1).
    pub(crate) fn on_nack(
        &mut self,
        ssrc: u32,
        lost: LostSequences<'_>,
        channel: &Channel,
        wire: &mut Wire<'_>,
    ) {
        let kind = self.egress.iter().flatten().find(|e| e.ssrc == ssrc);
        if let Some(kind) = kind.map(|e| e.outgoing.kind) {
            self.resend(kind, lost, channel, wire);
        }
    }

    /// Sends what transport-wide feedback called missing again as RTX: that is known before a browser repeats its request,
    /// and where the request itself was lost.
    pub(crate) fn resend_missing(&mut self, channel: &Channel, wire: &mut Wire<'_>) {
        let missing = self.history.take_missing();
        let Some(video) = self.egress[track_index(MediaKind::Video)].as_ref() else {
            return;
        };
        if missing.is_empty() || !video.has_rtx() || self.path.queueing > UNHURRIED {
            return;
        }
        // What was sent again since may have come by now.
        let lost: ArrayVec<u16, MAX_MISSING> = missing
            .into_iter()
            .filter(|&(sequence, at)| video.left_last(sequence, at))
            .map(|(sequence, _)| sequence)
            .collect();
        self.resend(MediaKind::Video, lost, channel, wire);
    }

    fn resend(
        &mut self,
        kind: MediaKind,
        lost: impl IntoIterator<Item = u16>,
        channel: &Channel,
        wire: &mut Wire<'_>,
    ) {
        let milliseconds = self.history.milliseconds(wire.now);
        let round_trip = self.path.rtt.unwrap_or(ASSUMED_RTT);
        let (credit, before) = self.resend_credit;
        let earned = self.sent.bytes.saturating_sub(before) as f64 * RESEND_SHARE;
        // No more than the path takes in a moment: what has just been lost to a full queue would fill it again.
        let most = self.history.estimate() as f64 / 8.0 * RESEND_TIME.as_secs_f64();
        let mut credit = (credit + earned).min(most.clamp(LEAST_RESEND_BYTES, RESEND_BYTES));
        let Some(egress) = &mut self.egress[track_index(kind)] else {
            return;
        };
        let Some(track) = channel.track(kind) else {
            return;
        };
        let by_chance = self.path.queueing <= UNHURRIED;
        let mut head_lost = false;
        for sequence in lost {
            if credit <= 0.0 {
                break;
            }
            let Some(source) = egress.lost(sequence, milliseconds, round_trip) else {
                continue;
            };
            head_lost |= is_head(egress, sequence, track);
            if let Some(layer) = track.layers.get(usize::from(source.layer)) {
                let before = wire.sent;
                // One that was lost twice goes twice: a third time would come too late.
                for _ in 0..=u8::from(source.stubborn && by_chance && egress.has_rtx()) {
                    egress.resend((sequence, true), source, layer, &mut self.history, wire);
                }
                let bytes = wire.sent.bytes - before.bytes;
                credit -= bytes as f64;
                self.resend_rate.on_sent(wire.now, bytes);
                self.resent += wire.sent.packets - before.packets;
            }
        }
        let just = |at| wire.now.saturating_duration_since(at) < HEAD_INTERVAL;
        if head_lost && !self.replayed.is_some_and(just) && self.keyframes.grant(wire.now) {
            self.replayed = Some(wire.now);
            replay(egress, wire.now, track);
        }
        self.pacer.on_sent(wire.sent.bytes);
        self.resend_credit = (credit, self.sent.bytes);
    }

    /// Reads transport-wide feedback: it drives the catch-up's pace.
    pub(crate) fn on_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let summary = self.history.on_feedback(now, self.path.rtt, feedback);
        self.path.on_feedback(now, &summary);
        if let Some(egress) = &mut self.egress[track_index(MediaKind::Video)] {
            egress.on_feedback(now, &summary);
        }
        if summary.received + summary.lost == 0 {
            return;
        }
        // What is lost behind a queue would be lost all the more, were more sent.
        let lost = if summary.queueing <= UNHURRIED {
            summary.lost as i32 - summary.late as i32
        } else {
            0
        };
        let total = summary.received + summary.lost - summary.late;
        self.redundancy.on_report(now, lost, total);
        let Some(sign) = summary.sign() else {
            return;
        };
        for catch_up in self
            .egress
            .iter_mut()
            .flatten()
            .filter_map(|e| e.forwarder.catching_up())
        {
            catch_up.on_feedback(now, sign);
        }
    }

    /// Reads a report block about one of our tracks: loss and round trip (RFC 3550 §6.4.1).
    pub(crate) fn on_report(&mut self, (now, wall): (Instant, NtpTime), block: &ReportBlock) {
        if block.last_sr != 0 {
            let round = wall
                .middle()
                .wrapping_sub(block.last_sr)
                .wrapping_sub(block.delay_since_last_sr);
            // Longer ones, and those below zero, which wrap: clocks were set, or the report is a lie.
            if round < MAX_ROUND_TRIP {
                let rtt = Duration::from_secs_f64(f64::from(round) / 65536.0);
                let rtt = self.path.rtt.map_or(rtt, |old| (old * 7 + rtt) / 8);
                self.path.rtt = Some(rtt);
                self.far = rtt >= if self.far { NEAR } else { FAR };
            }
        }
        let kind = self.egress.iter().flatten().find(|e| e.ssrc == block.ssrc);
        let Some(kind) = kind.map(|e| e.outgoing.kind).filter(|_| !self.feedback) else {
            return;
        };
        self.path.loss = f32::from(block.fraction_lost) / 256.0;
        match kind {
            MediaKind::Audio => {
                let lost = block.fraction_lost.into();
                self.redundancy.on_report(now, lost, 256);
            }
            MediaKind::Video => self.on_reported_loss(now, block),
        }
    }

    /// Without transport-wide feedback, what is reported lost of the picture is all that is known of the path.
    fn on_reported_loss(&mut self, now: Instant, block: &ReportBlock) {
        let (since, before) = self
            .reported
            .replace((now, self.sent.bytes))
            .unwrap_or((now, self.sent.bytes));
        let span = now.saturating_duration_since(since).as_secs_f64();
        if span > 0.0 {
            let rate = (self.sent.bytes - before) as f64 * 8.0 / span;
            let lost = f64::from(block.fraction_lost) / 256.0;
            self.history.controller().on_report(now, lost, rate as u64);
        }
    }

    /// Reports weren't read until now: that none was heard says nothing of the path.
    pub(crate) fn excuse(&mut self, now: Instant) {
        self.history.controller().excuse(now);
    }

    /// The viewer's own estimate of what its path carries (REMB), in bits per second.
    pub(crate) fn on_remb(&mut self, now: Instant, bits_per_second: u64) {
        self.history.controller().on_remb(now, bits_per_second);
    }

    /// Writes the sender reports that are due: RTP time of each track at `wall`, so that the viewer plays audio and
    /// video in step.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        wall: NtpTime,
        channel: &Channel,
        cname: &str,
        writer: &mut Writer<'_>,
    ) {
        if self.next_report.is_none_or(|at| now < at) {
            return;
        }
        let milliseconds = self.history.milliseconds(now);
        self.history.fit(now);
        let mut written = false;
        for egress in self.egress.iter_mut().flatten().filter(|e| e.packets > 0) {
            egress.fit(milliseconds);
            let Some(rtp) = rtp_at(egress, (now, wall), channel) else {
                continue;
            };
            writer.sender_report(egress.ssrc, wall, rtp, egress.packets, egress.octets, &[]);
            writer.cname(egress.ssrc, cname);
            written = true;
        }
        let joining = self.joined.is_some_and(|at| now < at + REPORT_INTERVAL);
        let early = self.early_reports > 0 && (written || joining);
        self.early_reports = self.early_reports.saturating_sub(u8::from(written));
        let interval = if early {
            EARLY_REPORT_INTERVAL
        } else {
            REPORT_INTERVAL
        };
        self.next_report = Some(now + interval);
    }
}

impl Viewer {
    /// The RTP timestamp at which this viewer's picture is at `wall`, while it gets one.
    pub(crate) fn video_time(&self, now: Instant, wall: NtpTime, channel: &Channel) -> Option<u32> {
        let mut egress = self.egress.iter().flatten();
        let video =
            egress.find(|egress| egress.outgoing.kind == MediaKind::Video && egress.packets > 0)?;
        rtp_at(video, (now, wall), channel)
    }
}

/// Whether the packet with this number has parameter sets of the keyframe that the viewer began with, or was switched with.
/// A decoder that has others under the same name doesn't wait for them: it shows rubbish, and doesn't complain.
fn is_head(egress: &Egress, sequence: u16, track: &Track) -> bool {
    let place = sequence.wrapping_sub(egress.forwarder.begun() as u16);
    let (Some(codec), true) = (track.payload().map(|p| p.codec), place < HEAD_PACKETS) else {
        return false;
    };
    let source = egress.sent_packet(sequence);
    let packet = source.and_then(|source| {
        let cache = &track.layers.get(usize::from(source.layer))?.cache;
        cache.get(source.sequence(cache.highest()?)?)
    });
    packet.is_some_and(|packet| codec.carries_parameters(packet.payload))
}

/// Sends the current layer again from its newest keyframe on.
fn replay(egress: &mut Egress, now: Instant, track: &Track) {
    let layer = egress.forwarder.current();
    let layer = layer.and_then(|layer| track.layers.get(usize::from(layer)));
    if !egress.forwarder.is_waiting()
        && egress.forwarder.catching_up().is_none()
        && let Some(keyframe) = layer.and_then(|l| l.cache.keyframe())
    {
        egress.forwarder.replay(now, track, keyframe);
    }
}

/// The viewer's RTP timestamp of a track at `wall`: by the publisher's sender reports once all of its tracks have them,
/// until then by when packets arrived. Both tracks must go by the same clock to stay in step.
fn rtp_at(egress: &Egress, (now, wall): (Instant, NtpTime), channel: &Channel) -> Option<u32> {
    let track = channel.track(egress.outgoing.kind)?;
    let layer = track.layers.get(usize::from(egress.forwarder.current()?))?;
    let reported = |track: &Track| {
        let mut flowing = track.layers.iter().filter(|l| l.flowing(now));
        flowing.all(|l| l.clock.is_some())
    };
    let by_reports = channel.tracks.iter().flatten().all(reported);
    let clock = layer.clock.filter(|_| by_reports);
    let clock = clock.or_else(|| layer.arrival_clock(now, wall))?;
    let source = clock.rtp_at(wall, track.clock_rate());
    Some(egress.forwarder.timestamp_at_viewer(source))
}
