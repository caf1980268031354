//! `[media]`: ports, workers and addresses of the media plane.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use spillway_signaling::{IceServerLink, InvalidIceServer};

use super::Problem;

/// A worker's number must fit the byte that its sessions' ICE user names begin with.
const MAX_WORKERS: u16 = 128;

/// `[media]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// The first worker's UDP and TCP port; the others follow.
    pub port: u16,
    /// Worker threads. 0: one per CPU core.
    pub workers: u16,
    /// All workers share the first port.
    pub single_port: bool,
    /// ICE-TCP, for clients on networks without UDP.
    pub tcp: bool,
    /// Addresses that clients are told, for nodes behind NAT. Empty: the addresses of the interfaces.
    pub announce: Vec<IpAddr>,
    /// Loopback addresses are told too, for tests and clients on this machine.
    pub include_loopback: bool,
    /// STUN server `host:port` that tells this node its public address. Empty: none is asked.
    pub stun_server: String,
    /// The least delay that viewers' players are asked to keep.
    #[serde(with = "humantime_serde")]
    pub playout_delay_min: Duration,
    /// The most.
    #[serde(with = "humantime_serde")]
    pub playout_delay_max: Duration,
    /// STUN and TURN servers that clients are told of in `Link` headers.
    pub ice_servers: Vec<IceServer>,
}

/// One of `[[media.ice_servers]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port` or `turns:host:port`.
    pub url: String,
    /// TURN user name; none for STUN.
    #[serde(default)]
    pub username: String,
    /// TURN password.
    #[serde(default)]
    pub credential: String,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            port: 8189,
            workers: 0,
            single_port: false,
            tcp: true,
            announce: Vec::new(),
            include_loopback: false,
            stun_server: String::new(),
            playout_delay_min: Duration::ZERO,
            playout_delay_max: Duration::ZERO,
            ice_servers: Vec::new(),
        }
    }
}

impl Media {
    /// How many workers there are once 0 is resolved to the number of cores.
    pub fn worker_count(&self) -> u16 {
        if self.workers > 0 {
            return self.workers;
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        cores.min(usize::from(MAX_WORKERS)) as u16
    }

    /// The ports that the workers use.
    pub fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        let count = if self.single_port {
            1
        } else {
            self.worker_count()
        };
        let first = self.port;
        (0..count).map_while(move |index| first.checked_add(index))
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        if self.workers > MAX_WORKERS {
            problems.push(Problem::new(
                "media.workers",
                format!(
                    "is {}; it is 0 (one per core) to {MAX_WORKERS}",
                    self.workers
                ),
            ));
        }
        if !self.single_port && self.port.checked_add(self.worker_count()).is_none() {
            problems.push(Problem::new(
                "media.port",
                format!(
                    "{} leaves no room for {} workers' ports below 65536",
                    self.port,
                    self.worker_count()
                ),
            ));
        }
        // The header extension counts steps of 10 ms in 12 bits.
        if self.playout_delay_max > Duration::from_millis(40_950)
            || self.playout_delay_min > self.playout_delay_max
        {
            problems.push(Problem::new(
                "media.playout_delay_min, media.playout_delay_max",
                "must be in this order and at most 40.95 s",
            ));
        }
        self.check_addresses(problems);
        for (index, server) in self.ice_servers.iter().enumerate() {
            if let Err((key, message)) = server.check() {
                problems.push(Problem::new(
                    format!("media.ice_servers[{index}].{key}"),
                    message,
                ));
            }
        }
    }

