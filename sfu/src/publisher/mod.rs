//! The publisher side of a session: its packets become layers, and it gets the feedback it needs.

mod estimate;
mod streams;

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
pub(crate) use estimate::ReceiveEstimate;
use streams::{Found, MAX_STREAMS, Role, Stream, Streams};

use crate::{
    MediaKind,
    media::{
        Channel, ExtrasBuffer, Layer, MediaPacket, PacketInfo, PayloadChange, PublishedLayers,
        PublishedTrack, Pushed, SenderClock,
    },
    rtcp::{ExtendedBlock, ExtendedBlocks, FeedbackRecorder, Late, ReportBlock, RoundTrip, Writer},
    rtp::{
        Extension, Packet, rtx,
        time::{AbsCaptureTime, NtpTime},
    },
    sdp::PublisherSession,
};

/// Transport-wide feedback leaves this often: browsers' estimators expect 50 to 250 ms.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// Receiver reports and REMB leave this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How fast a publisher's clock may fall behind ours and still be followed: 2⁻¹², 244 ppm. Quartz stays within 100.
const DRIFT: u32 = 12;
/// Packets before one of a keyframe among which its beginning is looked for. What is missing is rarely so much.
const MAX_SEARCH: u64 = 512;
/// Sequence numbers that one NACK names at most.
const MAX_NACK: usize = 250;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// New media of a track.
    Media {
        kind: MediaKind,
        change: PayloadChange,
        /// Its picture's size isn't what its layer's was.
        resized: bool,
    },
    /// A layer comes under another SSRC, and so with other sequence numbers: the encoder was restarted. The packet wasn't
    /// taken in: give it again.
    Restarted,
    /// A duplicate, a probe, or nothing we know.
    Nothing,
}

/// The publisher side of a session.
#[derive(Debug)]
pub(crate) struct Publisher {
    session: PublisherSession,
    streams: Streams,
    feedback: Option<FeedbackRecorder>,
    estimate: Option<ReceiveEstimate>,
    /// SSRC of our reports.
    ssrc: u32,
    /// The publisher's wall clock behind ours, one for all its tracks so that they stay in step.
    clock_offset: Option<(i64, Instant)>,
    next_feedback: Option<Instant>,
    next_report: Instant,
    round_trip: RoundTrip,
    /// Layers, as a set of bits, that need a keyframe.
    overdue: u64,
    scratch: Vec<u16>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Keyframes that it was asked for.
    pub(crate) keyframe_requests: u64,
    /// Packets that never came, retransmissions aside.
    pub(crate) lost: u64,
}

impl Publisher {
    pub(crate) fn new(now: Instant, session: PublisherSession, ssrc: u32) -> Self {
        let transport_cc = session
            .extensions
            .id(Extension::TransportSequence)
            .is_some();
        let wants_remb = session
            .tracks
            .iter()
            .flat_map(|t| &t.payloads)
            .any(|p| p.remb);
        Self {
            streams: Streams::new(&session),
            feedback: transport_cc.then(FeedbackRecorder::new),
            estimate: (!transport_cc && wants_remb).then(|| ReceiveEstimate::new(now)),
            session,
            ssrc,
            clock_offset: None,
            next_feedback: None,
            next_report: now + REPORT_INTERVAL,
            round_trip: RoundTrip::default(),
            overdue: 0,
            scratch: Vec::with_capacity(MAX_NACK),
            packets: 0,
            bytes: 0,
            keyframe_requests: 0,
            lost: 0,
        }
    }

    /// What it announced.
    pub(crate) fn published(&self) -> PublishedLayers {
        let track = |t: &crate::sdp::IncomingTrack| PublishedTrack {
            kind: t.kind,
            payloads: t.payloads.clone(),
            rids: if t.rids.is_empty() {
                vec![String::new()]
            } else {
                t.rids.clone()
            },
        };
        PublishedLayers(self.session.tracks.iter().map(track).collect())
    }

