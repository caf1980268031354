//! The viewer side of a session: what is forwarded to it, and what its feedback asks for.

mod cap;
mod catch_up;
mod choices;
mod counters;
mod egress;
mod feedback;
mod flexfec;
mod forwarder;
mod header;
mod history;
mod keyframe_budget;
mod pacer;
mod parity;
mod protection;
mod pump;
mod redundancy;
mod refresh;
mod resend_rate;
mod rewriter;
mod ring;
mod sealed;
mod selection;

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

pub use cap::SubLayerCap;
use cap::{Admission, SubLayerFilter};
pub(crate) use catch_up::CatchUp;
use catch_up::PathSign;
use choices::{Choice, ceiling, choices};
use counters::{Changes, CounterRewriter};
use egress::Item;
pub(crate) use egress::{BATCH, Egress, Sent, Wire};
pub(crate) use feedback::PathEstimate;
pub(crate) use forwarder::{Decision, Forwarder, Rewrite};
pub(crate) use header::{HeaderWriter, Stamp};
pub(crate) use history::{
    FeedbackSummary, MAX_MISSING, ResendPolicy, SentPackets, SourcePacket, TransportHistory,
};
use keyframe_budget::KeyframeBudget;
use pacer::Pacer;
use redundancy::{MAX_COPIES, Redundancy};
use refresh::RefreshRequests;
use resend_rate::ResendRate;
use rewriter::{SequenceRewriter, TimestampRewriter};
use sealed::SealedPackets;
use selection::Selector;

use crate::{
    LayerSelection, MediaKind,
    codec::Codec,
    media::{Channel, MediaPacket, Track, track_index},
    rtp::{Extension, time::PlayoutDelay},
    sdp::{Ssrcs, ViewerSession},
};

/// The first sender reports of a source come sooner than others: libwebrtc needs two of each track before it can tell
/// what belongs together.
const EARLY_REPORTS: u8 = 4;
/// A viewer who asks for a keyframe this soon after joining lost the head of its catch-up: it gets that again.
const EARLY: Duration = Duration::from_secs(3);
/// Catch-ups are replayed at most this often and this many times.
const REPLAY_INTERVAL: Duration = Duration::from_millis(150);
const MAX_REPLAYS: u8 = 4;
/// A cached group of pictures longer than this takes a viewer longer to decode than a new keyframe takes to come: one is
/// asked for as well. Publishers who listen send it at once, and the catch-up jumps to it.
const LONG_GROUP: Duration = Duration::from_secs(3);
/// A probe is filled in steps of so many bytes, with up to so many of the packets that were sent last.
const PROBE_STEP: usize = 600;
const PROBE_PACKETS: u32 = 32;
/// A viewer nearer than this, in round trips, that asks for lost sound gets it again before it is due: that takes less than
/// copies do. Answers to one further away come too late, or make it hold all sound back for them.
const FAR: Duration = Duration::from_millis(150);
/// ... until it is below this: going back and forth would cost more than either.
const NEAR: Duration = Duration::from_millis(120);
/// Bytes that retransmissions may save up.
const RESEND_BYTES: f64 = 256_000.0;

/// What a viewer needs of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyframeNeed {
    pub(crate) kind: MediaKind,
    pub(crate) layer: u8,
}

