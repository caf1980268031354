use aws_lc_rs::aead::Aad;

use super::{
    Profile, RTCP_ENCRYPTED, RTCP_HEADER_LEN, SrtpError,
    cipher::{Cipher, Ciphers, rtcp_associated_data, rtcp_nonce, rtp_nonce},
    read_u32,
};

/// Authenticates and encrypts what we send.
///
/// For RTP it keeps no state beyond the keys: the caller names the packet's 48-bit index (roll-over counter and
/// sequence number), so that resending a packet can't go wrong. **Never seal other bytes under an index that its SSRC
/// already used**: with GCM that gives the key away.
pub struct Sealer {
    profile: Profile,
    ciphers: Ciphers,
    next_rtcp_index: u32,
}

impl Sealer {
    /// From our side's master key and salt.
    pub fn new(profile: Profile, master_key: &[u8], master_salt: &[u8]) -> Result<Self, SrtpError> {
        let ciphers = Ciphers::derived(profile, master_key, master_salt)?;
        Ok(Self::with_ciphers(profile, ciphers))
    }

    pub(super) fn with_ciphers(profile: Profile, ciphers: Ciphers) -> Self {
        Self {
            profile,
            ciphers,
            next_rtcp_index: 1,
        }
    }

    /// The profile that DTLS chose.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Bytes that sealing adds to an RTP packet.
    pub fn tag_len(&self) -> usize {
        self.profile.tag_len()
    }

    /// Seals an RTP packet in place.
    ///
    /// `packet` is header, payload and [`Self::tag_len`] bytes of room; the first `header_len` bytes (with CSRCs and
    /// extensions) are authenticated only. `index` is `ROC << 16 | sequence`.
    ///
    /// # Panics
    /// If `packet` is shorter than header and tag, or `header_len` less than 12: a mistake of the caller.
    pub fn seal_rtp(&self, packet: &mut [u8], header_len: usize, index: u64) {
        let body_end = packet.len() - self.tag_len();
        let (header, rest) = packet.split_at_mut(header_len);
        let (payload, tag) = rest.split_at_mut(body_end - header_len);
        let ssrc = rtp_ssrc(header);
        match &self.ciphers.rtp {
            Cipher::Gcm { key, salt } => {
                let sealed = key.seal_in_place_scatter(
                    rtp_nonce(salt, ssrc, index),
                    Aad::from(&*header),
                    payload,
                    &[],
                    tag,
                );
                expect_sealed(sealed);
            }
            Cipher::Cm(cipher) => {
                cipher.apply(ssrc, index, payload);
                let made = cipher.tag(&packet[..body_end], Some((index >> 16) as u32));
                packet[body_end..].copy_from_slice(&made);
            }
        }
    }

    /// Seals an RTP packet whose payload lies elsewhere (in the packet cache), which saves a copy.
    ///
    /// `packet` is the header followed by room for payload and tag; otherwise like [`Self::seal_rtp`].
    ///
    /// # Panics
    /// If the room isn't exactly as long as payload and tag, or `header_len` less than 12: a mistake of the caller.
    pub fn seal_rtp_from(&self, packet: &mut [u8], header_len: usize, payload: &[u8], index: u64) {
        let (header, rest) = packet.split_at_mut(header_len);
        let (room, tag) = rest.split_at_mut(payload.len());
        match &self.ciphers.rtp {
            Cipher::Gcm { key, salt } => {
                let nonce = rtp_nonce(salt, rtp_ssrc(header), index);
                let sealed = key.seal_out_of_place_scatter(
                    nonce,
                    Aad::from(&*header),
                    payload,
                    room,
                    &[],
                    tag,
                );
                expect_sealed(sealed);
            }
            Cipher::Cm(_) => {
                room.copy_from_slice(payload);
                self.seal_rtp(packet, header_len, index);
            }
        }
    }

    /// Seals a compound RTCP packet: encrypts it in place and appends index and tag (in the order of the profile).
    ///
    /// `packet` comes out empty, and must not be sent, if it is shorter than 8 bytes, or once the 2³¹ packets that one
    /// key may seal (RFC 3711 §9.2) are used up, which takes decades.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) {
        let index = self.next_rtcp_index;
        let (Some(&header), Some(ssrc), true) = (
            packet.first_chunk::<RTCP_HEADER_LEN>(),
            read_u32(packet, 4),
            index < RTCP_ENCRYPTED,
        ) else {
            packet.clear();
            return;
        };
        self.next_rtcp_index += 1;
        let flagged_index = index | RTCP_ENCRYPTED;
        match &self.ciphers.rtcp {
            Cipher::Gcm { key, salt } => {
                let nonce = rtcp_nonce(salt, ssrc, index);
                let associated_data = rtcp_associated_data(header, flagged_index);
                match key.seal_in_place_separate_tag(
                    nonce,
                    associated_data,
                    &mut packet[RTCP_HEADER_LEN..],
                ) {
                    Ok(tag) => packet.extend_from_slice(tag.as_ref()),
                    Err(error) => expect_sealed(Err(error)),
                }
                packet.extend_from_slice(&flagged_index.to_be_bytes());
            }
            Cipher::Cm(cipher) => {
                cipher.apply(ssrc, u64::from(index), &mut packet[RTCP_HEADER_LEN..]);
                packet.extend_from_slice(&flagged_index.to_be_bytes());
                let tag = cipher.tag(packet, None);
                packet.extend_from_slice(&tag);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn set_next_rtcp_index(&mut self, index: u32) {
        self.next_rtcp_index = index;
    }
}

fn rtp_ssrc(header: &[u8]) -> u32 {
    u32::from_be_bytes([header[8], header[9], header[10], header[11]])
}

/// GCM refuses to seal only what can't be here: slices of the wrong length and more than 64 GiB.
#[expect(clippy::expect_used, reason = "an unsealed packet must never be sent")]
fn expect_sealed(sealed: Result<(), aws_lc_rs::error::Unspecified>) {
    sealed.expect("the room behind the header is payload and tag long");
}
