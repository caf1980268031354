//! RTP in, whole frames with their time out: reordering, depacketizing, clocks. Sans-IO.

mod clock;
mod codec;
mod packet;
mod reorder;
mod repair;
mod statistics;
mod video;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

pub use codec::ParameterSets;
pub use packet::{Coding, Packet, TrackKind};
pub use statistics::{Statistics, TrackStatistics};

use crate::media::{Content, Frame, Moment};
use clock::{TimeLine, TrackClock};
use reorder::{InOrder, Reorder};
use video::{Video, WholePicture};

/// The most frames of a track, and bytes of them, that wait for its first sender report. Then arrival tells the time.
const MAX_UNTIMED: usize = 1024;
const MAX_UNTIMED_BYTES: usize = 16 << 20;

/// What a [`Receiver`] wants of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A keyframe of the video.
    Keyframe,
    /// These packets once more.
    Resend {
        /// Of this source.
        ssrc: u32,
        /// Ascending, 250 at most.
        sequences: Vec<u16>,
    },
}

/// Makes frames of one broadcast's packets.
///
/// After each `on_packet`, `on_sender_report` and when `next_timeout` has come, call `poll` and `poll_request` until they
/// give nothing. Frames of a track come in order, each later than the one before; those of the two tracks are not sorted
/// among each other.
///
/// A lost packet is waited for between 40 and 250 ms, by how long repairs took lately. Then video is dropped up to the next
/// keyframe, and sound goes on; the next frame is marked as [`Frame::lost_before`].
#[derive(Debug)]
pub struct Receiver {
    line: TimeLine,
    audio: Track,
    video: Track,
    pictures: Video,
    sound_lost: bool,
    frames: VecDeque<Frame>,
    keyframe_requests: u64,
}

/// What both tracks have.
#[derive(Debug)]
struct Track {
    ssrc: u32,
    reorder: Reorder,
    clock: TrackClock,
    /// Frames that wait for the clock to be set.
    untimed: VecDeque<Untimed>,
    untimed_bytes: usize,
    counts: TrackStatistics,
}

#[derive(Debug)]
struct Untimed {
    content: Content,
    timestamp: i64,
    arrived: Instant,
    data: Bytes,
    lost_before: bool,
}

impl Receiver {
    /// `wall` is what our own clock shows; frames' times are by it until a sender report tells the node's.
    pub fn new(now: Instant, wall: Moment) -> Self {
        Self {
            line: TimeLine::new(now, wall),
            audio: Track::new(Coding::Opus.clock_rate(), clock::SLEWED),
            video: Track::new(90_000, clock::PICTURES_SLEWED),
            pictures: Video::default(),
            sound_lost: false,
            frames: VecDeque::new(),
            keyframe_requests: 0,
        }
    }

    /// Parameter sets that came with the session description, for keyframes without.
    pub fn set_parameter_sets(&mut self, sets: &ParameterSets) {
        self.pictures.set_parameter_sets(sets);
    }

    /// A packet has come.
    pub fn on_packet(&mut self, now: Instant, packet: Packet) {
        let track = match packet.coding.kind() {
            TrackKind::Audio => &mut self.audio,
            TrackKind::Video => &mut self.video,
        };
        track.ssrc = packet.ssrc;
        track.reorder.insert(now, packet, &mut track.counts);
        self.advance(now);
    }

    /// A sender report of a track has come: `timestamp` of its RTP clock is `ntp` (RFC 3550 §4) on the node's.
    pub fn on_sender_report(&mut self, now: Instant, kind: TrackKind, ntp: u64, timestamp: u32) {
        let track = match kind {
            TrackKind::Audio => &mut self.audio,
            TrackKind::Video => &mut self.video,
        };
        // 0: the sender has no such clock (RFC 3550 §6.4.1).
        if ntp != 0 {
            track.clock.report(now, &mut self.line, ntp, timestamp);
        }
        self.advance(now);
    }

    /// The next frame.
    pub fn poll(&mut self, now: Instant) -> Option<Frame> {
        self.advance(now);
        self.frames.pop_front()
    }

