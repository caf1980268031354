//! ICE-TCP: the listener and connections of one worker. Bounded in number, time and bytes; see
//! [`crate::config::TcpLimits`].

mod connection;
pub(crate) mod framing;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, RawFd},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, unix::SourceFd};
use spillway_sfu::Path;

pub(crate) use connection::{CloseCause, Connection, MovedConnection};

use crate::{config::TcpLimits, error::out_of_descriptors, tokens};

/// How long accepting pauses when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// How often that is logged.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What went through one worker's ICE-TCP connections since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Connections open now.
    pub open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once because a bound was reached.
    pub refused: u64,
    /// Connections closed because no frame belonged to a session in time.
    pub without_session: u64,
    /// Connections closed because of a malformed frame.
    pub malformed: u64,
    /// Connections closed because their peer didn't read.
    pub stuck: u64,
    /// Datagrams dropped because a connection's queue was full.
    pub queue_drops: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
}

/// The ICE-TCP side of one worker.
pub(crate) struct TcpPort {
    listeners: Vec<TcpListener>,
    connections: HashMap<u32, Connection>,
    per_address: HashMap<IpAddr, usize>,
    /// Connections that may have more to read.
    ready: Vec<u32>,
    /// Connections whose sending failed; closed where the engine can be told.
    broken: Vec<u32>,
    next_number: u32,
    limits: TcpLimits,
    acceptable: bool,
    paused_until: Option<Instant>,
    scarcity_logged: Option<Instant>,
    registry: Registry,
    pub(crate) counters: TcpCounters,
}

impl TcpPort {
    pub(crate) fn new(
        listeners: Vec<TcpListener>,
        limits: TcpLimits,
        registry: Registry,
    ) -> io::Result<Self> {
        for (index, listener) in listeners.iter().enumerate() {
            registry.register(
                &mut SourceFd(&listener.as_raw_fd()),
                tokens::listener(index),
                Interest::READABLE,
            )?;
        }
        Ok(Self {
            listeners,
            connections: HashMap::new(),
            per_address: HashMap::new(),
            ready: Vec::new(),
            broken: Vec::new(),
            next_number: 0,
            limits,
            acceptable: true,
            paused_until: None,
            scarcity_logged: None,
            registry,
            counters: TcpCounters::default(),
        })
    }

    /// A listener has connections to accept.
    pub(crate) fn on_listener(&mut self) {
        self.acceptable = true;
    }

    /// Takes what the listeners have. Out of descriptors it pauses instead of spinning, and tries again later: those
    /// who wait stay in the kernel's backlog.
    pub(crate) fn accept(&mut self, now: Instant) {
        if !self.acceptable || self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.paused_until = None;
        self.acceptable = false;
        for index in 0..self.listeners.len() {
            loop {
                match self.listeners[index].accept() {
                    Ok((stream, _)) => {
                        self.counters.accepted += 1;
                        self.admit(stream, now);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if out_of_descriptors(&error) => {
                        self.pause(now);
                        return;
                    }
                    // The peer gave up while it waited, or the network failed: the next one may be well.
                    Err(error) => tracing::debug!(%error, "accept failed"),
                }
            }
        }
    }

    fn pause(&mut self, now: Instant) {
        self.acceptable = true;
        self.paused_until = Some(now + ACCEPT_PAUSE);
        if self
            .scarcity_logged
            .is_none_or(|logged| now.saturating_duration_since(logged) >= ACCEPT_LOG_INTERVAL)
        {
            self.scarcity_logged = Some(now);
            tracing::error!(
                "no file descriptor is left for an ICE-TCP connection; new ones wait. Raise the limit (`ulimit -n`, or \
                 LimitNOFILE= in the systemd unit)"
            );
        }
    }

    /// When accepting is to be tried again.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Takes a connection in, if the bounds allow. Returns its number.
    fn admit(&mut self, stream: TcpStream, accepted: Instant) -> Option<u32> {
        let number = self.next_number;
        let connection = match Connection::new(number, stream, accepted, &self.limits) {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!(%error, "an ICE-TCP connection was gone at once");
                return None;
            }
        };
        let ip = connection.remote_ip();
        let of_address = self.per_address.get(&ip).copied().unwrap_or(0);
        if self.connections.len() >= self.limits.connections
            || of_address >= self.limits.connections_per_address
        {
            self.counters.refused += 1;
            tracing::debug!(remote = %ip, "too many ICE-TCP connections; refused");
            return None;
        }
        let fd = connection.stream().as_raw_fd();
        if let Err(error) = self.registry.register(
            &mut SourceFd(&fd),
            tokens::connection(number),
            Interest::READABLE.add(Interest::WRITABLE),
        ) {
            tracing::warn!(%error, "an ICE-TCP connection can't be watched; refused");
            return None;
        }
        self.next_number = self.next_number.wrapping_add(1);
        self.per_address.insert(ip, of_address + 1);
        self.connections.insert(number, connection);
        self.counters.open = self.connections.len() as u64;
        self.ready.push(number);
        Some(number)
    }

