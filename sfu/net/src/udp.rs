//! One UDP socket: batches in (recvmmsg, GRO), bursts out (GSO), always from the address that the peer spoke to.
//!
//! `quinn-udp` makes the system calls. Two of its habits don't suit a server with thousands of peers, so the policy
//! is ours: it gives up segmentation for good at the first `EINVAL`, which one peer behind a small MTU can cause, and
//! it doesn't say what to do with a full send buffer.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket},
    time::Instant,
};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::io::Errno;
use spillway_sfu::{Path, Protocol};

use crate::{blocked::BlockedQueue, config::canonical, segmentation::Segmentation};

/// Messages taken from the kernel by one system call.
pub(crate) const RECEIVE_MESSAGES: usize = quinn_udp::BATCH_SIZE;
/// GRO joins datagrams up to the size of the largest UDP payload.
const RECEIVE_SLOT: usize = 65_535;
/// Bytes in one GSO message: below the 65,507 of a UDP payload over IPv4, and what is left over IPv6.
const MAX_MESSAGE: usize = 65_000;
/// `UDP_MAX_SEGMENTS` of the kernels before 6.9; newer ones take 128.
const MAX_SEGMENTS: usize = 64;

/// What went through one worker's UDP sockets since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UdpCounters {
    /// Datagrams received.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Datagrams handed to the kernel.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// System calls that it took.
    pub messages: u64,
    /// Datagrams dropped because the send buffer and the queue behind it were full.
    pub queue_drops: u64,
    /// Datagrams that the kernel refused (no route, too big, …).
    pub send_errors: u64,
    /// Messages whose segmentation the kernel or a device refused; they were sent datagram by datagram.
    pub segmentation_refusals: u64,
}

/// Room for what one receive call brings, and what it brought.
pub(crate) struct ReceiveBatch {
    storage: Vec<u8>,
    metas: [RecvMeta; RECEIVE_MESSAGES],
    filled: usize,
    local: IpAddr,
}

