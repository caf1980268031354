//! A WebRTC peer without sockets: ICE (controlling), DTLS client, SRTP, and the RTCP of its role.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
    time::Instant,
};

use spillway_sfu::{
    Accepted, IceCredentials, MediaKind, Path, Protocol, SessionId, WorkerId,
    dtls::{Certificate, DtlsRole},
    ice,
    rtcp::{self, ExtendedBlock, FeedbackRecorder, NackGenerator, Rtcp, Writer},
    rtp::{NtpTime, SequenceUnwrapper},
    sdp::parse_offer,
    transport::{Incoming, Transport, TransportConfig, TransportEvent},
};

use super::{
    Answers, Heard, Source,
    check::binding_request,
    ms,
    offer::{OPUS, Offer, REPAIRED_RID, RID},
    receiver::ReceiverEstimate,
    repair::Mender,
    seconds,
    source::Outgoing,
};

/// Making keys takes time: all peers share one.
pub static CERTIFICATE: LazyLock<Arc<Certificate>> =
    LazyLock::new(|| Arc::new(Certificate::generate().unwrap()));

/// An RTCP packet from the engine, in its own words.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    SenderReport {
        ssrc: u32,
        ntp: NtpTime,
        rtp: u32,
        packets: u32,
        octets: u32,
    },
    ReceiverReport(Vec<rtcp::ReportBlock>),
    Nack {
        media: u32,
        lost: Vec<u16>,
    },
    KeyframeRequest {
        media: u32,
    },
    Remb(u64),
    /// Transport-wide: sequence number and arrival, in microseconds of the engine's clock.
    Arrivals(Vec<(u16, Option<i64>)>),
}

/// What a viewer sends of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    pub nack: bool,
    pub feedback: bool,
    /// It answers reference times with its sender reports, as libwebrtc does.
    pub answers_reference_times: bool,
}

pub struct Peer {
    pub engine: usize,
    pub session: SessionId,
    pub address: SocketAddr,
    pub server: SocketAddr,
    pub local: IceCredentials,
    pub remote: IceCredentials,
    pub transport: Transport,
    pub connected: Option<Instant>,
    pub closed: bool,
    /// It does and says nothing any more.
    pub dead: bool,
    pub source: Option<Source>,
    pub manners: Manners,
    pub heard: Vec<Heard>,
    pub told: Vec<(Instant, Told)>,
    /// Datagrams of media that its keys didn't open, or that it heard before.
    pub rejected: usize,
    /// Puts lost video together again, where the answer says how.
    pub mender: Option<Mender>,
    /// The last sender report's time, of whom, and when it came.
    last_report: Option<(u32, NtpTime, Instant)>,
    /// Numbers of the source's video that are never sent at first, to be asked for.
    pub withhold: HashSet<(u32, u16)>,
    /// Lost packets are sent again as RTX, under this SSRC or, of further layers, the next ones.
    pub rtx: Option<u32>,
    pub rtx_next: u64,
    sent: HashMap<(u32, u16), Outgoing>,
    /// When media packets left, by transport-wide number.
    pub departures: HashMap<u16, Instant>,
    next_check: Instant,
    next_report: Option<Instant>,
    next_feedback: Option<Instant>,
    /// The last reference time, of whom, and when it came.
    reference: Option<(u32, NtpTime, Instant)>,
    pub feedback: FeedbackRecorder,
    /// What it tells as REMB.
    pub estimate: Option<ReceiverEstimate>,
    nacks: NackGenerator,
    unwrapper: SequenceUnwrapper,
    pub video_ssrc: Option<u32>,
    pub outbox: Vec<Vec<u8>>,
}

impl Peer {
    pub fn new(
        now: Instant,
        host: u16,
        ask: impl FnOnce(String) -> Accepted,
        offer: &Offer,
        source: Option<Source>,
    ) -> Self {
        let local = ice::local_credentials(WorkerId(99), &mut rand::rng());
        let offered = offer.write(&local, CERTIFICATE.fingerprint());
        let accepted = ask(offered);
        let answer = parse_offer(&accepted.answer).unwrap();
        let transport = Transport::new(
            now,
            TransportConfig {
                local_ice: local.clone(),
                remote_ice: answer.ice.clone(),
                remote_fingerprint: answer.fingerprint.clone(),
                role: DtlsRole::Client,
                certificate: CERTIFICATE.clone(),
                data_channels: None,
            },
        )
        .unwrap();
        let [a, b] = host.to_be_bytes();
        let watches = source.is_none();
        let engine = usize::from(accepted.session.worker.0);
        Self {
            engine,
            session: accepted.session,
            address: (Ipv4Addr::new(10, 0, a, b), 5000).into(),
            server: server_address(engine),
            local,
            remote: answer.ice,
            transport,
            connected: None,
            closed: false,
            dead: false,
            source,
            manners: Manners {
                nack: offer.nack,
                feedback: offer.transport_cc,
                answers_reference_times: offer.transport_cc,
            },
            heard: Vec::new(),
            told: Vec::new(),
            rejected: 0,
            mender: Mender::of(&accepted.answer),
            last_report: None,
            withhold: HashSet::new(),
            rtx: offer.rtx.then_some(0xeeee_0000 + u32::from(host)),
            rtx_next: 100,
            sent: HashMap::new(),
            departures: HashMap::new(),
            next_check: now,
            next_report: None,
            next_feedback: None,
            reference: None,
            feedback: FeedbackRecorder::new(),
            estimate: (offer.remb && watches).then(|| ReceiverEstimate::new(now)),
            nacks: NackGenerator::new(MediaKind::Video),
            unwrapper: SequenceUnwrapper::default(),
            video_ssrc: None,
            outbox: Vec::new(),
        }
    }

