//! A broadcast of one track in virtual time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use spillway_hls::media::{Content, Frame, Moment};
use spillway_hls::receive::{Coding, Packet, Receiver, Request};
use spillway_loadtest::link::model::{Conditions, Model};

use super::Source;

const TICK: Duration = Duration::from_millis(1);
/// What the node's clock shows at the beginning, and how far ours is ahead of it.
pub(crate) const NODE: Moment = Moment(1_763_000_000_000_000);
pub(crate) const AHEAD: i64 = 3_000_000;
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// A frame that was sent.
pub(crate) struct Sent {
    pub(crate) captured: Moment,
    pub(crate) data: Vec<u8>,
    pub(crate) key: bool,
}

#[derive(Clone)]
enum Wire {
    Packet(Packet),
    Report { ntp: u64, timestamp: u32 },
    Request(Request),
}

impl AsRef<[u8]> for Wire {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Packet(packet) => &packet.payload,
            _ => &[],
        }
    }
}

/// One sender and one receiver.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing that a test turns off"
)]
pub(crate) struct World {
    pub(crate) now: Instant,
    began: Instant,
    pub(crate) rng: StdRng,
    pub(crate) source: Source,
    pub(crate) receiver: Receiver,
    down: Model<Wire>,
    up: Model<Wire>,
    /// The sender's numbers.
    pub(crate) sequence: u16,
    pub(crate) first_timestamp: u32,
    /// How much earlier frames are sent than the reports have it, on the RTP clock.
    pub(crate) lead: u32,
    /// What the node's clock is off since it was set.
    pub(crate) node_step: i64,
    pub(crate) reports: bool,
    pub(crate) answers_resends: bool,
    pub(crate) answers_keyframes: bool,
    /// Pictures from one keyframe to the next.
    pub(crate) group: usize,
    store: HashMap<u16, Packet>,
    key: bool,
    next_frame: Duration,
    next_report: Duration,
    pub(crate) sent: Vec<Sent>,
    pub(crate) received: Vec<(Instant, Frame)>,
    pub(crate) keyframe_requests: usize,
}

