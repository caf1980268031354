//! The UDP socket of one peer: bursts are taken whole (GRO), each with the moment at which the kernel got it.
//!
//! Latency is counted to that moment. When this process finds the time to read is its own affair, so it may read lazily,
//! many datagrams at a time, and one core is enough for a thousand viewers.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::clock::since_1970;

/// Messages taken by one system call.
const BATCH: usize = 8;
/// GRO joins datagrams up to the size of the largest UDP payload.
const SLOT: usize = 65_536;
/// Bytes that the kernel keeps for a socket that isn't read, if it lets us have so many.
const RECEIVE_BUFFER: usize = 2 << 20;

/// Room for what one receive call brings. One is enough for all sockets of a thread.
pub struct Batch(Vec<u8>);

impl Default for Batch {
    fn default() -> Self {
        Self(vec![0; BATCH * SLOT])
    }
}

/// Datagrams that arrived as one.
pub struct Burst<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// When, in nanoseconds since 1970.
    pub arrived: u64,
    bytes: &'a [u8],
    segment: usize,
}

impl<'a> Burst<'a> {
    /// The datagrams.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.segment.max(1))
    }
}

/// One peer's socket.
pub struct Socket(UdpSocket);

impl Socket {
    /// Binds a socket to an address of ours. `joined` says whether bursts are wanted whole.
    pub fn bind(ip: IpAddr, joined: bool) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        if joined {
            setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
        }
        // More than the system's limit takes privileges; without them the limit is what we get.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        Ok(Self(socket))
    }

    /// Where it is bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// For the poll.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The same socket, for whoever waits for it otherwise.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        self.0.try_clone()
    }

    /// Sends one datagram.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.0.send_to(datagram, to).map(|_| ())
    }

    /// Takes what is there, burst by burst.
    pub fn receive(&self, batch: &mut Batch, mut each: impl FnMut(&Burst<'_>)) -> io::Result<()> {
        loop {
            // The call shortens the headers' room for control messages to what they hold, so they serve once.
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(
                BATCH,
                Some(cmsg_space!(i32, TimeSpec)),
            );
            let mut slots: Vec<[IoSliceMut<'_>; 1]> = batch
                .0
                .chunks_exact_mut(SLOT)
                .map(|slot| [IoSliceMut::new(slot)])
                .collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let messages = match recvmmsg(self.fd(), &mut headers, slots.iter_mut(), flags, None) {
                Ok(messages) => messages,
                Err(nix::Error::EAGAIN) => return Ok(()),
                // The server's socket is closed: ICE will find out.
                Err(nix::Error::ECONNREFUSED | nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let mut taken = 0;
            for message in messages {
                taken += 1;
                let Some(from) = message.address.as_ref().and_then(to_std) else {
                    continue;
                };
                let (mut arrived, mut segment) = (None, message.bytes);
                for control in message.cmsgs()? {
                    match control {
                        ControlMessageOwned::ScmTimestampns(time) => {
                            arrived =
                                Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64);
                        }
                        ControlMessageOwned::UdpGroSegments(size) => segment = size as usize,
                        _ => {}
                    }
                }
                let Some(bytes) = message.iovs().next() else {
                    continue;
                };
                each(&Burst {
                    from,
                    arrived: arrived.unwrap_or_else(since_1970),
                    bytes,
                    segment,
                });
            }
            if taken < BATCH {
                return Ok(());
            }
        }
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), v6.port(), 0, 0).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;
    use std::thread::sleep;
    use std::time::Duration;

    use nix::sys::socket::{ControlMessage, SockaddrIn, sendmsg};
    use std::io::IoSlice;

    use super::*;

    #[test]
    fn a_burst_comes_whole_with_the_time_of_its_arrival() {
        let receiver = Socket::bind(Ipv4Addr::LOCALHOST.into(), true).unwrap();
        let SocketAddr::V4(to) = receiver.0.local_addr().unwrap() else {
            panic!("bound to IPv4");
        };
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let attempt = || {
            let before = since_1970();
            let burst = [7; 2_500];
            sendmsg(
                sender.as_raw_fd(),
                &[IoSlice::new(&burst)],
                &[ControlMessage::UdpGsoSegments(&1_000)],
                MsgFlags::empty(),
                Some(&SockaddrIn::from(to)),
            )
            .unwrap();
            let after = since_1970();
            // Read late: the time is still that of the arrival.
            sleep(Duration::from_millis(20));
            let mut seen = Vec::new();
            receiver
                .receive(&mut Batch::default(), |burst| {
                    let sizes: Vec<usize> = burst.datagrams().map(<[u8]>::len).collect();
                    seen.push((burst.from, burst.arrived, sizes));
                })
                .unwrap();
            let [(from, arrived, sizes)] = &seen[..] else {
                panic!("{seen:?}");
            };
            assert_eq!(*from, sender.local_addr().unwrap());
            assert_eq!(sizes, &[1_000, 1_000, 500]);
            (before..=after).contains(arrived)
        };
        // The first socket that wants times has the kernel begin to note them, which takes it a while.
        assert!((0..50).any(|_| attempt()), "never the time of the arrival");
    }
}