    /// Takes over a connection that another worker accepted. What was read from it is left to the caller.
    pub(crate) fn adopt(&mut self, stream: TcpStream, accepted: Instant) -> Option<u32> {
        self.admit(stream, accepted)
    }

    /// Gives a connection away to the worker that its first frame names.
    pub(crate) fn give_away(&mut self, number: u32, unread: &[u8]) -> Option<MovedConnection> {
        let connection = self.remove(number)?;
        Some(connection.into_moved(unread.to_vec()))
    }

    /// The kernel has something to say about a connection.
    pub(crate) fn on_connection(&mut self, number: u32, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        if readable && !connection.readable {
            connection.readable = true;
            self.ready.push(number);
        }
        if writable && connection.is_blocked() && connection.flush().is_err() {
            self.broken.push(number);
        }
    }

    /// The connections that may have something to read; they come again only after [`Self::still_ready`] or a new
    /// sign of life.
    pub(crate) fn take_ready(&mut self, into: &mut Vec<u32>) {
        into.append(&mut self.ready);
    }

    /// A connection was left before everything was read from it.
    pub(crate) fn still_ready(&mut self, number: u32) {
        self.ready.push(number);
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Connection> {
        self.connections.get_mut(&number)
    }

    /// Frames and sends datagrams on a connection. What doesn't fit is dropped and counted.
    pub(crate) fn send(&mut self, number: u32, datagrams: &[u8], segment: usize) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        match connection.send(datagrams, segment) {
            Ok(dropped) => {
                self.counters.queue_drops += dropped;
                self.counters.sent += datagrams.len().div_ceil(segment) as u64 - dropped;
                self.counters.sent_bytes += datagrams.len() as u64;
            }
            Err(error) => {
                tracing::debug!(%error, remote = %connection.path.remote, "ICE-TCP send failed");
                self.broken.push(number);
            }
        }
    }

    /// Closes a connection; returns the path that is no more.
    pub(crate) fn close(&mut self, number: u32) -> Option<Path> {
        self.remove(number).map(|connection| connection.path)
    }

    /// Connections that are to be closed: broken ones, and at `sweep` those that have outlived their purpose.
    pub(crate) fn take_dead(&mut self, now: Instant, sweep: bool) -> Vec<u32> {
        let mut dead = std::mem::take(&mut self.broken);
        if sweep {
            for (&number, connection) in &self.connections {
                match connection.overdue(now, &self.limits) {
                    Some(CloseCause::NoSession) => self.counters.without_session += 1,
                    Some(CloseCause::Stuck) => self.counters.stuck += 1,
                    None => continue,
                }
                dead.push(number);
            }
        }
        dead
    }

    /// Whether bytes wait for a peer to read.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connections.values().any(Connection::is_blocked)
    }

    /// No more connections are accepted.
    pub(crate) fn stop_listening(&mut self) {
        self.listeners.clear();
    }

    fn remove(&mut self, number: u32) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        self.counters.open = self.connections.len() as u64;
        let ip = connection.remote_ip();
        if let Some(count) = self.per_address.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&ip);
            }
        }
        let fd: RawFd = connection.stream().as_raw_fd();
        if let Err(error) = self.registry.deregister(&mut SourceFd(&fd)) {
            tracing::debug!(%error, "a connection was no longer watched");
        }
        Some(connection)
    }
}
