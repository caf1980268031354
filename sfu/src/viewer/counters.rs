//! Continuous frame counters toward one viewer, whatever is forwarded: picture ids and TL0PICIDX of VP8 and VP9, frame
//! numbers of dependency descriptors.
//!
//! Within one source all of them keep their distance to the source's, gaps included: VP9 and dependency descriptors tell
//! what a frame refers to by counting back. VP8 alone has no gap where pictures are left out: libwebrtc holds a frame
//! back that isn't of the base layer as long as a picture between it and what it refers to is missing
//! (`RtpVp8RefFinder::ManageFrameInternal`, `not_yet_received_frames_`).

use super::rewriter::Stretches;
use crate::codec::{Codec, Counters, PictureId};

/// Where unwrapped picture ids of a source begin: far from 0, so that late ones are above it.
const FIRST: u64 = 1 << 20;

/// What is changed of a packet, beside its sequence number and its timestamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Added to the picture id, within its width.
    pub(crate) picture_id: u16,
    /// Added to the dependency descriptor's frame number.
    pub(crate) frame_number: u16,
    /// Added to TL0PICIDX.
    pub(crate) tl0picidx: u8,
    /// It gets the marker: what came behind it in its picture is left out.
    pub(crate) marker: bool,
    /// Its dependency descriptor names the decode targets that are sent.
    pub(crate) targets: bool,
    /// It goes without its content: only its number is sent.
    pub(crate) empty: bool,
}

impl Changes {
    /// Whether the payload isn't as it came.
    pub(crate) const fn payload(self) -> bool {
        self.picture_id != 0 || self.tl0picidx != 0
    }
}

/// The counters of one track toward one viewer.
#[derive(Debug, Clone, Default)]
pub(crate) struct CounterRewriter {
    pictures: PictureIds,
    tl0picidx: Continued<u8>,
    frame_number: Continued<u16>,
}

impl CounterRewriter {
    /// The packets that follow are of another source, or of the same after a leap.
    pub(crate) fn switch(&mut self) {
        self.pictures.newest = None;
        self.tl0picidx.ahead = None;
        self.frame_number.ahead = None;
    }

    /// How the counters of a packet that is sent are counted on.
    pub(crate) fn map(&mut self, seen: Counters, frame_number: Option<u16>) -> Changes {
        Changes {
            picture_id: seen.picture_id.map_or(0, |id| self.pictures.map(id)),
            frame_number: frame_number.map_or(0, |number| self.frame_number.map(number)),
            tl0picidx: seen.tl0picidx.map_or(0, |index| self.tl0picidx.map(index)),
            ..Changes::default()
        }
    }

    /// A packet of a picture that isn't sent at all.
    pub(crate) fn skip(&mut self, codec: Codec, seen: Counters) {
        if let (Codec::Vp8, Some(id)) = (codec, seen.picture_id) {
            self.pictures.skip(id);
        }
    }
}

/// Picture ids, unwrapped.
#[derive(Debug, Clone, Default)]
struct PictureIds {
    stretches: Stretches,
    /// The source's newest; none before its first.
    newest: Option<u64>,
    /// The viewer's next.
    next: Option<u64>,
}

impl PictureIds {
    fn unwrap(&mut self, id: PictureId) -> u64 {
        let Some(newest) = self.newest else {
            let first = FIRST + u64::from(id.value);
            self.newest = Some(first);
            // The first source of all keeps its ids.
            let out = *self.next.get_or_insert(first);
            self.stretches.begin(first, out);
            return first;
        };
        let behind = (newest as u16).wrapping_sub(id.value) & (u16::MAX >> (16 - id.width));
        let behind = u64::from(behind);
        let half = 1 << (id.width - 1);
        let number = if behind < half {
            newest - behind
        } else {
            newest + 2 * half - behind
        };
        self.newest = Some(newest.max(number));
        number
    }

    fn map(&mut self, id: PictureId) -> u16 {
        let number = self.unwrap(id);
        // Before the source's first there is nothing to be continuous with.
        let out = self.stretches.map(number).unwrap_or(number);
        self.next = self.next.max(Some(out + 1));
        (out.wrapping_sub(number) as u16) & 0x7FFF
    }

