#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    cipher::{AUTHENTICATION_KEY_LEN, Cipher, Ciphers, Label, derive},
    *,
};

mod behaviour;
mod cost;
mod interop;
mod vectors;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

const MEDIA: u32 = 0x1234_5678;
const RTX: u32 = 0x8765_4321;

/// One direction's master key and salt.
struct Keys {
    profile: Profile,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl Keys {
    fn of(profile: Profile) -> Self {
        Self {
            profile,
            key: (10..).take(profile.key_len()).collect(),
            salt: (90..).take(profile.salt_len()).collect(),
        }
    }

    fn sealer(&self) -> Sealer {
        Sealer::new(self.profile, &self.key, &self.salt).unwrap()
    }

    fn opener(&self) -> Opener {
        Opener::new(self.profile, &self.key, &self.salt).unwrap()
    }
}

/// A packet with a 12-byte header.
fn rtp(ssrc: u32, sequence: u16, payload: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&90_000_u32.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend((0..payload).map(|position| position as u8));
    packet
}

/// A receiver report without blocks and a goodbye.
fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0x81, 203, 0, 1]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet
}

fn seal(sealer: &Sealer, plain: &[u8], index: u64) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + sealer.tag_len(), 0);
    sealer.seal_rtp(&mut packet, 12, index);
    packet
}