    /// How the engine sees it.
    pub fn path(&self) -> Path {
        Path {
            protocol: Protocol::Udp,
            local: self.server.ip(),
            remote: self.address,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        if self.dead || self.closed {
            return None;
        }
        let source = self
            .source
            .as_ref()
            .filter(|_| self.connected.is_some())
            .map(Source::next);
        let nacks = self.nacks.next_timeout().filter(|_| self.manners.nack);
        let estimate = self.estimate.as_ref().map(ReceiverEstimate::next_timeout);
        [
            Some(self.next_check),
            self.transport.next_timeout(),
            self.next_report,
            self.next_feedback,
            nacks,
            source,
            estimate,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.dead || self.closed {
            return;
        }
        if now >= self.next_check {
            self.next_check = now + ms(2500);
            let request = binding_request(&self.remote, &self.local);
            self.outbox.push(request);
            // As if the other side had checked, too: a lite agent doesn't.
            let mut checked = binding_request(&self.local, &self.remote);
            let path = self.server_path();
            self.transport.handle(now, path, &mut checked);
        }
        self.transport.handle_timeout(now);
        if self.connected.is_some() {
            self.produce(now);
            self.give_feedback(now);
        }
        self.drain(now);
    }

    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        if self.dead || self.closed {
            return;
        }
        let path = self.server_path();
        let mut bytes = datagram.to_vec();
        if bytes.first().is_some_and(|first| *first <= 3) {
            return;
        }
        match self.transport.handle(now, path, &mut bytes) {
            Incoming::Rtp(packet) => {
                let packet = packet.to_vec();
                self.on_rtp(now, &packet);
            }
            Incoming::Rtcp(packet) => {
                let packet = packet.to_vec();
                self.on_rtcp(now, &packet);
            }
            Incoming::Rejected(_) => self.rejected += 1,
            Incoming::Handled => {}
        }
        self.drain(now);
    }

    /// Says good-bye.
    pub fn close(&mut self, now: Instant) {
        self.transport.close(now);
        self.drain(now);
        self.closed = true;
    }

    fn server_path(&self) -> Path {
        Path {
            protocol: Protocol::Udp,
            local: self.address.ip(),
            remote: self.server,
        }
    }

    fn drain(&mut self, now: Instant) {
        let mut buffer = Vec::new();
        while self.transport.poll_transmit(&mut buffer).is_some() {
            if buffer.first().is_some_and(|first| *first > 3) {
                self.outbox.push(buffer.clone());
            }
        }
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected { .. } => {
                    self.connected = Some(now);
                    self.next_report = Some(now + ms(200));
                    if let Some(source) = &mut self.source {
                        source.started = now;
                    }
                }
                TransportEvent::Closed(_) => self.closed = true,
                _ => {}
            }
        }
    }

    pub fn seal(&mut self, outgoing: &Outgoing) {
        let Some(sealer) = self.transport.sealer() else {
            return;
        };
        let mut packet = outgoing.packet.clone();
        packet.resize(packet.len() + sealer.tag_len(), 0);
        sealer.seal_rtp(&mut packet, outgoing.header, outgoing.index);
        self.outbox.push(packet);
    }

    pub fn send_rtcp(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        let mut packet = Vec::new();
        write(&mut Writer::new(&mut packet));
        if let Some(sealer) = self.transport.sealer() {
            sealer.seal_rtcp(&mut packet);
            self.outbox.push(packet);
        }
    }

    pub fn produce(&mut self, now: Instant) {
        let Some(source) = &mut self.source else {
            return;
        };
        if now < source.next() {
            return;
        }
        for outgoing in source.produce(now) {
            let key = key(&outgoing.packet);
            if let Some(number) =
                Heard::read(now, &outgoing.packet).and_then(|heard| heard.transport_sequence)
            {
                self.departures.insert(number, now);
            }
            self.sent.insert(key, outgoing.clone());
            if !self.withhold.contains(&key) {
                self.seal(&outgoing);
            }
        }
    }

    fn give_feedback(&mut self, now: Instant) {
        if self.next_report.is_some_and(|at| now >= at) {
            self.next_report = Some(now + seconds(1));
            self.send_reports(now);
            self.answer_reference_time(now);
        }
        if self.next_feedback.is_some_and(|at| now >= at) {
            self.next_feedback = None;
            while self.manners.feedback && self.feedback.pending() {
                let mut packet = Vec::new();
                self.feedback.write(1, 1, &mut Writer::new(&mut packet));
                if let Some(sealer) = self.transport.sealer() {
                    sealer.seal_rtcp(&mut packet);
                    self.outbox.push(packet);
                }
            }
        }
        let told = self.estimate.as_mut().and_then(|e| e.handle_timeout(now));
        if let Some(bitrate) = told {
            let media = self.video_ssrc.unwrap_or_default();
            self.send_rtcp(|writer| writer.remb(1, bitrate, &[media]));
        }
        if let Some(media) = self.video_ssrc.filter(|_| self.manners.nack) {
            let mut lost = Vec::new();
            self.nacks.take_due(now, ms(60), &mut lost);
            if !lost.is_empty() {
                self.send_rtcp(|writer| writer.nack(1, media, &lost));
            }
            if self.nacks.take_overdue() {
                self.send_rtcp(|writer| writer.picture_loss(1, media));
            }
        }
    }

    /// A publisher's sender reports, in its own clock, which began in 1970 plus `clock_ahead` at the source's start.
    fn send_reports(&mut self, now: Instant) {
        let Some(source) = self.source.clone() else {
            return self.send_receiver_report(now);
        };
        let ntp = NtpTime::from_unix(seconds(1000) + source.clock_ahead + (now - source.started));
        self.send_rtcp(|writer| {
            for (index, layer) in source.layers.iter().enumerate() {
                if layer.flowing {
                    writer.sender_report(layer.ssrc, ntp, source.timestamp(index, now), 1, 1, &[]);
                }
            }
            if source.audio {
                writer.sender_report(
                    source.audio_ssrc,
                    ntp,
                    source.audio_timestamp(now),
                    1,
                    1,
                    &[],
                );
            }
        });
    }

    /// So that the engine knows the round trip, where repair packets depend on it.
    fn send_receiver_report(&mut self, now: Instant) {
        let Some((ssrc, time, at)) = self.last_report.filter(|_| self.mender.is_some()) else {
            return;
        };
        let held = (now - at).as_nanos() * 65_536 / 1_000_000_000;
        let block = rtcp::ReportBlock {
            ssrc,
            fraction_lost: 0,
            cumulative_lost: 0,
            highest_sequence: 0,
            jitter: 0,
            last_sr: time.middle(),
            delay_since_last_sr: held as u32,
        };
        self.send_rtcp(|writer| writer.receiver_report(1, &[block]));
    }

    /// RFC 3611 §4.5.
    fn answer_reference_time(&mut self, now: Instant) {
        let asked = self.reference.take();
        let Some((ssrc, time, at)) = asked.filter(|_| self.manners.answers_reference_times) else {
            return;
        };
        let held = (now - at).as_nanos() * 65_536 / 1_000_000_000;
        let words = [1, 5 << 24 | 3, ssrc, time.middle(), held as u32];
        let mut packet = vec![0x80, 207, 0, 5];
        packet.extend(words.iter().flat_map(|word: &u32| word.to_be_bytes()));
        if let Some(sealer) = self.transport.sealer() {
            sealer.seal_rtcp(&mut packet);
            self.outbox.push(packet);
        }
    }

    fn on_rtp(&mut self, now: Instant, packet: &[u8]) {
        let Some(heard) = Heard::read(now, packet) else {
            return;
        };
        let taken = self.mender.as_mut().map(|m| m.take(now, packet));
        let taken = taken.unwrap_or_default();
        if taken.lost {
            return;
        }
        if let Some(number) = heard.transport_sequence {
            self.feedback.record(now, number);
            self.next_feedback.get_or_insert(now + ms(50));
        }
        if let (Some(estimate), Some(send_time)) = (&mut self.estimate, heard.send_time) {
            estimate.on_packet(now, packet.len(), send_time);
        }
        for number in taken.mended {
            let sequence = self.unwrapper.unwrap(number);
            self.nacks.on_packet(now, sequence);
        }
        if taken.repair || heard.padding {
            return;
        }
        if heard.kind == MediaKind::Video {
            if heard.repaired_by.is_none() {
                self.video_ssrc = Some(heard.ssrc);
            }
            let sequence = self.unwrapper.unwrap(heard.sequence);
            self.nacks.on_packet(now, sequence);
            if let Some(tag) = heard.tag.filter(|t| t.keyframe && t.spatial == 0) {
                let first = sequence.saturating_sub(u64::from(tag.index));
                let last = first + u64::from(tag.of) - 1;
                // Parameter sets may come before it.
                self.nacks.on_keyframe(first.saturating_sub(2), last);
            }
        }
        self.heard.push(heard);
    }

    fn on_rtcp(&mut self, now: Instant, packet: &[u8]) {
        let mut asked = Vec::new();
        for parsed in rtcp::packets(packet) {
            let told = match parsed.expect("well-formed RTCP") {
                Rtcp::SenderReport {
                    ssrc,
                    ntp,
                    rtp,
                    packets,
                    octets,
                    ..
                } => {
                    self.last_report = Some((ssrc, ntp, now));
                    Told::SenderReport {
                        ssrc,
                        ntp,
                        rtp,
                        packets,
                        octets,
                    }
                }
                Rtcp::ReceiverReport { reports, .. } => Told::ReceiverReport(reports.collect()),
                Rtcp::Nack { media, lost, .. } => {
                    let lost: Vec<u16> = lost.collect();
                    asked.extend(lost.iter().map(|&number| (media, number)));
                    Told::Nack { media, lost }
                }
                Rtcp::PictureLoss { media, .. } => Told::KeyframeRequest { media },
                Rtcp::FullIntra { mut requests, .. } => Told::KeyframeRequest {
                    media: requests.next().unwrap().0,
                },
                Rtcp::Remb { bitrate, .. } => Told::Remb(bitrate),
                Rtcp::TransportFeedback(feedback) => {
                    let reference =
                        i64::from(feedback.reference_time) * rtcp::TICKS_PER_REFERENCE * 250;
                    let arrival = |(number, ticks): (u16, Option<i64>)| {
                        (number, ticks.map(|t| reference + t * 250))
                    };
                    Told::Arrivals(feedback.statuses().map(arrival).collect())
                }
                Rtcp::ExtendedReport { sender, mut blocks } => {
                    if let Some(ExtendedBlock::ReferenceTime(time)) = blocks.next() {
                        self.reference = Some((sender, time, now));
                    }
                    continue;
                }
                _ => continue,
            };
            if let (Told::KeyframeRequest { media }, Some(source)) = (&told, &mut self.source)
                && source.answers == Answers::WithAKeyframe
                && let Some(layer) = source.layers.iter_mut().find(|l| l.ssrc == *media)
            {
                layer.wants_keyframe = true;
            }
            self.told.push((now, told));
        }
        for key in asked {
            self.resend(key);
        }
    }

    /// Sends a lost packet again: as RTX (RFC 4588 §4), or as it was.
    fn resend(&mut self, key: (u32, u16)) {
        let Some(outgoing) = self.sent.get(&key).cloned() else {
            return;
        };
        let sound = outgoing.packet[1] & 0x7f == OPUS;
        let Some(rtx) = self.rtx.filter(|_| !sound) else {
            return self.seal(&outgoing);
        };
        let (head, payload) = outgoing.packet.split_at(outgoing.header);
        let mut packet = head.to_vec();
        name_as_repair(&mut packet);
        let index = self.rtx_next;
        self.rtx_next += 1;
        packet[1] = packet[1] & 0x80 | ((packet[1] & 0x7f) + 1);
        packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
        // A stream of its own for each layer.
        let rtx = rtx + (key.0 & 0xff).saturating_sub(1);
        packet[8..12].copy_from_slice(&rtx.to_be_bytes());
        packet.extend_from_slice(&key.1.to_be_bytes());
        packet.extend_from_slice(payload);
        self.seal(&Outgoing {
            packet,
            header: outgoing.header,
            index,
        });
    }
}

/// Turns the rid in a header into a repaired rid (RFC 8852 §3.3).
fn name_as_repair(header: &mut [u8]) {
    let (long, mut at) = (header[12..14] == [0x10, 0], 16);
    while let Some(&first) = header.get(at) {
        let (id, length) = if long {
            (first, header.get(at + 1).map_or(0, |l| usize::from(*l) + 1))
        } else {
            (first >> 4, usize::from(first & 15) + 1)
        };
        if id == RID {
            header[at] = if long {
                REPAIRED_RID
            } else {
                REPAIRED_RID << 4 | first & 15
            };
        }
        at += if id == 0 { 1 } else { 1 + length };
    }
}

pub fn server_address(engine: usize) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, engine as u8 + 1), 8189).into()
}

/// SSRC and sequence number of a packet, sealed or not.
pub fn key(packet: &[u8]) -> (u32, u16) {
    (
        u32::from_be_bytes(packet[8..12].try_into().unwrap()),
        u16::from_be_bytes(packet[2..4].try_into().unwrap()),
    )
}
