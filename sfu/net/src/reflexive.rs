//! Asks a STUN server under which address the media ports are seen (RFC 8489 §3), and keeps the NAT's memory fresh.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use rtc_stun::{
    message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, TransactionId},
    xoraddr::XorMappedAddress,
};
use spillway_sfu::{Output, Path, Protocol};

use crate::{bind::PortSockets, config::canonical, error::NetError};

/// How often each port asks.
const TRIES: u32 = 3;
/// How long it waits each time.
const TRY_TIME: Duration = Duration::from_millis(500);
/// How often the sockets are looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// NATs forget a UDP mapping after 30 s of silence at the earliest.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Room for the answer.
const ANSWER: usize = 1_500;

/// The server's first IPv4 address: IPv6 knows no such NAT.
pub(crate) fn resolve(server: &str) -> Result<SocketAddr, NetError> {
    let unknown = || NetError::StunServer {
        server: server.to_owned(),
    };
    let mut addresses = server.to_socket_addrs().map_err(|_| unknown())?;
    addresses.find(SocketAddr::is_ipv4).ok_or_else(unknown)
}

/// How the server sees each port; `None` where it doesn't answer. Blocks for 1.5 s at most.
pub(crate) fn discover(server: SocketAddr, ports: &[PortSockets]) -> Vec<Option<SocketAddr>> {
    let requests: Vec<Message> = ports.iter().map(|_| binding_request()).collect();
    let mut seen = vec![None; ports.len()];
    for _ in 0..TRIES {
        for ((port, request), _) in ports
            .iter()
            .zip(&requests)
            .zip(&seen)
            .filter(|(_, seen)| seen.is_none())
        {
            for socket in &port.udp {
                if let Err(error) = send(socket, server, &request.raw) {
                    tracing::debug!(%error, %server, "a STUN request couldn't be sent");
                }
            }
        }
        let until = Instant::now() + TRY_TIME;
        while seen.iter().any(Option::is_none) && Instant::now() < until {
            // With a shared port the kernel may give the answer to another worker's socket: all are looked at.
            for socket in ports.iter().flat_map(|port| &port.udp) {
                collect(socket, &requests, &mut seen);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
    for (port, seen) in ports.iter().zip(&seen) {
        if let Some(address) = seen {
            tracing::info!(port = port.port, %address, "seen by the STUN server");
        } else {
            tracing::warn!(
                port = port.port,
                %server,
                "the STUN server doesn't answer; clients aren't told of a public address (name it with --announce)"
            );
        }
    }
    seen
}

fn collect(socket: &UdpSocket, requests: &[Message], seen: &mut [Option<SocketAddr>]) {
    let mut buffer = [0; ANSWER];
    while let Ok((len, _)) = socket.recv_from(&mut buffer) {
        let Some((transaction, address)) = read_answer(&buffer[..len]) else {
            continue;
        };
        for (request, seen) in requests.iter().zip(seen.iter_mut()) {
            if request.transaction_id == transaction {
                *seen = Some(address);
            }
        }
    }
}

fn send(socket: &UdpSocket, server: SocketAddr, request: &[u8]) -> io::Result<usize> {
    let destination = match server {
        SocketAddr::V4(v4) if socket.local_addr()?.is_ipv6() => {
            SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
        }
        same => same,
    };
    socket.send_to(request, destination)
}

fn binding_request() -> Message {
    let mut message = Message::new();
    message.set_type(BINDING_REQUEST);
    message.transaction_id = TransactionId::new();
    message.write_header();
    message
}

/// A binding success response's transaction and XOR-MAPPED-ADDRESS.
fn read_answer(datagram: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let mut message = Message::new();
    message.unmarshal_binary(datagram).ok()?;
    if message.typ != BINDING_SUCCESS {
        return None;
    }
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&message).ok()?;
    let address = canonical(SocketAddr::new(mapped.ip, mapped.port));
    Some((message.transaction_id, address))
}

/// Keeps a port's mapping at the NAT: a binding request now and then, whose answer doesn't matter.
pub(crate) struct Keepalive {
    server: SocketAddr,
    next: Instant,
}

impl Keepalive {
    pub(crate) fn new(server: SocketAddr, now: Instant) -> Self {
        Self {
            server,
            next: now + KEEPALIVE_INTERVAL,
        }
    }

    pub(crate) fn run(&mut self, now: Instant, out: &mut dyn Output) {
        if now < self.next {
            return;
        }
        self.next = now + KEEPALIVE_INTERVAL;
        let request = binding_request().raw;
        let path = Path {
            protocol: Protocol::Udp,
            local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            remote: self.server,
        };
        out.send(path, &request, request.len());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rtc_stun::message::Setter;

    use super::*;
    use crate::{bind::open_ports, config::NetConfig};

    /// Answers binding requests from a thread, after ignoring the first: a lost packet.
    fn stun_server() -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; ANSWER];
            let mut lost = false;
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                if !std::mem::replace(&mut lost, true) {
                    continue;
                }
                let mut request = Message::new();
                request.unmarshal_binary(&buffer[..len]).unwrap();
                let mut answer = Message::new();
                answer.set_type(BINDING_SUCCESS);
                answer.transaction_id = request.transaction_id;
                answer.write_header();
                let mapped = XorMappedAddress {
                    ip: from.ip(),
                    port: from.port(),
                };
                mapped.add_to(&mut answer).unwrap();
                socket.send_to(&answer.raw, from).unwrap();
            }
        });
        address
    }

    #[test]
    fn every_port_learns_how_it_is_seen_even_with_a_request_lost() {
        for (single_port, bind) in [(false, vec![]), (true, vec![Ipv4Addr::LOCALHOST.into()])] {
            let config = NetConfig {
                bind,
                media_port: 0,
                workers: 3,
                single_port,
                ..NetConfig::default()
            };
            let ports = open_ports(&config).unwrap();
            let seen = discover(stun_server(), &ports);
            for (port, seen) in ports.iter().zip(seen) {
                assert_eq!(seen, Some((Ipv4Addr::LOCALHOST, port.port).into()));
            }
        }
    }

    #[test]
    fn answers_that_are_cut_or_changed_are_ignored() {
        let mut answer = Message::new();
        answer.set_type(BINDING_SUCCESS);
        answer.transaction_id = TransactionId::new();
        answer.write_header();
        let mapped = XorMappedAddress {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 9,
        };
        mapped.add_to(&mut answer).unwrap();
        assert!(read_answer(&answer.raw).is_some());
        for cut in 0..answer.raw.len() {
            assert_eq!(read_answer(&answer.raw[..cut]), None);
        }
        for position in 0..answer.raw.len() {
            for bit in 0..8 {
                let mut changed = answer.raw.clone();
                changed[position] ^= 1 << bit;
                let _ = read_answer(&changed);
            }
        }
    }
}