/// The viewer side of a session.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// What it asked to see.
    pub(crate) selection: LayerSelection,
    pub(crate) egress: [Option<Egress>; 2],
    history: TransportHistory,
    selector: Selector,
    pacer: Pacer,
    pub(crate) path: PathEstimate,
    redundancy: Redundancy,
    /// Transport-wide feedback was negotiated.
    feedback: bool,
    /// Dependency descriptors were negotiated.
    descriptors: bool,
    joined: Option<Instant>,
    replayed: Option<Instant>,
    replays: u8,
    /// Since when it waits for a keyframe, as far as was seen.
    waits_since: Option<Instant>,
    next_report: Option<Instant>,
    early_reports: u8,
    /// Bytes that may be sent again, and what had been sent in all when that was so.
    resend_credit: (f64, u64),
    resend_rate: ResendRate,
    /// When the last receiver report came, and how many bytes had been sent then.
    reported: Option<(Instant, u64)>,
    pub(crate) sent: Sent,
    pub(crate) resent: u64,
    /// Keyframes that it asked for.
    pub(crate) keyframe_requests: u64,
    keyframes: KeyframeBudget,
    /// The same for other layers than the one that it has.
    turns: KeyframeBudget,
    refreshes: RefreshRequests,
    /// The share of a layer that it gets, with the cap that was chosen.
    share: (u8, f64),
    /// Answers to requests for sound come too late.
    far: bool,
}

impl Viewer {
    /// A viewer as negotiated, whose tracks have these SSRCs. `number` tells it from others.
    pub(crate) fn new(
        now: Instant,
        session: &ViewerSession,
        selection: LayerSelection,
        playout_delay: PlayoutDelay,
        number: u32,
        ssrcs: [Ssrcs; 2],
    ) -> Self {
        let mut egress = [None, None];
        let mut feedback = false;
        for track in &session.tracks {
            feedback |= track.payloads.iter().any(|p| p.transport_cc);
            let delay = (track.kind == MediaKind::Video).then_some(playout_delay);
            let header = HeaderWriter::new(
                &track.mid,
                session.extensions,
                session.extmap_allow_mixed,
                delay,
            );
            egress[track_index(track.kind)] = Some(Egress::new(
                now,
                track.clone(),
                ssrcs[track_index(track.kind)],
                header,
                playout_delay,
            ));
        }
        let history = TransportHistory::new(now, number);
        Self {
            selection,
            egress,
            pacer: Pacer::new(now, history.estimate()),
            history,
            selector: Selector::new(),
            path: PathEstimate::default(),
            redundancy: Redundancy::default(),
            feedback: feedback
                && session
                    .extensions
                    .id(Extension::TransportSequence)
                    .is_some(),
            descriptors: session
                .extensions
                .id(Extension::DependencyDescriptor)
                .is_some(),
            joined: None,
            replayed: None,
            replays: 0,
            waits_since: None,
            next_report: None,
            early_reports: EARLY_REPORTS,
            resend_credit: (RESEND_BYTES, 0),
            resend_rate: ResendRate::new(now),
            reported: None,
            sent: Sent::default(),
            resent: 0,
            keyframe_requests: 0,
            keyframes: KeyframeBudget::for_losses(now),
            turns: KeyframeBudget::for_choices(now),
            refreshes: RefreshRequests::new(now),
            share: (0, 1.0),
            far: false,
        }
    }

    /// Fits the viewer to what the channel carries. False if it has no codec for a track that it wants: it can't
    /// follow this broadcast.
    pub(crate) fn select(&mut self, channel: &Channel) -> bool {
        let mut all = true;
        for egress in self.egress.iter_mut().flatten() {
            if let Some(track) = channel.track(egress.outgoing.kind) {
                all &= egress.select(track);
            }
        }
        all
    }

    /// ICE and DTLS are done, or the feed has come: begins with the cached group of pictures where there is one.
    pub(crate) fn join(&mut self, now: Instant, channel: &Channel) -> Option<KeyframeNeed> {
        self.joined = Some(now);
        self.next_report = Some(now);
        self.begin(now, channel)
    }

    /// The feed is gone.
    pub(crate) fn reset(&mut self) {
        self.early_reports = EARLY_REPORTS;
        self.selector = Selector::new();
        self.waits_since = None;
        for egress in self.egress.iter_mut().flatten() {
            egress.reset();
        }
    }

    /// The source of one track is gone.
    pub(crate) fn reset_track(&mut self, kind: MediaKind) {
        if let Some(egress) = &mut self.egress[track_index(kind)] {
            egress.reset();
        }
    }

