//! `[media]`: ports, workers and addresses of the media plane.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

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
    /// TURN user name.
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
        for (index, server) in self.ice_servers.iter().enumerate() {
            if !["stun:", "turn:", "turns:"]
                .iter()
                .any(|scheme| server.url.starts_with(scheme))
            {
                problems.push(Problem::new(
                    format!("media.ice_servers[{index}].url"),
                    format!(
                        "is \"{}\"; it begins with stun:, turn: or turns:",
                        server.url
                    ),
                ));
            }
        }
    }
}
