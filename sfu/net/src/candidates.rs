//! The addresses that clients are told.

use std::net::{IpAddr, SocketAddr};

use spillway_sfu::{Candidate, CandidateTransport};

use crate::{
    bind::PortSockets,
    config::{NetConfig, unspecified},
    error::NetError,
};

/// Addresses offered at most: each costs every client a check.
const MAX_ADDRESSES: usize = 16;

/// This machine's addresses that media can be reached at, best first: other machines' before the loopback, which
/// Firefox never contacts.
pub(crate) fn host_addresses(config: &NetConfig) -> Result<Vec<IpAddr>, NetError> {
    let interfaces = if_addrs::get_if_addrs().map_err(NetError::Interfaces)?;
    let present = interfaces
        .iter()
        .filter(|interface| interface.oper_status != if_addrs::IfOperStatus::Down)
        .map(if_addrs::Interface::ip);
    Ok(usable(present, config))
}

/// Chooses among the `present` addresses those that the sockets listen on and that can be offered.
fn usable(present: impl Iterator<Item = IpAddr>, config: &NetConfig) -> Vec<IpAddr> {
    let listens = |ip: &IpAddr| {
        config.bind.is_empty()
            || config.bind.contains(ip)
            || config.bind.iter().any(|bound| {
                bound.is_unspecified() && (bound.is_ipv6() || bound.is_ipv4() == ip.is_ipv4())
            })
    };
    let (loopback, mut addresses): (Vec<IpAddr>, Vec<IpAddr>) = present
        .filter(|ip| listens(ip) && !is_link_local(*ip))
        .partition(IpAddr::is_loopback);
    // IPv4 first: where both work it is the one that firewalls were tested with.
    addresses.sort_by_key(IpAddr::is_ipv6);
    if addresses.is_empty() || config.include_loopback {
        addresses.extend(loopback);
    }
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

/// An address that means nothing without the interface's name, which a candidate can't carry.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The candidates of one worker's port. Announced and discovered addresses come first: they are why they were asked
/// for. `reflexive` is how the STUN server sees the port.
pub(crate) fn candidates(
    config: &NetConfig,
    hosts: &[IpAddr],
    sockets: &PortSockets,
    reflexive: Option<SocketAddr>,
) -> Result<Vec<Candidate>, NetError> {
    let has_ipv6 = sockets
        .udp
        .iter()
        .any(|socket| socket.local_addr().is_ok_and(|bound| bound.is_ipv6()));
    let hosts: Vec<IpAddr> = hosts
        .iter()
        .copied()
        .filter(|ip| ip.is_ipv4() || has_ipv6)
        .collect();
    let at = |ip: &IpAddr| SocketAddr::new(*ip, sockets.port);
    // An announced address poses as a host's: some clients take no other kind of candidate from a server.
    let mut addresses: Vec<(SocketAddr, Option<SocketAddr>)> =
        config.announce.iter().map(|ip| (at(ip), None)).collect();
    if let Some(mapped) = reflexive
        && !config.announce.contains(&mapped.ip())
        && !hosts.contains(&mapped.ip())
    {
        // What the base says doesn't matter to clients, but the grammar wants one.
        let base = hosts
            .iter()
            .find(|host| host.is_ipv4() == mapped.is_ipv4() && !host.is_loopback());
        let base = base.copied().unwrap_or(unspecified(mapped.ip()));
        addresses.push((mapped, Some(at(&base))));
    }
    let own = hosts.iter().filter(|ip| !config.announce.contains(ip));
    addresses.extend(own.map(|ip| (at(ip), None)));

    let mut offered = Vec::new();
    for transport in [CandidateTransport::Udp, CandidateTransport::TcpPassive] {
        if transport == CandidateTransport::TcpPassive && sockets.tcp.is_empty() {
            continue;
        }
        for &(address, base) in &addresses {
            // What the STUN server saw is the mapping of the UDP port alone.
            if transport == CandidateTransport::TcpPassive && Some(address) == reflexive {
                continue;
            }
            offered.push(Candidate {
                transport,
                address,
                base,
            });
        }
    }
    if offered.is_empty() {
        return Err(NetError::NoCandidates);
    }
    Ok(offered)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn present() -> impl Iterator<Item = IpAddr> {
        [
            "127.0.0.1",
            "2001:db8::1",
            "192.0.2.7",
            "::1",
            "fe80::1",
            "169.254.1.1",
        ]
        .into_iter()
        .map(ip)
    }

    #[test]
    fn loopback_is_offered_only_when_asked_for_or_alone() {
        let mut config = NetConfig::default();
        assert_eq!(
            usable(present(), &config),
            [ip("192.0.2.7"), ip("2001:db8::1")]
        );
        assert_eq!(
            usable(present().filter(IpAddr::is_loopback), &config),
            [ip("127.0.0.1"), ip("::1")]
        );
        config.include_loopback = true;
        assert_eq!(
            usable(present(), &config),
            ["192.0.2.7", "2001:db8::1", "127.0.0.1", "::1"].map(ip)
        );
    }

    #[test]
    fn only_addresses_that_are_listened_on_are_offered() {
        let config = NetConfig {
            bind: vec![ip("0.0.0.0")],
            ..NetConfig::default()
        };
        assert_eq!(usable(present(), &config), [ip("192.0.2.7")]);
        let config = NetConfig {
            bind: vec![ip("::1")],
            ..NetConfig::default()
        };
        assert_eq!(usable(present(), &config), [ip("::1")]);
    }

    #[test]
    fn announced_and_discovered_addresses_come_first() {
        let config = NetConfig {
            bind: vec![ip("127.0.0.1")],
            announce: vec![ip("203.0.113.5"), ip("192.0.2.7")],
            media_port: 0,
            workers: 1,
            ..NetConfig::default()
        };
        let sockets = crate::bind::open_ports(&config).unwrap().remove(0);
        let hosts = [ip("198.51.100.1"), ip("192.0.2.7")];
        let reflexive: SocketAddr = "203.0.113.9:4000".parse().unwrap();
        let offered = candidates(&config, &hosts, &sockets, Some(reflexive)).unwrap();
        let at = |text: &str| SocketAddr::new(ip(text), sockets.port);
        let of = |transport| {
            offered
                .iter()
                .filter(move |c| c.transport == transport)
                .map(|c| (c.address, c.base))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(CandidateTransport::Udp),
            [
                (at("203.0.113.5"), None),
                (at("192.0.2.7"), None),
                (reflexive, Some(at("198.51.100.1"))),
                (at("198.51.100.1"), None),
            ]
        );
        assert_eq!(
            of(CandidateTransport::TcpPassive),
            [
                (at("203.0.113.5"), None),
                (at("192.0.2.7"), None),
                (at("198.51.100.1"), None),
            ]
        );
    }
}