    /// Begins with the cached group of pictures of the best layer; says which keyframe is needed, or would help.
    pub(crate) fn begin(&mut self, now: Instant, channel: &Channel) -> Option<KeyframeNeed> {
        self.aim(now, channel);
        self.waits_since = None;
        let feedback = self.feedback;
        let egress = self.egress[track_index(MediaKind::Video)].as_mut()?;
        let track = channel.track(MediaKind::Video)?;
        let layer = track.layers.get(usize::from(egress.forwarder.target()))?;
        let Some(keyframe) = layer.cache.keyframe() else {
            return Some(KeyframeNeed {
                kind: MediaKind::Video,
                layer: egress.forwarder.target(),
            });
        };
        let long = layer.span_from(keyframe, track.clock_rate()) > LONG_GROUP;
        egress.catch_up(now, track, keyframe, feedback);
        long.then_some(KeyframeNeed {
            kind: MediaKind::Video,
            layer: egress.forwarder.target(),
        })
    }

    /// Chooses the layer that it shall get, as things are now, and probes for a better one.
    pub(crate) fn aim(&mut self, now: Instant, channel: &Channel) {
        let beside = self.beside(now, channel);
        let Some(track) = channel.track(MediaKind::Video) else {
            return;
        };
        let Some(egress) = &mut self.egress[track_index(MediaKind::Video)] else {
            return;
        };
        let codec = track.payload().map(|p| p.codec);
        // Without descriptors a receiver of AV1 takes its spatial layers for broken pictures.
        let single = codec == Some(Codec::Av1) && !self.descriptors;
        let choices = choices(now, track, (&self.selection, single), beside);
        let estimate = self.history.estimate();
        let Some(selected) = self.selector.choose(now, &choices, estimate) else {
            let expected = track.choose(now, self.selection.rid.as_deref());
            egress.forwarder.set_target(expected);
            egress.forwarder.set_cap(ceiling(&self.selection, single));
            return;
        };
        egress.forwarder.set_target(selected.choice.layer);
        egress.forwarder.set_cap(selected.choice.cap);
        if let Some(layer) = track.layers.get(usize::from(selected.choice.layer)) {
            let taken = selected.choice.bitrate.saturating_sub(beside) as f64;
            let share = (taken / layer.bitrate.max(1) as f64).clamp(0.0, 1.0);
            self.share = (selected.choice.layer, share);
        }
        let current = egress.forwarder.current();
        let media = match current.and_then(|layer| track.layers.get(usize::from(layer))) {
            Some(layer) if current != Some(selected.choice.layer) => layer.bitrate,
            _ => selected.choice.bitrate.saturating_sub(beside),
        };
        let measured = self.history.controller().is_measured();
        self.pacer.set_rate(now, estimate, media + beside, measured);
        let room = estimate.saturating_sub(beside);
        egress.protect(now, &self.path, room, media);
        if let Some(wanted) = selected.wanted
            && (egress.forwarder.is_live() || egress.forwarder.is_waiting())
            && egress.has_rtx()
        {
            self.history.probe_for(now, wanted);
        }
    }

    /// Bits per second that leave beside the picture: sound, and what is sent again. It has to fit: otherwise more is lost,
    /// and more again sent again.
    fn beside(&self, now: Instant, channel: &Channel) -> u64 {
        let sound = channel.audio_bitrate() * (1 + self.sound_copies() as u64);
        sound + self.resend_rate.bits_per_second(now)
    }

    /// What a viewer gets of so much of a layer, with the cap that was chosen for it.
    fn share_of(&self, layer: u8, all: u64) -> u64 {
        let (chosen, share) = self.share;
        if layer == chosen {
            (all as f64 * share) as u64
        } else {
            all
        }
    }

    /// How many packets before it each packet of sound bears.
    fn sound_copies(&self) -> usize {
        let sound = self.egress[track_index(MediaKind::Audio)].as_ref();
        let takes = |e: &Egress| e.has_red() && (self.far || !e.has_nack());
        let takes = sound.is_some_and(takes);
        if takes { self.redundancy.copies() } else { 0 }
    }

