//! All the sessions of one worker, and the fan-out between them.
//!
//! Driving contract: after any call that takes `now`, ask [`Engine::next_timeout`]; when what came is read, call
//! [`Engine::flush`], which forwards what the batch brought. Everything that leaves goes to the [`Output`] at hand.

mod control;
mod fanout;
mod feedback;
mod ingress;
mod peers;
mod statistics;
mod timers;
mod transmit;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

pub use ingress::Disposition;
pub use statistics::{
    EngineStatistics, LayerStatistics, SessionStatistics, SubLayerStatistics, VideoClock,
};

use crate::{
    Candidate, ChannelName, EndReason, Event, Output, Path, SessionId, WorkerId,
    dtls::Certificate,
    media::{Channel, Feed, PublishedLayers},
    rtp::time::{NtpTime, PlayoutDelay},
    session::{Role, Session},
};
use transmit::Transmit;

/// Bounds of one worker. Each has a stated behaviour when it is reached.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sessions; further ones are refused with [`crate::Reject::Overloaded`].
    pub sessions: usize,
    /// Bytes of packets cached for one layer; beyond it the oldest go, and joining waits for the next keyframe.
    pub cached_bytes_per_layer: usize,
    /// Bytes of packets cached for all layers; beyond it caches stop growing.
    pub cached_bytes: usize,
    /// Bits per second that all catch-ups together may take; beyond it each gets less.
    pub catch_up_bits_per_second: u64,
    /// A publisher is asked for a keyframe of one layer at most this often.
    pub keyframe_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 20_000,
            cached_bytes_per_layer: 16 << 20,
            cached_bytes: 512 << 20,
            catch_up_bits_per_second: 1_000_000_000,
            keyframe_interval: Duration::from_millis(500),
        }
    }
}

/// How an engine is set up.
#[derive(Clone)]
pub struct EngineConfig {
    /// Which worker this is.
    pub worker: WorkerId,
    /// How many workers the node has.
    pub workers: u8,
    /// The node's DTLS certificate.
    pub certificate: Arc<Certificate>,
    /// Where this worker can be reached.
    pub candidates: Vec<Candidate>,
    /// Its bounds.
    pub limits: Limits,
    /// What viewers are told of how long they may hold the picture back.
    pub playout_delay: PlayoutDelay,
    /// The wall clock at the moment that the engine was made, as time since 1970.
    pub unix_time: Duration,
}

/// A publisher of another worker.
#[derive(Debug, Clone)]
struct Announced {
    feed: SessionId,
    tracks: Arc<PublishedLayers>,
}

/// All the sessions of one worker. See the module's contract.
pub struct Engine {
    config: EngineConfig,
    started: Instant,
    /// Boxed: a table never shrinks, and what is left of it should be small.
    sessions: Slab<Box<Session>>,
    channels: Slab<Channel>,
    serials: HashMap<u64, usize>,
    names: HashMap<ChannelName, usize>,
    ufrags: HashMap<String, usize>,
    paths: HashMap<Path, usize>,
    announced: HashMap<ChannelName, Announced>,
    next_serial: u64,
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    next_tick: Instant,
    ticks: u64,
    /// Channels with packets to fan out.
    dirty: Vec<usize>,
    /// Sessions whose packets began to be held back during this fan-out: their timers must be set.
    held: Vec<usize>,
    /// What all catch-ups may still send now.
    catch_up_credit: f64,
    catch_up_filled: Instant,
    totals: statistics::Totals,
    /// Viewers' reports aren't read.
    hurries: bool,
    /// When viewers' paths were last excused for being silent.
    excused: Instant,
    /// When packets that wait for the rest of their picture go without it.
    gathered_by: Option<Instant>,
    /// Room for segmented messages, for one RTCP compound, for what transports send.
    scratch: Box<[u8]>,
    rtcp: Vec<u8>,
    transmit: Transmit,
}

/// In a hurry, viewers' paths are excused for being silent this often: well within the time after which silence counts.
const EXCUSE_INTERVAL: Duration = Duration::from_millis(200);

/// The name that our sources share (RFC 8834 §4.8 wants one for all that play in step).
const CNAME: &str = "spillway";

impl Engine {
    /// An engine without sessions.
    pub fn new(config: EngineConfig, now: Instant) -> Self {
        Self {
            started: now,
            sessions: Slab::new(),
            channels: Slab::new(),
            serials: HashMap::new(),
            names: HashMap::new(),
            ufrags: HashMap::new(),
            paths: HashMap::new(),
            announced: HashMap::new(),
            next_serial: 1,
            timers: BinaryHeap::new(),
            next_tick: now,
            ticks: 0,
            dirty: Vec::new(),
            held: Vec::new(),
            catch_up_credit: 0.0,
            catch_up_filled: now,
            totals: statistics::Totals::default(),
            hurries: false,
            excused: now,
            scratch: vec![0; crate::viewer::Wire::SCRATCH].into(),
            gathered_by: None,
            rtcp: Vec::with_capacity(1500),
            transmit: Transmit::default(),
            config,
        }
    }

