//! The addresses that clients come from: servers bound what one address may have.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// The address that client `number` of a server comes from: of `network`, or of one of loopback's where the server is on
/// loopback; else the system's choice.
pub fn address(server: &Url, network: Option<IpNet>, number: usize) -> Option<IpAddr> {
    let loopback = match server.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        _ => false,
    };
    let network = network.or_else(|| {
        if loopback {
            "127.1.0.0/16".parse().ok()
        } else {
            None
        }
    })?;
    // Neither the network's own address nor, while there are others, its broadcast address.
    let hosts = match network {
        IpNet::V4(net) => 1u128 << (32 - net.prefix_len()),
        IpNet::V6(net) => 1u128
            .checked_shl(u32::from(128 - net.prefix_len()))
            .unwrap_or(u128::MAX),
    };
    let offset = if hosts <= 2 {
        0
    } else {
        1 + number as u128 % (hosts - 2)
    };
    Some(match network.network() {
        IpAddr::V4(base) => IpAddr::V4((u32::from(base) + offset as u32).into()),
        IpAddr::V6(base) => IpAddr::V6((u128::from(base) + offset).into()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn clients_have_addresses_of_their_own_within_the_network() {
        let near = Url::parse("http://localhost:8080").unwrap();
        let far = Url::parse("http://192.0.2.7:8080").unwrap();
        let small: IpNet = "10.0.0.0/30".parse().unwrap();
        let given = |server, network, number| {
            address(server, network, number).map(|address| address.to_string())
        };
        assert_eq!(given(&near, None, 300).unwrap(), "127.1.1.45");
        assert_eq!(given(&far, None, 0), None);
        let two: Vec<_> = (0..3)
            .map(|number| given(&far, Some(small), number).unwrap())
            .collect();
        assert_eq!(two, ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
    }
}