impl ReceiveBatch {
    pub(crate) fn new() -> Self {
        Self {
            storage: vec![0; RECEIVE_MESSAGES * RECEIVE_SLOT],
            metas: [RecvMeta::default(); RECEIVE_MESSAGES],
            filled: 0,
            local: std::net::Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    /// The datagrams, GRO undone, each with the path that it took.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (Path, &mut [u8])> {
        let bound = self.local;
        self.storage
            .chunks_exact_mut(RECEIVE_SLOT)
            .zip(&self.metas)
            .take(self.filled)
            // Nothing can be sent to port 0, and trying makes the kernel report EINVAL, as for a refused segmentation.
            .filter(|(_, meta)| meta.addr.port() != 0)
            .flat_map(move |(slot, meta)| {
                let path = Path {
                    protocol: Protocol::Udp,
                    local: meta.dst_ip.map_or(bound, |ip| ip.to_canonical()),
                    remote: canonical(meta.addr),
                };
                let len = meta.len.min(RECEIVE_SLOT);
                slot[..len]
                    .chunks_mut(meta.stride.max(1))
                    .map(move |datagram| (path, datagram))
            })
    }
}

/// One bound UDP socket of a worker.
pub(crate) struct UdpPort {
    socket: UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
    segmentation: Segmentation,
    blocked: BlockedQueue,
    pub(crate) counters: UdpCounters,
}

impl UdpPort {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self {
            bound: socket.local_addr()?,
            segmentation: Segmentation::new(state.max_gso_segments() > 1),
            state,
            socket,
            blocked: BlockedQueue::default(),
            counters: UdpCounters::default(),
        })
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(crate) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Takes a batch from the kernel. False once the socket is drained.
    pub(crate) fn receive(&mut self, batch: &mut ReceiveBatch) -> bool {
        batch.filled = 0;
        batch.local = self.bound.ip().to_canonical();
        let mut slots = {
            let mut chunks = batch.storage.chunks_exact_mut(RECEIVE_SLOT);
            std::array::from_fn::<_, RECEIVE_MESSAGES, _>(|_| {
                IoSliceMut::new(chunks.next().unwrap_or_default())
            })
        };
        match self
            .state
            .recv((&self.socket).into(), &mut slots, &mut batch.metas)
        {
            Ok(filled) => batch.filled = filled,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    tracing::debug!(%error, "UDP receive failed");
                }
                return false;
            }
        }
        for meta in &batch.metas[..batch.filled] {
            self.counters.received += meta.len.div_ceil(meta.stride.max(1)) as u64;
            self.counters.received_bytes += meta.len as u64;
        }
        // A short batch means that the queue was empty; what comes later makes the socket readable anew.
        batch.filled == RECEIVE_MESSAGES
    }

    /// Sends datagrams of `segment` bytes each (the last may be shorter). When the kernel's buffer is full they wait
    /// in a bounded queue, and newer ones are dropped while that is full.
    pub(crate) fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        if segment == 0 {
            return;
        }
        let sent = if self.blocked.is_empty() {
            self.send_now(path, datagrams, segment)
        } else {
            0
        };
        let rest = &datagrams[sent..];
        if !rest.is_empty() && !self.blocked.push(path, rest, segment) {
            self.counters.queue_drops += rest.len().div_ceil(segment) as u64;
        }
    }

    /// Whether datagrams wait for the kernel's buffer.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Sends what waited. To be called when the socket is writable again.
    pub(crate) fn send_blocked(&mut self) {
        while let Some(mut burst) = self.blocked.pop() {
            let sent = self.send_now(burst.path, &burst.datagrams, burst.segment);
            if sent < burst.datagrams.len() {
                burst.datagrams.drain(..sent);
                self.blocked.put_back(burst);
                return;
            }
        }
    }

    /// Returns how many bytes are dealt with (sent or refused); fewer than all when the kernel's buffer is full.
    fn send_now(&mut self, path: Path, datagrams: &[u8], segment: usize) -> usize {
        let mut per_message = if self.segmentation.allowed(path.remote.ip()) {
            (MAX_MESSAGE / segment).clamp(1, MAX_SEGMENTS)
        } else {
            1
        };
        let mut done = 0;
        while done < datagrams.len() {
            let end = datagrams.len().min(done + per_message * segment);
            let message = &datagrams[done..end];
            let count = message.len().div_ceil(segment) as u64;
            match self.transmit(path, message, segment) {
                Ok(()) => {
                    self.counters.messages += 1;
                    self.counters.sent += count;
                    self.counters.sent_bytes += message.len() as u64;
                    done = end;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if count > 1 && segmentation_refused(&error) => {
                    self.counters.segmentation_refusals += 1;
                    self.segmentation
                        .refused(path.remote.ip(), Instant::now(), &error);
                    per_message = 1;
                }
                Err(error) => {
                    self.counters.send_errors += count;
                    tracing::debug!(%error, remote = %path.remote, local = %path.local, "UDP send failed");
                    done = end;
                }
            }
        }
        done
    }

    fn transmit(&self, path: Path, contents: &[u8], segment: usize) -> io::Result<()> {
        let destination = match path.remote {
            SocketAddr::V4(v4) if self.bound.is_ipv6() => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            same => same,
        };
        self.state.try_send(
            (&self.socket).into(),
            &Transmit {
                destination,
                ecn: None,
                contents,
                segment_size: (segment < contents.len()).then_some(segment),
                src_ip: (!path.local.is_unspecified()).then_some(path.local),
            },
        )
    }
}

/// The ways in which kernels and devices say that they can't cut this message: no checksum offload (`EIO`), segment
/// above the path's MTU (`EINVAL`, `EMSGSIZE`), not supported at all.
fn segmentation_refused(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::IO, Errno::MSGSIZE, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[test]
    fn what_waited_for_room_goes_first_and_in_order() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut port = UdpPort::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
        let path = Path {
            protocol: Protocol::Udp,
            local: Ipv4Addr::LOCALHOST.into(),
            remote: receiver.local_addr().unwrap(),
        };
        // The loopback never fills a send buffer, so the first burst is put where a full one would have put it.
        port.blocked.push(path, b"aabbc", 2);
        port.send(path, b"ddee", 2);
        assert!(port.is_blocked());
        port.send_blocked();
        assert!(!port.is_blocked());
        let mut buffer = [0; 16];
        for expected in [&b"aa"[..], b"bb", b"c", b"dd", b"ee"] {
            let len = receiver.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], expected);
        }
        assert_eq!((port.counters.sent, port.counters.messages), (5, 2));
    }

    #[test]
    fn where_segmentation_is_refused_each_datagram_is_sent_by_itself() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut port = UdpPort::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
        let path = Path {
            protocol: Protocol::Udp,
            local: Ipv4Addr::LOCALHOST.into(),
            remote: receiver.local_addr().unwrap(),
        };
        let error = io::Error::from_raw_os_error(Errno::IO.raw_os_error());
        assert!(segmentation_refused(&error));
        port.segmentation
            .refused(path.remote.ip(), Instant::now(), &error);
        port.send(path, &[7; 500], 200);
        let mut buffer = [0; 1_024];
        for expected in [200, 200, 100] {
            assert_eq!(receiver.recv(&mut buffer).unwrap(), expected);
        }
        assert_eq!((port.counters.sent, port.counters.messages), (3, 3));
    }
}
