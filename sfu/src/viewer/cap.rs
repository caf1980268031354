//! Which sub-layers of an encoding go to one viewer: a cap, followed down at once and up where the stream allows.
//!
//! What is decided for a spatial layer's frame with the first packet that comes of it holds for the whole frame: a part
//! of a frame is worth nothing, and would hold the viewer's decoder up.

use crate::{codec::TemporalSwitch, media::PacketInfo};

/// Pictures whose decisions are remembered, for packets that come late: half a second and more.
const PICTURES: usize = 16;
/// Pictures that going up to a temporal layer waits for a point to switch; then a keyframe is asked for.
const PATIENCE: u8 = 30;
/// Spatial layers that descriptors can name, less one.
const HIGHEST: u8 = 7;
/// A timestamp further behind than this, 10 s of video, isn't late: the source's clock leapt.
const LEAP: i32 = -900_000;

/// The highest sub-layers of an encoding that a viewer shall get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubLayerCap {
    /// The highest spatial layer, 0 the smallest; 255 for all.
    pub spatial: u8,
    /// The highest temporal layer, 0 the slowest; 255 for all.
    pub temporal: u8,
}

impl SubLayerCap {
    /// No cap.
    pub const ALL: Self = Self {
        spatial: u8::MAX,
        temporal: u8::MAX,
    };

