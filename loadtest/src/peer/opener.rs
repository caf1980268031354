//! Received media: the first bytes of a payload without the rest, and whole packets.
//!
//! Opening every packet would take a third of the load generator's time, and a load test wants no more of most packets
//! than the mark at their beginning. Both ciphers of SRTP are counter modes, so these bytes can be had by themselves:
//! three blocks of AES. Whether a packet is authentic is asked of a sample of viewers, by `rtc-srtp`.

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit, array::Array};
use aes::{Aes128, Aes256};
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::crypto::providers::AwsLcRsCrypto;

use super::dtls::Keys;
use super::srtp::{SrtpError, session_config};
use crate::rtp::Header;

const BLOCK: usize = 16;
/// Blocks that [`Opener::peek`] opens at most.
const PEEK_BLOCKS: usize = 6;
/// Bytes of a payload that [`Opener::peek`] shows at most.
pub const PEEK: usize = PEEK_BLOCKS * BLOCK;

/// Labels of RFC 3711 §4.3.2.
const LABEL_KEY: u8 = 0;
const LABEL_SALT: u8 = 2;
/// Half of the sequence numbers: what is further away belongs to another round (RFC 3711 §3.3.1).
const HALF: u16 = 1 << 15;

/// AES with one of the two key lengths that SRTP has.
enum Cipher {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Cipher {
    fn new(key: &[u8]) -> Result<Self, SrtpError> {
        let wrong = || SrtpError::Failed(format!("a key of {} bytes", key.len()));
        match key.len() {
            16 => Aes128::new_from_slice(key)
                .map(|cipher| Self::Short(Box::new(cipher)))
                .map_err(|_| wrong()),
            32 => Aes256::new_from_slice(key)
                .map(|cipher| Self::Long(Box::new(cipher)))
                .map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    fn encrypt(&self, blocks: &mut [Block<Aes128>]) {
        match self {
            Self::Short(cipher) => cipher.encrypt_blocks(blocks),
            Self::Long(cipher) => cipher.encrypt_blocks(blocks),
        }
    }
}

/// Opens what one server sends to one peer.
pub struct Opener {
    cipher: Cipher,
    salt: [u8; 14],
    is_gcm: bool,
    /// The highest index of each SSRC.
    indices: Vec<(u32, u64)>,
    whole: Context,
}

impl Opener {
    pub(super) fn new(keys: &Keys) -> Result<Self, SrtpError> {
        let config = session_config(keys)?;
        let profile = config.profile;
        let (key, salt) = (
            config.keys.remote_master_key,
            config.keys.remote_master_salt,
        );
        let mut session_key = vec![0; key.len()];
        derive(&key, &salt, LABEL_KEY, &mut session_key)?;
        let mut session_salt = [0; 14];
        derive(
            &key,
            &salt,
            LABEL_SALT,
            &mut session_salt[..profile.salt_len()],
        )?;
        Ok(Self {
            cipher: Cipher::new(&session_key)?,
            salt: session_salt,
            is_gcm: matches!(
                profile,
                ProtectionProfile::AeadAes128Gcm | ProtectionProfile::AeadAes256Gcm
            ),
            indices: Vec::new(),
            whole: Context::new(&key, &salt, profile, None, None, &AwsLcRsCrypto)?,
        })
    }

    /// The first bytes of a sealed packet's payload, [`PEEK`] at most, in clear and unverified. Those of the tag behind
    /// the payload's end come out as noise.
    pub fn peek(&mut self, header: &Header, sealed: &[u8], clear: &mut [u8]) {
        let index = self.index(header.ssrc, header.sequence);
        let mut blocks = [Block::<Aes128>::default(); PEEK_BLOCKS];
        let blocks = &mut blocks[..clear.len().div_ceil(BLOCK).min(PEEK_BLOCKS)];
        for (number, block) in (0u8..).zip(blocks.iter_mut()) {
            *block = Array(self.counter(header.ssrc, index, number));
        }
        self.cipher.encrypt(blocks);
        let payload = sealed.get(header.len..).unwrap_or_default();
        for ((clear, key), sealed) in clear.iter_mut().zip(blocks.iter().flatten()).zip(payload) {
            *clear = key ^ sealed;
        }
    }

    /// A whole packet, in clear and verified.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SrtpError> {
        Ok(self.whole.decrypt_rtp(sealed)?.to_vec())
    }

    /// The counter block that the payload's block of this number is sealed with (RFC 3711 §4.1.1, RFC 7714 §8.1).
    fn counter(&self, ssrc: u32, index: u64, number: u8) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let salted = if self.is_gcm { 12 } else { 14 };
        block[..salted].copy_from_slice(&self.salt[..salted]);
        let (ssrc_at, index_at) = if self.is_gcm { (2, 6) } else { (4, 8) };
        xor(&mut block[ssrc_at..], &ssrc.to_be_bytes());
        xor(&mut block[index_at..], &index.to_be_bytes()[2..]);
        // GCM keeps two blocks for itself.
        block[BLOCK - 1] = if self.is_gcm { number + 2 } else { number };
        block
    }

