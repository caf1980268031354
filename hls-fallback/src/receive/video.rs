//! Packets in order in, whole pictures out.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::codec::{Assembled, Assembler, Coded, ParameterSets, Picture};
use super::packet::{Coding, Packet};
use super::reorder::InOrder;
use crate::media::VideoCodec;

/// The largest picture, and the most packets of one. What is larger is dropped.
const MAX_BYTES: usize = 4 << 20;
const MAX_PACKETS: usize = 8192;
/// How long a broadcast's first keyframe is waited for before it is asked for: the node sends its latest unasked, and again
/// when it is asked early.
const FIRST_REQUEST: Duration = Duration::from_millis(300);
/// Between two requests. The second comes sooner, since the first may be lost.
const REQUEST_INTERVALS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// A picture that is whole and can be decoded.
#[derive(Debug)]
pub(super) struct WholePicture {
    pub(super) codec: VideoCodec,
    pub(super) keyframe: bool,
    pub(super) timestamp: u32,
    pub(super) data: Bytes,
    pub(super) lost_before: bool,
}

/// Puts pictures together. After a loss none is given out until the next keyframe.
#[derive(Debug, Default)]
pub(super) struct Video {
    assembler: Assembler,
    picture: Option<Unfinished>,
    /// The packet before the next one is known, and of another picture if the next one begins one.
    contiguous: bool,
    /// The rest of this picture is of no use.
    spoilt: Option<u32>,
    codec: Option<VideoCodec>,
    lost: bool,
    wants: Want,
    dropped: u64,
}

#[derive(Debug)]
struct Unfinished {
    codec: VideoCodec,
    timestamp: u32,
    begins: bool,
    bytes: usize,
    payloads: Vec<Bytes>,
}

/// Whether a keyframe is needed.
#[derive(Debug, Default)]
enum Want {
    /// Nothing came yet.
    #[default]
    Idle,
    /// It is asked for again at that time, after so many requests.
    Keyframe {
        due: Instant,
        asked: usize,
    },
    Satisfied,
}

impl Video {
    /// Takes the next packet. One can end two pictures: the one before it, and its own.
    pub(super) fn push(
        &mut self,
        now: Instant,
        in_order: InOrder,
        out: &mut impl FnMut(WholePicture),
    ) {
        let InOrder { packet, after_gap } = in_order;
        let Coding::Video(codec) = packet.coding else {
            return;
        };
        if matches!(self.wants, Want::Idle) {
            self.wants = Want::Keyframe {
                due: now + FIRST_REQUEST,
                asked: 0,
            };
        } else if after_gap {
            self.lose(now);
        }
        if after_gap {
            self.contiguous = false;
        }
        if packet.payload.is_empty() {
            // Padding that probes the path.
            return;
        }
        if self.spoilt == Some(packet.timestamp) {
            self.contiguous = true;
            return;
        }
        self.spoilt = None;
        let same = |unfinished: &Unfinished| {
            unfinished.timestamp == packet.timestamp && unfinished.codec == codec
        };
        if !self.picture.as_ref().is_some_and(same) {
            self.finish(now, out);
        }
        let marker = packet.marker;
        self.add(now, codec, packet);
        self.contiguous = true;
        if marker {
            self.finish(now, out);
        }
    }

    /// Whether to ask for a keyframe now.
    pub(super) fn requests_keyframe(&mut self, now: Instant) -> bool {
        let Want::Keyframe { due, asked } = &mut self.wants else {
            return false;
        };
        if now < *due {
            return false;
        }
        *due = now + REQUEST_INTERVALS[(*asked).min(REQUEST_INTERVALS.len() - 1)];
        *asked += 1;
        true
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.wants {
            Want::Keyframe { due, .. } => Some(due),
            Want::Idle | Want::Satisfied => None,
        }
    }

    /// Pictures that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn set_parameter_sets(&mut self, sets: &ParameterSets) {
        self.assembler.set_parameter_sets(sets);
    }

    fn add(&mut self, now: Instant, codec: VideoCodec, packet: Packet) {
        let picture = self.picture.get_or_insert_with(|| Unfinished {
            codec,
            timestamp: packet.timestamp,
            begins: self.contiguous,
            bytes: 0,
            payloads: Vec::new(),
        });
        picture.bytes += packet.payload.len();
        picture.payloads.push(packet.payload);
        if picture.bytes > MAX_BYTES || picture.payloads.len() > MAX_PACKETS {
            self.spoilt = Some(packet.timestamp);
            self.lose(now);
        }
    }

    /// All packets of the picture in hand have come.
    fn finish(&mut self, now: Instant, out: &mut impl FnMut(WholePicture)) {
        let Some(unfinished) = self.picture.take() else {
            return;
        };
        let picture = Picture {
            payloads: &unfinished.payloads,
            begins: unfinished.begins,
        };
        let Coded { data, keyframe } = match self.assembler.assemble(unfinished.codec, picture) {
            Assembled::Coded(coded) => coded,
            Assembled::Nothing => return,
            Assembled::Broken => {
                self.dropped += 1;
                return self.need_keyframe(now);
            }
        };
        let begun = self.codec.is_some();
        if self.codec.is_some_and(|codec| codec != unfinished.codec) {
            self.need_keyframe(now);
        }
        if keyframe {
            self.wants = Want::Satisfied;
            self.codec = Some(unfinished.codec);
        } else if !matches!(self.wants, Want::Satisfied) {
            self.dropped += 1;
            self.lost = true;
            return;
        }
        out(WholePicture {
            codec: unfinished.codec,
            keyframe,
            timestamp: unfinished.timestamp,
            data: data.into(),
            // At its beginning nothing was lost.
            lost_before: std::mem::take(&mut self.lost) && begun,
        });
    }

    /// Packets are lost: the picture in hand is, and maybe more.
    fn lose(&mut self, now: Instant) {
        self.dropped += u64::from(self.picture.take().is_some());
        self.need_keyframe(now);
    }

    fn need_keyframe(&mut self, now: Instant) {
        self.lost = true;
        if matches!(self.wants, Want::Satisfied) {
            self.wants = Want::Keyframe { due: now, asked: 0 };
        }
    }
}
