//! What comes in.

use bytes::Bytes;

use crate::media::VideoCodec;

/// Which of a broadcast's two tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// What a packet's payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Sound (RFC 7587).
    Opus,
    /// A part of a picture.
    Video(VideoCodec),
}

impl Coding {
    /// The track that it is of.
    pub fn kind(self) -> TrackKind {
        match self {
            Self::Opus => TrackKind::Audio,
            Self::Video(_) => TrackKind::Video,
        }
    }

    /// Ticks of the RTP clock a second.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Video(_) => 90_000,
        }
    }
}

/// An RTP packet (RFC 3550 §5.1), opened, without padding; one that was sent again is unwrapped (RFC 4588 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What the payload type says.
    pub coding: Coding,
    /// The source. Another one of the same track takes the place of the one before.
    pub ssrc: u32,
    /// Counts the source's packets.
    pub sequence: u16,
    /// Of [`Coding::clock_rate`].
    pub timestamp: u32,
    /// The last packet of a picture.
    pub marker: bool,
    /// It came as a retransmission.
    pub resent: bool,
    /// May be empty: padding that probes the path.
    pub payload: Bytes,
}

/// Makes 16-bit sequence numbers and 32-bit timestamps go on past their end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwrap<const BITS: u32> {
    newest: Option<i64>,
}

impl<const BITS: u32> Unwrap<BITS> {
    pub(super) const fn new() -> Self {
        Self { newest: None }
    }

    /// The number that is nearest to the newest one, which may be lower. The first is taken as it is.
    pub(super) fn peek(self, value: u32) -> i64 {
        let Some(newest) = self.newest else {
            return i64::from(value);
        };
        let unused = 32 - BITS;
        let ahead = (value.wrapping_sub(newest as u32) << unused) as i32 >> unused;
        newest + i64::from(ahead)
    }

    /// The same; it becomes the newest if it is the first.
    pub(super) fn begin(&mut self, value: u32) -> i64 {
        let number = self.peek(value);
        self.newest.get_or_insert(number);
        number
    }

    /// The same, and what is higher becomes the newest.
    pub(super) fn advance(&mut self, value: u32) -> i64 {
        let number = self.peek(value);
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
        number
    }

    /// The same, and whatever it is becomes the newest.
    pub(super) fn follow(&mut self, value: u32) -> i64 {
        let number = self.peek(value);
        self.newest = Some(number);
        number
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn numbers_go_on_past_their_end() {
        let mut sequence = Unwrap::<16>::new();
        let numbers = [65_534, 65_535, 0, 65_533, 1].map(|value| sequence.advance(value));
        assert_eq!(numbers, [65_534, 65_535, 65_536, 65_533, 65_537]);
    }

    #[test]
    fn timestamps_go_back_too() {
        let mut timestamp = Unwrap::<32>::new();
        let numbers = [5, u32::MAX, 10].map(|value| timestamp.follow(value));
        assert_eq!(numbers, [5, -1, 10]);
    }
}
