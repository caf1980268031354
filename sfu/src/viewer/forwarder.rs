//! The decision for one packet and one viewer: drop it, send it now under these numbers, or send it later.
//!
//! Three layers must be told apart: the *preferred* one is what the viewer asked for, the *target* is what it shall get,
//! the *current* one is what it gets. A target becomes current at one of its keyframes, and nowhere else.

use std::time::Instant;

use super::{
    Admission, CatchUp, Changes, CounterRewriter, SequenceRewriter, SubLayerCap, SubLayerFilter,
    TimestampRewriter,
};
use crate::{
    codec::{Codec, Counters},
    media::{Layer, MediaPacket, Track, descriptor},
    rtp::dependency_descriptor::{ActiveTargets, DependencyDescriptor},
};

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It isn't for this viewer.
    Drop,
    /// It goes out under these numbers: without its content, if it isn't for this viewer but came too late to leave no
    /// gap.
    Send(Rewrite),
    /// It stays in the cache: this viewer will get it from there.
    Later,
}

/// The numbers that a packet bears toward the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewrite {
    /// Extended sequence number: the roll-over counter lies above the low 16 bits.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) changes: Changes,
}

#[derive(Debug, Clone)]
enum State {
    /// Nothing flows: the target's next keyframe is waited for.
    Waiting,
    /// The cached group of pictures of the current layer is on its way.
    CatchingUp(CatchUp),
    /// Packets of the current layer are forwarded as they come.
    Live,
    /// Packets of the current layer from this one on stay in the cache until the pace lets them go.
    Held(u64),
}

/// Forwards one track to one viewer.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder {
    state: State,
    target: u8,
    current: Option<u8>,
    /// The newest packet of the current layer that was decided on.
    newest: u64,
    sequence: SequenceRewriter,
    timestamp: TimestampRewriter,
    counters: CounterRewriter,
    sub_layers: SubLayerFilter,
    /// The decode targets within what is sent, and the cap that the viewer was told of with them.
    targets: Option<ActiveTargets>,
    told: SubLayerCap,
}

