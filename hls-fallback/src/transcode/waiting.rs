//! A broadcast before it begins.

use std::{collections::VecDeque, time::Duration};

use super::{asking, rate::RateFinder};
use crate::media::{Content, Frame, Moment, Rate};

/// A broadcast begins without pictures when none came so long after its first sound, and without knowing their rate for sure when
/// they are fewer than it takes.
const PATIENCE: i64 = 3_000_000;
/// Packets of sound that are kept until the broadcast begins.
const SOUND: usize = 256;
/// Pictures since the last keyframe that are kept, and bytes of them: a group of 20 s at 60 a second. Of a longer one nothing is
/// kept up to the next keyframe.
const GROUP: usize = 1_200;
const GROUP_BYTES: usize = 48 << 20;

/// What came before the broadcast begins.
#[derive(Default)]
pub(super) struct Waiting {
    rates: RateFinder,
    /// The pictures since the last keyframe.
    group: Vec<Frame>,
    group_bytes: usize,
    /// The keyframe that ends the group was asked for.
    asked: bool,
    last: Option<Moment>,
    /// How late the last picture was, and how much later than the one before, in microseconds.
    late: Option<i64>,
    is_live: bool,
    knows_rate: bool,
    sound: VecDeque<Frame>,
    since: Option<Moment>,
}

/// What the broadcast begins with.
pub(super) struct Kept {
    pub(super) rate: Rate,
    /// Pictures from a keyframe on; none, if none came.
    pub(super) group: Vec<Frame>,
    pub(super) sound: VecDeque<Frame>,
}

impl Waiting {
    pub(super) fn on_sound(&mut self, frame: Frame, now: Moment) {
        self.since.get_or_insert(now);
        if self.sound.len() == SOUND {
            self.sound.pop_front();
        }
        self.sound.push_back(frame);
    }

    /// A picture came. Those of the past come faster than they were made: what a viewer gets from the cache. False if a keyframe
    /// is needed.
    pub(super) fn on_picture(&mut self, frame: Frame, now: Moment) -> bool {
        self.since.get_or_insert(now);
        self.knows_rate |= self.rates.on_picture(frame.time).is_some();
        let late = now.since(frame.time);
        if let (Some(before), Some(last)) = (self.late.replace(late), self.last) {
            self.is_live = before - late < frame.time.since(last) / 2;
        }
        self.last = Some(frame.time);
        let keyframe = matches!(frame.content, Content::Video { keyframe: true, .. });
        if keyframe {
            self.group.clear();
            self.group_bytes = 0;
            self.asked = false;
        }
        if keyframe || !self.group.is_empty() {
            self.group_bytes += frame.data.len();
            self.group.push(frame);
        }
        if self.group.len() > GROUP || self.group_bytes > GROUP_BYTES {
            self.group.clear();
        }
        !self.group.is_empty()
    }

    /// Whether to ask for a keyframe, once for each group of pictures: this one has lasted about as long as a `segment`, so it will
    /// be too old to begin with.
    pub(super) fn asks(&mut self, segment: Duration) -> bool {
        let (Some(first), Some(last)) = (self.group.first(), self.group.last()) else {
            return false;
        };
        let interval = i64::try_from(segment.as_micros()).unwrap_or(i64::MAX);
        let asks = !self.asked && asking::is_due(last.time.since(first.time), interval);
        self.asked |= asks;
        asks
    }

    /// It begins after the pictures of the past.
    pub(super) fn is_ready(&self, now: Moment) -> bool {
        let tried = self.since.is_some_and(|since| now.since(since) > PATIENCE);
        self.is_live && self.knows_rate && !self.group.is_empty() || tried
    }

    pub(super) fn finish(self) -> Kept {
        Kept {
            rate: self.rates.tell(),
            group: self.group,
            sound: self.sound,
        }
    }
}