    /// While in a hurry, reports of viewers are thrown away unread. To be called with `true` at each of its turns by a worker
    /// that is so late that what they ask for has come meanwhile, or was asked for anew: answering would make it later still.
    pub fn hurry(&mut self, now: Instant, hurries: bool) {
        let due = now.saturating_duration_since(self.excused) >= EXCUSE_INTERVAL;
        if (hurries && due) || (self.hurries && !hurries) {
            // Nothing was heard because nothing was listened to.
            self.excused = now;
            for (_, session) in &mut self.sessions {
                if let Role::Viewer(viewer) = &mut session.role {
                    viewer.excuse(now);
                }
            }
        }
        self.hurries = hurries;
    }

    /// Our wall clock at `now`.
    fn wall(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.config.unix_time + now.saturating_duration_since(self.started))
    }

    fn index_of(&self, session: SessionId) -> Option<usize> {
        let index = *self.serials.get(&session.serial)?;
        (session.worker == self.config.worker).then_some(index)
    }

    /// The channel of this name, made if there is none. A publisher of another worker becomes its feed.
    fn channel_index(&mut self, now: Instant, name: &ChannelName) -> usize {
        if let Some(&index) = self.names.get(name) {
            return index;
        }
        let mut channel = Channel::new(name.clone());
        if let Some(announced) = self.announced.get(name).cloned() {
            channel.feed = Feed::Remote {
                session: announced.feed,
                subscribed: false,
            };
            Self::lay_tracks(&self.config, now, &mut channel, &announced.tracks);
        }
        let index = self.channels.insert(channel);
        self.names.insert(name.clone(), index);
        index
    }

    /// Fresh tracks for a new feed.
    fn lay_tracks(
        config: &EngineConfig,
        now: Instant,
        channel: &mut Channel,
        published: &PublishedLayers,
    ) {
        channel.on_air = false;
        channel.tracks = [None, None];
        for track in &published.0 {
            channel.tracks[crate::media::track_index(track.kind)] = Some(crate::media::Track::new(
                now,
                track,
                config.limits.keyframe_interval,
                config.limits.cached_bytes_per_layer,
            ));
        }
    }

    /// Ends a session: says good-bye, forgets it, tells the platform.
    fn end(&mut self, now: Instant, index: usize, reason: EndReason, out: &mut dyn Output) {
        let Some(mut session) = self.sessions.try_remove(index) else {
            return;
        };
        session.transport.close(now);
        let transport = &mut session.transport;
        self.transmit
            .send_all(|datagram| transport.poll_transmit(datagram), out);
        self.serials.remove(&session.id.serial);
        for ufrag in &session.ufrags {
            self.ufrags.remove(ufrag);
        }
        for path in &session.paths {
            if self.paths.get(path) == Some(&index) {
                self.paths.remove(path);
            }
        }
        match session.role {
            Role::Publisher(_) => self.unpublish(&session, out),
            Role::Viewer(_) => self.unwatch(&session, index, out),
        }
        out.event(Event::Ended {
            session: session.id,
            reason,
        });
    }

    fn unpublish(&mut self, session: &Session, out: &mut dyn Output) {
        let Some(channel) = self.channels.get_mut(session.channel) else {
            return;
        };
        if channel.feed.session() != Some(session.id) {
            return;
        }
        if channel.on_air {
            out.event(Event::Offline {
                channel: channel.name.clone(),
                session: session.id,
            });
        }
        let name = channel.name.clone();
        channel.feed = Feed::None;
        channel.on_air = false;
        channel.tracks = [None, None];
        channel.subscribers.clear();
        for &viewer in &channel.viewers {
            if let Some(Role::Viewer(viewer)) = self.sessions.get_mut(viewer).map(|s| &mut s.role) {
                viewer.reset();
            }
        }
        self.broadcast(
            &crate::PeerMessage::Unpublished {
                channel: name,
                feed: session.id,
            },
            out,
        );
        self.drop_if_idle(session.channel);
    }

    fn unwatch(&mut self, session: &Session, index: usize, out: &mut dyn Output) {
        let Some(channel) = self.channels.get_mut(session.channel) else {
            return;
        };
        channel.viewers.retain(|&viewer| viewer != index);
        if channel.viewers.is_empty()
            && let Feed::Remote {
                session: feed,
                subscribed: subscribed @ true,
            } = &mut channel.feed
        {
            *subscribed = false;
            out.peer(
                feed.worker,
                crate::PeerMessage::Unsubscribe {
                    channel: channel.name.clone(),
                },
            );
        }
        self.drop_if_idle(session.channel);
    }

    fn drop_if_idle(&mut self, index: usize) {
        let idle = self
            .channels
            .get(index)
            .is_some_and(|c| c.viewers.is_empty() && !matches!(c.feed, Feed::Local { .. }));
        if idle {
            let channel = self.channels.remove(index);
            self.names.remove(&channel.name);
            self.dirty.retain(|&dirty| dirty != index);
        }
    }

    fn broadcast(&self, message: &crate::PeerMessage, out: &mut dyn Output) {
        for worker in (0..self.config.workers)
            .map(WorkerId)
            .filter(|&w| w != self.config.worker)
        {
            out.peer(worker, message.clone());
        }
    }
}
