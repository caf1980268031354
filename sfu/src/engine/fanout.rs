//! The fan-out: packets that came together go to every viewer of their layer.

use std::{sync::Arc, time::Instant};

use arrayvec::ArrayVec;

use super::{Engine, statistics::Totals};
use crate::{
    MediaKind, Output, PeerMessage,
    media::{Burst, Channel, Feed, MediaPacket, Track, track_index},
    rtp::time::NtpTime,
    session::{Role, Session},
    viewer::{BATCH, Sent, Viewer, Wire},
};

impl Engine {
    /// Forwards what came in since the last call, but for pictures that aren't complete yet: those wait a little. Call it
    /// when what came is read.
    pub fn flush(&mut self, now: Instant, out: &mut dyn Output) {
        if self.dirty.is_empty() {
            // The channel that waited may be gone.
            self.gathered_by = None;
            return;
        }
        let mut time = Time::new(now, self.wall(now));
        let mut waits = None;
        self.dirty.retain(|&index| {
            let Some(channel) = self.channels.get_mut(index) else {
                return false;
            };
            let mut ready = Ready::new();
            let mut more = true;
            while more {
                more = take_ready(time.now, channel, &mut ready, &mut waits);
                fan_out(
                    channel,
                    &ready,
                    &mut self.sessions,
                    &mut self.scratch,
                    (&mut self.totals, &mut self.held),
                    &mut time,
                    out,
                );
                give_back(channel, &mut ready);
            }
            channel.dirty = channel.has_pending();
            channel.dirty
        });
        self.gathered_by = waits;
        while let Some(viewer) = self.held.pop() {
            self.reschedule(time.now, viewer);
        }
    }

    /// Sends what a viewer may get of the cache now: its catch-up, or what was held back.
    pub(super) fn pump(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let limit = self.config.limits.catch_up_bits_per_second as f64 / 8.0;
        let passed = now
            .saturating_duration_since(self.catch_up_filled)
            .as_secs_f64();
        // A tenth of a second's worth may be saved up.
        self.catch_up_credit = (self.catch_up_credit + passed * limit).min(limit / 10.0);
        self.catch_up_filled = now;
        let wall = self.wall(now);
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let channel_index = session.channel;
        let Some(channel) = self.channels.get(channel_index) else {
            return;
        };
        let budget = self.catch_up_credit.max(0.0) as usize;
        let mut need = None;
        let mut caught_up = 0;
        let sent = with_wire(
            session,
            &mut self.scratch,
            (now, wall),
            out,
            |viewer, wire| {
                if viewer.is_catching_up() {
                    need = viewer.catch_up(channel, budget, wire);
                    caught_up = wire.sent.bytes;
                } else if viewer.is_held() {
                    need = viewer.release(channel, wire);
                }
                viewer.fill_probe(channel, wire);
            },
        );
        self.catch_up_credit -= caught_up as f64;
        self.totals.add_sent(sent);
        self.need_keyframe(now, channel_index, need, out);
    }
}

/// Layers whose packets go to viewers together, with the packets' numbers. Sound is last: it may be shorter than what is
/// sent before it, and ride in the same message.
type Ready = ArrayVec<(usize, usize, Vec<u64>), MAX_READY>;

/// Layers of one fan-out. A broadcast with more of them at once takes several.
const MAX_READY: usize = 4;

/// Takes what is pending and waits for nothing. Says whether there is more; notes until when the rest waits.
fn take_ready(
    now: Instant,
    channel: &mut Channel,
    ready: &mut Ready,
    waits: &mut Option<Instant>,
) -> bool {
    // What comes from another worker has waited there.
    let is_ours = matches!(channel.feed, Feed::Local { .. });
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let track = track_index(kind);
        let layers = channel.tracks[track].iter_mut().flat_map(|t| &mut t.layers);
        for (layer, source) in layers.enumerate().filter(|(_, l)| !l.pending.is_empty()) {
            if is_ours
                && kind == MediaKind::Video
                && let Some(until) = source.gathers_until(now)
            {
                *waits = Some(waits.map_or(until, |earlier: Instant| earlier.min(until)));
                continue;
            }
            if ready.is_full() {
                return true;
            }
            ready.push((track, layer, std::mem::take(&mut source.pending)));
        }
    }
    false
}

/// Gives the layers back what they note pending packets in.
fn give_back(channel: &mut Channel, ready: &mut Ready) {
    for (track, layer, mut pending) in ready.drain(..) {
        pending.clear();
        if let Some(source) = channel.tracks[track]
            .as_mut()
            .and_then(|t| t.layers.get_mut(layer))
        {
            source.pending = pending;
        }
    }
}

