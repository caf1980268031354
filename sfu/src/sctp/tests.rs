#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// Two ends, and every packet that either sent.
struct Pair {
    now: Instant,
    server: Sctp,
    client: Sctp,
    packets: Vec<Vec<u8>>,
}

impl Pair {
    fn connected() -> Self {
        let now = Instant::now();
        let mut pair = Self {
            now,
            server: Sctp::new(DtlsRole::Server),
            client: Sctp::new(DtlsRole::Client),
            packets: Vec::new(),
        };
        pair.client.start(now);
        pair.settle();
        pair
    }

    /// With a channel each way that was used.
    fn busy() -> Self {
        let mut pair = Self::connected();
        let now = pair.now;
        for delivery in [Delivery::RELIABLE, Delivery::ONCE] {
            let id = pair.client.open(now, "chat", delivery).unwrap();
            pair.settle();
            for data in [vec![1; 10], vec![2; 3000]] {
                pair.client.send(now, id, &data, true).unwrap();
                pair.server.send(now, id, &data, false).unwrap();
                pair.settle();
            }
        }
        pair
    }

    /// Carries packets to and fro until neither end has any.
    fn settle(&mut self) {
        for _ in 0..100 {
            let before = self.packets.len();
            while let Some(packet) = self.client.poll_transmit() {
                self.server.handle(self.now, &packet);
                self.packets.push(packet.to_vec());
            }
            while let Some(packet) = self.server.poll_transmit() {
                self.client.handle(self.now, &packet);
                self.packets.push(packet.to_vec());
            }
            if self.packets.len() == before {
                return;
            }
        }
    }
}

/// CRC-32C, bit by bit (RFC 9260 appendix A): so that mutated packets get past the checksum.
fn write_checksum(packet: &mut [u8]) {
    let Some(field) = packet.get_mut(8..12) else {
        return;
    };
    field.fill(0);
    let crc = packet.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    });
    packet[8..12].copy_from_slice(&(!crc).to_le_bytes());
}

/// One change to one packet of those that went over the wire.
#[derive(Debug, Clone)]
struct Mutation {
    packet: Index,
    at: Index,
    byte: u8,
    truncate: bool,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    (any::<Index>(), any::<Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(packet, at, byte, truncate)| Mutation {
            packet,
            at,
            byte,
            truncate,
        },
    )
}

impl Mutation {
    fn apply(&self, packets: &[Vec<u8>]) -> Vec<u8> {
        let mut packet = self.packet.get(packets).clone();
        // The common header's tag must stay right, or the packet goes nowhere.
        let at = 12 + self.at.index(packet.len() - 12);
        if self.truncate {
            packet.truncate(at & !3);
        } else {
            packet[at] = self.byte;
        }
        write_checksum(&mut packet);
        packet
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A peer is authenticated, not trusted.
    #[test]
    fn a_hostile_peer_causes_no_panic(mutations in vec(mutation(), 1..60)) {
        let mut pair = Pair::busy();
        let packets = pair.packets.clone();
        let mut now = pair.now;
        for mutation in &mutations {
            let packet = mutation.apply(&packets);
            pair.server.handle(now, &packet);
            pair.client.handle(now, &packet);
            if let Some(due) = pair.server.next_timeout() {
                now = now.max(due);
                pair.server.handle_timeout(now);
            }
            while pair.server.poll_transmit().is_some() {}
            while pair.client.poll_transmit().is_some() {}
            while pair.server.poll_event().is_some() {}
            let _ = pair.server.send(now, ChannelId(0), b"still there?", false);
        }
        pair.server.close(now);
    }
}

#[test]
fn a_peer_that_uses_too_many_streams_loses_the_association() {
    let mut pair = Pair::connected();
    let now = pair.now;
    let (_, association) = pair.client.associations.first_mut().unwrap();
    for stream in 0..=MAX_CHANNELS as u16 {
        association
            .open_stream(stream, PayloadProtocolIdentifier::Binary)
            .and_then(|mut stream| {
                stream.write_with_ppi(now, b"x", PayloadProtocolIdentifier::Binary)
            })
            .unwrap();
    }
    pair.client.turn(now);
    pair.settle();
    let (_, association) = pair.server.associations.first().unwrap();
    assert!(association.is_closed());
}