    /// Takes an opened RTP packet into the channel's layers.
    pub(crate) fn on_rtp(
        &mut self,
        now: Instant,
        datagram: &[u8],
        channel: &mut Channel,
    ) -> Received {
        let Ok(packet) = Packet::parse(datagram) else {
            return Received::Nothing;
        };
        let mut extras = ExtrasBuffer::new();
        self.read_extensions(now, &packet, &mut extras);
        let stream = match self.streams.find(&packet, &self.session) {
            Found::Known(stream) => stream,
            Found::Replaced => return Received::Restarted,
            Found::Unknown => return Received::Nothing,
        };
        self.packets += 1;
        self.bytes += datagram.len() as u64;
        let (kind, layer_index, role) = (stream.kind, stream.layer, stream.role);
        let Some(track) = self.session.tracks.iter().find(|t| t.kind == kind) else {
            return Received::Nothing;
        };
        let (payload_type, sequence, payload) = match role {
            Role::Media => {
                let sequence = stream.unwrapper.unwrap(packet.sequence());
                let rate = track
                    .payloads
                    .first()
                    .map_or(90_000, |p| p.codec.clock_rate());
                stream
                    .statistics
                    .record(now, sequence, packet.timestamp(), rate);
                (packet.payload_type(), sequence, packet.payload())
            }
            Role::Repair => {
                let original = rtx::unwrap(packet.payload());
                let carrier = track
                    .payloads
                    .iter()
                    .find(|p| p.rtx == Some(packet.payload_type()));
                let media = self.streams.media(kind, layer_index);
                let (Some((sequence, payload)), Some(carrier), Some(media)) =
                    (original, carrier, media)
                else {
                    return Received::Nothing;
                };
                (
                    carrier.payload_type,
                    media.unwrapper.unwrap(sequence),
                    payload,
                )
            }
        };
        if let Some(media) = self.streams.media(kind, layer_index)
            && let Some(late) = media.nacks.on_packet(now, sequence)
        {
            let came = match role {
                Role::Repair => Came::Resent,
                Role::Media if track.payloads.iter().any(|p| p.rtx.is_some()) => Came::Overtaken,
                Role::Media => Came::Either,
            };
            note_late(now, media, &mut self.round_trip, late, came);
        }
        let Some(codec) = track
            .payloads
            .iter()
            .find(|p| p.payload_type == payload_type)
            .map(|p| p.codec)
        else {
            return Received::Nothing;
        };
        let Some(track) = channel.track_mut(kind) else {
            return Received::Nothing;
        };
        // Padding has a payload type too, but says nothing of the codec.
        let change = if payload.is_empty() {
            PayloadChange::None
        } else {
            track.note_payload(payload_type)
        };
        let Some(layer) = track.layers.get_mut(usize::from(layer_index)) else {
            return Received::Nothing;
        };
        let mark = (packet.timestamp(), packet.marker());
        let media = MediaPacket {
            info: layer.describe(codec, mark, payload, extras.extras()),
            extras: extras.extras(),
            payload,
        };
        let Pushed::Kept { resized } = layer.push(now, sequence, &media) else {
            return Received::Nothing;
        };
        layer.payload_type = payload_type;
        if let Some(stream) = self.streams.media(kind, layer_index)
            && stream.nacks.is_missing()
        {
            note_keyframe(stream, layer, sequence, media.info);
        }
        Received::Media {
            kind,
            change,
            resized,
        }
    }

    /// Takes an extended report: how long ago one of our reports was sent, if it answers that.
    pub(crate) fn on_extended(&mut self, wall: NtpTime, blocks: &ExtendedBlocks<'_>) {
        for block in blocks.clone() {
            if let ExtendedBlock::Delay(answer) = block
                && answer.ssrc == self.ssrc
            {
                self.round_trip
                    .sample_report(wall.middle(), answer.last, answer.delay);
            }
        }
    }

