//! A broadcast before it begins.

use std::{collections::VecDeque, time::Duration};

use super::{asking, rate::RateFinder};
use crate::media::{Content, Frame, Moment, Rate};

/// A broadcast begins without pictures when none came so long after its first sound, and without knowing their rate for sure when
/// they are fewer than it takes.
const PATIENCE: i64 = 3_000_000;
/// Pictures are live that come as fast as they were made for so long, in microseconds: those of the past come faster, and so may
/// the first ones of a publisher.
const LIVE: i64 = 100_000;
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
    pace: Pace,
    knows_rate: bool,
    sound: VecDeque<Frame>,
    since: Option<Moment>,
}

/// How fast pictures come.
#[derive(Debug, Default)]
struct Pace {
    /// The times of the last ones and when they came: the first of them came [`LIVE`] before the last, or longer ago.
    pictures: VecDeque<(Moment, Moment)>,
    is_live: bool,
}

impl Pace {
    /// One of `time` came `now`.
    fn on_picture(&mut self, time: Moment, now: Moment) {
        let is_old = |came: Moment| now.since(came) >= LIVE;
        while self.pictures.get(1).is_some_and(|(_, came)| is_old(*came)) {
            self.pictures.pop_front();
        }
        if let Some((first, came)) = self.pictures.front() {
            self.is_live = is_old(*came) && time.since(*first) < now.since(*came) * 2;
        }
        self.pictures.push_back((time, now));
        if self.pictures.len() > GROUP {
            self.pictures.pop_front();
        }
    }
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

    /// A picture came. False if a keyframe is needed.
    pub(super) fn on_picture(&mut self, frame: Frame, now: Moment) -> bool {
        self.since.get_or_insert(now);
        self.knows_rate |= self.rates.on_picture(frame.time).is_some();
        self.pace.on_picture(frame.time, now);
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
        self.pace.is_live && self.knows_rate && !self.group.is_empty() || tried
    }

    pub(super) fn finish(self) -> Kept {
        Kept {
            rate: self.rates.tell(),
            group: self.group,
            sound: self.sound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many pictures of 30 a second, of which the first one is of `time` and comes `now`, at so many times their pace; whether
    /// they are live then.
    fn come(pace: &mut Pace, (time, now): (i64, i64), pictures: i64, times: i64) -> bool {
        for i in 0..pictures {
            let passed = i * 33_333;
            pace.on_picture(Moment(time + passed), Moment(now + passed / times));
        }
        pace.is_live
    }

    #[test]
    fn pictures_are_live_that_come_as_fast_as_they_were_made() {
        let mut pace = Pace::default();
        assert!(!come(&mut pace, (0, 0), 3, 1), "it can't be told yet");
        assert!(come(&mut pace, (0, 0), 10, 1));
        for times in [3, 10, 1_000] {
            let mut pace = Pace::default();
            assert!(!come(&mut pace, (0, 0), 90, times), "{times}");
            let next = (3_000_000, 3_000_000 / times + 33_333);
            assert!(come(&mut pace, next, 9, 1), "{times}");
        }
    }

    #[test]
    fn pictures_that_come_in_twos_and_threes_are_live() {
        let mut pace = Pace::default();
        for i in 0..30 {
            pace.on_picture(Moment(i * 33_333), Moment(i / 3 * 100_000 + i % 3));
        }
        assert!(pace.is_live);
        // Five a second.
        let mut pace = Pace::default();
        for i in 0..3 {
            pace.on_picture(Moment(i * 200_000), Moment(i * 200_000));
        }
        assert!(pace.is_live);
    }
}
