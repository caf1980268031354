//! Two transports with a network between them, in virtual time, and a controlling ICE agent for each to talk to.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use rtc_stun::{
    attributes::{
        ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
        RawAttribute,
    },
    crypto::providers::AwsLcRsCrypto,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter, TransactionId},
};

use crate::{
    IceCredentials, Path, Protocol, WorkerId,
    dtls::{Certificate, DtlsRole, Fingerprint},
    ice,
    transport::{CloseReason, Incoming, Rejection, Transport, TransportConfig, TransportEvent},
};

pub(super) const LATENCY: Duration = Duration::from_millis(10);

/// One certificate for all tests that don't care: making keys takes time.
pub(super) static CERTIFICATE: LazyLock<Arc<Certificate>> =
    LazyLock::new(|| Arc::new(Certificate::generate().unwrap()));

/// The two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// DTLS server: what Spillway mostly is.
    Server,
    /// DTLS client: what its peers mostly are.
    Client,
}

impl End {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    pub(super) ice: IceCredentials,
    pub(super) events: Vec<TransportEvent>,
    pub(super) rtp: Vec<Vec<u8>>,
    pub(super) rejected: Vec<Rejection>,
    /// Responses to the checks that were made in its name.
    pub(super) stun_responses: Vec<Vec<u8>>,
}

struct InFlight {
    arrives: Instant,
    to: End,
    path: Path,
    bytes: Vec<u8>,
}

/// Says whether a datagram toward an end is lost.
pub(super) type Loss = Box<dyn FnMut(End, &[u8]) -> bool>;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) server: Peer,
    pub(super) client: Peer,
    pub(super) loss: Loss,
    wire: Vec<InFlight>,
}

/// How a world deviates from the usual.
pub(super) struct Setup {
    pub(super) server: Arc<Certificate>,
    pub(super) client: Arc<Certificate>,
    /// What the client's offer said to be its fingerprint.
    pub(super) client_fingerprint: Fingerprint,
    pub(super) data_channels: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self::with_client(CERTIFICATE.clone())
    }
}

impl Setup {
    pub(super) fn with_client(client: Arc<Certificate>) -> Self {
        Self {
            server: CERTIFICATE.clone(),
            client_fingerprint: client.fingerprint().clone(),
            client,
            data_channels: false,
        }
    }