    /// What to ask the sender for.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        for track in [&mut self.audio, &mut self.video] {
            let sequences = track.reorder.requests(now);
            if !sequences.is_empty() {
                let ssrc = track.ssrc;
                return Some(Request::Resend { ssrc, sequences });
            }
        }
        self.pictures.requests_keyframe(now).then(|| {
            self.keyframe_requests += 1;
            Request::Keyframe
        })
    }

    /// When `poll` or `poll_request` may have something, if nothing comes before.
    pub fn next_timeout(&self) -> Option<Instant> {
        let tracks = [&self.audio, &self.video].map(Track::next_timeout);
        let pictures = self.pictures.next_timeout();
        tracks.into_iter().chain([pictures]).flatten().min()
    }

    /// What was counted.
    pub fn statistics(&self) -> Statistics {
        let [audio, mut video] = [&self.audio, &self.video].map(Track::statistics);
        video.dropped = self.pictures.dropped();
        Statistics {
            audio,
            video,
            keyframe_requests: self.keyframe_requests,
            clock_steps: self.line.steps(),
        }
    }

    /// Moves what can be moved on.
    fn advance(&mut self, now: Instant) {
        while let Some(in_order) = self.audio.pop(now) {
            self.sound(now, in_order);
        }
        while let Some(in_order) = self.video.pop(now) {
            let track = &mut self.video;
            self.pictures
                .push(now, in_order, &mut |picture| track.picture(now, picture));
        }
        for track in [&mut self.audio, &mut self.video] {
            track.tell_time(now, &mut self.line, &mut self.frames);
        }
    }

    /// A packet of sound is a frame (RFC 7587 §4.2).
    fn sound(&mut self, now: Instant, in_order: InOrder) {
        let InOrder { packet, after_gap } = in_order;
        // At its beginning nothing was lost.
        self.sound_lost |= after_gap && self.audio.has_begun();
        if packet.payload.is_empty() {
            return;
        }
        let timestamp = self.audio.clock.unwrap(packet.timestamp);
        self.audio.add(Untimed {
            content: Content::Audio,
            timestamp,
            arrived: now,
            data: packet.payload,
            lost_before: std::mem::take(&mut self.sound_lost),
        });
    }
}

impl Track {
    fn new(clock_rate: u32, slewed: i64) -> Self {
        Self {
            ssrc: 0,
            reorder: Reorder::new(),
            clock: TrackClock::new(clock_rate, slewed),
            untimed: VecDeque::new(),
            untimed_bytes: 0,
            counts: TrackStatistics::default(),
        }
    }

    fn pop(&mut self, now: Instant) -> Option<InOrder> {
        self.reorder.pop(now, &mut self.counts)
    }

    fn has_begun(&self) -> bool {
        self.counts.frames > 0 || !self.untimed.is_empty()
    }

    fn picture(&mut self, now: Instant, picture: WholePicture) {
        let timestamp = self.clock.unwrap(picture.timestamp);
        self.add(Untimed {
            content: Content::Video {
                codec: picture.codec,
                keyframe: picture.keyframe,
            },
            timestamp,
            arrived: now,
            data: picture.data,
            lost_before: picture.lost_before,
        });
    }

    fn add(&mut self, untimed: Untimed) {
        self.untimed_bytes += untimed.data.len();
        self.untimed.push_back(untimed);
    }

    /// Gives out the frames whose time can be told.
    fn tell_time(&mut self, now: Instant, line: &mut TimeLine, out: &mut VecDeque<Frame>) {
        if !self.clock.is_set() {
            let full = self.untimed.len() > MAX_UNTIMED || self.untimed_bytes > MAX_UNTIMED_BYTES;
            let waits = self.gives_up_reports().is_some_and(|at| now < at);
            if self.untimed.is_empty() || (waits && !full) {
                return;
            }
            let arrivals = self.untimed.iter().map(|u| (u.timestamp, u.arrived));
            self.clock.set_by_arrival(line, arrivals);
        }
        self.untimed_bytes = 0;
        for untimed in self.untimed.drain(..) {
            self.counts.frames += 1;
            out.push_back(Frame {
                content: untimed.content,
                time: self.clock.time(now, line, untimed.timestamp),
                arrived: line.present(untimed.arrived),
                data: untimed.data,
                lost_before: untimed.lost_before,
            });
        }
    }

    /// When arrival tells the time, if no report does.
    fn gives_up_reports(&self) -> Option<Instant> {
        let first = self.untimed.front()?;
        (!self.clock.is_set()).then(|| first.arrived + clock::FIRST_REPORT)
    }

    fn next_timeout(&self) -> Option<Instant> {
        [self.reorder.next_timeout(), self.gives_up_reports()]
            .into_iter()
            .flatten()
            .min()
    }

    fn statistics(&self) -> TrackStatistics {
        let mut counts = self.counts;
        self.clock.count(&mut counts);
        counts
    }
}
