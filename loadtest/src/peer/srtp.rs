//! SRTP by `rtc-srtp`: what we send, and RTCP both ways.

use bytes::Bytes;
use dimpl::SrtpProfile;
use rtc_rtcp::packet::{self, Packet};
use rtc_srtp::config::Config;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::crypto::providers::AwsLcRsCrypto;

use super::dtls::Keys;

/// Why a packet couldn't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SrtpError {
    /// DTLS is not done.
    #[error("there are no media keys yet")]
    NoKeys,
    /// DTLS agreed on a profile that this doesn't know.
    #[error("SRTP profile {0} isn't supported")]
    Profile(String),
    /// The library's word for it.
    #[error("SRTP: {0}")]
    Failed(String),
}

impl From<rtc_shared::error::Error> for SrtpError {
    fn from(error: rtc_shared::error::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Which of the ciphers.
pub(super) fn profile(of: SrtpProfile) -> Result<ProtectionProfile, SrtpError> {
    match of {
        SrtpProfile::AEAD_AES_128_GCM => Ok(ProtectionProfile::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Ok(ProtectionProfile::AeadAes256Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Ok(ProtectionProfile::Aes128CmHmacSha1_80),
        other => Err(SrtpError::Profile(format!("{other:?}"))),
    }
}

/// The keys and salts of both directions.
pub(super) fn session_config(keys: &Keys) -> Result<Config, SrtpError> {
    let mut config = Config {
        profile: profile(keys.profile)?,
        ..Config::default()
    };
    config.set_session_keys_from_keying_material(&keys.material, keys.is_client)?;
    Ok(config)
}

pub(super) struct Sealing {
    ours: Context,
    theirs: Context,
}

impl Sealing {
    pub(super) fn new(keys: &Keys) -> Result<Self, SrtpError> {
        let Config { keys, profile, .. } = session_config(keys)?;
        let context =
            |key: &[u8], salt: &[u8]| Context::new(key, salt, profile, None, None, &AwsLcRsCrypto);
        Ok(Self {
            ours: context(&keys.local_master_key, &keys.local_master_salt)?,
            theirs: context(&keys.remote_master_key, &keys.remote_master_salt)?,
        })
    }

    pub(super) fn seal_rtp(&mut self, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
        Ok(self.ours.encrypt_rtp(packet)?.to_vec())
    }

    pub(super) fn seal_rtcp(&mut self, packets: &[Box<dyn Packet>]) -> Result<Vec<u8>, SrtpError> {
        Ok(self.ours.encrypt_rtcp(&packet::marshal(packets)?)?.to_vec())
    }

    /// What can't be opened or read is an error of the server's.
    pub(super) fn open_rtcp(&mut self, datagram: &[u8]) -> Result<Vec<Box<dyn Packet>>, SrtpError> {
        let mut opened = Bytes::from(self.theirs.decrypt_rtcp(datagram)?);
        Ok(packet::unmarshal(&mut opened)?)
    }
}
