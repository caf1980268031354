//! The peers of the fuzzed engine: the other end of ICE and DTLS, so that hostile packets can be authentic ones.

use std::{sync::Arc, time::Instant};

use spillway_sfu::{
    Accepted, IceCredentials, Path, rtp,
    transport::{DtlsRole, Incoming, Transport, TransportConfig},
};

use super::{
    engine::{Node, Sent},
    stun::{CERTIFICATE, request},
};

const USE_CANDIDATE: [u8; 4] = [0, 0x25, 0, 0];
/// Far more rounds of datagrams than a handshake takes.
const ROUNDS: usize = 20;

/// The client side of a session.
pub(crate) struct Peer {
    pub(crate) path: Path,
    transport: Transport,
    ours: IceCredentials,
    nodes: IceCredentials,
    buffer: Vec<u8>,
}

impl Peer {
    /// Credentials and certificate of every peer, as lines of its offer.
    pub(crate) fn offer_lines() -> String {
        let ours = Self::credentials();
        format!(
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{}\r\na=setup:actpass\r\n",
            ours.ufrag,
            ours.pwd,
            CERTIFICATE.fingerprint()
        )
    }

    fn credentials() -> IceCredentials {
        IceCredentials {
            ufrag: "peer".to_owned(),
            pwd: "abcdefghijklmnopqrstuvwxyz234567".to_owned(),
        }
    }

    /// Connects to the session that was accepted.
    pub(crate) fn connect(node: &mut Node, accepted: &Accepted, path: Path) -> Self {
        let (ours, nodes) = (Self::credentials(), credentials_of(&accepted.answer));
        let config = TransportConfig {
            local_ice: ours.clone(),
            remote_ice: nodes.clone(),
            remote_fingerprint: CERTIFICATE.fingerprint().clone(),
            role: DtlsRole::Client,
            certificate: Arc::clone(&CERTIFICATE),
            data_channels: None,
        };
        let transport = Transport::new(node.now, config).expect("OpenSSL makes associations");
        let mut peer = Self {
            path,
            transport,
            ours,
            nodes,
            buffer: Vec::new(),
        };
        peer.check(node, path, &USE_CANDIDATE);
        // Both sides are lite agents; this check, which the node would never send, tells the peer's side its path.
        let mut check = request(&peer.ours, &peer.nodes, &USE_CANDIDATE);
        peer.transport.handle(node.now, path, &mut check);
        for _ in 0..ROUNDS {
            peer.transmit(node);
            for sent in node.take_sent() {
                peer.receive(node.now, sent);
            }
        }
        assert!(peer.transport.sealer().is_some(), "the handshake is done");
        peer
    }

    /// A connectivity check over `path`, whose attributes are whatever they are.
    pub(crate) fn check(&self, node: &mut Node, path: Path, attributes: &[u8]) {
        node.receive(path, &mut request(&self.nodes, &self.ours, attributes));
    }

    /// Seals what may or may not be RTP, and sends it.
    pub(crate) fn send_rtp(&mut self, node: &mut Node, packet: &[u8]) {
        let Some(sealer) = self.transport.sealer() else {
            return;
        };
        let (Ok(header_len), Some(&[high, low])) = (
            rtp::header_len(packet),
            packet.get(2..4).and_then(<[u8]>::first_chunk),
        ) else {
            return;
        };
        // The roll-over counter is that of a sender that has just begun.
        let index = u64::from(u16::from_be_bytes([high, low]));
        let mut sealed = packet.to_vec();
        sealed.resize(packet.len() + sealer.tag_len(), 0);
        sealer.seal_rtp(&mut sealed, header_len, index);
        node.receive(self.path, &mut sealed);
    }

    /// Seals what may or may not be RTCP, and sends it.
    pub(crate) fn send_rtcp(&mut self, node: &mut Node, packet: &[u8]) {
        let mut sealed = packet.to_vec();
        if let Some(sealer) = self.transport.sealer() {
            sealer.seal_rtcp(&mut sealed);
            node.receive(self.path, &mut sealed);
        }
    }

    /// Takes in what the node sent; it is for this peer.
    pub(crate) fn receive(&mut self, now: Instant, mut sent: Sent) {
        match self.transport.handle(now, self.path, &mut sent.datagram) {
            Incoming::Rtp(packet) => {
                rtp::Packet::parse(packet).expect("what the node sends is sound");
            }
            Incoming::Rtcp(compound) => {
                for packet in spillway_sfu::rtcp::packets(compound) {
                    packet.expect("what the node sends is sound");
                }
            }
            Incoming::Handled | Incoming::Rejected(_) => {}
        }
    }

    fn transmit(&mut self, node: &mut Node) {
        while self.transport.poll_transmit(&mut self.buffer).is_some() {
            node.receive(self.path, &mut self.buffer);
        }
    }
}

fn credentials_of(answer: &str) -> IceCredentials {
    let value = |name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the answer has credentials").to_owned()
    };
    IceCredentials {
        ufrag: value("a=ice-ufrag:"),
        pwd: value("a=ice-pwd:"),
    }
}
