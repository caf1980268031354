//! The transforms: session keys of one direction, and what they do to one packet.

use aes::{
    Aes128, Aes256,
    cipher::{InnerIvInit as _, KeyInit as _, KeyIvInit as _, StreamCipher as _},
};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ctr::{Ctr128BE, CtrCore};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{Profile, SrtpError};

/// What a derived key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpCipher = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpCipher = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Length of the HMAC-SHA1 key (RFC 3711 §8.2).
pub(super) const AUTHENTICATION_KEY_LEN: usize = 20;
/// Length of the truncated HMAC-SHA1 tag.
const HMAC_TAG_LEN: usize = 10;

/// Fills `key` from the master key and salt (RFC 3711 §4.3.3, derivation rate 0). A 12-byte salt of the AEAD profiles
/// counts as followed by zeros (RFC 7714 §11).
pub(super) fn derive(
    master_key: &[u8],
    master_salt: &[u8],
    label: Label,
    key: &mut [u8],
) -> Result<(), SrtpError> {
    let mut iv = [0; 16];
    let salt_room = iv
        .get_mut(..master_salt.len())
        .ok_or(SrtpError::KeyLength)?;
    salt_room.copy_from_slice(master_salt);
    iv[7] ^= label as u8;
    key.fill(0);
    if let Ok(mut keystream) = Ctr128BE::<Aes128>::new_from_slices(master_key, &iv) {
        keystream.apply_keystream(key);
    } else if let Ok(mut keystream) = Ctr128BE::<Aes256>::new_from_slices(master_key, &iv) {
        keystream.apply_keystream(key);
    } else {
        return Err(SrtpError::KeyLength);
    }
    Ok(())
}

/// The session keys of one direction.
pub(super) struct Ciphers {
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
}

impl Ciphers {
    /// Derives all keys from the master key and salt of that direction.
    pub(super) fn derived(
        profile: Profile,
        master_key: &[u8],
        master_salt: &[u8],
    ) -> Result<Self, SrtpError> {
        let derived = |labels| Cipher::derived(profile, master_key, master_salt, labels);
        Ok(Self {
            rtp: derived([Label::RtpCipher, Label::RtpSalt, Label::RtpAuthentication])?,
            rtcp: derived([
                Label::RtcpCipher,
                Label::RtcpSalt,
                Label::RtcpAuthentication,
            ])?,
        })
    }
}

/// The session keys of one direction for RTP or for RTCP.
pub(super) enum Cipher {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    Cm(Box<CounterMode>),
}

/// AES counter mode with a truncated HMAC-SHA1 behind (RFC 3711 §4.1.1, §4.2.1).
pub(super) struct CounterMode {
    block: Aes128,
    /// Keyed once; every packet starts from a copy.
    hmac: Hmac<Sha1>,
    salt: [u8; 14],
}

impl Drop for CounterMode {
    /// Overwrites the key that HMAC holds. It could wipe itself, but then so would every packet's copy. Salts are no secret
    /// (RFC 3711 §3.2.1), and the ciphers wipe their own keys.
    fn drop(&mut self) {
        if let Ok(blank) = Hmac::new_from_slice(&[0; AUTHENTICATION_KEY_LEN]) {
            self.hmac = blank;
            std::hint::black_box(&self.hmac);
        }
    }
}

impl Cipher {
    fn derived(
        profile: Profile,
        master_key: &[u8],
        master_salt: &[u8],
        [cipher, salt, authentication]: [Label; 3],
    ) -> Result<Self, SrtpError> {
        if master_key.len() != profile.key_len() || master_salt.len() != profile.salt_len() {
            return Err(SrtpError::KeyLength);
        }
        let mut key = Zeroizing::new([0; 32]);
        let key = &mut key[..profile.key_len()];
        let mut session_salt = [0; 14];
        let session_salt = &mut session_salt[..profile.salt_len()];
        let mut authentication_key = Zeroizing::new([0; AUTHENTICATION_KEY_LEN]);
        derive(master_key, master_salt, cipher, key)?;
        derive(master_key, master_salt, salt, session_salt)?;
        derive(
            master_key,
            master_salt,
            authentication,
            &mut *authentication_key,
        )?;
        Self::with_session_keys(profile, key, session_salt, &*authentication_key)
    }

