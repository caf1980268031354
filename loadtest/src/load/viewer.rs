//! One viewer: receives, reports as browsers do, and counts.

use std::ops::Range;
use std::time::{Duration, Instant};

use rand::RngExt;
use rtc_rtcp::packet::Packet;
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};

use super::arrivals::Arrivals;
use super::clock::since_1970;
use super::pictures::{Gaps, Pictures, Whole};
use super::receiver::{Receiver, SOUND_CLOCK};
use super::shares::{Arrival, Shares};
use super::tally::Tally;
use super::totals::{Flow, Totals};
use crate::media::mark::{self, Mark, SOUND};
use crate::media::source::Codec;
use crate::peer::{Opener, PEEK};
use crate::rtp::Header;
use crate::sdp;

/// Transport-wide feedback comes this often; libwebrtc: 50 to 250 ms, by the bitrate.
const FEEDBACK: Duration = Duration::from_millis(100);
/// Receiver reports.
const REPORTS: Duration = Duration::from_secs(1);
/// A viewer who sees no whole keyframe for so long asks for one, and again.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// Closer than this a viewer is at the live edge.
const LIVE: u64 = 300_000_000;
/// A viewer who isn't by then counts as one who is: what it sees is late.
const CATCHING_UP: Duration = Duration::from_secs(3);
/// Enough of a payload to find most marks in; all of [`PEEK`] is opened only where that isn't enough.
const USUALLY: usize = 48;
/// SSRCs that a server may send to one viewer.
const MOST_STREAMS: usize = 16;
/// RFC 6184 §5.1.
const PICTURE_CLOCK: u32 = 90_000;

/// One viewer's memory.
pub struct Viewer {
    ssrc: u32,
    since: Instant,
    /// When it was first tried to let it in: the server may have refused it before.
    asked: Instant,
    /// Opens packets wholly, and counts what isn't authentic.
    verifies: bool,
    streams: Vec<Receiver>,
    arrivals: Arrivals,
    next_feedback: Instant,
    next_report: Instant,
    next_plea: Instant,
    tallies: Vec<((u16, u8), Tally)>,
    shares: Shares,
    pictures: Pictures,
    first_picture: Option<Duration>,
    is_live: bool,
    gaps: Gaps,
    /// What was sent within the measured window and came.
    in_window: Flow,
}

impl Viewer {
    /// Begins to watch, for whom it was first tried at `asked`.
    pub fn new(now: Instant, asked: Instant, verifies: bool) -> Self {
        let mut rng = rand::rng();
        Self {
            ssrc: rng.random(),
            since: now,
            asked,
            verifies,
            streams: Vec::new(),
            arrivals: Arrivals::default(),
            // Viewers don't report in step.
            next_feedback: now + FEEDBACK.mul_f64(rng.random()),
            next_report: now + REPORTS.mul_f64(rng.random()),
            next_plea: now + IMPATIENCE,
            tallies: Vec::new(),
            shares: Shares::default(),
            pictures: Pictures::default(),
            first_picture: None,
            is_live: false,
            gaps: Gaps::new(since_1970() + CATCHING_UP.as_nanos() as u64),
            in_window: Flow::default(),
        }
    }

    /// From the first request, also if it was refused, to the first whole keyframe.
    pub fn first_picture(&self) -> Option<Duration> {
        self.first_picture
    }

    /// Whether it ever was at the live edge.
    pub fn was_live(&self) -> bool {
        self.is_live
    }

    /// A measured window begins.
    pub fn begin_window(&mut self) {
        self.in_window = Flow::default();
        self.gaps.reset();
    }

    /// The window is over for this viewer, or will be at `until`: what came of it, and the longest time without a new
    /// picture, in nanoseconds; 0 if it wasn't there.
    pub fn end_window(&mut self, until: u64, window: &Range<u64>) -> (Flow, u64) {
        let counted = (self.in_window, self.gaps.longest(until, window));
        self.begin_window();
        counted
    }

    /// Packets that are missing between the first and the last that came, and those that came twice.
    pub fn lost_and_duplicates(&self) -> (u64, u64) {
        self.tallies.iter().fold((0, 0), |(lost, twice), (_, t)| {
            (lost + t.lost(), twice + t.duplicates())
        })
    }

    /// A sealed RTP packet came, at so many nanoseconds since 1970.
    pub fn on_rtp(
        &mut self,
        now: Instant,
        arrived: u64,
        sealed: &[u8],
        opener: &mut Opener,
        totals: &mut Totals,
    ) {
        let Some(header) = Header::read(sealed) else {
            totals.broken += 1;
            return;
        };
        if let Some(&[high, low]) = header.extension(sealed, sdp::TRANSPORT_CC.0) {
            self.arrivals.note(u16::from_be_bytes([high, low]), arrived);
        }
        let mut clear = [0; PEEK];
        opener.peek(&header, sealed, &mut clear[..USUALLY]);
        if self.verifies && opener.open(sealed).is_err() {
            totals.broken += 1;
            return;
        }
        let is_rtx = [Codec::H264, Codec::Vp8]
            .iter()
            .any(|codec| sdp::payload_types(*codec).1 == header.payload_type);
        let mut packet = Arrival {
            timestamp: header.timestamp,
            sequence: header.sequence,
            arrived,
        };
        if is_rtx {
            totals.retransmissions += 1;
            // RFC 4588 §4: the original sequence number is in front.
            packet.sequence = u16::from_be_bytes([clear[0], clear[1]]);
        } else if let Some(stream) = self.stream(&header) {
            stream.note(now, header.sequence, header.timestamp, arrived);
        }
        let found = mark::find(&clear[..USUALLY]).or_else(|| {
            opener.peek(&header, sealed, &mut clear);
            mark::find(&clear)
        });
        let is_known = match found {
            Some((mark, None)) => {
                self.on_mark(now, arrived, &mark, totals);
                true
            }
            Some((mark, Some(share))) => {
                let marked = self.shares.learn(packet, share, mark);
                // The others had been taken for packets without a mark.
                totals.unmarked -= marked.len().saturating_sub(1) as u64;
                for (packet, mark) in marked {
                    self.on_mark(now, packet.arrived, &mark, totals);
                }
                true
            }
            None => {
                let mark = self.shares.find(packet);
                match &mark {
                    Some(mark) => self.on_mark(now, arrived, mark, totals),
                    None => totals.unmarked += 1,
                }
                mark.is_some()
            }
        };
        // What is all padding has no original. There is one picture to repair.
        if is_rtx && is_known {
            let pictures = self.streams.iter_mut().filter(|stream| !stream.is_sound());
            pictures.for_each(|stream| stream.found(packet.sequence));
        }
    }

