//! One publisher: sends marked pictures and sound on time, and hears what it is asked for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rtc_rtcp::packet::Packet;
use rtc_rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc_rtp::header::{Extension, Header};
use rtc_shared::marshal::Marshal;

use super::clock::{since_1970, to_ntp};
use super::totals::Flow;
use crate::media::file::File;
use crate::media::mark::{self, Mark, SOUND};
use crate::media::source::{Codec, Groups, PicturePlan};
use crate::media::{h264, opus, vp8};
use crate::sdp::{self, Answer, AnsweredTrack, Sending, Source};

const PICTURE_CLOCK: f64 = 90_000.0;
const SOUND_CLOCK: f64 = 48_000.0;
/// Of an Opus packet.
const SOUND_FRAME: Duration = Duration::from_millis(20);
const REPORTS: Duration = Duration::from_secs(1);
/// Packets of a layer that can be sent again.
const KEPT: usize = 1_024;

/// Sound and pictures of one publisher.
#[derive(Clone)]
pub struct Plan {
    /// When there are pictures, and what they are like if there is no file.
    pub pictures: PicturePlan,
    /// Where the pictures come from.
    pub file: Option<Arc<File>>,
    /// Bits a second of sound; 0 for none.
    pub sound: u64,
    /// A picture's packets leave over so much time.
    pub spread: Duration,
}

/// A packet that waits for its moment.
struct Waiting {
    at: Instant,
    stream: usize,
    timestamp: u32,
    marker: bool,
    /// It has no mark of its own, but that of its picture.
    shares_mark: bool,
    payload: Vec<u8>,
}

/// One SSRC.
struct Stream {
    source: Source,
    payload_type: u8,
    clock: f64,
    first_timestamp: u32,
    sequence: u16,
    rtx_sequence: u16,
    /// Before the packet's own extensions.
    extensions: Vec<Extension>,
    rtx: Option<(u8, Vec<Extension>)>,
    packets: u64,
    octets: u64,
    frames: u32,
    groups: Groups,
    /// When the mark of the current picture was stamped.
    stamped: u64,
    kept: VecDeque<(u16, Vec<u8>)>,
}

/// What a publisher has to say at some moment: RTP to seal, and RTCP.
#[derive(Default)]
pub struct Speech {
    /// RTP packets in clear.
    pub rtp: Vec<Vec<u8>>,
    /// RTCP datagrams.
    pub rtcp: Vec<Vec<Box<dyn Packet>>>,
}

/// One publisher.
pub struct Publisher {
    number: u16,
    plan: Plan,
    sending: Sending,
    /// The layers, then the sound.
    streams: Vec<Stream>,
    /// The moment of picture 0, once connected.
    start: Option<Instant>,
    pictures: u64,
    sounds: u64,
    waiting: VecDeque<Waiting>,
    next_report: Instant,
    transport_cc: bool,
    transport_sequence: u16,
    /// What was sent within the measured window; pictures whose last packet was.
    in_window: Flow,
    /// How often a keyframe was asked for.
    requests: u64,
}

impl Publisher {
    /// A publisher that will send as `plan` says.
    pub fn new(number: u16, plan: Plan, now: Instant) -> Self {
        let mut rng = rand::rng();
        let mut ssrc = || rng.random_range(1..u32::MAX);
        let video = plan
            .pictures
            .layers
            .iter()
            .map(|_| Source {
                ssrc: ssrc(),
                rtx: ssrc(),
            })
            .collect();
        let sending = Sending {
            codec: plan.pictures.codec,
            video,
            audio: (plan.sound > 0).then(ssrc),
        };
        Self {
            number,
            plan,
            sending,
            streams: Vec::new(),
            start: None,
            pictures: 0,
            sounds: 0,
            waiting: VecDeque::new(),
            next_report: now + REPORTS,
            transport_cc: false,
            transport_sequence: 0,
            in_window: Flow::default(),
            requests: 0,
        }
    }

    /// What its offer says.
    pub fn sending(&self) -> &Sending {
        &self.sending
    }

