//! The decision for one packet and one viewer: drop it, send it now under these numbers, or send it later.
//!
//! Three layers must be told apart: the *preferred* one is what the viewer asked for, the *target* is what it shall get,
//! the *current* one is what it gets. A target becomes current at one of its keyframes, and nowhere else.

use std::time::Instant;

use super::{CatchUp, SequenceRewriter, TimestampRewriter};
use crate::media::{PacketInfo, Track};

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It isn't for this viewer.
    Drop,
    /// It goes out under these numbers.
    Send(Rewrite),
    /// It stays in the cache: this viewer's catch-up will come to it, at the earliest at this time.
    Later(Instant),
}

/// The numbers that a packet bears toward the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewrite {
    /// Extended sequence number: the roll-over counter lies above the low 16 bits.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
}

#[derive(Debug, Clone)]
enum State {
    /// Nothing flows: the target's next keyframe is waited for.
    Waiting,
    /// The cached group of pictures of the current layer is on its way.
    CatchingUp(CatchUp),
    /// Packets of the current layer are forwarded as they come.
    Live,
}

/// Forwards one track to one viewer.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder {
    state: State,
    target: u8,
    current: Option<u8>,
    sequence: SequenceRewriter,
    timestamp: TimestampRewriter,
}

impl Forwarder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Waiting,
            target: 0,
            current: None,
            sequence: SequenceRewriter::new(),
            timestamp: TimestampRewriter::default(),
        }
    }

    /// The layer that is forwarded.
    pub(crate) fn current(&self) -> Option<u8> {
        self.current
    }

    /// The layer that shall be forwarded.
    pub(crate) fn target(&self) -> u8 {
        self.target
    }

    /// Nothing flows.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Packets of its target are forwarded as they come.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live) && self.current == Some(self.target)
    }

    /// The layer whose keyframe is needed to go on, if one is.
    pub(crate) fn awaited_keyframe(&self) -> Option<u8> {
        let waiting = self.is_waiting() || self.current != Some(self.target);
        waiting.then_some(self.target)
    }

    /// Names the layer to switch to at its next keyframe.
    pub(crate) fn set_target(&mut self, layer: u8) {
        self.target = layer;
    }

    /// The source is gone: the next keyframe of whatever comes is waited for. Numbers go on where they were.
    pub(crate) fn reset(&mut self) {
        self.state = State::Waiting;
        self.current = None;
    }

    /// Waits for the next keyframe of the target, keeping the source.
    pub(crate) fn wait(&mut self) {
        self.state = State::Waiting;
    }

    /// Sends the target's cached group of pictures, which begins at `keyframe`, and follows it to the live edge.
    pub(crate) fn catch_up(&mut self, now: Instant, track: &Track, keyframe: u64, feedback: bool) {
        let Some(layer) = track.layers.get(usize::from(self.target)) else {
            return;
        };
        let Some(first) = layer.cache.get(keyframe) else {
            return;
        };
        self.switch(now, track, self.target, keyframe, first.info.timestamp);
        self.state = State::CatchingUp(CatchUp::new(now, keyframe, layer.bitrate, feedback));
    }

    /// The catch-up under way.
    pub(crate) fn catching_up(&mut self) -> Option<&mut CatchUp> {
        match &mut self.state {
            State::CatchingUp(catch_up) => Some(catch_up),
            State::Waiting | State::Live => None,
        }
    }

    /// The catch-up's pace.
    pub(crate) fn catch_up_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::CatchingUp(catch_up) => Some(catch_up.next_timeout()),
            State::Waiting | State::Live => None,
        }
    }

    /// The catch-up reached the live edge.
    pub(crate) fn go_live(&mut self) {
        self.state = State::Live;
    }

    /// Decides for a packet that just came. Video begins at a keyframe, audio anywhere. `empty` packets were padding.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        track: &Track,
        layer: u8,
        sequence: u64,
        info: PacketInfo,
        empty: bool,
    ) -> Decision {
        if self.current == Some(layer) {
            match &self.state {
                State::CatchingUp(catch_up) if sequence >= catch_up.cursor => {
                    return Decision::Later(catch_up.next_timeout());
                }
                State::Live | State::CatchingUp(_) => {
                    return self.forward(now, sequence, info, empty);
                }
                State::Waiting => {}
            }
        }
        let begins = info.keyframe || track.kind == crate::MediaKind::Audio;
        if layer == self.target && begins && !empty {
            // The parameter sets may come later than the picture: numbers are kept for them.
            let missing = track
                .layers
                .get(usize::from(layer))
                .map_or(0, |l| l.cache.missing_before(sequence));
            let first = sequence.saturating_sub(missing);
            self.switch(now, track, layer, first, info.timestamp);
            self.state = State::Live;
            return self.forward(now, sequence, info, empty);
        }
        Decision::Drop
    }

    /// Numbers for a packet of the current layer.
    #[inline]
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        sequence: u64,
        info: PacketInfo,
        empty: bool,
    ) -> Decision {
        if empty {
            self.sequence.skip(sequence);
            return Decision::Drop;
        }
        match self.sequence.map(sequence) {
            Some(out) => Decision::Send(Rewrite {
                sequence: out,
                timestamp: self.timestamp.map(now, info.timestamp),
            }),
            None => Decision::Drop,
        }
    }

    /// Jumps to a newer keyframe of the current layer: what lies between is left out without a gap.
    pub(crate) fn jump(&mut self, sequence: u64) {
        self.sequence.switch(sequence);
    }

    /// What `timestamp` of the current source reads at the viewer.
    pub(crate) fn timestamp_at_viewer(&self, timestamp: u32) -> u32 {
        self.timestamp.peek(timestamp)
    }

    fn switch(&mut self, now: Instant, track: &Track, layer: u8, sequence: u64, timestamp: u32) {
        let aligned = self.current.and_then(|current| {
            let in_current = if current == layer {
                Some(timestamp)
            } else {
                track.align(timestamp, layer, current)
            };
            in_current.map(|timestamp| self.timestamp.peek(timestamp))
        });
        self.sequence.switch(sequence);
        if self.current != Some(layer) {
            self.timestamp
                .switch(now, timestamp, track.clock_rate(), aligned);
        }
        self.current = Some(layer);
    }
}
