//! What the media ports look like, and their bounds.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use spillway_sfu::{Limits, dtls::Certificate, rtp::PlayoutDelay};

/// Workers have one byte in a session's name.
pub const MAX_WORKERS: usize = 255;

/// How a node's media core is set up.
#[derive(Clone)]
pub struct MediaConfig {
    /// Addresses, ports, sockets.
    pub net: NetConfig,
    /// The node's DTLS certificate.
    pub certificate: Arc<Certificate>,
    /// Bounds of each worker's engine.
    pub limits: Limits,
    /// What viewers are told of how long they may hold the picture back.
    pub playout_delay: PlayoutDelay,
}

/// The addresses, ports and bounds of a node's media I/O.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Addresses to listen on. Empty: every address, IPv6 and IPv4 alike (IPv4 alone where IPv6 is switched off).
    pub bind: Vec<IpAddr>,
    /// The first worker's port; the others follow it. 0 takes free ones.
    pub media_port: u16,
    /// Worker threads, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// All workers share `media_port`; the kernel spreads peers over them and strays are handed over.
    pub single_port: bool,
    /// Whether ICE-TCP is offered on the same port numbers.
    pub tcp: bool,
    /// Public addresses that a NAT maps to this machine, port for port.
    pub announce: Vec<IpAddr>,
    /// A STUN server (`host:port`) that is asked at the start for the address under which each port is seen.
    pub stun_server: Option<String>,
    /// Offers `127.0.0.1` and `::1` also where there are other addresses.
    pub include_loopback: bool,
    /// Bytes of kernel send buffer per UDP socket.
    pub send_buffer: usize,
    /// Bytes of kernel receive buffer per UDP socket.
    pub receive_buffer: usize,
    /// A worker that is later than this (see `WorkerStatistics::lag`) takes no further viewers.
    pub most_lag: Duration,
    /// Bits a second to all viewers, beyond which there is no room for further ones. None: no bound.
    pub most_egress: Option<u64>,
    /// Bounds of ICE-TCP.
    pub tcp_limits: TcpLimits,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            bind: Vec::new(),
            media_port: 8189,
            workers: std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_WORKERS)),
            single_port: false,
            tcp: true,
            announce: Vec::new(),
            stun_server: None,
            include_loopback: false,
            send_buffer: 8 << 20,
            receive_buffer: 8 << 20,
            most_lag: Duration::from_millis(100),
            most_egress: None,
            tcp_limits: TcpLimits::default(),
        }
    }
}

impl NetConfig {
    /// The port of worker `index`; 0 for a free one.
    pub(crate) fn port(&self, index: usize) -> u16 {
        match (self.media_port, self.single_port) {
            (0, _) => 0,
            (port, true) => port,
            (port, false) => port.saturating_add(index as u16),
        }
    }
}

/// Bounds of ICE-TCP, each per worker.
#[derive(Debug, Clone, Copy)]
pub struct TcpLimits {
    /// Open connections. More are closed as soon as they are accepted.
    pub connections: usize,
    /// Open connections of one remote address. More are closed as soon as they are accepted.
    pub connections_per_address: usize,
    /// How long a connection may go without a frame that belongs to a session before it is closed.
    pub first_frame: Duration,
    /// How long an established connection may go without such a frame before it is closed. Longer than the 30 s of
    /// ICE consent, so that the session ends first.
    pub idle: Duration,
    /// Bytes queued for one connection beyond the kernel's buffer. Datagrams that don't fit are dropped.
    pub write_queue: usize,
    /// How long the queue may stay without progress before the connection is closed.
    pub stuck: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 2_048,
            connections_per_address: 64,
            first_frame: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            write_queue: 256 << 10,
            stuck: Duration::from_secs(10),
        }
    }
}

/// An unspecified address with the same family as `like`.
pub(crate) fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// IPv4-mapped addresses unmapped, as [`spillway_sfu::Path`] wants them. Keeps the scope of link-local ones.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}