    /// The server's answer: what of the offer it takes.
    pub fn on_answer(&mut self, answer: &Answer) {
        let (media, rtx) = sdp::payload_types(self.plan.pictures.codec);
        self.transport_cc = answer
            .video
            .as_ref()
            .is_some_and(|track| track.extensions.contains(&sdp::TRANSPORT_CC.0));
        let simulcast = self.sending.video.len() > 1;
        if let Some(track) = &answer.video {
            for (layer, source) in self.sending.video.iter().enumerate() {
                let rid = simulcast.then(|| sdp::rid(layer));
                let with_rid = |(id, _): (u8, &str)| {
                    let mut extensions = of_mid(track);
                    extensions.extend(rid.as_ref().map(|rid| extension((id, rid))));
                    extensions
                };
                let mut stream = Stream::new(*source, media, PICTURE_CLOCK, with_rid(sdp::RID));
                stream.rtx = track.rtx.then(|| (rtx, with_rid(sdp::REPAIRED_RID)));
                self.streams.push(stream);
            }
        }
        if let (Some(track), Some(ssrc)) = (&answer.audio, self.sending.audio) {
            let source = Source { ssrc, rtx: 0 };
            let stream = Stream::new(source, sdp::opus(), SOUND_CLOCK, of_mid(track));
            self.streams.push(stream);
        }
    }

    /// Media can flow.
    pub fn start(&mut self, now: Instant) {
        self.start = Some(now);
    }

    /// A measured window begins.
    pub fn begin_window(&mut self) {
        self.in_window = Flow::default();
    }

    /// What was sent in the measured window.
    pub fn in_window(&self) -> Flow {
        self.in_window
    }

    /// How often it was asked for a keyframe.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// When [`Self::speak`] has something to say.
    pub fn next_timeout(&self) -> Option<Instant> {
        let start = self.start?;
        let picture = start + self.plan.pictures.due(self.pictures);
        let sound = (self.plan.sound > 0).then(|| start + self.sound_due());
        let waiting = self.waiting.front().map(|packet| packet.at);
        [Some(picture), sound, waiting, Some(self.next_report)]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is due.
    pub fn speak(&mut self, now: Instant, window: &std::ops::Range<u64>) -> Speech {
        let mut speech = Speech::default();
        let Some(start) = self.start else {
            return speech;
        };
        while start + self.plan.pictures.due(self.pictures) <= now {
            self.prepare_picture(start);
            self.pictures += 1;
        }
        while self.plan.sound > 0 && start + self.sound_due() <= now {
            self.prepare_sound(start);
            self.sounds += 1;
        }
        while let Some(packet) = self.waiting.pop_front_if(|packet| packet.at <= now) {
            let sent = self.sent(&packet);
            if window.contains(&sent) {
                self.in_window.packets += 1;
                self.in_window.pictures += u64::from(packet.marker);
            }
            speech.rtp.extend(self.packet(packet, sent));
        }
        if self.next_report <= now {
            self.next_report = now + REPORTS;
            speech.rtcp = self.streams.iter().map(|s| s.report(now, start)).collect();
        }
        speech
    }

    /// RTCP came. Returns what is to be sent again.
    pub fn on_rtcp(&mut self, packets: &[Box<dyn Packet>]) -> Vec<Vec<u8>> {
        let mut again = Vec::new();
        for packet in packets {
            let packet = packet.as_any();
            if let Some(lost) = packet.downcast_ref::<PictureLossIndication>() {
                self.ask(lost.media_ssrc);
            } else if let Some(intra) = packet.downcast_ref::<FullIntraRequest>() {
                for entry in &intra.fir {
                    self.ask(entry.ssrc);
                }
            } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                let numbers: Vec<u16> = nack.nacks.iter().flat_map(NackPair::packet_list).collect();
                if let Some(stream) = self.stream_of(nack.media_ssrc) {
                    again.extend(numbers.iter().filter_map(|number| stream.again(*number)));
                }
            }
        }
        again
    }

    fn ask(&mut self, ssrc: u32) {
        if let Some(stream) = self.stream_of(ssrc) {
            stream.groups.ask();
            self.requests += 1;
        }
    }

