//! One ICE-TCP connection (RFC 6544) on its worker.

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Instant,
};

use spillway_sfu::{Path, Protocol};

use super::framing::FrameQueue;
use crate::config::{TcpLimits, canonical};

/// Bytes of kernel send buffer: a larger one would only hold media that comes too late.
const KERNEL_SEND_BUFFER: usize = 256 << 10;

/// Why a connection is closed by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseCause {
    /// No frame on it belonged to a session in time.
    NoSession,
    /// Its peer doesn't read.
    Stuck,
}

/// A connection as it is handed from the worker that accepted it to the one that its first frame names.
pub(crate) struct MovedConnection {
    pub(crate) stream: TcpStream,
    pub(crate) accepted: Instant,
    /// What was read and not yet handled, the naming frame included.
    pub(crate) unread: Vec<u8>,
}

pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) path: Path,
    accepted: Instant,
    /// When a frame last belonged to a session of this worker.
    last_taken: Option<Instant>,
    /// The beginning of a frame whose rest is still to come.
    partial: Vec<u8>,
    outgoing: FrameQueue,
    /// Since when the queue has waited without progress.
    blocked_since: Option<Instant>,
    pub(crate) readable: bool,
}

impl Connection {
    pub(crate) fn new(
        number: u32,
        stream: TcpStream,
        accepted: Instant,
        limits: &TcpLimits,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_send_buffer_size(KERNEL_SEND_BUFFER)?;
        Ok(Self {
            path: Path {
                protocol: Protocol::Tcp(number),
                local: stream.local_addr()?.ip().to_canonical(),
                remote: canonical(stream.peer_addr()?),
            },
            stream,
            accepted,
            last_taken: None,
            partial: Vec::new(),
            outgoing: FrameQueue::new(limits.write_queue),
            blocked_since: None,
            readable: true,
        })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn remote_ip(&self) -> IpAddr {
        SocketAddr::ip(&self.path.remote)
    }

    /// Reads once, behind the partial frame that was kept. Returns how much of `buffer` is filled.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let kept = self.partial.len();
        loop {
            match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer[..kept].copy_from_slice(&self.partial);
                    self.partial.clear();
                    return Ok(kept + count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the beginning of a frame until its rest is there.
    pub(crate) fn keep(&mut self, partial: &[u8]) {
        self.partial.extend_from_slice(partial);
    }

    /// Notes that a frame belonged to a session.
    pub(crate) fn taken(&mut self, now: Instant) {
        self.last_taken = Some(now);
    }

    pub(crate) fn has_session(&self) -> bool {
        self.last_taken.is_some()
    }

    /// Frames and sends `datagrams`; returns how many were dropped because neither the kernel nor the queue had room.
    pub(crate) fn send(&mut self, datagrams: &[u8], segment: usize) -> io::Result<u64> {
        let mut dropped = 0;
        for datagram in datagrams.chunks(segment) {
            if self.outgoing.push(datagram) {
                continue;
            }
            // A long burst may pass through the queue in pieces.
            self.flush_unless_blocked()?;
            dropped += u64::from(!self.outgoing.push(datagram));
        }
        self.flush_unless_blocked()?;
        Ok(dropped)
    }

    /// A blocked connection is left alone until the poll says that there is room.
    fn flush_unless_blocked(&mut self) -> io::Result<()> {
        if self.is_blocked() {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// Writes what waits, as far as the kernel takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let progress = self.outgoing.write_to(&mut self.stream)?;
        if self.outgoing.is_empty() {
            self.blocked_since = None;
        } else if progress || self.blocked_since.is_none() {
            self.blocked_since = Some(Instant::now());
        }
        Ok(())
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Whether the connection has outlived what it is for.
    pub(crate) fn overdue(&self, now: Instant, limits: &TcpLimits) -> Option<CloseCause> {
        let passed = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        let silent = match self.last_taken {
            Some(taken) => passed(taken, limits.idle),
            None => passed(self.accepted, limits.first_frame),
        };
        if silent {
            Some(CloseCause::NoSession)
        } else if self.blocked_since.is_some_and(|s| passed(s, limits.stuck)) {
            Some(CloseCause::Stuck)
        } else {
            None
        }
    }

    pub(crate) fn into_moved(self, unread: Vec<u8>) -> MovedConnection {
        MovedConnection {
            stream: self.stream,
            accepted: self.accepted,
            unread,
        }
    }
}
