//! Datagrams of peers: to whom they belong, and what they bring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Engine;
use crate::{
    EndReason, Event, MediaKind, Output, Path, PeerMessage, WorkerId,
    ice::{stun_ufrag, worker_of},
    media::{Feed, PayloadChange},
    publisher::Received,
    session::{MAX_PATHS, Role},
    transport::{CloseReason, Incoming, TransportEvent, is_rtcp},
};

/// A peer that was heard of on its path within this time is still there.
const PATH_HELD: Duration = Duration::from_secs(10);

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It was one of ours.
    Taken,
    /// Its ICE user name fragment names another worker: hand it over.
    Foreign(WorkerId),
    /// It belongs to no session.
    Unknown,
}

impl Engine {
    /// Takes one datagram of a peer. Media that it brings is forwarded by the next [`Engine::flush`].
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        out: &mut dyn Output,
    ) -> Disposition {
        let ufrag = stun_ufrag(datagram);
        let index = match ufrag {
            Some(ufrag) => match self.ufrags.get(ufrag) {
                Some(&index) => index,
                None => return self.foreign(ufrag),
            },
            None => match self.paths.get(&path) {
                Some(&index) => index,
                None => return Disposition::Unknown,
            },
        };
        let is_check = ufrag.is_some();
        if is_check && self.is_anothers(now, index, path) {
            self.totals.rejected += 1;
            return Disposition::Taken;
        }
        let Some(session) = self.sessions.get_mut(index) else {
            return Disposition::Unknown;
        };
        self.totals.packets_in += 1;
        self.totals.bytes_in += datagram.len() as u64;
        if self.hurries && matches!(session.role, Role::Viewer(_)) && is_rtcp(datagram) {
            self.totals.unread += 1;
            return Disposition::Taken;
        }
        match session.transport.handle(now, path, datagram) {
            Incoming::Rtp(packet) => self.on_rtp(now, index, packet, out),
            Incoming::Rtcp(packet) => self.on_rtcp(now, index, packet, out),
            Incoming::Handled => {
                if is_check {
                    self.learn(index, path);
                }
                self.drain(now, index, out);
            }
            Incoming::Rejected(_) => {
                self.totals.rejected += 1;
                self.drain(now, index, out);
            }
        }
        Disposition::Taken
    }

    /// A TCP connection is gone: its path isn't one any more.
    pub fn connection_closed(&mut self, path: Path) {
        if let Some(session) = self
            .paths
            .remove(&path)
            .and_then(|index| self.sessions.get_mut(index))
        {
            session.paths.retain(|known| *known != path);
        }
    }

    fn foreign(&self, ufrag: &str) -> Disposition {
        match worker_of(ufrag) {
            Some(worker) if worker != self.config.worker && worker.0 < self.config.workers => {
                Disposition::Foreign(worker)
            }
            _ => Disposition::Unknown,
        }
    }

    /// Another session's peer is there. A check from its address can't be this session's: with a forged address anybody
    /// who may watch could take a publisher's packets away.
    fn is_anothers(&self, now: Instant, index: usize, path: Path) -> bool {
        let holder = self.paths.get(&path).filter(|&&holder| holder != index);
        holder
            .and_then(|&holder| self.sessions.get(holder))
            .is_some_and(|session| session.transport.holds(now, path, PATH_HELD))
    }

    /// An authenticated check came this way: what comes from there is this session's.
    fn learn(&mut self, index: usize, path: Path) {
        if self.paths.get(&path) == Some(&index) {
            return;
        }
        let session = &mut self.sessions[index];
        if session.paths.len() >= MAX_PATHS {
            let current = session.transport.path();
            let oldest = session
                .paths
                .iter()
                .position(|p| Some(*p) != current)
                .unwrap_or(0);
            self.paths.remove(&session.paths.remove(oldest));
        }
        session.paths.push(path);
        if let Some(former) = self
            .paths
            .insert(path, index)
            .and_then(|i| self.sessions.get_mut(i))
        {
            former.paths.retain(|known| *known != path);
        }
    }

    fn on_rtp(&mut self, now: Instant, index: usize, packet: &[u8], out: &mut dyn Output) {
        let session = &mut self.sessions[index];
        let Role::Publisher(publisher) = &mut session.role else {
            return;
        };
        let channel = self.channels.get_mut(session.channel);
        let Some(channel) = channel.filter(|c| c.feed.session() == Some(session.id)) else {
            return;
        };
        match publisher.on_rtp(now, packet, channel) {
            Received::Nothing => {}
            Received::Restarted => {
                self.restart_feed(now, index, out);
                return self.on_rtp(now, index, packet, out);
            }
            Received::Media {
                kind,
                change,
                resized,
            } => {
                if !channel.dirty {
                    channel.dirty = true;
                    self.dirty.push(session.channel);
                }
                if !channel.on_air {
                    channel.on_air = true;
                    out.event(Event::Live {
                        channel: channel.name.clone(),
                        session: session.id,
                    });
                }
                let channel = session.channel;
                self.on_payload(now, channel, kind, change, out);
                if resized {
                    self.aim(now, channel);
                }
            }
        }
        self.reschedule(now, index);
    }

    /// A publisher's sequence numbers begin anew: to its viewers that is as if another publisher had come.
    fn restart_feed(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let session = &self.sessions[index];
        let Role::Publisher(publisher) = &session.role else {
            return;
        };
        let (id, channel) = (session.id, session.channel);
        let announced = publisher.published();
        let on_air = self.channels.get(channel).is_some_and(|c| c.on_air);
        self.set_feed(now, channel, Feed::Local { session: id, index }, &announced);
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.on_air = on_air;
        }
        let message = PeerMessage::Published {
            channel: self.sessions[index].channel_name.clone(),
            feed: id,
            tracks: Arc::new(announced),
        };
        self.broadcast(&message, out);
    }

    /// A layer's picture has another size: before its keyframe is forwarded, viewers may turn to it.
    pub(super) fn aim(&mut self, now: Instant, channel: usize) {
        let Some(known) = self.channels.get(channel) else {
            return;
        };
        for &index in &known.viewers {
            if let Some(Role::Viewer(viewer)) = self.sessions.get_mut(index).map(|s| &mut s.role) {
                viewer.aim(now, known);
            }
        }
    }

    /// Acts on what a packet's payload type said of a track's codec.
    pub(super) fn on_payload(
        &mut self,
        now: Instant,
        channel: usize,
        kind: MediaKind,
        change: PayloadChange,
        out: &mut dyn Output,
    ) {
        if change == PayloadChange::Other
            && let Some(channel) = self.channels.get(channel)
        {
            for &viewer in &channel.viewers {
                if let Some(Role::Viewer(viewer)) =
                    self.sessions.get_mut(viewer).map(|s| &mut s.role)
                {
                    viewer.reset_track(kind);
                }
            }
        }
        if change != PayloadChange::None {
            self.reselect(now, channel, out);
        }
    }

    /// The codec is known, or another: viewers who can't follow are let go.
    fn reselect(&mut self, now: Instant, channel: usize, out: &mut dyn Output) {
        let mut lost = Vec::new();
        let Some(known) = self.channels.get(channel) else {
            return;
        };
        for &index in &known.viewers {
            if let Some(Role::Viewer(viewer)) = self.sessions.get_mut(index).map(|s| &mut s.role)
                && !viewer.select(known)
            {
                lost.push(index);
            }
        }
        for index in lost {
            self.end(now, index, EndReason::CodecUnsupported, out);
        }
    }

    /// Sends what a session's transport has to send, and acts on what happened there.
    pub(super) fn drain(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        while let Some(session) = self.sessions.get_mut(index) {
            let transport = &mut session.transport;
            self.transmit
                .send_all(|datagram| transport.poll_transmit(datagram), out);
            let Some(event) = session.transport.poll_event() else {
                break;
            };
            let id = session.id;
            match event {
                TransportEvent::Connected { .. } => self.on_connected(now, index, out),
                TransportEvent::ChannelOpened {
                    id: channel, label, ..
                } => {
                    out.event(Event::ChannelOpened {
                        session: id,
                        id: channel.0,
                        label,
                    });
                }
                TransportEvent::Data {
                    channel,
                    data,
                    binary,
                } => {
                    out.event(Event::Data {
                        session: id,
                        id: channel.0,
                        data,
                        binary,
                    });
                }
                TransportEvent::ChannelClosed(channel) => {
                    out.event(Event::ChannelClosed {
                        session: id,
                        id: channel.0,
                    });
                }
                // A path is learnt with the check that names it.
                TransportEvent::PathChanged(_) => {}
                TransportEvent::Closed(reason) => self.end(now, index, ended(reason), out),
            }
        }
        self.reschedule(now, index);
    }

    fn on_connected(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let session = &mut self.sessions[index];
        session.connected = true;
        out.event(Event::Connected {
            session: session.id,
        });
        let channel_index = session.channel;
        let Some(channel) = self.channels.get(channel_index) else {
            return;
        };
        if let Role::Viewer(viewer) = &mut session.role {
            let need = viewer.join(now, channel);
            self.need_keyframe(now, channel_index, need, out);
            self.pump(now, index, out);
        }
    }
}

fn ended(reason: CloseReason) -> EndReason {
    match reason {
        CloseReason::ConsentExpired => EndReason::ConsentExpired,
        CloseReason::HandshakeTimedOut => EndReason::HandshakeTimedOut,
        CloseReason::ByPeer => EndReason::ByPeer,
        CloseReason::Local => EndReason::Closed,
        CloseReason::FingerprintMismatch | CloseReason::HandshakeFailed => {
            EndReason::HandshakeFailed
        }
    }
}