/// Runs `act` with a viewer and its way out, if it has one. Returns what was sent.
pub(super) fn with_wire(
    session: &mut Session,
    scratch: &mut [u8],
    (now, wall): (Instant, NtpTime),
    out: &mut dyn Output,
    act: impl FnOnce(&mut Viewer, &mut Wire<'_>),
) -> Sent {
    let Role::Viewer(viewer) = &mut session.role else {
        return Sent::default();
    };
    let (Some(path), Some(sealer)) = (session.transport.path(), session.transport.sealer()) else {
        return Sent::default();
    };
    let mut wire = Wire::new(now, wall.abs_send_time(), (sealer, path), scratch, out);
    act(viewer, &mut wire);
    wire.flush();
    let sent = wire.sent;
    viewer.sent.packets += sent.packets;
    viewer.sent.bytes += sent.bytes;
    sent
}

/// Viewers who are sent to between two looks at the clock: some tenths of a millisecond.
const CLOCKED: usize = 16;

/// The time while many are served, which takes many milliseconds: those are no queue on the path of who is served last.
pub(super) struct Time {
    pub(super) now: Instant,
    wall: NtpTime,
    served: usize,
}

impl Time {
    pub(super) fn new(now: Instant, wall: NtpTime) -> Self {
        Self {
            now,
            wall,
            served: 0,
        }
    }

    /// Before each who is served.
    pub(super) fn pass(&mut self, out: &mut dyn Output) {
        self.served += 1;
        if self.served.is_multiple_of(CLOCKED) {
            let later = out.clock(self.now).max(self.now);
            self.wall = self.wall.plus(later - self.now);
            self.now = later;
        }
    }
}

/// Forwards packets of some layers: to other workers once each, to this worker's viewers one by one.
fn fan_out(
    channel: &Channel,
    ready: &Ready,
    sessions: &mut slab::Slab<Box<Session>>,
    scratch: &mut [u8],
    (totals, held): (&mut Totals, &mut Vec<usize>),
    time: &mut Time,
    out: &mut dyn Output,
) {
    for (track, layer, pending) in ready {
        if let Some(track) = &channel.tracks[*track] {
            share(channel, track, *layer, pending, out);
        }
    }
    let rounds = ready
        .iter()
        .map(|(.., pending)| pending.len().div_ceil(BATCH));
    for round in 0..rounds.max().unwrap_or(0) {
        let parts: ArrayVec<Part<'_>, MAX_READY> = ready
            .iter()
            .filter_map(|(track, layer, pending)| {
                let track = channel.tracks[*track].as_ref()?;
                Part::new(track, *layer, pending.chunks(BATCH).nth(round)?)
            })
            .collect();
        for &index in &channel.viewers {
            time.pass(out);
            let Some(session) = sessions.get_mut(index) else {
                continue;
            };
            let mut holds = false;
            let sent = with_wire(
                session,
                scratch,
                (time.now, time.wall),
                out,
                |viewer, wire| {
                    for part in &parts {
                        holds |= viewer.forward(part.track, part.layer, &part.packets, wire);
                    }
                },
            );
            if holds {
                held.push(index);
            }
            totals.add_sent(sent);
        }
    }
}

/// Packets of one layer that go out together.
struct Part<'a> {
    track: &'a Track,
    layer: u8,
    packets: ArrayVec<(u64, MediaPacket<'a>), BATCH>,
}

impl<'a> Part<'a> {
    fn new(track: &'a Track, layer: usize, sequences: &[u64]) -> Option<Self> {
        let cache = &track.layers.get(layer)?.cache;
        let packets = sequences
            .iter()
            .filter_map(|&sequence| Some((sequence, cache.get(sequence)?)))
            .collect();
        Some(Self {
            track,
            layer: layer as u8,
            packets,
        })
    }
}

/// Hands packets to the workers whose viewers watch this channel: one shared copy for all of them.
fn share(channel: &Channel, track: &Track, layer: usize, pending: &[u64], out: &mut dyn Output) {
    let Feed::Local { session, .. } = channel.feed else {
        return;
    };
    if channel.subscribers.is_empty() {
        return;
    }
    let sequences = pending.iter().copied();
    let place = (track.kind, layer as u8);
    let burst = Burst::collect(
        &channel.name,
        session,
        place,
        &track.layers[layer],
        sequences,
        false,
    );
    let burst = Arc::new(burst);
    for &worker in &channel.subscribers {
        out.peer(worker, PeerMessage::Burst(burst.clone()));
    }
}
