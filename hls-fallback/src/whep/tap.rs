//! Takes media out of the peer connection before that asks which track it is of.
//!
//! `rtc` 0.21.1 knows a packet by SSRCs in the answer, or by a rid. Spillway's answers have neither: they name no SSRC unless
//! they must, and retransmissions even less. We know all by payload type. So this interceptor hands packets out itself, and
//! feeds those that make reports, since nobody else tells them of the sources.

use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, ReceiverReportBuilder,
    ReceiverReportInterceptor, StreamInfo, TaggedPacket, TwccReceiverBuilder,
    TwccReceiverInterceptor,
};
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::codecs::{self, Meaning};

/// Of the header extension with the transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(super) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Its id: the only one that we offer, so the first.
pub(super) const TRANSPORT_CC_ID: u8 = 1;
/// The most sources that are reported on. A node has three.
const MAX_SOURCES: usize = 16;
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);

/// What came over the peer connection.
#[derive(Debug)]
pub(super) enum Incoming {
    Rtp(rtp::Packet),
    SenderReport { ssrc: u32, ntp: u64, timestamp: u32 },
}

/// The interceptor; its packets come out of the receiver that [`Tap::new`] returns, which is to be emptied after each datagram.
pub(super) struct Tap {
    feedback: TwccReceiverInterceptor,
    reports: ReceiverReportInterceptor,
    sources: HashSet<u32>,
    incoming: Sender<Incoming>,
    outgoing: VecDeque<TaggedPacket>,
}

impl Tap {
    /// Its place in the chain; it is alone there.
    pub(super) const SLOT: usize = 1_000;

    pub(super) fn new() -> (Self, Receiver<Incoming>) {
        let (incoming, receiver) = channel();
        let feedback = TwccReceiverBuilder::new().with_interval(FEEDBACK_INTERVAL);
        let reports = ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL);
        let tap = Self {
            feedback: feedback.build(),
            reports: reports.build(),
            sources: HashSet::new(),
            incoming,
            outgoing: VecDeque::new(),
        };
        (tap, receiver)
    }

    /// Tells those that make reports of a new source.
    fn introduce(&mut self, header: &rtp::Header) {
        let ssrc = header.ssrc;
        if self.sources.contains(&ssrc) || self.sources.len() == MAX_SOURCES {
            return;
        }
        let Some(Meaning::Media(coding) | Meaning::Resent(coding)) =
            codecs::meaning(header.payload_type)
        else {
            return;
        };
        self.sources.insert(ssrc);
        let source = StreamInfo {
            ssrc,
            payload_type: header.payload_type,
            clock_rate: coding.clock_rate(),
            rtp_header_extensions: vec![RTPHeaderExtension {
                uri: TRANSPORT_CC.to_owned(),
                id: u16::from(TRANSPORT_CC_ID),
            }],
            rtcp_feedback: vec![RTCPFeedback {
                typ: "transport-cc".to_owned(),
                parameter: String::new(),
            }],
            ..StreamInfo::default()
        };
        self.feedback.bind_remote_stream(&source);
        self.reports.bind_remote_stream(&source);
    }

    /// Hands out; that nobody listens any more is no reason to complain.
    fn hand_out(&self, packet: Packet) {
        match packet {
            Packet::Rtp(packet) => drop(self.incoming.send(Incoming::Rtp(packet))),
            Packet::Rtcp(packets) => {
                let reports = packets
                    .iter()
                    .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>());
                for report in reports {
                    let _ = self.incoming.send(Incoming::SenderReport {
                        ssrc: report.ssrc,
                        ntp: report.ntp_time,
                        timestamp: report.rtp_time,
                    });
                }
            }
            _ => {}
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &packet.message.packet {
            self.introduce(&packet.header);
        }
        self.feedback.handle_read(packet)?;
        while let Some(packet) = self.feedback.poll_read() {
            self.reports.handle_read(packet)?;
        }
        while let Some(packet) = self.reports.poll_read() {
            self.hand_out(packet.message.packet);
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        None
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing
            .pop_front()
            .or_else(|| self.feedback.poll_write())
            .or_else(|| self.reports.poll_write())
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.feedback.handle_timeout(now)?;
        self.reports.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let (feedback, reports) = (self.feedback.poll_timeout(), self.reports.poll_timeout());
        feedback.into_iter().chain(reports).min()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