    fn stream_of(&mut self, ssrc: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|s| s.source.ssrc == ssrc)
    }

    fn sound_due(&self) -> Duration {
        Duration::from_nanos(SOUND_FRAME.as_nanos() as u64 * self.sounds)
    }

    fn prepare_picture(&mut self, start: Instant) {
        let due = self.plan.pictures.due(self.pictures);
        let pictures = self.streams.iter_mut().filter(|s| s.source.rtx != 0);
        for (layer, stream) in pictures.enumerate() {
            let mark = Mark {
                publisher: self.number,
                layer: layer as u8,
                key: false,
                first: false,
                last: false,
                packet: stream.packets,
                frame: stream.frames,
                sent: 0,
            };
            let payloads = match &self.plan.file {
                Some(file) => {
                    let key = file.is_key(stream.frames);
                    file.payloads(stream.frames, Mark { key, ..mark })
                }
                None => synthetic(&self.plan.pictures, layer, &mut stream.groups, mark),
            };
            stream.frames = stream.frames.wrapping_add(1) & 0x0fff_ffff;
            stream.packets += payloads.len() as u64;
            let timestamp = stream.timestamp(due);
            let count = payloads.len();
            for (i, payload) in payloads.into_iter().enumerate() {
                let after = self.plan.spread.mul_f64(i as f64 / count as f64);
                self.waiting.push_back(Waiting {
                    at: start + due + after,
                    stream: layer,
                    timestamp,
                    marker: i + 1 == count,
                    shares_mark: self.plan.file.is_some() && i > 0,
                    payload,
                });
            }
        }
        // Layers and sound that overlap leave in the order of their moments.
        self.waiting
            .make_contiguous()
            .sort_by_key(|packet| packet.at);
    }

    /// When a packet that leaves now counts as sent: as its mark says.
    fn sent(&mut self, packet: &Waiting) -> u64 {
        let Some(stream) = self.streams.get_mut(packet.stream) else {
            return since_1970();
        };
        if !packet.shares_mark {
            stream.stamped = since_1970();
        }
        stream.stamped
    }

    fn prepare_sound(&mut self, start: Instant) {
        let due = self.sound_due();
        let at = self.streams.len().wrapping_sub(1);
        let Some(stream) = self.streams.get_mut(at).filter(|s| s.source.rtx == 0) else {
            return;
        };
        let bytes = (self.plan.sound as f64 / 8.0 * SOUND_FRAME.as_secs_f64()) as usize;
        let mark = Mark {
            publisher: self.number,
            layer: SOUND,
            key: false,
            first: true,
            last: true,
            packet: stream.packets,
            frame: stream.frames,
            sent: 0,
        };
        stream.packets += 1;
        stream.frames = stream.frames.wrapping_add(1) & 0x0fff_ffff;
        self.waiting.push_back(Waiting {
            at: start + due,
            stream: at,
            timestamp: stream.timestamp(due),
            marker: false,
            shares_mark: false,
            payload: opus::payload(bytes, mark),
        });
        self.waiting
            .make_contiguous()
            .sort_by_key(|packet| packet.at);
    }

    /// Makes the packet, with the moment of its sending in its mark.
    fn packet(&mut self, mut waiting: Waiting, sent: u64) -> Option<Vec<u8>> {
        mark::stamp(&mut waiting.payload, sent);
        let transport = self.transport_cc.then(|| {
            let number = self.transport_sequence.to_be_bytes();
            self.transport_sequence = self.transport_sequence.wrapping_add(1);
            Extension {
                id: sdp::TRANSPORT_CC.0,
                payload: Bytes::copy_from_slice(&number),
            }
        });
        let stream = self.streams.get_mut(waiting.stream)?;
        let extensions = stream.extensions.iter().cloned().chain(transport).collect();
        let header = Header {
            marker: waiting.marker,
            timestamp: waiting.timestamp,
            ..Stream::header(
                stream.payload_type,
                stream.source.ssrc,
                stream.sequence,
                extensions,
            )
        };
        let mut packet = header.marshal().ok()?.to_vec();
        packet.extend(&waiting.payload);
        stream.octets += waiting.payload.len() as u64;
        if stream.kept.len() == KEPT {
            stream.kept.pop_front();
        }
        stream.kept.push_back((stream.sequence, packet.clone()));
        stream.sequence = stream.sequence.wrapping_add(1);
        Some(packet)
    }
}