    pub(super) fn with_data_channels() -> Self {
        Self {
            data_channels: true,
            ..Self::default()
        }
    }
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let now = Instant::now();
        let mut rng = rand::rng();
        let server_ice = ice::local_credentials(WorkerId(1), &mut rng);
        let client_ice = ice::local_credentials(WorkerId(2), &mut rng);
        let peer = |role,
                    host: u8,
                    local: &IceCredentials,
                    remote: &IceCredentials,
                    certificate,
                    fingerprint| Peer {
            transport: Transport::new(
                now,
                TransportConfig {
                    local_ice: local.clone(),
                    remote_ice: remote.clone(),
                    remote_fingerprint: fingerprint,
                    role,
                    certificate,
                    data_channels: setup.data_channels.then_some(5000),
                },
            )
            .unwrap(),
            address: SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 4000)),
            ice: local.clone(),
            events: Vec::new(),
            rtp: Vec::new(),
            rejected: Vec::new(),
            stun_responses: Vec::new(),
        };
        let server_fingerprint = setup.server.fingerprint().clone();
        Self {
            now,
            server: peer(
                DtlsRole::Server,
                1,
                &server_ice,
                &client_ice,
                setup.server,
                setup.client_fingerprint,
            ),
            client: peer(
                DtlsRole::Client,
                2,
                &client_ice,
                &server_ice,
                setup.client,
                server_fingerprint,
            ),
            loss: Box::new(|_, _| false),
            wire: Vec::new(),
        }
    }

    /// A world in which both ends are connected.
    pub(super) fn connected(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.nominate();
        assert!(
            world.run_until(Duration::from_secs(5), World::both_connected),
            "{:?}",
            world.server.events
        );
        world
    }

    pub(super) fn peer(&mut self, end: End) -> &mut Peer {
        match end {
            End::Server => &mut self.server,
            End::Client => &mut self.client,
        }
    }

    /// How `end` sees datagrams of the other.
    pub(super) fn path_at(&mut self, end: End) -> Path {
        let local = self.peer(end).address.ip();
        Path {
            protocol: Protocol::Udp,
            local,
            remote: self.peer(end.other()).address,
        }
    }

    /// A binding request toward `end`, with the credentials that its peer has.
    pub(super) fn check(&mut self, end: End, nominate: bool) -> Vec<u8> {
        let (to, from) = (
            self.peer(end).ice.clone(),
            self.peer(end.other()).ice.clone(),
        );
        Check {
            nominate,
            ..Check::new(&to, &from)
        }
        .bytes()
    }

    /// Both ends hear an authentic nomination of the path between them.
    pub(super) fn nominate(&mut self) {
        for end in [End::Server, End::Client] {
            let request = self.check(end, true);
            self.deliver(end, &request);
        }
    }

    /// Hands a datagram of the other end to `end`, now.
    pub(super) fn deliver(&mut self, end: End, bytes: &[u8]) -> Option<Rejection> {
        let path = self.path_at(end);
        self.deliver_over(end, path, bytes)
    }

    /// As [`Self::deliver`], from wherever.
    pub(super) fn deliver_over(&mut self, end: End, path: Path, bytes: &[u8]) -> Option<Rejection> {
        let now = self.now;
        let peer = self.peer(end);
        let mut bytes = bytes.to_vec();
        let rejection = match peer.transport.handle(now, path, &mut bytes) {
            Incoming::Rtp(packet) => {
                peer.rtp.push(packet.to_vec());
                None
            }
            Incoming::Rejected(rejection) => {
                peer.rejected.push(rejection);
                Some(rejection)
            }
            Incoming::Handled | Incoming::Rtcp(_) => None,
        };
        self.drain();
        rejection
    }

    /// Takes what the transports have to send and to say.
    pub(super) fn drain(&mut self) {
        let mut buffer = Vec::new();
        for end in [End::Server, End::Client] {
            let back = self.path_at(end.other());
            let there = self.peer(end.other()).address;
            while let Some(path) = self.peer(end).transport.poll_transmit(&mut buffer) {
                if buffer.first().is_some_and(|first| *first <= 3) {
                    self.peer(end.other()).stun_responses.push(buffer.clone());
                } else if path.remote == there && !(self.loss)(end.other(), &buffer) {
                    let arrives = self.now + LATENCY;
                    self.wire.push(InFlight {
                        arrives,
                        to: end.other(),
                        path: back,
                        bytes: buffer.clone(),
                    });
                }
            }
            let peer = self.peer(end);
            while let Some(event) = peer.transport.poll_event() {
                peer.events.push(event);
            }
        }
    }

    /// Lets time pass until `done`, or for `limit`. Returns whether it was done.
    pub(super) fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + limit;
        self.drain();
        loop {
            if done(self) {
                return true;
            }
            let timeouts = [
                self.server.transport.next_timeout(),
                self.client.transport.next_timeout(),
            ];
            let arrival = self.wire.iter().map(|datagram| datagram.arrives).min();
            let Some(next) = timeouts
                .into_iter()
                .flatten()
                .chain(arrival)
                .min()
                .filter(|next| *next <= end)
            else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            let now = self.now;
            self.server.transport.handle_timeout(now);
            self.client.transport.handle_timeout(now);
            self.drain();
            let (arrived, flying): (Vec<_>, Vec<_>) = std::mem::take(&mut self.wire)
                .into_iter()
                .partition(|datagram| datagram.arrives <= now);
            self.wire = flying;
            for datagram in arrived {
                self.deliver_over(datagram.to, datagram.path, &datagram.bytes);
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    pub(super) fn both_connected(&self) -> bool {
        [&self.server, &self.client]
            .iter()
            .all(|peer| peer.transport.stats().profile().is_some())
    }

    /// Sends an RTP packet and returns what the other end made of it.
    pub(super) fn send_rtp(&mut self, from: End, sequence: u16) -> Option<Vec<u8>> {
        let sealed = self.sealed_rtp(from, sequence);
        self.peer(from.other()).rtp.clear();
        self.deliver(from.other(), &sealed);
        self.peer(from.other()).rtp.pop()
    }

    pub(super) fn sealed_rtp(&mut self, from: End, sequence: u16) -> Vec<u8> {
        let sealer = self.peer(from).transport.sealer().expect("connected");
        let mut packet = plain_rtp(sequence);
        packet.resize(packet.len() + sealer.tag_len(), 0);
        sealer.seal_rtp(&mut packet, 12, u64::from(sequence));
        packet
    }
}

impl Peer {
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.events.iter().find_map(|event| match event {
            TransportEvent::Closed(reason) => Some(*reason),
            _ => None,
        })
    }
}

/// Loses about a third of the datagrams for which `may_lose`; a seed replays.
pub(super) fn a_third(mut seed: u32, may_lose: impl Fn(End, &[u8]) -> bool + 'static) -> Loss {
    Box::new(move |end, bytes| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        may_lose(end, bytes) && seed >> 16 < 65_536 / 3
    })
}

pub(super) fn plain_rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(b"one moving picture");
    packet
}

/// A binding request of a controlling agent.
pub(super) struct Check {
    pub(super) username: String,
    pub(super) pwd: String,
    pub(super) nominate: bool,
    pub(super) priority: u32,
    pub(super) role: AttrType,
    /// Besides those of every request.
    pub(super) extra: Vec<AttrType>,
}

impl Check {
    pub(super) fn new(to: &IceCredentials, from: &IceCredentials) -> Self {
        Self {
            username: format!("{}:{}", to.ufrag, from.ufrag),
            pwd: to.pwd.clone(),
            nominate: false,
            priority: 1 << 30,
            role: ATTR_ICE_CONTROLLING,
            extra: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let integrity =
            MessageIntegrity::new_raw_integrity_with_provider(self.pwd.as_bytes(), &AwsLcRsCrypto);
        let mut request = self.unsigned();
        integrity.add_to(&mut request).unwrap();
        FINGERPRINT.add_to(&mut request).unwrap();
        request.raw
    }

    pub(super) fn unsigned(&self) -> Message {
        let mut request = Message::new();
        request.set_type(BINDING_REQUEST);
        request.write_header();
        TransactionId::new().add_to(&mut request).unwrap();
        let mut add = |typ, value: &[u8]| {
            let value = value.to_vec();
            RawAttribute {
                typ,
                length: 0,
                value,
            }
            .add_to(&mut request)
            .unwrap();
        };
        add(ATTR_USERNAME, self.username.as_bytes());
        add(ATTR_PRIORITY, &self.priority.to_be_bytes());
        add(self.role, &[7; 8]);
        if self.nominate {
            add(ATTR_USE_CANDIDATE, &[]);
        }
        for typ in &self.extra {
            add(*typ, &[]);
        }
        request
    }
}
