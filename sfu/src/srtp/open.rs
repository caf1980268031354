use std::collections::HashMap;

use aws_lc_rs::aead::Aad;

use super::{
    Profile, RTCP_ENCRYPTED, RTCP_HEADER_LEN, RTCP_INDEX_LEN, RTP_HEADER_LEN, SrtpError,
    cipher::{Cipher, Ciphers, rtcp_associated_data, rtcp_nonce, rtp_nonce},
    read_u32,
    replay::ReplayWindow,
};

/// SSRCs that one transport may send from: three layers with RTX and audio are seven. Authentic packets of more are
/// refused, so that a peer can't make us keep windows without end.
pub const MAX_SSRCS: usize = 64;

/// Verifies and decrypts what one peer sends.
///
/// Keeps roll-over counter and replay window per SSRC. Only authentic packets change them.
pub struct Opener {
    profile: Profile,
    ciphers: Ciphers,
    rtp_windows: Windows,
    rtcp_windows: Windows,
}

impl Opener {
    /// From the peer's side's master key and salt.
    pub fn new(profile: Profile, master_key: &[u8], master_salt: &[u8]) -> Result<Self, SrtpError> {
        let ciphers = Ciphers::derived(profile, master_key, master_salt)?;
        Ok(Self::with_ciphers(profile, ciphers))
    }

    pub(super) fn with_ciphers(profile: Profile, ciphers: Ciphers) -> Self {
        Self {
            profile,
            ciphers,
            rtp_windows: Windows::default(),
            rtcp_windows: Windows::default(),
        }
    }

    /// Opens an RTP packet in place. Returns the length of header and payload, which lie at the front of `packet`.
    /// After an error the contents of `packet` mean nothing.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let header_len = rtp_header_len(packet)?;
        let body_end = packet
            .len()
            .checked_sub(self.profile.tag_len())
            .filter(|&end| end >= header_len)
            .ok_or(SrtpError::Malformed)?;
        let ssrc = read_u32(packet, 8).ok_or(SrtpError::Malformed)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let index = self.rtp_windows.new_rtp_index(ssrc, sequence)?;
        match &self.ciphers.rtp {
            Cipher::Gcm { key, salt } => {
                let (header, sealed) = packet.split_at_mut(header_len);
                key.open_in_place(rtp_nonce(salt, ssrc, index), Aad::from(&*header), sealed)
                    .map_err(|_| SrtpError::Forged)?;
            }
            Cipher::Cm(cipher) => {
                let (authenticated, tag) = packet.split_at_mut(body_end);
                cipher.verify(authenticated, Some((index >> 16) as u32), tag)?;
                cipher.apply(ssrc, index, &mut authenticated[header_len..]);
            }
        }
        self.rtp_windows.commit(ssrc, index)?;
        Ok(body_end)
    }

    /// Opens a compound RTCP packet in place. Returns its length without index and tag. After an error the contents of
    /// `packet` mean nothing.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_len = self.profile.tag_len();
        let body_end = packet
            .len()
            .checked_sub(tag_len + RTCP_INDEX_LEN)
            .filter(|&end| end >= RTCP_HEADER_LEN)
            .ok_or(SrtpError::Malformed)?;
        let header = *packet
            .first_chunk::<RTCP_HEADER_LEN>()
            .ok_or(SrtpError::Malformed)?;
        let ssrc = read_u32(packet, 4).ok_or(SrtpError::Malformed)?;
        // GCM puts the index last (RFC 7714 §9.3), AES-CM the tag (RFC 3711 §3.4).
        let index_at = match &self.ciphers.rtcp {
            Cipher::Gcm { .. } => body_end + tag_len,
            Cipher::Cm(_) => body_end,
        };
        let flagged_index = read_u32(packet, index_at).ok_or(SrtpError::Malformed)?;
        if flagged_index & RTCP_ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let index = flagged_index & !RTCP_ENCRYPTED;
        self.rtcp_windows.check(ssrc, u64::from(index))?;
        match &self.ciphers.rtcp {
            Cipher::Gcm { key, salt } => {
                let sealed = &mut packet[RTCP_HEADER_LEN..index_at];
                key.open_in_place(
                    rtcp_nonce(salt, ssrc, index),
                    rtcp_associated_data(header, flagged_index),
                    sealed,
                )
                .map_err(|_| SrtpError::Forged)?;
            }
            Cipher::Cm(cipher) => {
                let (authenticated, tag) = packet.split_at_mut(body_end + RTCP_INDEX_LEN);
                cipher.verify(authenticated, None, tag)?;
                cipher.apply(
                    ssrc,
                    u64::from(index),
                    &mut authenticated[RTCP_HEADER_LEN..body_end],
                );
            }
        }
        self.rtcp_windows.commit(ssrc, u64::from(index))?;
        Ok(body_end)
    }
}

/// Replay windows by SSRC.
#[derive(Default)]
struct Windows(HashMap<u32, ReplayWindow>);

impl Windows {
    /// The index that an RTP packet must have, if it can be new. An SSRC starts with roll-over counter 0.
    fn new_rtp_index(&self, ssrc: u32, sequence: u16) -> Result<u64, SrtpError> {
        let index = match self.0.get(&ssrc) {
            Some(window) => window
                .guess_rtp_index(sequence)
                .ok_or(SrtpError::Replayed)?,
            None => u64::from(sequence),
        };
        self.check(ssrc, index)?;
        Ok(index)
    }

    fn check(&self, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        match self.0.get(&ssrc) {
            Some(window) if !window.is_new(index) => Err(SrtpError::Replayed),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        if let Some(window) = self.0.get_mut(&ssrc) {
            window.commit(index);
        } else if self.0.len() < MAX_SSRCS {
            self.0.insert(ssrc, ReplayWindow::starting_at(index));
        } else {
            return Err(SrtpError::TooManySsrcs);
        }
        Ok(())
    }
}

/// Length of the RTP header with CSRCs and extensions, the part that isn't encrypted (RFC 3711 §3.1).
fn rtp_header_len(packet: &[u8]) -> Result<usize, SrtpError> {
    let first = *packet.first().ok_or(SrtpError::Malformed)?;
    if first >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    let mut len = RTP_HEADER_LEN + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let extension = packet
            .get(len..)
            .and_then(|rest| rest.first_chunk::<4>())
            .ok_or(SrtpError::Malformed)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
    }
    if packet.len() < len {
        return Err(SrtpError::Malformed);
    }
    Ok(len)
}