    fn min(self, other: Self) -> Self {
        Self {
            spatial: self.spatial.min(other.spatial),
            temporal: self.temporal.min(other.temporal),
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It isn't sent.
    Refused,
    Sent,
    /// It is sent, and ends its picture: what is above it isn't sent.
    SentLast,
}

/// What was decided for one picture.
#[derive(Debug, Clone, Copy, Default)]
struct Picture {
    timestamp: u32,
    /// What is followed since it began, or since its keyframe.
    spatial: u8,
    temporal: u8,
    /// By spatial layer, a bit each: it is decided; and it is sent.
    decided: u8,
    sent: u8,
    /// The highest spatial layer that may be sent of it.
    limit: u8,
    /// It got its end: nothing may be added above.
    ended: bool,
    known: bool,
}

/// Follows a cap.
#[derive(Debug, Clone)]
pub(crate) struct SubLayerFilter {
    /// The newest picture, while all of it is sent: the usual case, decided by this alone.
    open: Option<u32>,
    cap: SubLayerCap,
    /// What is sent at present.
    current: SubLayerCap,
    /// The highest that came, while that matters.
    highest: SubLayerCap,
    /// Pictures that began since a temporal layer is waited for.
    waited: u8,
    pictures: [Picture; PICTURES],
    /// Where the newest picture is, once there is one.
    newest: Option<usize>,
    /// The first picture's timestamp: what is older is of before a switch.
    first: u32,
}

impl SubLayerFilter {
    pub(crate) fn new() -> Self {
        Self {
            open: None,
            cap: SubLayerCap::ALL,
            current: SubLayerCap::ALL,
            highest: SubLayerCap {
                spatial: 0,
                temporal: 0,
            },
            waited: 0,
            pictures: [Picture::default(); PICTURES],
            newest: None,
            first: 0,
        }
    }

    /// What comes next begins with a keyframe, after which all that the cap allows can be decoded.
    pub(crate) fn begin(&mut self) {
        *self = Self {
            cap: self.cap,
            current: self.cap,
            ..Self::new()
        };
    }

    pub(crate) fn set_cap(&mut self, cap: SubLayerCap) {
        if self.cap == cap {
            return;
        }
        self.cap = cap;
        self.open = None;
        self.waited = 0;
    }

    /// What is sent at present.
    pub(crate) fn current(&self) -> SubLayerCap {
        self.current
    }

    /// Going up to the cap takes a keyframe.
    pub(crate) fn needs_keyframe(&self) -> bool {
        self.current.spatial < self.cap.spatial.min(self.highest.spatial) || self.waited >= PATIENCE
    }

    /// Whether a packet is sent.
    #[inline]
    pub(crate) fn admit(&mut self, info: &PacketInfo) -> Admission {
        if self.open == Some(info.timestamp) {
            return Admission::Sent;
        }
        let all = self.cap == SubLayerCap::ALL && self.current == SubLayerCap::ALL;
        if all && self.is_newer(info.timestamp) {
            self.begin_picture(info.timestamp, u8::MAX);
            self.open = Some(info.timestamp);
            return Admission::Sent;
        }
        self.decide(info)
    }

    fn is_before(&self, timestamp: u32) -> bool {
        (timestamp.wrapping_sub(self.first) as i32) < 0
    }

    fn is_newer(&self, timestamp: u32) -> bool {
        self.newest.is_none_or(|at| {
            let ahead = timestamp.wrapping_sub(self.pictures[at].timestamp) as i32;
            !(LEAP..=0).contains(&ahead)
        })
    }

    fn begin_picture(&mut self, timestamp: u32, decided: u8) {
        let at = self.newest.map_or(0, |at| (at + 1) % PICTURES);
        if self.newest.is_none() {
            self.first = timestamp;
        }
        // It must stay behind all that comes, and within half the range that timestamps wrap in.
        let distance = timestamp.wrapping_sub(self.first) as i32;
        if !(0..i32::MAX / 2).contains(&distance) {
            self.first = timestamp;
        }
        self.pictures[at] = Picture {
            timestamp,
            spatial: self.current.spatial,
            temporal: self.current.temporal,
            decided,
            sent: decided,
            limit: self.current.spatial,
            ended: false,
            known: true,
        };
        self.newest = Some(at);
    }

    fn decide(&mut self, info: &PacketInfo) -> Admission {
        self.highest.spatial = self.highest.spatial.max(info.spatial_layer);
        self.highest.temporal = self.highest.temporal.max(info.temporal_layer);
        if self.is_newer(info.timestamp) {
            self.current = self.current.min(self.cap);
            self.rise_in_time(info);
            self.begin_picture(info.timestamp, 0);
        }
        let found = self
            .pictures
            .iter()
            .position(|p| p.known && p.timestamp == info.timestamp);
        let Some(at) = found else {
            // Older than what is remembered.
            return if !self.is_before(info.timestamp)
                && info.spatial_layer <= self.current.spatial
                && info.temporal_layer <= self.current.temporal
            {
                Admission::Sent
            } else {
                Admission::Refused
            };
        };
        let spatial = info.spatial_layer.min(HIGHEST);
        let bit = 1 << spatial;
        if self.pictures[at].decided & bit == 0 {
            self.decide_frame(info, at, spatial);
        }
        let picture = &mut self.pictures[at];
        if picture.sent & bit == 0 {
            Admission::Refused
        } else if info.ends_frame && spatial == picture.limit {
            picture.ended = true;
            Admission::SentLast
        } else {
            Admission::Sent
        }
    }

    fn decide_frame(&mut self, info: &PacketInfo, at: usize, spatial: u8) {
        let picture = &mut self.pictures[at];
        let bit = 1 << spatial;
        picture.decided |= bit;
        if info.temporal_layer > picture.temporal {
            return;
        }
        let refused_below = picture.decided & !picture.sent & (bit - 1) != 0;
        let reached =
            spatial <= picture.spatial || info.spatial_switch && spatial <= self.cap.spatial;
        let ended = picture.ended && spatial > picture.limit;
        let sent = reached && !refused_below && !ended;
        if sent {
            picture.sent |= bit;
        }
        if self.newest == Some(at) && sent {
            self.rise_in_space(info, at);
        }
    }

    /// A base layer's frame that needs no earlier one is a keyframe: nothing above it needs an earlier one either, and what
    /// of it comes late is sent, too.
    fn rise_in_space(&mut self, info: &PacketInfo, at: usize) {
        let mut reached = if info.spatial_switch && info.spatial_layer == 0 {
            self.cap.spatial
        } else {
            info.spatial_layer
        };
        let picture = &mut self.pictures[at];
        // Frames may come out of order, and the cap may have been lower when one did.
        let refused = picture.decided & !picture.sent;
        if picture.ended {
            reached = reached.min(picture.limit);
        } else if refused != 0 {
            reached = reached.min((refused.trailing_zeros() as u8).saturating_sub(1));
        }
        if reached > self.current.spatial {
            self.current.spatial = reached;
            picture.spatial = reached;
            picture.limit = reached;
        }
    }

    fn rise_in_time(&mut self, info: &PacketInfo) {
        let current = &mut self.current.temporal;
        match info.temporal_switch {
            TemporalSwitch::Above if info.temporal_layer <= *current => {
                *current = self.cap.temporal;
            }
            TemporalSwitch::ToOwn
                if current.checked_add(1) == Some(info.temporal_layer)
                    && info.temporal_layer <= self.cap.temporal =>
            {
                *current = info.temporal_layer;
            }
            _ => {}
        }
        let wanted = self.cap.temporal.min(self.highest.temporal);
        self.waited = if *current < wanted {
            self.waited.saturating_add(1)
        } else {
            0
        };
    }
}