    fn skip(&mut self, id: PictureId) {
        let number = self.unwrap(id);
        let next = self.next.unwrap_or(number);
        self.stretches.skip(number, next);
    }
}

/// A counter that wraps.
#[derive(Debug, Clone, Default)]
struct Continued<N> {
    /// The distance to the source's; none before its first.
    ahead: Option<N>,
    /// The viewer's newest.
    newest: Option<N>,
}

macro_rules! continued {
    ($unsigned:ty, $signed:ty) => {
        impl Continued<$unsigned> {
            /// How much is added to the source's `number`.
            fn map(&mut self, number: $unsigned) -> $unsigned {
                let next = self.newest.map_or(number, |n| n.wrapping_add(1));
                let ahead = *self.ahead.get_or_insert(next.wrapping_sub(number));
                let out = number.wrapping_add(ahead);
                if self
                    .newest
                    .is_none_or(|n| out.wrapping_sub(n) as $signed > 0)
                {
                    self.newest = Some(out);
                }
                ahead
            }
        }
    };
}

continued!(u8, i8);
continued!(u16, i16);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u16) -> Counters {
        Counters {
            picture_id: Some(PictureId { value, width: 15 }),
            tl0picidx: Some(value as u8),
        }
    }

    /// What a viewer gets to see of a picture id.
    fn seen(rewriter: &mut CounterRewriter, value: u16) -> u16 {
        let changes = rewriter.map(id(value), Some(value));
        value.wrapping_add(changes.picture_id) & 0x7FFF
    }

    #[test]
    fn the_first_source_is_left_as_it_is() {
        let mut rewriter = CounterRewriter::default();
        for value in [0x7FFE, 0x7FFF, 0, 2, 1] {
            assert_eq!(rewriter.map(id(value), Some(value)), Changes::default());
        }
    }

    #[test]
    fn a_switch_counts_on() {
        let mut rewriter = CounterRewriter::default();
        rewriter.map(id(0x7FFF), Some(0xFFFF));
        rewriter.switch();
        assert_eq!(seen(&mut rewriter, 500), 0);
        let changes = rewriter.map(id(501), Some(501));
        assert_eq!(501u16.wrapping_add(changes.frame_number), 1);
        assert_eq!(0xF5u8.wrapping_add(changes.tl0picidx), 1);
        rewriter.switch();
        assert_eq!(seen(&mut rewriter, 9), 2);
    }

    #[test]
    fn pictures_left_out_leave_no_gap_in_vp8() {
        let mut rewriter = CounterRewriter::default();
        assert_eq!(seen(&mut rewriter, 0x7FFE), 0x7FFE);
        for _ in 0..3 {
            rewriter.skip(Codec::Vp8, id(0x7FFF));
        }
        assert_eq!(seen(&mut rewriter, 0), 0x7FFF);
        rewriter.skip(Codec::Vp8, id(3));
        assert_eq!(seen(&mut rewriter, 4), 2);
        assert_eq!(seen(&mut rewriter, 1), 0, "late, with its own distance");
        assert_eq!(seen(&mut rewriter, 0x7FFE), 0x7FFE);
        rewriter.skip(Codec::Vp8, id(2));
        assert_eq!(seen(&mut rewriter, 5), 3, "left out late: its gap stays");
    }

    #[test]
    fn pictures_left_out_leave_their_gap_in_vp9() {
        let mut rewriter = CounterRewriter::default();
        seen(&mut rewriter, 10);
        rewriter.skip(Codec::Vp9, id(11));
        assert_eq!(seen(&mut rewriter, 12), 12);
    }

    #[test]
    fn short_ids_wrap_at_their_width() {
        let mut rewriter = CounterRewriter::default();
        let short = |value| Counters {
            picture_id: Some(PictureId { value, width: 7 }),
            tl0picidx: None,
        };
        let mut expected = 100;
        for value in 100..400u16 {
            if value % 3 == 0 {
                rewriter.skip(Codec::Vp8, short(value & 0x7F));
                continue;
            }
            let changes = rewriter.map(short(value & 0x7F), None);
            assert_eq!((value + changes.picture_id) & 0x7F, expected & 0x7F);
            expected += 1;
        }
    }
}