impl Forwarder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Waiting,
            target: 0,
            current: None,
            newest: 0,
            sequence: SequenceRewriter::new(),
            timestamp: TimestampRewriter::default(),
            counters: CounterRewriter::default(),
            sub_layers: SubLayerFilter::new(),
            targets: None,
            told: SubLayerCap::ALL,
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

    /// Packets of its target are forwarded as they come, or nearly.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live | State::Held(_)) && self.current == Some(self.target)
    }

    /// The layer whose keyframe is needed to go on, if one is.
    pub(crate) fn awaited_keyframe(&self) -> Option<u8> {
        let waiting = self.is_waiting()
            || self.current != Some(self.target)
            || self.sub_layers.needs_keyframe();
        waiting.then_some(self.target)
    }

    /// Limits what is sent of the layer: down with the next picture, up at the next picture that allows it. Where that
    /// has to be a keyframe, [`Forwarder::awaited_keyframe`] says so.
    pub(crate) fn set_cap(&mut self, cap: SubLayerCap) {
        self.sub_layers.set_cap(cap);
    }

    /// The sub-layers that are sent at present.
    pub(crate) fn sub_layers(&self) -> SubLayerCap {
        self.sub_layers.current()
    }

    /// The decode targets that the viewer may expect.
    pub(crate) fn targets(&self) -> Option<ActiveTargets> {
        self.targets
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

    /// Sends the current layer once more from `keyframe` on, at the pace of live packets.
    pub(crate) fn replay(&mut self, now: Instant, track: &Track, keyframe: u64) {
        let Some(current) = self.current else { return };
        let layer = track.layers.get(usize::from(current));
        let Some(first) = layer.and_then(|l| l.cache.get(keyframe)) else {
            return;
        };
        self.switch(now, track, current, keyframe, first.info.timestamp);
        self.state = State::Held(keyframe);
    }

    /// The catch-up under way.
    pub(crate) fn catching_up(&mut self) -> Option<&mut CatchUp> {
        match &mut self.state {
            State::CatchingUp(catch_up) => Some(catch_up),
            State::Waiting | State::Live | State::Held(_) => None,
        }
    }

    /// The catch-up's pace.
    pub(crate) fn catch_up_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::CatchingUp(catch_up) => Some(catch_up.next_timeout()),
            State::Waiting | State::Live | State::Held(_) => None,
        }
    }

    /// The catch-up reached the live edge.
    pub(crate) fn go_live(&mut self) {
        self.state = State::Live;
    }

    /// Holds live packets of `layer` back from `sequence` on. False if that can't be: it isn't the layer that flows, or
    /// later packets left already.
    pub(crate) fn hold(&mut self, layer: u8, sequence: u64) -> bool {
        let can = matches!(self.state, State::Live)
            && self.current == Some(layer)
            && sequence > self.newest;
        if can {
            self.state = State::Held(sequence);
        }
        can
    }

    /// The first packet that is held back, if any is.
    pub(crate) fn held_from(&self) -> Option<u64> {
        match self.state {
            State::Held(first) => Some(first),
            State::Waiting | State::CatchingUp(_) | State::Live => None,
        }
    }

    /// Packets before `first` have left: `all` that there are, or those from there on are still held back.
    pub(crate) fn hold_from(&mut self, first: u64, all: bool) {
        self.state = if all { State::Live } else { State::Held(first) };
    }

    /// Decides for a packet that just came. Video begins at a keyframe, audio anywhere.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        track: &Track,
        layer: u8,
        sequence: u64,
        packet: &MediaPacket<'_>,
    ) -> Decision {
        let Some(source) = track.layers.get(usize::from(layer)) else {
            return Decision::Drop;
        };
        if self.current == Some(layer) {
            match &self.state {
                State::CatchingUp(catch_up) if sequence >= catch_up.cursor => {
                    return Decision::Later;
                }
                State::Held(first) if sequence >= *first => return Decision::Later,
                State::Live | State::Held(_) | State::CatchingUp(_) => {
                    return self.forward(now, source, sequence, packet);
                }
                State::Waiting => {}
            }
        }
        let begins = packet.info.keyframe || track.kind == crate::MediaKind::Audio;
        if layer == self.target && begins && !packet.payload.is_empty() {
            // The parameter sets may come later than the picture: numbers are kept for them.
            let first = sequence.saturating_sub(source.cache.missing_before(sequence));
            self.switch(now, track, layer, first, packet.info.timestamp);
            self.state = State::Live;
            return self.forward(now, source, sequence, packet);
        }
        Decision::Drop
    }

    /// Numbers for a packet of the current layer, `source`. Packets without a payload were padding.
    #[inline]
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        source: &Layer,
        sequence: u64,
        packet: &MediaPacket<'_>,
    ) -> Decision {
        self.newest = self.newest.max(sequence);
        if packet.payload.is_empty() {
            return self.leave_out(now, sequence, packet);
        }
        let admission = self.sub_layers.admit(&packet.info);
        if admission == Admission::Refused {
            if let Some(codec) = source.codec {
                self.counters
                    .skip(codec, Counters::read(codec, packet.payload));
            }
            return self.leave_out(now, sequence, packet);
        }
        let Some(out) = self.sequence.map(sequence) else {
            return Decision::Drop;
        };
        let mut changes = self.changes(source, packet);
        changes.marker = admission == Admission::SentLast;
        Decision::Send(Rewrite {
            sequence: out,
            timestamp: self.timestamp.map(now, packet.info.timestamp),
            changes,
        })
    }

    fn leave_out(&mut self, now: Instant, sequence: u64, packet: &MediaPacket<'_>) -> Decision {
        match self.sequence.skip(sequence) {
            Some(open) => Decision::Send(Rewrite {
                sequence: open,
                timestamp: self.timestamp.map_empty(now, packet.info.timestamp),
                changes: Changes {
                    empty: true,
                    ..Changes::default()
                },
            }),
            None => Decision::Drop,
        }
    }

    /// What becomes of a packet's frame counters.
    #[inline]
    fn changes(&mut self, source: &Layer, packet: &MediaPacket<'_>) -> Changes {
        if packet.extras.is_empty() && !source.codec.is_some_and(Codec::has_counters) {
            return Changes::default();
        }
        self.count(source, packet)
    }

    fn count(&mut self, source: &Layer, packet: &MediaPacket<'_>) -> Changes {
        let seen = source
            .codec
            .map(|codec| Counters::read(codec, packet.payload));
        let value = descriptor(packet.extras);
        let mandatory = value.and_then(DependencyDescriptor::parse);
        let number = mandatory.map(|descriptor| descriptor.frame_number);
        let mut changes = self.counters.map(seen.unwrap_or_default(), number);
        if let Some(mandatory) = mandatory {
            changes.targets = self.tells_targets(source, mandatory);
        }
        changes
    }

    /// Whether a packet must name the decode targets that are sent: where the stream names its own, and where the viewer
    /// was told of others.
    fn tells_targets(&mut self, source: &Layer, descriptor: DependencyDescriptor) -> bool {
        let current = self.sub_layers.current();
        if descriptor.has_structure {
            // All are active until something else is said.
            self.told = SubLayerCap::ALL;
        }
        let tells =
            self.told != current || current != SubLayerCap::ALL && descriptor.has_active_targets;
        if tells && let Some(structure) = source.structure() {
            self.targets = Some(structure.active_targets(current.spatial, current.temporal));
            self.told = current;
            return true;
        }
        false
    }

    /// Jumps to a newer keyframe of the current layer: what lies between is left out without a gap.
    pub(crate) fn jump(&mut self, sequence: u64) {
        self.begin(sequence);
    }

    /// The viewer's number of the first packet since the last switch, at a keyframe: what came before it isn't needed any
    /// more.
    pub(crate) fn begun(&self) -> u64 {
        self.sequence.begun()
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
        self.begin(sequence);
        self.newest = 0;
        // Also when the same group of pictures comes once more: time goes on.
        self.timestamp
            .switch(now, timestamp, track.clock_rate(), aligned);
        self.current = Some(layer);
    }

    /// What follows is a keyframe, at `sequence`.
    fn begin(&mut self, sequence: u64) {
        self.sequence.switch(sequence);
        self.counters.switch();
        self.sub_layers.begin();
    }
}