    /// The round trip, once measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    fn read_extensions(&mut self, now: Instant, packet: &Packet<'_>, extras: &mut ExtrasBuffer) {
        for (id, value) in packet.extensions() {
            match (self.session.extensions.extension(id), value) {
                (Some(Extension::TransportSequence), &[high, low, ..]) => {
                    if let Some(feedback) = &mut self.feedback {
                        feedback.record(now, u16::from_be_bytes([high, low]));
                        self.next_feedback.get_or_insert(now + FEEDBACK_INTERVAL);
                    }
                }
                (Some(Extension::AbsCaptureTime), value) => {
                    // In the publisher's clock: moved into ours, in which our sender reports are, too. The offset that
                    // may follow is to the publisher's clock, so it goes.
                    if let (Some((offset, _)), Some(capture)) =
                        (self.clock_offset, AbsCaptureTime::parse(value))
                    {
                        let time = capture.captured.bits().wrapping_add_signed(offset);
                        extras.push(Extension::AbsCaptureTime, &time.to_be_bytes());
                    }
                }
                (Some(extension), value) => extras.push(extension, value),
                (None, _) => {}
            }
        }
    }

    /// Takes a sender report: how a layer's RTP time relates to our wall clock. Returns what changed.
    pub(crate) fn on_sender_report(
        &mut self,
        now: Instant,
        wall: NtpTime,
        ssrc: u32,
        (ntp, rtp): (NtpTime, u32),
    ) -> Option<(MediaKind, u8, SenderClock)> {
        let stream = self
            .streams
            .of_ssrc(ssrc)
            .filter(|s| s.role == Role::Media)?;
        stream.statistics.on_sender_report(now, ntp);
        let behind = wall.bits().wrapping_sub(ntp.bits()) as i64;
        // The report that travelled fastest tells the clocks' distance best, and audio and video must share one: it
        // only moves when a report came faster, or when the publisher's clock was set by over a second. A clock that
        // runs slower than ours is followed, up to a bound.
        let offset = match self.clock_offset {
            Some((known, at)) => {
                let epoch = NtpTime::from_bits(0);
                let passed = epoch.plus(now.saturating_duration_since(at));
                let known = known.wrapping_add_unsigned(passed.bits() >> DRIFT);
                let later = behind.wrapping_sub(known);
                if (0..1 << 32).contains(&later) {
                    known
                } else {
                    behind
                }
            }
            None => behind,
        };
        self.clock_offset = Some((offset, now));
        let clock = SenderClock {
            wall: NtpTime::from_bits(ntp.bits().wrapping_add_signed(offset)),
            rtp,
        };
        Some((stream.kind, stream.layer, clock))
    }

    /// When feedback is due next.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let nacks = self.streams.all().filter_map(|s| s.nacks.next_timeout());
        nacks
            .chain(self.next_feedback)
            .chain([self.next_report])
            .min()
    }

    /// Writes feedback that is due, as much as goes into one datagram. Call it until it writes nothing.
    /// `wall` is our wall clock at `now`.
    pub(crate) fn write_feedback(
        &mut self,
        (now, wall): (Instant, NtpTime),
        writer: &mut Writer<'_>,
    ) {
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            self.write_reports(now, writer);
            writer.reference_time(self.ssrc, wall);
        } else if self.next_feedback.is_some_and(|at| now >= at) {
            let media = self.streams.all().next().map_or(0, |s| s.ssrc);
            self.next_feedback = None;
            if let Some(feedback) = &mut self.feedback {
                feedback.write(self.ssrc, media, writer);
                if feedback.pending() {
                    self.next_feedback = Some(now);
                }
            }
        } else {
            self.write_nacks(now, writer);
        }
    }

    fn write_reports(&mut self, now: Instant, writer: &mut Writer<'_>) {
        let mut blocks = ArrayVec::<ReportBlock, MAX_STREAMS>::new();
        for stream in self.streams.all_mut().filter(|s| s.role == Role::Media) {
            blocks.push(stream.statistics.report_block(now));
        }
        writer.receiver_report(self.ssrc, &blocks);
        self.lost = blocks
            .iter()
            .map(|b| u64::try_from(b.cumulative_lost).unwrap_or(0))
            .sum();
        if let Some(estimate) = &mut self.estimate {
            let loss = blocks.iter().map(|b| b.fraction_lost).max().unwrap_or(0);
            let ssrcs: ArrayVec<u32, MAX_STREAMS> = blocks.iter().map(|b| b.ssrc).collect();
            writer.remb(self.ssrc, estimate.update(now, self.bytes, loss), &ssrcs);
        }
    }

    fn write_nacks(&mut self, now: Instant, writer: &mut Writer<'_>) {
        for stream in self.streams.all_mut().filter(|s| s.role == Role::Media) {
            self.scratch.clear();
            let answer = self.round_trip.answer();
            stream.nacks.take_due(now, answer, &mut self.scratch);
            let asks = self
                .session
                .tracks
                .iter()
                .any(|t| t.kind == stream.kind && t.payloads.iter().any(|p| p.nack));
            if stream.nacks.take_overdue() && stream.kind == MediaKind::Video {
                self.overdue |= 1 << stream.layer;
            }
            if !self.scratch.is_empty() && asks {
                writer.nack(self.ssrc, stream.ssrc, &self.scratch);
                return;
            }
        }
    }

    /// The layers, as a set of bits, of which packets are missed for so long since the last call that a keyframe would
    /// come sooner.
    pub(crate) fn take_overdue(&mut self) -> u64 {
        std::mem::take(&mut self.overdue)
    }

    /// Writes a keyframe request for one layer (RFC 4585 §6.3.1, or RFC 5104 §4.3.1 where only that was negotiated).
    /// False if the layer's SSRC isn't known yet.
    pub(crate) fn write_keyframe_request(&mut self, layer: u8, writer: &mut Writer<'_>) -> bool {
        let payloads = || {
            self.session
                .tracks
                .iter()
                .filter(|t| t.kind == MediaKind::Video)
                .flat_map(|t| &t.payloads)
        };
        let fir_only = payloads().any(|p| p.fir) && !payloads().any(|p| p.pli);
        let own = self.ssrc;
        let Some(stream) = self.streams.media(MediaKind::Video, layer) else {
            return false;
        };
        self.keyframe_requests += 1;
        if fir_only {
            stream.full_intra_requests = stream.full_intra_requests.wrapping_add(1);
            writer.full_intra(own, stream.ssrc, stream.full_intra_requests);
        } else {
            writer.picture_loss(own, stream.ssrc);
        }
        true
    }
}