    fn check_addresses(&self, problems: &mut Vec<Problem>) {
        for (index, address) in self.announce.iter().enumerate() {
            if address.is_unspecified() || address.is_multicast() {
                problems.push(Problem::new(
                    format!("media.announce[{index}]"),
                    format!("is {address}, which no client can reach; write this node's own"),
                ));
            }
        }
        let is_host_and_port = self
            .stun_server
            .rsplit_once(':')
            .is_some_and(|(host, port)| {
                !host.is_empty()
                    && host.chars().all(|letter| letter.is_ascii_graphic())
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
        if !self.stun_server.is_empty() && !is_host_and_port {
            problems.push(Problem::new(
                "media.stun_server",
                format!(
                    "is {:?}; write host:port, such as \"stun.example.org:3478\"",
                    self.stun_server
                ),
            ));
        }
    }
}

impl IceServer {
    /// How clients are told of it.
    pub fn link(&self) -> Result<IceServerLink, InvalidIceServer> {
        let credentials =
            (!self.username.is_empty()).then_some((&*self.username, &*self.credential));
        IceServerLink::new(&self.url, credentials)
    }

    /// The key that can't be used, and why. A credential is never repeated.
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.link().map_err(|error| match error {
            InvalidIceServer::Url => ("url", format!("is {:?}; it {error}", self.url)),
            InvalidIceServer::Username => ("username", error.to_string()),
            InvalidIceServer::Credential => ("credential", error.to_string()),
        })?;
        // Browsers throw away the whole configuration over a TURN server without them.
        let needs = self.url.starts_with("turn");
        for (key, value) in [
            ("username", &self.username),
            ("credential", &self.credential),
        ] {
            if value.is_empty() && needs {
                return Err((key, "is missing; browsers refuse TURN without it".into()));
            }
            if !value.is_empty() && !needs {
                return Err((key, "is given, but STUN takes none".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn problems(media: &Media) -> String {
        let mut problems = Vec::new();
        media.check(&mut problems);
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    fn ice_server(url: &str, username: &str, credential: &str) -> String {
        let server = IceServer {
            url: url.into(),
            username: username.into(),
            credential: credential.into(),
        };
        problems(&Media {
            ice_servers: vec![server],
            ..Media::default()
        })
    }

    #[test]
    fn ice_servers_that_clients_cannot_be_told_of_are_named_without_their_secret() {
        for (url, username, credential, said) in [
            ("stun:a.example", "", "", ""),
            ("turn:a.example:3478?transport=tcp", "u", "se\"cret", ""),
            ("http://a.example", "", "", "media.ice_servers[0].url is"),
            (
                "turn:a\r\n.example",
                "u",
                "c",
                "media.ice_servers[0].url is",
            ),
            (
                "turn:a.example",
                "u\u{7}",
                "c",
                "media.ice_servers[0].username has",
            ),
            (
                "turn:a.example",
                "u",
                "secret\n",
                "media.ice_servers[0].credential has",
            ),
            (
                "turn:a.example",
                "",
                "c",
                "media.ice_servers[0].username is missing",
            ),
            (
                "turns:a.example",
                "u",
                "",
                "media.ice_servers[0].credential is missing",
            ),
            (
                "stun:a.example",
                "u",
                "c",
                "media.ice_servers[0].username is given",
            ),
        ] {
            let problems = ice_server(url, username, credential);
            assert!(problems.starts_with(said), "{problems}");
            assert_eq!(problems.is_empty(), said.is_empty(), "{problems}");
            assert!(!problems.contains("secret"), "{problems}");
        }
    }

    #[test]
    fn a_stun_server_is_a_host_and_a_port() {
        for (server, sound) in [
            ("stun.example.org:3478", true),
            ("[2001:db8::1]:3478", true),
            ("stun.example.org", false),
            ("stun:stun.example.org", false),
            (":3478", false),
            ("a b:3478", false),
            ("a:0", false),
        ] {
            let problems = problems(&Media {
                stun_server: server.into(),
                ..Media::default()
            });
            assert_eq!(problems.is_empty(), sound, "{server}: {problems}");
        }
    }

    #[test]
    fn an_address_that_nobody_can_reach_is_not_announced() {
        for address in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            let problems = problems(&Media {
                announce: vec!["192.0.2.1".parse().unwrap(), address.parse().unwrap()],
                ..Media::default()
            });
            assert!(problems.starts_with("media.announce[1]"), "{problems}");
        }
    }
}