    /// Takes session keys as they are. `authentication` is unused by the AEAD profiles.
    pub(super) fn with_session_keys(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        authentication: &[u8],
    ) -> Result<Self, SrtpError> {
        let algorithm = match profile {
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::AeadAes256Gcm => &AES_256_GCM,
            Profile::AesCm128HmacSha1_80 => {
                return Ok(Self::Cm(Box::new(CounterMode {
                    block: Aes128::new_from_slice(key).map_err(|_| SrtpError::KeyLength)?,
                    hmac: Hmac::new_from_slice(authentication).map_err(|_| SrtpError::KeyLength)?,
                    salt: salt.try_into().map_err(|_| SrtpError::KeyLength)?,
                })));
            }
        };
        Ok(Self::Gcm {
            key: LessSafeKey::new(
                UnboundKey::new(algorithm, key).map_err(|_| SrtpError::KeyLength)?,
            ),
            salt: salt.try_into().map_err(|_| SrtpError::KeyLength)?,
        })
    }
}

/// The GCM nonce of an RTP packet (RFC 7714 §8.1): `index` is ROC and sequence number.
pub(super) fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(nonce)
}

/// The GCM nonce of an RTCP packet (RFC 7714 §9.1): `index` without the E flag.
pub(super) fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[8..12], &index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// The GCM associated data of an RTCP packet: its readable header, then the E flag and index (RFC 7714 §9.2).
pub(super) fn rtcp_associated_data(
    header: [u8; super::RTCP_HEADER_LEN],
    flagged_index: u32,
) -> Aad<[u8; 12]> {
    let mut data = [0; 12];
    data[..8].copy_from_slice(&header);
    data[8..].copy_from_slice(&flagged_index.to_be_bytes());
    Aad::from(data)
}

impl CounterMode {
    /// En- or decrypts `payload`. For RTCP `index` is the 31-bit SRTCP index (RFC 3711 §4.1.1).
    pub(super) fn apply(&self, ssrc: u32, index: u64, payload: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        xor(&mut iv[4..8], &ssrc.to_be_bytes());
        xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
        let counter = CtrCore::inner_iv_init(&self.block, &iv.into());
        Ctr128BE::from_core(counter).apply_keystream(payload);
    }

    /// The tag over `authenticated` and, for RTP, the roll-over counter behind it (RFC 3711 §4.2).
    pub(super) fn tag(&self, authenticated: &[u8], roll_over: Option<u32>) -> [u8; HMAC_TAG_LEN] {
        let full = self
            .hmac_over(authenticated, roll_over)
            .finalize()
            .into_bytes();
        let mut tag = [0; HMAC_TAG_LEN];
        tag.copy_from_slice(&full[..HMAC_TAG_LEN]);
        tag
    }

    /// Compares in constant time.
    pub(super) fn verify(
        &self,
        authenticated: &[u8],
        roll_over: Option<u32>,
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        self.hmac_over(authenticated, roll_over)
            .verify_truncated_left(tag)
            .map_err(|_| SrtpError::Forged)
    }

    fn hmac_over(&self, authenticated: &[u8], roll_over: Option<u32>) -> Hmac<Sha1> {
        let mut hmac = self.hmac.clone();
        hmac.update(authenticated);
        if let Some(roll_over) = roll_over {
            hmac.update(&roll_over.to_be_bytes());
        }
        hmac
    }
}

fn xor(target: &mut [u8], with: &[u8]) {
    for (target, with) in target.iter_mut().zip(with) {
        *target ^= with;
    }
}
