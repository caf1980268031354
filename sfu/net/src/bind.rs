//! Opens the sockets of the media ports.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Once,
};

use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{config::NetConfig, error::NetError};

/// Pending TCP connections that the kernel holds for us.
const BACKLOG: i32 = 256;
/// How often a free port number is looked for that UDP and TCP both have.
const FREE_PORT_TRIES: usize = 16;

/// The sockets of one worker, all with the same port number.
pub(crate) struct PortSockets {
    pub(crate) port: u16,
    pub(crate) udp: Vec<UdpSocket>,
    pub(crate) tcp: Vec<TcpListener>,
}

/// What a socket shares.
#[derive(Clone, Copy, Default)]
struct Sharing {
    /// Its port, with other workers.
    port: bool,
    /// The IPv6 wildcard, with IPv4.
    families: bool,
}

/// Opens every worker's sockets, so that a busy port is known before any thread runs.
pub(crate) fn open_ports(config: &NetConfig) -> Result<Vec<PortSockets>, NetError> {
    if config.single_port && config.media_port != 0 {
        // SO_REUSEPORT would quietly share the port with another process of the same user.
        drop(open_port(config, config.media_port, false)?);
    }
    let mut ports: Vec<PortSockets> = Vec::with_capacity(config.workers);
    for index in 0..config.workers {
        let number = match ports.first() {
            Some(first) if config.single_port => first.port,
            _ => config.port(index),
        };
        ports.push(if number == 0 {
            open_free_port(config)?
        } else {
            open_port(config, number, config.single_port)?
        });
    }
    Ok(ports)
}

fn open_free_port(config: &NetConfig) -> Result<PortSockets, NetError> {
    let mut tries = 1;
    loop {
        match open_port(config, 0, config.single_port) {
            Err(NetError::PortInUse { .. }) if tries < FREE_PORT_TRIES => tries += 1,
            result => return result,
        }
    }
}

fn open_port(config: &NetConfig, number: u16, shared: bool) -> Result<PortSockets, NetError> {
    let mut port = PortSockets {
        port: number,
        udp: Vec::new(),
        tcp: Vec::new(),
    };
    let addresses = bind_addresses(config);
    // The IPv6 wildcard serves IPv4 as well, unless IPv4 addresses are bound on their own.
    let sharing = Sharing {
        port: shared,
        families: addresses.iter().all(IpAddr::is_ipv6),
    };
    for ip in addresses {
        let udp = open_udp(SocketAddr::new(ip, port.port), sharing)?;
        size_buffers(&udp, config);
        port.port = udp
            .local_addr()
            .map_err(|e| NetError::socket("UDP", SocketAddr::new(ip, number), e))?
            .port();
        port.udp.push(udp);
        if config.tcp {
            port.tcp
                .push(open_tcp(SocketAddr::new(ip, port.port), sharing)?);
        }
    }
    Ok(port)
}

/// The configured addresses, or the wildcard of the widest family that this machine has.
fn bind_addresses(config: &NetConfig) -> Vec<IpAddr> {
    if !config.bind.is_empty() {
        return config.bind.clone();
    }
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match open_udp(any, Sharing::default()) {
        Ok(_) => vec![any.ip()],
        // IPv6 may be compiled out or switched off. Any other trouble shows up again with IPv4.
        Err(_) => vec![Ipv4Addr::UNSPECIFIED.into()],
    }
}

fn open_udp(address: SocketAddr, sharing: Sharing) -> Result<UdpSocket, NetError> {
    bound_socket(address, Type::DGRAM, Protocol::UDP, sharing)
        .map(Into::into)
        .map_err(|e| NetError::socket("UDP", address, e))
}

fn open_tcp(address: SocketAddr, sharing: Sharing) -> Result<TcpListener, NetError> {
    let open = || -> io::Result<TcpListener> {
        let socket = bound_socket(address, Type::STREAM, Protocol::TCP, sharing)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|e| NetError::socket("TCP", address, e))
}

fn bound_socket(
    address: SocketAddr,
    kind: Type,
    protocol: Protocol,
    sharing: Sharing,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!(ip.is_unspecified() && sharing.families))?;
    }
    if kind == Type::STREAM {
        // Connections of an earlier run that linger in TIME_WAIT must not keep a restarted node from its port.
        socket.set_reuse_address(true)?;
    }
    if sharing.port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Asks for the configured buffers; what the kernel grants without privilege is capped, which is worth one warning.
fn size_buffers(socket: &UdpSocket, config: &NetConfig) {
    // Linux counts its own bookkeeping too and reports twice what was asked for.
    let granted = |bytes: rustix::io::Result<usize>| bytes.unwrap_or(0) / 2;
    if sockopt::set_socket_recv_buffer_size_force(socket, config.receive_buffer).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, config.receive_buffer);
    }
    if sockopt::set_socket_send_buffer_size_force(socket, config.send_buffer).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(socket, config.send_buffer);
    }
    let receive = granted(sockopt::socket_recv_buffer_size(socket));
    let send = granted(sockopt::socket_send_buffer_size(socket));
    if receive < config.receive_buffer || send < config.send_buffer {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!(
                receive,
                send,
                "the kernel caps the UDP buffers, which loses packets under load; allow more with: sysctl -w \
                 net.core.rmem_max={} net.core.wmem_max={}",
                config.receive_buffer,
                config.send_buffer,
            );
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn on_loopback(media_port: u16) -> NetConfig {
        NetConfig {
            bind: vec![Ipv4Addr::LOCALHOST.into()],
            media_port,
            workers: 2,
            ..NetConfig::default()
        }
    }

    #[test]
    fn a_busy_port_is_named_with_what_to_do() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        for single_port in [false, true] {
            let config = NetConfig {
                single_port,
                ..on_loopback(port)
            };
            let error = open_ports(&config).err().unwrap().to_string();
            assert!(error.contains(&port.to_string()), "{error}");
            assert!(error.contains("--media-port"), "{error}");
        }
    }

    #[test]
    fn a_single_port_another_node_holds_is_busy_too() {
        let held = open_ports(&NetConfig {
            single_port: true,
            ..on_loopback(0)
        })
        .unwrap();
        let again = open_ports(&NetConfig {
            single_port: true,
            ..on_loopback(held[0].port)
        });
        assert!(matches!(again, Err(NetError::PortInUse { .. })));
    }

    #[test]
    fn workers_share_a_single_port_or_have_one_each() {
        let shared = open_ports(&NetConfig {
            single_port: true,
            ..on_loopback(0)
        })
        .unwrap();
        assert_eq!(shared[0].port, shared[1].port);
        let apart = open_ports(&on_loopback(0)).unwrap();
        assert_ne!(apart[0].port, apart[1].port);
        for port in shared.iter().chain(&apart) {
            assert_eq!(port.udp[0].local_addr().unwrap().port(), port.port);
            assert_eq!(port.tcp[0].local_addr().unwrap().port(), port.port);
        }
    }

    #[test]
    fn both_wildcards_can_be_named() {
        let bind = vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let config = NetConfig {
            bind,
            ..on_loopback(0)
        };
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            assert_eq!(open_ports(&config).unwrap()[0].udp.len(), 2);
        }
    }

    #[test]
    fn an_address_of_another_machine_is_refused_with_its_name() {
        let config = NetConfig {
            bind: vec!["192.0.2.1".parse().unwrap()],
            ..on_loopback(0)
        };
        let error = open_ports(&config).err().unwrap().to_string();
        assert!(error.contains("192.0.2.1"), "{error}");
    }
}