/// The payloads of a picture of nothing; `before` is what their marks have in common, and the number of the first.
fn synthetic(plan: &PicturePlan, layer: usize, groups: &mut Groups, before: Mark) -> Vec<Vec<u8>> {
    let key = groups.next_is_key(plan);
    let (size, bytes) = (plan.layers[layer].size, plan.bytes(layer, key));
    let mut packet = before.packet;
    let mark = |first, last| {
        packet += 1;
        Mark {
            key,
            first,
            last,
            packet: packet - 1,
            ..before
        }
    };
    match plan.codec {
        Codec::H264 => h264::payloads(size, key, bytes, mark),
        Codec::Vp8 => vp8::payloads(size, key, before.frame as u16, bytes, mark),
    }
}

fn extension((id, value): (u8, &str)) -> Extension {
    Extension {
        id,
        payload: Bytes::copy_from_slice(value.as_bytes()),
    }
}

fn of_mid(track: &AnsweredTrack) -> Vec<Extension> {
    if track.extensions.contains(&sdp::MID.0) && !track.mid.is_empty() {
        vec![extension((sdp::MID.0, &track.mid))]
    } else {
        Vec::new()
    }
}

impl Stream {
    fn new(source: Source, payload_type: u8, clock: f64, extensions: Vec<Extension>) -> Self {
        let mut rng = rand::rng();
        Self {
            source,
            payload_type,
            clock,
            first_timestamp: rng.random(),
            sequence: rng.random_range(0..1 << 15),
            rtx_sequence: rng.random_range(0..1 << 15),
            extensions,
            rtx: None,
            packets: 0,
            octets: 0,
            frames: 0,
            groups: Groups::default(),
            stamped: 0,
            kept: VecDeque::new(),
        }
    }

    fn timestamp(&self, due: Duration) -> u32 {
        let ticks = (due.as_secs_f64() * self.clock).round() as u64;
        self.first_timestamp.wrapping_add(ticks as u32)
    }

    fn header(
        payload_type: u8,
        ssrc: u32,
        sequence_number: u16,
        extensions: Vec<Extension>,
    ) -> Header {
        let mut header = Header {
            version: 2,
            payload_type,
            sequence_number,
            ssrc,
            ..Header::default()
        };
        for extension in extensions {
            // What can't be written in one byte's form wasn't offered.
            let _ = header.set_extension(extension.id, extension.payload);
        }
        header
    }

    /// A packet once more: in the stream of retransmissions (RFC 4588 §4), or as it was.
    fn again(&mut self, sequence: u16) -> Option<Vec<u8>> {
        let (_, packet) = self.kept.iter().find(|(number, _)| *number == sequence)?;
        let Some((payload_type, extensions)) = self.rtx.clone() else {
            return Some(packet.clone());
        };
        let read = crate::rtp::Header::read(packet)?;
        let header = Header {
            marker: read.marker,
            timestamp: read.timestamp,
            ..Self::header(payload_type, self.source.rtx, self.rtx_sequence, extensions)
        };
        let mut again = header.marshal().ok()?.to_vec();
        again.extend(sequence.to_be_bytes());
        again.extend(&packet[read.len..]);
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        Some(again)
    }

    fn report(&self, now: Instant, start: Instant) -> Vec<Box<dyn Packet>> {
        let report = SenderReport {
            ssrc: self.source.ssrc,
            ntp_time: to_ntp(since_1970()),
            rtp_time: self.timestamp(now.saturating_duration_since(start)),
            packet_count: self.packets as u32,
            octet_count: self.octets as u32,
            ..SenderReport::default()
        };
        vec![Box::new(report)]
    }
}