/// Why a packet comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Resent,
    Overtaken,
    Either,
}

/// A packet that was missed came: it tells the round trip, or how far the path reorders.
fn note_late(
    now: Instant,
    stream: &mut Stream,
    round_trip: &mut RoundTrip,
    late: Late,
    came: Came,
) {
    // No answer comes sooner than this, whatever it is an answer to.
    let least = round_trip.smoothed().unwrap_or_default() / 2;
    let soon = round_trip.answer() / 2;
    match (late.tries, late.asked, came) {
        (1, Some((asked, _)), Came::Resent) => round_trip.sample(asked),
        // Without RTX a packet that was sent again looks like one that was overtaken.
        (1, Some((asked, _)), Came::Either) if asked >= least => round_trip.sample(asked),
        // Which of several requests was answered can't be told (Karn's rule), but the last was not if that was just
        // now: the round trip is longer than was believed.
        (2.., Some((first, last)), Came::Resent | Came::Either) if last < soon => {
            round_trip.sample(first);
        }
        (0 | 1, _, Came::Overtaken | Came::Either) => stream.nacks.tolerate(now, late.missed),
        _ => {}
    }
}

/// Once a keyframe is whole, nothing before it is missed any more.
fn note_keyframe(stream: &mut Stream, layer: &Layer, sequence: u64, info: PacketInfo) {
    let known = stream.keyframe.filter(|(at, _)| *at == info.timestamp);
    if info.keyframe && known.is_none() {
        stream.keyframe = Some((info.timestamp, keyframe_begin(layer, sequence)));
    }
    if info.marker
        && let Some((_, begin)) = stream.keyframe.filter(|(at, _)| *at == info.timestamp)
    {
        stream.nacks.on_keyframe(begin, sequence);
    }
}

/// Where a keyframe may begin of which `sequence` is a packet: behind the last packet that is known to be another
/// picture's. What is missing in between may be its parameter sets.
fn keyframe_begin(layer: &Layer, sequence: u64) -> u64 {
    let timestamp = |sequence| Some(layer.cache.get(sequence)?.info.timestamp);
    let own = timestamp(sequence);
    let mut begin = sequence;
    while sequence - begin < MAX_SEARCH
        && let Some(before) = begin.checked_sub(1)
    {
        let other = timestamp(before);
        if other.is_some() && other != own {
            return begin;
        }
        begin = before;
    }
    begin
}