    /// RTCP came.
    pub fn on_rtcp(&mut self, now: Instant, packets: &[Box<dyn Packet>]) {
        for report in packets
            .iter()
            .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>())
        {
            if let Some(stream) = self.streams.iter_mut().find(|s| s.ssrc() == report.ssrc) {
                stream.on_sender_report(now, (report.ntp_time >> 16) as u32);
            }
        }
    }

    /// When [`Self::speak`] has something to say.
    pub fn next_timeout(&self) -> Instant {
        let plea = self.first_picture.is_none().then_some(self.next_plea);
        self.streams
            .iter()
            .map(Receiver::next_ask)
            .chain([Some(self.next_report), plea])
            .flatten()
            .fold(self.next_feedback, Instant::min)
    }

    /// What to tell the server now, one datagram each.
    pub fn speak(&mut self, now: Instant) -> Vec<Vec<Box<dyn Packet>>> {
        let mut datagrams = Vec::new();
        let media = self.streams.first().map_or(0, Receiver::ssrc);
        if self.next_feedback <= now {
            self.next_feedback = now + FEEDBACK;
            datagrams.extend(
                self.arrivals
                    .report(self.ssrc, media)
                    .map(|report| vec![Box::new(report) as Box<dyn Packet>]),
            );
        }
        datagrams.extend(self.streams.iter_mut().filter_map(|stream| {
            let asked = stream.to_ask(now);
            (!asked.is_empty()).then(|| {
                vec![Box::new(TransportLayerNack {
                    sender_ssrc: self.ssrc,
                    media_ssrc: stream.ssrc(),
                    nacks: nack_pairs_from_sequence_numbers(&asked),
                }) as Box<dyn Packet>]
            })
        }));
        if self.next_report <= now {
            self.next_report = now + REPORTS;
            if !self.streams.is_empty() {
                let reports = self.streams.iter_mut().map(|stream| stream.report(now));
                datagrams.push(vec![Box::new(ReceiverReport {
                    ssrc: self.ssrc,
                    reports: reports.collect(),
                    ..ReceiverReport::default()
                })]);
            }
        }
        if self.first_picture.is_none() && self.next_plea <= now {
            self.next_plea = now + IMPATIENCE;
            datagrams.extend(self.streams.iter().map(|stream| {
                vec![Box::new(PictureLossIndication {
                    sender_ssrc: self.ssrc,
                    media_ssrc: stream.ssrc(),
                }) as Box<dyn Packet>]
            }));
        }
        datagrams
    }

    fn stream(&mut self, header: &Header) -> Option<&mut Receiver> {
        let known = self
            .streams
            .iter()
            .position(|stream| stream.ssrc() == header.ssrc);
        if known.is_none() {
            if self.streams.len() == MOST_STREAMS {
                return None;
            }
            let clock = if header.payload_type == sdp::opus() {
                SOUND_CLOCK
            } else {
                PICTURE_CLOCK
            };
            let stream = Receiver::new(header.ssrc, clock, header.sequence);
            self.streams.push(stream);
        }
        let known = known.unwrap_or(self.streams.len() - 1);
        self.streams.get_mut(known)
    }

    fn on_mark(&mut self, now: Instant, arrived: u64, mark: &Mark, totals: &mut Totals) {
        let track = (mark.publisher, mark.layer);
        let known = self.tallies.iter_mut().find(|(known, _)| *known == track);
        let is_new = if let Some((_, tally)) = known {
            tally.note(mark.packet)
        } else {
            self.tallies.push((track, Tally::new(mark.packet)));
            true
        };
        if !is_new {
            return;
        }
        let in_window = totals.window.contains(&mark.sent);
        self.in_window.packets += u64::from(in_window);
        if mark.layer != SOUND {
            if let Some(whole) = self.pictures.note(mark, arrived) {
                self.on_picture(now, &whole, totals);
            }
        } else if in_window {
            let late = arrived.saturating_sub(mark.sent);
            totals.sound_latency.saturating_record(late);
        }
    }

    fn on_picture(&mut self, now: Instant, picture: &Whole, totals: &mut Totals) {
        let watching = now.saturating_duration_since(self.since);
        if picture.key && self.first_picture.is_none() {
            self.first_picture = Some(now.saturating_duration_since(self.asked));
        }
        let in_window = totals.window.contains(&picture.sent);
        self.in_window.pictures += u64::from(in_window);
        let late = picture.arrived.saturating_sub(picture.sent);
        if self.is_live {
            self.gaps.note(picture.arrived, &totals.window);
        } else if late < LIVE || watching > CATCHING_UP {
            self.is_live = true;
            self.gaps.begin(picture.arrived, &totals.window);
        } else {
            return;
        }
        totals.note_picture(late, in_window);
    }
}
