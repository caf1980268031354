//! Why the media ports couldn't be opened.

use std::{io, net::SocketAddr};

/// What kept [`crate::Media`] from starting or stopping.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Another program, or another node, holds the port.
    #[error(
        "{protocol} port {} on {} is already in use; stop the program that holds it (`ss -lnp | grep :{}` names it) \
         or choose another with --media-port",
        address.port(), address.ip(), address.port()
    )]
    PortInUse {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// Where it was to be opened.
        address: SocketAddr,
    },
    /// The port needs a privilege that this process hasn't got.
    #[error(
        "{protocol} port {} needs a privilege; choose one above 1023 with --media-port", address.port()
    )]
    Forbidden {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// Where it was to be opened.
        address: SocketAddr,
    },
    /// The address isn't one of this machine.
    #[error("{0} isn't an address of this machine; correct the media bind address")]
    NotOurs(std::net::IpAddr),
    /// The process may open no more files.
    #[error(
        "no file descriptors are left for the media ports; raise the limit (`ulimit -n`, or LimitNOFILE= in the \
         systemd unit)"
    )]
    NoDescriptors,
    /// A socket couldn't be set up for another reason.
    #[error("{protocol} socket on {address}: {source}")]
    Socket {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// Where it was to be opened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// `media_port + workers` is beyond 65535.
    #[error(
        "{workers} workers need the ports from {port} on, which passes 65535; choose a lower --media-port or \
         --single-port"
    )]
    TooFewPorts {
        /// The first port.
        port: u16,
        /// How many workers there are.
        workers: usize,
    },
    /// The number of workers is out of bounds.
    #[error("{0} media workers were asked for; 1 to {max} are possible", max = crate::config::MAX_WORKERS)]
    Workers(usize),
    /// The interfaces' addresses can't be read.
    #[error("the addresses of this machine's network interfaces can't be read: {0}")]
    Interfaces(#[source] io::Error),
    /// There's no address to tell to clients.
    #[error("this machine has no usable address for media; name one with --announce")]
    NoCandidates,
    /// The STUN server's name has no address.
    #[error(
        "the STUN server {server} has no usable address; correct the name (host:port) or leave it out"
    )]
    StunServer {
        /// As configured.
        server: String,
    },
    /// A worker thread couldn't be started.
    #[error("a media worker couldn't be started: {0}")]
    Thread(#[source] io::Error),
    /// Not every worker had ended its sessions when the time was up.
    #[error("{left} media workers hadn't stopped in time")]
    StillRunning {
        /// How many.
        left: usize,
    },
}

impl NetError {
    /// Names the cause where the system's own words don't say what to do.
    pub(crate) fn socket(protocol: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { protocol, address },
            io::ErrorKind::PermissionDenied => Self::Forbidden { protocol, address },
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address.ip()),
            _ if out_of_descriptors(&source) => Self::NoDescriptors,
            _ => Self::Socket {
                protocol,
                address,
                source,
            },
        }
    }
}

/// Whether the process or the system has no file descriptor (or memory for one) to give.
pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| scarce.contains(&errno))
}
