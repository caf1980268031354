//! SRTP and SRTCP (RFC 3711, RFC 7714): the media encryption of WebRTC.
//!
//! [`Sealer`] and [`Opener`] are the two directions of one transport, each keyed with one side's master key as DTLS
//! exported it (RFC 5764 §4.2). Neither allocates per packet. No MKI, key derivation rate 0, SRTCP always encrypted:
//! what WebRTC uses and nothing else.
//!
//! **GCM is what we prefer everywhere**: sealing 1200 bytes with AES-128-GCM takes about a quarter of the time of
//! AES-CM with HMAC-SHA1. Sealing straight from shared payload memory ([`Sealer::seal_rtp_from`]) costs what sealing in
//! place does, so the copy is saved. `tests/cost.rs` prints the figures.

mod cipher;
mod open;
mod replay;
mod seal;

pub use open::{MAX_SSRCS, Opener};
pub use seal::Sealer;

/// Length of the smallest RTP header (RFC 3550 §5.1).
const RTP_HEADER_LEN: usize = 12;
/// The part of the first RTCP packet that stays readable: common header and sender SSRC (RFC 3711 §3.4).
const RTCP_HEADER_LEN: usize = 8;
/// The SRTCP index with its E flag (RFC 3711 §3.4).
const RTCP_INDEX_LEN: usize = 4;
/// The E flag beside the SRTCP index: the packet is encrypted.
const RTCP_ENCRYPTED: u32 = 1 << 31;

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`, the cheapest.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, which every WebRTC implementation has.
    AesCm128HmacSha1_80,
}

impl Profile {
    /// All profiles, the one we like best first.
    pub const ALL: [Self; 3] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::AesCm128HmacSha1_80,
    ];

    /// Length of the master key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of the master salt in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Length of the authentication tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// What OpenSSL calls the profile.
    pub const fn openssl_name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
            Self::AesCm128HmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
        }
    }
}

/// Why a packet or key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// The master key or salt isn't as long as the profile says.
    #[error("the SRTP master key or salt doesn't have the length of its profile")]
    KeyLength,
    /// Too short for its own headers and tag, or not RTP version 2.
    #[error("not an SRTP packet: truncated, or not RTP version 2")]
    Malformed,
    /// Seen before, or too old to tell.
    #[error("the packet was received before, or is too old")]
    Replayed,
    /// The tag doesn't fit: another key, another roll-over counter, or changed on the way.
    #[error("the packet isn't authentic")]
    Forged,
    /// The SRTCP packet isn't encrypted (E flag 0), which WebRTC never does.
    #[error("the SRTCP packet isn't encrypted")]
    Unencrypted,
    /// An authentic packet, but of more SSRCs than [`MAX_SSRCS`].
    #[error("more than {MAX_SSRCS} SSRCs on one transport")]
    TooManySsrcs,
}

/// Reads four bytes at `at`, big endian.
fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

#[cfg(test)]
mod tests;