    /// Sends what a running probe lacks: packets that were sent just now, once more, or padding.
    pub(crate) fn fill_probe(&mut self, channel: &Channel, wire: &mut Wire<'_>) {
        self.history.handle_timeout(wire.now);
        let Some(egress) = &mut self.egress[track_index(MediaKind::Video)] else {
            return;
        };
        let Some(track) = channel.track(MediaKind::Video) else {
            return;
        };
        for back in 0..PROBE_PACKETS {
            if self.history.controller().probe_missing(wire.now) < PROBE_STEP {
                return;
            }
            if !egress.repeat(back, track, &mut self.history, wire) {
                egress.pad(&mut self.history, wire);
            }
        }
    }

    /// What its path is believed to carry, in bits per second.
    pub(crate) fn estimate(&self) -> u64 {
        self.history.estimate()
    }

    /// Takes what it asks to see from now on; says which keyframe that takes.
    pub(crate) fn select_layers(
        &mut self,
        now: Instant,
        selection: LayerSelection,
        channel: &Channel,
    ) -> Option<KeyframeNeed> {
        self.selection = selection;
        self.selector.forget();
        self.retarget(now, channel)
    }

    /// Follows what flows: turns to a better layer, or away from one that stopped. Call a few times a second.
    pub(crate) fn retarget(&mut self, now: Instant, channel: &Channel) -> Option<KeyframeNeed> {
        self.aim(now, channel);
        self.go_on(now, channel);
        channel.track(MediaKind::Video)?;
        let egress = self.egress[track_index(MediaKind::Video)].as_ref()?;
        let layer = egress.forwarder.awaited_keyframe()?;
        // One that can't keep up with its layer would ask for ever.
        let current = egress.forwarder.current();
        let granted = match current {
            None => true,
            Some(current) if current == layer && egress.forwarder.is_waiting() => {
                self.keyframes.grant(now)
            }
            Some(_) => self.turns.grant(now),
        };
        granted.then_some(KeyframeNeed {
            kind: MediaKind::Video,
            layer,
        })
    }