    /// The packet's index: its sequence number and the rounds before it (RFC 3711 §3.3.1).
    fn index(&mut self, ssrc: u32, sequence: u16) -> u64 {
        let Some((_, highest)) = self.indices.iter_mut().find(|(known, _)| *known == ssrc) else {
            self.indices.push((ssrc, u64::from(sequence)));
            return u64::from(sequence);
        };
        let ahead = sequence.wrapping_sub(*highest as u16);
        if ahead < HALF {
            *highest += u64::from(ahead);
            *highest
        } else {
            highest.saturating_sub(u64::from(ahead.wrapping_neg()))
        }
    }
}

fn xor(block: &mut [u8], with: &[u8]) {
    for (byte, with) in block.iter_mut().zip(with) {
        *byte ^= with;
    }
}

/// A session key from the master key (RFC 3711 §4.3.1; the shorter salt of RFC 7714 §11 is filled up with zeros).
fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
    let mut block = [0; BLOCK];
    block[..salt.len()].copy_from_slice(salt);
    block[7] ^= label;
    let cipher = Cipher::new(key)?;
    for (number, chunk) in (0u8..).zip(out.chunks_mut(BLOCK)) {
        let mut counter = block;
        counter[BLOCK - 1] = number;
        let mut stream = [Array(counter)];
        cipher.encrypt(&mut stream);
        chunk.copy_from_slice(&stream[0][..chunk.len()]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use dimpl::SrtpProfile;

    use super::*;
    use crate::peer::srtp::Sealing;

    fn keys(profile: SrtpProfile, len: usize, is_client: bool) -> Keys {
        Keys {
            profile,
            material: (0..len).map(|i| i as u8).collect(),
            is_client,
        }
    }

    fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend([0, 0, 0, 9, 1, 2, 3, 4]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn the_first_bytes_are_those_that_were_sealed() {
        for (profile, len) in [
            (SrtpProfile::AEAD_AES_128_GCM, 56),
            (SrtpProfile::AEAD_AES_256_GCM, 88),
            (SrtpProfile::AES128_CM_SHA1_80, 60),
        ] {
            let mut theirs = Sealing::new(&keys(profile, len, false)).unwrap();
            let mut ours = Opener::new(&keys(profile, len, true)).unwrap();
            let payload: Vec<u8> = (0..100).collect();
            // Over the wrap of sequence numbers, and one that comes late.
            let order = (65_530..=65_535).chain(0..3).chain([65_535]);
            let sealed: Vec<(u16, Vec<u8>)> = order
                .map(|n| (n, theirs.seal_rtp(&packet(n, &payload)).unwrap()))
                .collect();
            for (sequence, sealed) in &sealed[..sealed.len() - 1] {
                let header = Header::read(sealed).unwrap();
                assert_eq!(header.sequence, *sequence);
                let mut clear = [0; PEEK];
                ours.peek(&header, sealed, &mut clear);
                assert_eq!(clear, payload[..PEEK]);
                assert_eq!(ours.open(sealed).unwrap(), packet(*sequence, &payload));
            }
            let late = &sealed[5].1;
            let header = Header::read(late).unwrap();
            let mut clear = [0; 40];
            ours.peek(&header, late, &mut clear);
            assert_eq!(clear, payload[..40], "{profile:?}");
        }
    }
}
