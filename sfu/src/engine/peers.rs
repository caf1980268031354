//! Channels that span workers: a publisher's worker sends each burst once to every worker that has viewers.

use std::{sync::Arc, time::Instant};

use super::{Announced, Engine};
use crate::{
    EndReason, MediaKind, Output, PeerMessage, WorkerId,
    media::{Burst, Feed, PublishedLayers, Pushed},
    session::Role,
    viewer::KeyframeNeed,
};

impl Engine {
    /// Takes a message of another worker of this node.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        from: WorkerId,
        message: PeerMessage,
        out: &mut dyn Output,
    ) {
        match message {
            PeerMessage::Published {
                channel,
                feed,
                tracks,
            } => {
                self.announced.insert(
                    channel.clone(),
                    Announced {
                        feed,
                        tracks: tracks.clone(),
                    },
                );
                // Two workers can't feed one channel: who came later took it over.
                let holder = self.names.get(&channel).map(|&i| self.channels[i].feed);
                if let Some(Feed::Local { index, .. }) = holder {
                    self.end(now, index, EndReason::TakenOver, out);
                }
                if let Some(&index) = self.names.get(&channel) {
                    self.set_feed(
                        now,
                        index,
                        Feed::Remote {
                            session: feed,
                            subscribed: false,
                        },
                        &tracks,
                    );
                    self.subscribe(index, out);
                }
            }
            PeerMessage::Unpublished { channel, feed } => {
                if self.announced.get(&channel).is_some_and(|a| a.feed == feed) {
                    self.announced.remove(&channel);
                }
                let index = self.names.get(&channel).copied();
                if let Some(index) =
                    index.filter(|&i| self.channels[i].feed.session() == Some(feed))
                {
                    self.set_feed(now, index, Feed::None, &PublishedLayers::default());
                    self.drop_if_idle(index);
                }
            }
            PeerMessage::Subscribe { channel } => self.on_subscribe(now, from, &channel, out),
            PeerMessage::Unsubscribe { channel } => {
                if let Some(known) = self
                    .names
                    .get(&channel)
                    .and_then(|&i| self.channels.get_mut(i))
                {
                    known.subscribers.retain(|&worker| worker != from);
                }
            }
            PeerMessage::Burst(burst) => self.on_burst(now, &burst, out),
            PeerMessage::Clock {
                channel,
                feed,
                kind,
                layer,
                clock,
            } => {
                let known = self
                    .names
                    .get(&channel)
                    .and_then(|&i| self.channels.get_mut(i));
                let track = known
                    .filter(|c| c.feed.session() == Some(feed))
                    .and_then(|c| c.track_mut(kind));
                if let Some(layer) = track.and_then(|t| t.layers.get_mut(usize::from(layer))) {
                    layer.clock = Some(clock);
                }
            }
            PeerMessage::KeyframeRequest { channel, layer } => {
                if let Some(&index) = self.names.get(&channel) {
                    let need = KeyframeNeed {
                        kind: MediaKind::Video,
                        layer,
                    };
                    self.need_keyframe(now, index, Some(need), out);
                }
            }
        }
    }

    /// A channel's packets come from elsewhere now: its viewers wait for the first keyframe from there.
    pub(super) fn set_feed(
        &mut self,
        now: Instant,
        index: usize,
        feed: Feed,
        published: &PublishedLayers,
    ) {
        let Some(channel) = self.channels.get_mut(index) else {
            return;
        };
        channel.feed = feed;
        channel.subscribers.clear();
        Self::lay_tracks(&self.config, now, channel, published);
        for &viewer in &channel.viewers {
            if let Some(Role::Viewer(viewer)) = self.sessions.get_mut(viewer).map(|s| &mut s.role) {
                viewer.reset();
                // Fitted again when the codec is known for sure: until then nobody is let go.
                viewer.select(channel);
                viewer.aim(now, channel);
            }
        }
    }

    /// Asks another worker for a channel, once, when there are viewers for it here.
    pub(super) fn subscribe(&mut self, index: usize, out: &mut dyn Output) {
        let Some(channel) = self.channels.get_mut(index) else {
            return;
        };
        if channel.viewers.is_empty() {
            return;
        }
        if let Feed::Remote {
            session,
            subscribed: subscribed @ false,
        } = &mut channel.feed
        {
            *subscribed = true;
            out.peer(
                session.worker,
                PeerMessage::Subscribe {
                    channel: channel.name.clone(),
                },
            );
        }
    }

    /// Another worker has viewers: it gets what is cached, and everything from now on.
    fn on_subscribe(
        &mut self,
        now: Instant,
        from: WorkerId,
        name: &crate::ChannelName,
        out: &mut dyn Output,
    ) {
        let Some(channel) = self.names.get(name).and_then(|&i| self.channels.get_mut(i)) else {
            return;
        };
        let Feed::Local { session: feed, .. } = channel.feed else {
            return;
        };
        if channel.subscribers.contains(&from) {
            return;
        }
        channel.subscribers.push(from);
        for track in channel.tracks.iter().flatten() {
            let mut places: Vec<usize> = (0..track.layers.len()).collect();
            // The best first: who waits there begins with the first that comes.
            places.sort_by_key(|&place| std::cmp::Reverse(track.layers[place].rank()));
            for place in places {
                let layer = &track.layers[place];
                let place = (track.kind, place as u8);
                if let Some(clock) = layer.clock {
                    out.peer(
                        from,
                        PeerMessage::Clock {
                            channel: channel.name.clone(),
                            feed,
                            kind: place.0,
                            layer: place.1,
                            clock,
                        },
                    );
                }
                let held = layer.cache.keyframe().zip(layer.cache.highest());
                if let Some((first, highest)) = held.filter(|_| layer.flowing(now)) {
                    // What waits for the fan-out goes with it.
                    let cached: Vec<u64> = (first..=highest)
                        .filter(|sequence| !layer.pending.contains(sequence))
                        .collect();
                    let cached = cached.into_iter();
                    let burst = Burst::collect(&channel.name, feed, place, layer, cached, true);
                    out.peer(from, PeerMessage::Burst(Arc::new(burst)));
                }
            }
        }
    }

    fn on_burst(&mut self, now: Instant, burst: &Burst, out: &mut dyn Output) {
        let Some(&index) = self.names.get(&burst.channel) else {
            return;
        };
        let Some(channel) = self
            .channels
            .get_mut(index)
            .filter(|c| c.feed.session() == Some(burst.feed))
        else {
            return;
        };
        channel.on_air = true;
        let Some(track) = channel.track_mut(burst.kind) else {
            return;
        };
        let change = track.note_payload(burst.payload_type);
        let Some(layer) = track.layers.get_mut(usize::from(burst.layer)) else {
            return;
        };
        layer.payload_type = burst.payload_type;
        let mut resized = false;
        for (sequence, packet) in burst.packets() {
            layer.learn(packet.payload, packet.extras);
            let pushed = if burst.backlog {
                layer.backfill(now, sequence, &packet)
            } else {
                layer.push(now, sequence, &packet)
            };
            resized |= pushed == Pushed::Kept { resized: true };
        }
        self.on_payload(now, index, burst.kind, change, out);
        if resized {
            self.aim(now, index);
        }
        if burst.backlog {
            self.begin_waiting(now, index, out);
        } else if let Some(channel) = self.channels.get_mut(index).filter(|c| !c.dirty) {
            channel.dirty = true;
            self.dirty.push(index);
        }
    }

    /// A group of pictures came for the cache: viewers who wait for a picture begin with it.
    fn begin_waiting(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let viewers = self
            .channels
            .get(index)
            .map(|c| c.viewers.clone())
            .unwrap_or_default();
        for viewer in viewers {
            let (Some(session), Some(channel)) =
                (self.sessions.get_mut(viewer), self.channels.get(index))
            else {
                continue;
            };
            if let (Role::Viewer(role), true) = (&mut session.role, session.connected)
                && role.waits()
            {
                let need = role.begin(now, channel);
                self.need_keyframe(now, index, need, out);
                self.pump(now, viewer, out);
                self.reschedule(now, viewer);
            }
        }
    }
}
