//! The source's last pictures as they came, so that what they show can be had later without decoding them all the time.

use std::collections::VecDeque;

use crate::media::{Content, Frame};

use super::segments::Beginning;

/// Two of the longest segments at 60 a second, and so many bytes: more than that isn't kept.
const MOST: usize = 320;
const MOST_BYTES: usize = 24 << 20;

/// The pictures of the segment that goes on and of the one before, while the source is passed through. It begins with a keyframe.
#[derive(Debug, Default)]
pub(super) struct History {
    frames: VecDeque<(u64, Frame)>,
    bytes: usize,
    segments: VecDeque<Beginning>,
}

impl History {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The segment that begins with the next picture. What is older than the one before it is forgotten.
    pub(super) fn begin_segment(&mut self, beginning: Beginning) {
        if self.segments.len() == 2 {
            self.segments.pop_front();
        }
        self.segments.push_back(beginning);
        let first = self.segments.front().map_or(0, |first| first.slot);
        while self.frames.front().is_some_and(|(slot, _)| *slot < first) {
            self.forget_first();
        }
    }

    /// The picture of a slot came. If that is too much, all is forgotten until the next segment begins.
    pub(super) fn push(&mut self, slot: u64, frame: Frame) {
        if self.segments.is_empty() {
            return;
        }
        self.bytes += frame.data.len();
        self.frames.push_back((slot, frame));
        if self.frames.len() > MOST || self.bytes > MOST_BYTES {
            self.clear();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, frame)) = self.frames.pop_front() {
            self.bytes -= frame.data.len();
        }
    }

    /// The segments whose pictures are here.
    pub(super) fn segments(&self) -> impl Iterator<Item = Beginning> {
        self.segments.iter().copied()
    }

    /// Their pictures, with their slots.
    pub(super) fn frames(&self) -> impl Iterator<Item = &(u64, Frame)> {
        self.frames.iter()
    }

    /// Those since the last keyframe.
    pub(super) fn group(&self) -> impl Iterator<Item = &Frame> {
        let is_keyframe = |(_, frame): &(u64, Frame)| {
            matches!(frame.content, Content::Video { keyframe: true, .. })
        };
        let from = self.frames.iter().rposition(is_keyframe);
        let from = from.unwrap_or(self.frames.len());
        self.frames.range(from..).map(|(_, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use bytes::Bytes;

    use super::*;
    use crate::media::{Moment, VideoCodec};

    fn frame(keyframe: bool, bytes: usize) -> Frame {
        Frame {
            content: Content::Video {
                codec: VideoCodec::H264,
                keyframe,
            },
            time: Moment(0),
            arrived: Moment(0),
            data: Bytes::from(vec![0; bytes]),
            lost_before: false,
        }
    }

    #[test]
    fn two_segments_are_kept_and_the_last_group_is_found() {
        let mut history = History::default();
        history.push(5, frame(false, 1));
        for segment in 0..5 {
            let slot = segment * 60;
            history.begin_segment(Beginning {
                number: segment,
                slot,
            });
            for i in 0..60 {
                history.push(slot + i, frame(i % 30 == 0, 10));
            }
        }
        assert_eq!(history.frames().next().unwrap().0, 180);
        assert_eq!(history.frames().count(), 120);
        assert_eq!(history.bytes, 1_200);
        assert_eq!(history.group().count(), 30);
        let numbers: Vec<u64> = history.segments().map(|s| s.number).collect();
        assert_eq!(numbers, [3, 4]);
    }

    #[test]
    fn too_much_is_forgotten_until_the_next_segment() {
        let mut history = History::default();
        history.begin_segment(Beginning { number: 0, slot: 0 });
        for slot in 0..1_000 {
            history.push(slot, frame(slot == 0, 1));
        }
        assert_eq!((history.frames().count(), history.group().count()), (0, 0));
        history.begin_segment(Beginning {
            number: 1,
            slot: 1_000,
        });
        history.push(1_000, frame(true, 1));
        assert_eq!(history.group().count(), 1);
    }
}