    /// Forwards packets of one layer that came together. True if from now on they are held back: then
    /// [`Viewer::release`] is to be called at [`Viewer::next_timeout`].
    #[inline]
    pub(crate) fn forward(
        &mut self,
        track: &Track,
        layer: u8,
        packets: &[(u64, MediaPacket<'_>)],
        wire: &mut Wire<'_>,
    ) -> bool {
        let (mut credit, copies) = match track.kind {
            MediaKind::Audio => (f64::MAX, self.sound_copies()),
            MediaKind::Video => (self.pacer.credit(wire.now), 0),
        };
        let Some(egress) = &mut self.egress[track_index(track.kind)] else {
            return false;
        };
        let mut held = false;
        let before = wire.sent.bytes;
        let mut items = ArrayVec::<Item<'_>, BATCH>::new();
        for &(source, packet) in packets.iter().take(BATCH) {
            if credit <= 0.0 {
                held |= egress.forwarder.hold(layer, source);
            }
            let decision = egress
                .forwarder
                .decide(wire.now, track, layer, source, &packet);
            if let Some(item) = Item::new(source, decision, packet) {
                credit -= item.packet.payload.len() as f64;
                items.push(item);
            }
        }
        if !items.is_empty() {
            match track.layers.get(usize::from(layer)) {
                Some(source) if copies > 0 => {
                    let source = (layer, source);
                    egress.send_redundantly(copies, source, &items, &mut self.history, wire);
                }
                _ => egress.send(layer, &items, &mut self.history, wire),
            }
            self.pacer.on_sent(wire.sent.bytes - before);
        }
        held
    }

    /// Whether a catch-up is under way.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.catch_up_timeout().is_some()
    }

    /// Whether live packets are held back.
    pub(crate) fn is_held(&self) -> bool {
        self.held_from().is_some()
    }

    /// The first live packet that is held back.
    fn held_from(&self) -> Option<u64> {
        let video = self.egress[track_index(MediaKind::Video)].as_ref();
        video.and_then(|e| e.forwarder.held_from())
    }

    /// Whether it has no picture and waits for one.
    pub(crate) fn waits(&self) -> bool {
        let video = self.egress[track_index(MediaKind::Video)].as_ref();
        video.is_some_and(|e| e.forwarder.is_waiting())
    }

    /// The layer that it gets of a track.
    pub(crate) fn current_layer(&self, kind: MediaKind) -> Option<u8> {
        self.egress[track_index(kind)].as_ref()?.forwarder.current()
    }

    /// The sub-layers that it gets of the video.
    pub(crate) fn sub_layers(&self) -> SubLayerCap {
        let video = self.egress[track_index(MediaKind::Video)].as_ref();
        video.map_or(SubLayerCap::ALL, |e| e.forwarder.sub_layers())
    }

    /// The video layers that it gets or shall get, as a set of bits.
    pub(crate) fn watched_layers(&self) -> u64 {
        let Some(egress) = &self.egress[track_index(MediaKind::Video)] else {
            return 0;
        };
        let current = egress.forwarder.current().map_or(0, |layer| 1 << layer);
        current | 1 << egress.forwarder.target()
    }

    fn catch_up_timeout(&self) -> Option<Instant> {
        self.egress
            .iter()
            .flatten()
            .filter_map(|e| e.forwarder.catch_up_timeout())
            .min()
    }

    /// When something is to be done next.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.catch_up_timeout()
            .into_iter()
            .chain(self.is_held().then(|| self.pacer.next_timeout()))
            .chain(self.next_report)
            .chain(self.history.next_timeout())
            .min()
    }

    /// The viewer lost its picture and asks for a keyframe of the track with this SSRC.
    pub(crate) fn on_keyframe_request(
        &mut self,
        now: Instant,
        ssrc: u32,
        channel: &Channel,
    ) -> Option<KeyframeNeed> {
        let layer = self.asked_layer(ssrc)?;
        self.keyframe_requests += 1;
        let early = self
            .joined
            .is_some_and(|at| now.saturating_duration_since(at) < EARLY);
        let just = self
            .replayed
            .is_some_and(|at| now.saturating_duration_since(at) < REPLAY_INTERVAL);
        if early && self.replays < MAX_REPLAYS {
            if !just {
                self.replayed = Some(now);
                self.replays += 1;
                return self.begin(now, channel);
            }
            return None;
        }
        self.keyframes.grant(now).then_some(KeyframeNeed {
            kind: MediaKind::Video,
            layer,
        })
    }

    /// The viewer wants a keyframe to come of the track with this SSRC, and has lost nothing (RFC 5104 §4.3.1): what is cached is no
    /// answer.
    pub(crate) fn on_refresh_request(
        &mut self,
        now: Instant,
        (ssrc, number): (u32, u8),
        channel: &Channel,
    ) -> Option<KeyframeNeed> {
        let layer = self.asked_layer(ssrc)?;
        self.keyframe_requests += 1;
        let source = channel
            .track(MediaKind::Video)
            .and_then(|track| track.layers.get(usize::from(layer)));
        let newest = source.and_then(|source| source.cache.keyframe());
        self.refreshes
            .take(now, number, layer, newest)
            .then_some(KeyframeNeed {
                kind: MediaKind::Video,
                layer,
            })
    }

    /// The layer that a request about this SSRC is for, if that's the video.
    fn asked_layer(&self, ssrc: u32) -> Option<u8> {
        let egress = self.egress.iter().flatten().find(|e| e.bears(ssrc))?;
        let forwarder = &egress.forwarder;
        (egress.outgoing.kind == MediaKind::Video)
            .then(|| forwarder.current().unwrap_or(forwarder.target()))
    }
}
