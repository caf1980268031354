//! The fan-out: packets that came together go to every viewer of their layer.

use std::{sync::Arc, time::Instant};

use arrayvec::ArrayVec;

use super::{Engine, statistics::Totals};
use crate::{
    Output, PeerMessage,
    media::{Burst, Channel, Feed, MediaPacket, Track},
    rtp::time::NtpTime,
    session::{Role, Session},
    viewer::{BATCH, Sent, Viewer, Wire},
};

impl Engine {
    /// Forwards what came in since the last call. Call it after each batch of datagrams.
    pub fn flush(&mut self, now: Instant, out: &mut dyn Output) {
        let wall = self.wall(now);
        while let Some(index) = self.dirty.pop() {
            let Some(channel) = self.channels.get_mut(index) else {
                continue;
            };
            channel.dirty = false;
            for track in 0..channel.tracks.len() {
                let layers = channel.tracks[track].as_ref().map_or(0, |t| t.layers.len());
                for layer in 0..layers {
                    fan_out(
                        channel,
                        (track, layer),
                        &mut self.sessions,
                        &mut self.scratch,
                        (&mut self.totals, &mut self.held),
                        (now, wall),
                        out,
                    );
                }
            }
        }
        while let Some(viewer) = self.held.pop() {
            self.reschedule(now, viewer);
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
    let mut wire = Wire {
        now,
        sealer,
        path,
        send_time: wall.abs_send_time(),
        scratch,
        out,
        sent: Sent::default(),
    };
    act(viewer, &mut wire);
    let sent = wire.sent;
    viewer.sent.packets += sent.packets;
    viewer.sent.bytes += sent.bytes;
    sent
}

/// Forwards one layer's pending packets: to other workers once each, to this worker's viewers one by one.
fn fan_out(
    channel: &mut Channel,
    (track, layer): (usize, usize),
    sessions: &mut slab::Slab<Session>,
    scratch: &mut [u8],
    (totals, held): (&mut Totals, &mut Vec<usize>),
    time: (Instant, NtpTime),
    out: &mut dyn Output,
) {
    let Some(source) = channel.tracks[track]
        .as_mut()
        .and_then(|t| t.layers.get_mut(layer))
    else {
        return;
    };
    if source.pending.is_empty() {
        return;
    }
    let mut pending = std::mem::take(&mut source.pending);
    if let Some(track) = &channel.tracks[track] {
        share(channel, track, layer, &pending, out);
        for chunk in pending.chunks(BATCH) {
            let cache = &track.layers[layer].cache;
            let packets: ArrayVec<(u64, MediaPacket<'_>), BATCH> = chunk
                .iter()
                .filter_map(|&sequence| Some((sequence, cache.get(sequence)?)))
                .collect();
            for &index in &channel.viewers {
                let Some(session) = sessions.get_mut(index) else {
                    continue;
                };
                let mut holds = false;
                let sent = with_wire(session, scratch, time, out, |viewer, wire| {
                    holds = viewer.forward(track, layer as u8, &packets, wire);
                });
                if holds {
                    held.push(index);
                }
                totals.add_sent(sent);
            }
        }
    }
    pending.clear();
    if let Some(source) = channel.tracks[track]
        .as_mut()
        .and_then(|t| t.layers.get_mut(layer))
    {
        source.pending = pending;
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
