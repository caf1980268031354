//! Engines and peers, and time that passes when it is told to.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use spillway_sfu::{
    Accepted, Candidate, CandidateTransport, ChannelName, Disposition, Engine, EngineConfig, Event,
    LayerSelection, Limits, MediaKind, Output, Path, PeerMessage, PublishRequest, Reject,
    SessionId, WatchRequest, WorkerId, rtp::PlayoutDelay, rtp::SequenceUnwrapper,
};

use super::{
    Heard, Link, Offer, Source,
    link::{Random, Way},
    peer::{CERTIFICATE, Peer, Told, key, server_address},
    seconds,
    viewer::in_order,
};

/// A peer's place in [`World::peers`].
pub type PeerId = usize;

/// The wall clock when the world begins.
pub const UNIX_TIME: Duration = Duration::from_secs(1_800_000_001);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Engine(usize),
    Peer(PeerId),
}

struct Flight {
    path: Option<Path>,
    bytes: Vec<u8>,
}

/// What leaves an engine.
#[derive(Default)]
pub struct Sink {
    pub datagrams: Vec<(Path, Vec<u8>)>,
    pub messages: Vec<(WorkerId, PeerMessage)>,
    pub events: Vec<Event>,
}

impl Output for Sink {
    fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        assert!(segment > 0 && !datagrams.is_empty(), "an empty message");
        let parts = datagrams.chunks(segment);
        self.datagrams
            .extend(parts.map(|part| (path, part.to_vec())));
    }

    fn peer(&mut self, worker: WorkerId, message: PeerMessage) {
        self.messages.push((worker, message));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// Says whether a datagram toward a peer is lost, beside what its link loses.
type Loss = Box<dyn FnMut(PeerId, &[u8]) -> bool>;

pub struct World {
    /// That peers publish to and watch from now on.
    pub channel: ChannelName,
    pub now: Instant,
    pub start: Instant,
    pub engines: Vec<Engine>,
    pub peers: Vec<Peer>,
    pub events: Vec<(Instant, Event)>,
    /// Messages between workers, counted by kind.
    pub messages: HashMap<&'static str, usize>,
    /// To and from each peer.
    pub links: Vec<(Link, Link)>,
    ways: Vec<(Way, Way)>,
    /// Whose way each peer's datagrams take.
    way_of: Vec<PeerId>,
    pub loss: Loss,
    pub random: Random,
    /// Every sealed media packet that left an engine: by peer, SSRC and index.
    pub wire: HashMap<(PeerId, u32, u64), Vec<u8>>,
    unwrappers: HashMap<(PeerId, u32), SequenceUnwrapper>,
    /// Whether `wire` and `sent` are kept.
    pub recording: bool,
    /// Bytes that left toward each peer, and when.
    pub sent: Vec<(Instant, PeerId, usize)>,
    flights: BinaryHeap<Reverse<(Instant, u64, End, usize)>>,
    in_flight: HashMap<usize, Flight>,
    next_flight: usize,
    seed: u64,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with SPILLWAY_SEED={}", self.seed);
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(1, &Limits::default())
    }

    pub fn with(workers: u8, limits: &Limits) -> Self {
        Self::seeded(
            workers,
            limits,
            seed_of_environment().unwrap_or_else(rand::random),
        )
    }

    pub fn seeded(workers: u8, limits: &Limits, seed: u64) -> Self {
        let start = Instant::now();
        let engine = |worker| {
            let config = EngineConfig {
                worker: WorkerId(worker),
                workers,
                certificate: CERTIFICATE.clone(),
                candidates: vec![Candidate {
                    transport: CandidateTransport::Udp,
                    address: server_address(usize::from(worker)),
                    base: None,
                }],
                limits: limits.clone(),
                playout_delay: PlayoutDelay::NONE,
                unix_time: UNIX_TIME,
            };
            Engine::new(config, start)
        };
        Self {
            channel: "demo".parse().unwrap(),
            now: start,
            start,
            engines: (0..workers).map(engine).collect(),
            peers: Vec::new(),
            events: Vec::new(),
            messages: HashMap::new(),
            links: Vec::new(),
            ways: Vec::new(),
            way_of: Vec::new(),
            loss: Box::new(|_, _| false),
            random: Random(seed),
            wire: HashMap::new(),
            unwrappers: HashMap::new(),
            recording: true,
            sent: Vec::new(),
            flights: BinaryHeap::new(),
            in_flight: HashMap::new(),
            next_flight: 0,
            seed,
        }
    }

    /// Publishes `source` to the channel on worker 0, in place of whoever does now.
    pub fn publish(&mut self, offer: &Offer, source: Source) -> PeerId {
        self.publish_on(0, offer, source)
    }

    pub fn publish_on(&mut self, worker: usize, offer: &Offer, source: Source) -> PeerId {
        let channel = self.channel.clone();
        self.join(
            offer,
            Some(source),
            |engine, now, offer, out| {
                let request = PublishRequest {
                    channel,
                    offer,
                    take_over: true,
                };
                engine.publish(now, request, out)
            },
            worker,
        )
        .unwrap()
    }

    pub fn watch(&mut self, offer: &Offer) -> PeerId {
        self.watch_on(0, offer, None)
    }

    pub fn watch_on(&mut self, worker: usize, offer: &Offer, layer: Option<&str>) -> PeerId {
        self.try_watch(worker, offer, layer).unwrap()
    }

    pub fn try_watch(
        &mut self,
        worker: usize,
        offer: &Offer,
        layer: Option<&str>,
    ) -> Result<PeerId, Reject> {
        let selection = LayerSelection {
            rid: layer.map(str::to_owned),
            ..LayerSelection::default()
        };
        let channel = self.channel.clone();
        self.join(
            offer,
            None,
            |engine, now, offer, out| {
                let request = WatchRequest {
                    channel,
                    offer,
                    selection,
                    wait: true,
                    for_others: false,
                };
                engine.watch(now, request, out)
            },
            worker,
        )
    }

    fn join(
        &mut self,
        offer: &Offer,
        source: Option<Source>,
        ask: impl FnOnce(&mut Engine, Instant, String, &mut dyn Output) -> Result<Accepted, Reject>,
        worker: usize,
    ) -> Result<PeerId, Reject> {
        let mut sink = Sink::default();
        let mut refused = None;
        let (engine, now, id) = (&mut self.engines[worker], self.now, self.peers.len());
        let dummy = Accepted {
            session: SessionId {
                worker: WorkerId(worker as u8),
                serial: 0,
            },
            answer: String::new(),
            ufrag: String::new(),
        };
        let asked = |offer: String| match ask(engine, now, offer.clone(), &mut sink) {
            Ok(accepted) => accepted,
            Err(reject) => {
                refused = Some(reject);
                // Any SDP will do for a peer that is dropped below.
                Accepted {
                    answer: offer,
                    ..dummy
                }
            }
        };
        let peer = Peer::new(now, id as u16 + 1, asked, offer, source);
        self.take(worker, sink);
        if let Some(reject) = refused {
            return Err(reject);
        }
        self.peers.push(peer);
        self.links.push((Link::default(), Link::default()));
        let mut way = || Way::new(self.random.next());
        self.ways.push((way(), way()));
        self.way_of.push(id);
        Ok(id)
    }

    /// From now on datagrams of `other` queue up with those of `id`. Their links should be the same.
    pub fn share_way(&mut self, id: PeerId, other: PeerId) {
        self.way_of[other] = id;
    }

    /// Does something with an engine, and delivers what comes of it.
    pub fn engine<T>(
        &mut self,
        worker: usize,
        act: impl FnOnce(&mut Engine, Instant, &mut dyn Output) -> T,
    ) -> T {
        let mut sink = Sink::default();
        let result = act(&mut self.engines[worker], self.now, &mut sink);
        self.take(worker, sink);
        result
    }

    /// Does something with a peer, and sends what comes of it.
    pub fn peer<T>(&mut self, id: PeerId, act: impl FnOnce(&mut Peer, Instant) -> T) -> T {
        let result = act(&mut self.peers[id], self.now);
        self.post(id);
        result
    }

    fn post(&mut self, id: PeerId) {
        let outbox = std::mem::take(&mut self.peers[id].outbox);
        let (path, engine) = (self.peers[id].path(), self.peers[id].engine);
        for bytes in outbox {
            let arrivals = self.ways[self.way_of[id]]
                .1
                .carry(self.now, bytes, &self.links[id].1);
            for (at, bytes) in arrivals {
                self.fly(at, End::Engine(engine), Some(path), bytes);
            }
        }
    }

    fn fly(&mut self, at: Instant, to: End, path: Option<Path>, bytes: Vec<u8>) {
        let flight = self.next_flight;
        self.next_flight += 1;
        self.flights.push(Reverse((at, flight as u64, to, flight)));
        self.in_flight.insert(flight, Flight { path, bytes });
    }

    fn take(&mut self, worker: usize, sink: Sink) {
        for event in sink.events {
            self.events.push((self.now, event));
        }
        for (path, bytes) in sink.datagrams {
            let Some(id) = self.peer_at(path) else {
                continue;
            };
            assert_eq!(path.local, server_address(worker).ip());
            self.note(id, &bytes);
            if (self.loss)(id, &bytes) {
                continue;
            }
            let arrivals = self.ways[self.way_of[id]]
                .0
                .carry(self.now, bytes, &self.links[id].0);
            for (at, bytes) in arrivals {
                self.fly(at, End::Peer(id), None, bytes);
            }
        }
        for (to, message) in sink.messages {
            *self.messages.entry(kind(&message)).or_default() += 1;
            let mut sink = Sink::default();
            let (to, from) = (usize::from(to.0), WorkerId(worker as u8));
            self.engines[to].handle_peer(self.now, from, message, &mut sink);
            self.engines[to].flush(self.now, &mut sink);
            self.take(to, sink);
        }
    }

    /// Peers' addresses are numbered as the peers are.
    fn peer_at(&self, path: Path) -> Option<PeerId> {
        let std::net::IpAddr::V4(address) = path.remote.ip() else {
            return None;
        };
        let [_, _, a, b] = address.octets();
        let id = usize::from(u16::from_be_bytes([a, b])).checked_sub(1)?;
        (self.peers.get(id)?.address == path.remote).then_some(id)
    }

    /// Holds every sealed packet against those before: one number, one content.
    fn note(&mut self, id: PeerId, bytes: &[u8]) {
        let media = bytes.first().is_some_and(|b| (128..192).contains(b))
            && !bytes.get(1).is_some_and(|b| (192..=223).contains(b));
        if !media || !self.recording {
            return;
        }
        self.sent.push((self.now, id, bytes.len()));
        let (ssrc, sequence) = key(bytes);
        let index = self
            .unwrappers
            .entry((id, ssrc))
            .or_default()
            .unwrap(sequence);
        let known = self
            .wire
            .entry((id, ssrc, index))
            .or_insert_with(|| bytes.to_vec());
        assert_eq!(
            known, bytes,
            "two packets sealed under number {index} of SSRC {ssrc}"
        );
    }

    fn next(&self) -> Option<Instant> {
        let flight = self.flights.peek().map(|Reverse((at, ..))| *at);
        let engines = self.engines.iter().map(Engine::next_timeout);
        let peers = self.peers.iter().filter_map(Peer::next_timeout);
        engines.chain(peers).chain(flight).min()
    }

    /// Lets time pass until `done`, or for `limit`. Returns whether it was done.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            let Some(next) = self.next().filter(|next| *next <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            self.step();
        }
        true
    }

    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn step(&mut self) {
        let now = self.now;
        for id in 0..self.peers.len() {
            if self.peers[id].next_timeout().is_some_and(|at| at <= now) {
                self.peers[id].handle_timeout(now);
                self.post(id);
            }
        }
        let mut sinks: Vec<Sink> = self.engines.iter().map(|_| Sink::default()).collect();
        while let Some(&Reverse((at, _, to, flight))) = self.flights.peek() {
            if at > now {
                break;
            }
            self.flights.pop();
            let mut flight = self.in_flight.remove(&flight).unwrap();
            match (to, flight.path) {
                (End::Engine(worker), Some(path)) => {
                    let disposition = self.engines[worker].handle_datagram(
                        now,
                        path,
                        &mut flight.bytes,
                        &mut sinks[worker],
                    );
                    assert!(!matches!(disposition, Disposition::Foreign(_)));
                }
                (End::Peer(id), _) => {
                    self.peers[id].handle(now, &flight.bytes);
                    self.post(id);
                }
                (End::Engine(_), None) => unreachable!("peers send over their path"),
            }
        }
        for (worker, sink) in sinks.into_iter().enumerate() {
            self.take(worker, sink);
        }
        for worker in 0..self.engines.len() {
            let mut sink = Sink::default();
            self.engines[worker].flush(now, &mut sink);
            if self.engines[worker].next_timeout() <= now {
                self.engines[worker].handle_timeout(now, &mut sink);
            }
            self.take(worker, sink);
        }
    }

    /// Runs until these are connected.
    pub fn connect(&mut self, ids: &[PeerId]) {
        let done = self.run_until(seconds(15), |world| {
            ids.iter().all(|&id| world.peers[id].connected.is_some())
        });
        assert!(done, "not all of {ids:?} connected");
    }

    pub fn video(&self, id: PeerId) -> Vec<&Heard> {
        let video = |p: &&Heard| p.kind == MediaKind::Video;
        self.peers[id].heard.iter().filter(video).collect()
    }

    pub fn keyframe_requests(&self, id: PeerId) -> Vec<Instant> {
        let request = |(at, told): &(Instant, Told)| {
            matches!(told, Told::KeyframeRequest { .. }).then_some(*at)
        };
        self.peers[id].told.iter().filter_map(request).collect()
    }

    pub fn ended(&self, id: PeerId) -> Option<spillway_sfu::EndReason> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::Ended { session, reason } if *session == self.peers[id].session => Some(*reason),
            _ => None,
        })
    }

    /// No gap in what a viewer heard of this kind, and timestamps that never step back.
    pub fn assert_continuous(&self, id: PeerId, kind: MediaKind) {
        self.assert_ordered(id, kind);
        let heard = in_order(&self.peers[id].heard, kind);
        let (first, last) = (heard.keys().next(), heard.keys().last());
        let span = last.zip(first).map(|(last, first)| last - first + 1);
        assert_eq!(Some(heard.len() as i64), span, "packets are missing");
    }

    /// No gap in the numbers of the video that was sent to a viewer, whatever became of it.
    pub fn assert_sent_continuously(&self, id: PeerId) {
        let ssrc = self.peers[id].video_ssrc.unwrap();
        let sent = self.wire.keys().filter(|key| (key.0, key.1) == (id, ssrc));
        let mut sent: Vec<u64> = sent.map(|key| key.2).collect();
        sent.sort_unstable();
        for pair in sent.windows(2) {
            assert_eq!(pair[1], pair[0] + 1, "a number was left out");
        }
    }

    /// Timestamps that never step back in what a viewer heard of this kind.
    pub fn assert_ordered(&self, id: PeerId, kind: MediaKind) {
        let heard = in_order(&self.peers[id].heard, kind);
        assert!(!heard.is_empty(), "nothing was heard");
        let mut before: Option<&Heard> = None;
        for packet in heard.into_values() {
            if let Some(former) = before {
                let step = packet.timestamp.wrapping_sub(former.timestamp) as i32;
                assert!(
                    step >= 0,
                    "time stepped back by {step} between {former:?} and {packet:?}"
                );
                if let (Some(one), Some(other)) = (former.tag, packet.tag) {
                    let same = (one.source, one.layer, one.picture)
                        == (other.source, other.layer, other.picture);
                    assert!(same || step > 0, "two frames share a timestamp");
                }
            }
            before = Some(packet);
        }
    }
}

/// The seed to replay.
pub fn seed_of_environment() -> Option<u64> {
    std::env::var("SPILLWAY_SEED").ok()?.parse().ok()
}

fn kind(message: &PeerMessage) -> &'static str {
    match message {
        PeerMessage::Published { .. } => "Published",
        PeerMessage::Unpublished { .. } => "Unpublished",
        PeerMessage::Subscribe { .. } => "Subscribe",
        PeerMessage::Unsubscribe { .. } => "Unsubscribe",
        PeerMessage::Burst(_) => "Burst",
        PeerMessage::Clock { .. } => "Clock",
        PeerMessage::KeyframeRequest { .. } => "KeyframeRequest",
    }
}