impl World {
    pub(crate) fn new(source: Source, seed: u64) -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(seed);
        let sequence = rand::RngExt::random(&mut rng);
        let first_timestamp = rand::RngExt::random(&mut rng);
        Self {
            now,
            began: now,
            source,
            receiver: Receiver::new(now, NODE.plus(AHEAD)),
            down: Model::new(Conditions::default(), seed),
            up: Model::new(Conditions::default(), seed ^ 1),
            rng,
            sequence,
            first_timestamp,
            lead: 0,
            node_step: 0,
            reports: true,
            answers_resends: true,
            answers_keyframes: true,
            group: 150,
            store: HashMap::new(),
            key: true,
            next_frame: Duration::from_millis(5),
            next_report: Duration::from_millis(60),
            sent: Vec::new(),
            received: Vec::new(),
            keyframe_requests: 0,
        }
    }

    /// The network in both directions; requests are lost as well.
    pub(crate) fn conditions(&mut self, conditions: &Conditions) {
        self.down.set_conditions(conditions.clone());
        self.up.set_conditions(conditions.clone());
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            let passed = self.now - self.began;
            if passed >= self.next_frame {
                self.next_frame += self.period();
                self.send_frame();
            }
            if self.reports && passed >= self.next_report {
                self.next_report += Duration::from_secs(1);
                self.send_report();
            }
            self.exchange();
        }
    }

    /// What is left on the way arrives, and is waited for no longer.
    pub(crate) fn finish(&mut self) {
        self.next_frame = Duration::MAX;
        self.run(Duration::from_secs(2));
    }

    /// Sends a packet as it is.
    pub(crate) fn send(&mut self, packet: Packet) {
        self.store.insert(packet.sequence, packet.clone());
        self.down.send(self.now, Wire::Packet(packet));
    }

    pub(crate) fn captured(&self) -> Moment {
        NODE.plus((self.now - self.began).as_micros() as i64)
    }

    fn timestamp(&self) -> u32 {
        let rate = u64::from(self.source.coding().clock_rate());
        let ticks = (self.now - self.began).as_micros() as u64 * rate / 1_000_000;
        self.first_timestamp.wrapping_add(ticks as u32)
    }

    fn period(&self) -> Duration {
        match self.source.coding() {
            Coding::Opus => Duration::from_millis(20),
            Coding::Video(_) => Duration::from_nanos(33_333_333),
        }
    }

    fn send_frame(&mut self) {
        let key = std::mem::take(&mut self.key) || self.sent.len().is_multiple_of(self.group);
        let (data, payloads) = self.source.frame(&mut self.rng, key);
        self.sent.push(Sent {
            captured: self.captured(),
            data,
            key,
        });
        self.send_payloads(payloads);
    }

    pub(crate) fn send_payloads(&mut self, payloads: Vec<bytes::Bytes>) {
        let last = payloads.len() - 1;
        for (i, payload) in payloads.into_iter().enumerate() {
            let packet = Packet {
                coding: self.source.coding(),
                ssrc: 7,
                sequence: self.sequence,
                timestamp: self.timestamp().wrapping_add(self.lead),
                marker: i == last && self.source != Source::Opus,
                resent: false,
                payload,
            };
            self.sequence = self.sequence.wrapping_add(1);
            self.send(packet);
        }
    }

    fn send_report(&mut self) {
        let moment = self.captured().plus(self.node_step).0 as u64;
        let seconds = moment / 1_000_000 + NTP_TO_UNIX;
        let fraction = ((moment % 1_000_000) << 32) / 1_000_000;
        let report = Wire::Report {
            ntp: seconds << 32 | fraction,
            timestamp: self.timestamp(),
        };
        self.down.send(self.now, report);
    }

    fn exchange(&mut self) {
        while let Some(wire) = self.down.receive(self.now) {
            match wire {
                Wire::Packet(packet) => self.receiver.on_packet(self.now, packet),
                Wire::Report { ntp, timestamp } => {
                    let kind = self.source.coding().kind();
                    self.receiver
                        .on_sender_report(self.now, kind, ntp, timestamp);
                }
                Wire::Request(_) => {}
            }
        }
        while let Some(frame) = self.receiver.poll(self.now) {
            self.received.push((self.now, frame));
        }
        while let Some(request) = self.receiver.poll_request(self.now) {
            self.keyframe_requests += usize::from(request == Request::Keyframe);
            self.up.send(self.now, Wire::Request(request));
        }
        while let Some(wire) = self.up.receive(self.now) {
            match wire {
                Wire::Request(Request::Keyframe) => self.key |= self.answers_keyframes,
                Wire::Request(Request::Resend { sequences, .. }) if self.answers_resends => {
                    self.resend(&sequences);
                }
                _ => {}
            }
        }
        let timeout = self.receiver.next_timeout();
        assert!(
            timeout.is_none_or(|at| at > self.now),
            "everything that is due was done"
        );
    }

    fn resend(&mut self, sequences: &[u16]) {
        for sequence in sequences {
            let mut packet = self.store[sequence].clone();
            packet.resent = true;
            self.down.send(self.now, Wire::Packet(packet));
        }
    }

    /// That every frame is one that was sent, all in order, and a loss is told and followed by a keyframe. Returns how many
    /// frames came.
    pub(crate) fn check(&self) -> usize {
        let mut next = 0;
        for (_, frame) in &self.received {
            let ahead = self.sent[next..]
                .iter()
                .position(|sent| sent.data == frame.data);
            let ahead = ahead.unwrap_or_else(|| panic!("{:?} was never sent", frame.content));
            let sent = &self.sent[next + ahead];
            if let Content::Video { keyframe, .. } = frame.content {
                assert_eq!(keyframe, sent.key);
                assert!(ahead == 0 || keyframe, "{ahead} pictures lost at {next}");
            }
            assert_eq!(frame.lost_before, ahead > 0 && next > 0, "frame {next}");
            next += ahead + 1;
        }
        let times = self.received.iter().map(|(_, frame)| frame.time);
        assert!(times.is_sorted_by(|a, b| a < b));
        self.received.len()
    }
}
