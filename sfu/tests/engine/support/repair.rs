//! A receiver of `FlexFEC`, written from draft-ietf-payload-flexible-fec-scheme-03 §4.2 and §6.3 alone, bit by bit.

use std::{collections::BTreeMap, time::Instant};

use spillway_sfu::rtp::Packet;

use super::{
    offer::{FLEXFEC, TRANSPORT_SEQUENCE},
    peer::key,
};

/// The video of one peer and its repair packets.
pub struct Mender {
    pub media: u32,
    pub flexfec: u32,
    /// Says of numbers of video packets that came whether they are taken for lost.
    pub misses: Box<dyn FnMut(u16) -> bool>,
    /// Those packets, and when they came.
    pub missed: Vec<(Instant, Vec<u8>)>,
    /// Packets that repair packets brought back, and when.
    pub mended: Vec<(Instant, Vec<u8>)>,
    /// Repair packets that came.
    pub repair_packets: usize,
    repairer: Repairer,
}

/// What a packet was.
#[derive(Debug, Default)]
pub struct Taken {
    /// It is taken for lost.
    pub lost: bool,
    /// It was a repair packet.
    pub repair: bool,
    /// Numbers of the packets that it brought back.
    pub mended: Vec<u16>,
}

impl Mender {
    /// By an answer that names the SSRCs.
    pub fn of(answer: &str) -> Option<Self> {
        let group = |line: &str| {
            let group = line.strip_prefix("a=ssrc-group:FEC-FR ")?;
            let (media, repair) = group.split_once(' ')?;
            Some((media.parse().unwrap(), repair.parse().unwrap()))
        };
        let (media, flexfec) = answer.lines().find_map(group)?;
        Some(Self {
            media,
            flexfec,
            misses: Box::new(|_| false),
            missed: Vec::new(),
            mended: Vec::new(),
            repair_packets: 0,
            repairer: Repairer::default(),
        })
    }

    pub fn take(&mut self, now: Instant, packet: &[u8]) -> Taken {
        let (ssrc, sequence) = key(packet);
        let mut taken = Taken::default();
        let mended = if ssrc == self.flexfec {
            taken.repair = true;
            self.repair_packets += 1;
            let parsed = Packet::parse(packet).unwrap();
            assert_eq!(parsed.payload_type(), FLEXFEC);
            self.repairer.on_repair(parsed.payload())
        } else if ssrc != self.media {
            return taken;
        } else if (self.misses)(sequence) {
            taken.lost = true;
            self.missed.push((now, packet.to_vec()));
            return taken;
        } else {
            self.repairer.on_media(packet)
        };
        taken.mended = mended.iter().map(|packet| key(packet).1).collect();
        self.mended
            .extend(mended.into_iter().map(|packet| (now, packet)));
        taken
    }
}

/// Puts lost packets of one stream together again.
#[derive(Debug, Default)]
struct Repairer {
    /// Packets as they came, with what changes from hop to hop set to 0, by sequence number.
    media: BTreeMap<u16, Vec<u8>>,
    repairs: Vec<Repair>,
}

#[derive(Debug)]
struct Repair {
    covers: Vec<u16>,
    ssrc: u32,
    head: [u8; 8],
    body: Vec<u8>,
}

/// A packet as receivers take it for repairs: its transport-wide number, which each sending changes, is 0.
pub fn blanked(packet: &[u8]) -> Vec<u8> {
    let mut blank = packet.to_vec();
    let parsed = Packet::parse(packet).unwrap();
    if let Some((_, value)) = parsed.extensions().find(|e| e.0 == TRANSPORT_SEQUENCE) {
        let at = value.as_ptr() as usize - packet.as_ptr() as usize;
        blank[at..at + value.len()].fill(0);
    }
    blank
}

impl Repairer {
    /// Takes a packet of the stream; returns what can be repaired with it.
    fn on_media(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        self.media.insert(sequence, blanked(packet));
        self.solve()
    }

    /// Takes the payload of a repair packet; returns what can be repaired with it.
    fn on_repair(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(payload[0] & 0b1100_0000, 0, "R and F");
        assert_eq!(payload[8..12], [1, 0, 0, 0], "SSRCCount and reserved");
        let word = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let base = u16::from_be_bytes([payload[16], payload[17]]);
        let mut covers = Vec::new();
        let mut place = 0;
        // Words of 16, 32 and 64 bits, of which the first tells whether it is the last.
        let mut at = 18;
        for bytes in [2, 4, 8] {
            for bit in 1..bytes * 8 {
                if payload[at + bit / 8] >> (7 - bit % 8) & 1 == 1 {
                    covers.push(base.wrapping_add(place));
                }
                place += 1;
            }
            let last = payload[at] & 0x80 != 0;
            at += bytes;
            if last {
                break;
            }
        }
        assert!(!covers.is_empty(), "a repair packet for nothing");
        self.repairs.push(Repair {
            covers,
            ssrc: word(12),
            head: payload[..8].try_into().unwrap(),
            body: payload[at..].to_vec(),
        });
        self.solve()
    }

    fn solve(&mut self) -> Vec<Vec<u8>> {
        let mut repaired = Vec::new();
        loop {
            let missing = |r: &Repair| {
                let mut missing = r.covers.iter().filter(|n| !self.media.contains_key(n));
                missing.next().copied().filter(|_| missing.next().is_none())
            };
            let found = self.repairs.iter().position(|r| missing(r).is_some());
            let Some(found) = found else { break };
            let lost = missing(&self.repairs[found]).unwrap();
            let packet = self.put_together(&self.repairs[found], lost);
            self.media.insert(lost, packet.clone());
            repaired.push(packet);
        }
        repaired
    }

    fn put_together(&self, repair: &Repair, lost: u16) -> Vec<u8> {
        let (mut head, mut body) = (repair.head, repair.body.clone());
        let mut length = u16::from_be_bytes([head[2], head[3]]);
        for packet in repair.covers.iter().filter_map(|n| self.media.get(n)) {
            length ^= packet.len() as u16 - 12;
            for at in [0, 1, 4, 5, 6, 7] {
                head[at] ^= packet[at];
            }
            for (at, byte) in packet[12..].iter().enumerate() {
                body[at] ^= byte;
            }
        }
        let rest = body.split_off(usize::from(length));
        assert!(rest.iter().all(|byte| *byte == 0), "more than its length");
        let mut packet = vec![head[0] & 0x3f | 0x80, head[1]];
        packet.extend(lost.to_be_bytes());
        packet.extend_from_slice(&head[4..8]);
        packet.extend(repair.ssrc.to_be_bytes());
        packet.extend(body);
        packet
    }
}
