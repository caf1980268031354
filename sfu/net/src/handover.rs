//! Datagrams that reached the wrong worker, on their way to the right one.
//!
//! With `--single-port` the kernel spreads peers over the workers' sockets by address, and knows nothing of ICE. A
//! STUN check names its worker by the ufrag; the worker that gets it hands it over and remembers the peer, whose DTLS
//! and media name nobody.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use spillway_sfu::{Path, WorkerId};

/// Peers in one generation of [`Owners`].
const GENERATION_PEERS: usize = 32_768;
/// A peer that is silent for one to two of these is forgotten. Consent checks come at least every 30 s.
const GENERATION_TIME: Duration = Duration::from_mins(1);
/// Bytes that are gathered for one worker before they are sent on, even within a batch.
const MAX_STRAY_BYTES: usize = 256 << 10;

/// Datagrams for one worker, one behind the other in one buffer.
#[derive(Default)]
pub(crate) struct Strays {
    bytes: Vec<u8>,
    datagrams: Vec<(Path, usize)>,
}

impl Strays {
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= MAX_STRAY_BYTES
    }

    pub(crate) fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(crate) fn push(&mut self, path: Path, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((path, datagram.len()));
    }

    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (Path, &mut [u8])> {
        let mut rest = self.bytes.as_mut_slice();
        self.datagrams.iter().filter_map(move |&(path, len)| {
            let (datagram, behind) = std::mem::take(&mut rest).split_at_mut_checked(len)?;
            rest = behind;
            Some((path, datagram))
        })
    }
}

/// Which worker owns the peers whose datagrams reach this worker by mistake.
///
/// Two generations: a peer that is heard of moves to the young one; when that is full or old it becomes the old one,
/// and what was in the old one is forgotten. So memory is bounded, idle peers expire, and a flood of invented
/// addresses can't displace peers that send.
///
/// What a check names isn't authentic here, and its source address may be forged. So the first claim to a peer stays
/// beside the latest, and both workers get its datagrams: the one that knows nothing of it drops them.
pub(crate) struct Owners {
    young: HashMap<SocketAddr, Claims>,
    old: HashMap<SocketAddr, Claims>,
    since: Instant,
}

/// Workers that a peer may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) first: WorkerId,
    /// Another one that was named since.
    pub(crate) latest: Option<WorkerId>,
}

impl Owners {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            since: now,
        }
    }

    pub(crate) fn remember(&mut self, now: Instant, remote: SocketAddr, owner: WorkerId) {
        self.age(now);
        if self.young.len() >= GENERATION_PEERS {
            self.turn(now);
        }
        let known = self.young.get(&remote).or_else(|| self.old.get(&remote));
        let claims = match known {
            Some(&Claims { first, .. }) if first != owner => Claims {
                first,
                latest: Some(owner),
            },
            Some(&claims) => claims,
            None => Claims {
                first: owner,
                latest: None,
            },
        };
        self.young.insert(remote, claims);
    }

    /// Whose a peer's datagrams may be. That alone doesn't keep a peer remembered: its checks do.
    pub(crate) fn claims(&mut self, now: Instant, remote: SocketAddr) -> Option<Claims> {
        self.age(now);
        self.young
            .get(&remote)
            .or_else(|| self.old.get(&remote))
            .copied()
    }

    fn age(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= GENERATION_TIME {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.old = std::mem::take(&mut self.young);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spillway_sfu::Protocol;

    use super::*;

    fn peer(n: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from(n), 9).into()
    }

    #[test]
    fn strays_come_out_as_they_went_in() {
        let mut strays = Strays::default();
        let paths: Vec<Path> = (0..3)
            .map(|n| Path {
                protocol: Protocol::Udp,
                local: [127, 0, 0, 1].into(),
                remote: peer(n),
            })
            .collect();
        for (path, text) in paths.iter().zip([&b"one"[..], b"", b"three"]) {
            strays.push(*path, text);
        }
        let out: Vec<(Path, Vec<u8>)> = strays.datagrams().map(|(p, d)| (p, d.to_vec())).collect();
        assert_eq!(out[0], (paths[0], b"one".to_vec()));
        assert_eq!(out[1], (paths[1], Vec::new()));
        assert_eq!(out[2], (paths[2], b"three".to_vec()));
    }

    fn first(owners: &mut Owners, now: Instant, remote: SocketAddr) -> Option<WorkerId> {
        owners.claims(now, remote).map(|claims| claims.first)
    }

    #[test]
    fn an_idle_peer_is_forgotten_and_an_active_one_kept() {
        let start = Instant::now();
        let mut owners = Owners::new(start);
        owners.remember(start, peer(1), WorkerId(1));
        owners.remember(start, peer(2), WorkerId(2));
        for minutes in 1..4 {
            let now = start + minutes * GENERATION_TIME;
            assert_eq!(first(&mut owners, now, peer(1)), Some(WorkerId(1)));
            owners.remember(now, peer(1), WorkerId(1));
        }
        assert_eq!(owners.claims(start + 3 * GENERATION_TIME, peer(2)), None);
    }

    #[test]
    fn a_forged_claim_takes_nothing_away() {
        let now = Instant::now();
        let mut owners = Owners::new(now);
        owners.remember(now, peer(1), WorkerId(1));
        for forged in [2, 3, 2] {
            owners.remember(now, peer(1), WorkerId(forged));
            let claims = owners.claims(now, peer(1)).unwrap();
            assert_eq!(claims.first, WorkerId(1));
            assert_eq!(claims.latest, Some(WorkerId(forged)));
        }
    }

    #[test]
    fn a_flood_is_bounded_and_cannot_displace_an_active_peer() {
        let now = Instant::now();
        let mut owners = Owners::new(now);
        owners.remember(now, peer(0), WorkerId(7));
        for n in 1..200_000 {
            owners.remember(now, peer(n), WorkerId(1));
            if n % 10_000 == 0 {
                assert_eq!(first(&mut owners, now, peer(0)), Some(WorkerId(7)));
                owners.remember(now, peer(0), WorkerId(7));
            }
        }
        assert!(owners.young.len() + owners.old.len() <= 2 * GENERATION_PEERS);
    }
}
