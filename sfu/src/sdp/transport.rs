//! The attributes of the one transport: ICE and DTLS.

use super::{Fingerprint, SdpError, Setup, lines::Line};
use crate::{IceCredentials, dtls::FingerprintError};

/// ICE and DTLS attributes of one section (RFC 8839 §5.4, RFC 8122 §5, RFC 4145 §4).
#[derive(Default)]
pub(super) struct TransportAttributes {
    ufrag: Option<String>,
    pwd: Option<String>,
    /// The strongest of those that we can check (RFC 8122 §5.1).
    fingerprint: Option<Fingerprint>,
    /// The hash function of a fingerprint that we can't check.
    unknown_hash: Option<String>,
    setup: Option<Setup>,
}

impl TransportAttributes {
    pub(super) fn parse(lines: &[Line<'_>]) -> Result<Self, SdpError> {
        let mut found = Self::default();
        for line in lines {
            match line.attribute() {
                Some(("ice-ufrag", value)) => found.ufrag = Some(ice_string(line, value, 4)?),
                Some(("ice-pwd", value)) => found.pwd = Some(ice_string(line, value, 22)?),
                Some(("fingerprint", value)) => found.add_fingerprint(line, value)?,
                Some(("setup", value)) => found.setup = Some(parse_setup(line, value)?),
                _ => {}
            }
        }
        Ok(found)
    }

    fn add_fingerprint(&mut self, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
        match value.parse::<Fingerprint>() {
            Ok(new) => {
                let strength = |known: &Fingerprint| known.algorithm().digest_len();
                if self
                    .fingerprint
                    .as_ref()
                    .is_none_or(|known| strength(known) < strength(&new))
                {
                    self.fingerprint = Some(new);
                }
                Ok(())
            }
            Err(FingerprintError::UnknownAlgorithm(name)) => {
                self.unknown_hash = Some(name);
                Ok(())
            }
            Err(error) => Err(line.malformed(error.to_string())),
        }
    }

    /// Takes from `session` what the m-section doesn't say itself.
    pub(super) fn or(self, session: Self) -> Self {
        Self {
            ufrag: self.ufrag.or(session.ufrag),
            pwd: self.pwd.or(session.pwd),
            fingerprint: self.fingerprint.or(session.fingerprint),
            unknown_hash: self.unknown_hash.or(session.unknown_hash),
            setup: self.setup.or(session.setup),
        }
    }

    /// The ICE credentials, if any are there.
    pub(super) fn ice(&self) -> Result<IceCredentials, SdpError> {
        match (&self.ufrag, &self.pwd) {
            (Some(ufrag), Some(pwd)) => Ok(IceCredentials {
                ufrag: ufrag.clone(),
                pwd: pwd.clone(),
            }),
            _ => Err(SdpError::Unacceptable(
                "the offer has no ICE credentials: a=ice-ufrag and a=ice-pwd are needed".to_owned(),
            )),
        }
    }

    pub(super) fn fingerprint(&self) -> Result<Fingerprint, SdpError> {
        self.fingerprint.clone().ok_or_else(|| {
            SdpError::Unacceptable(match &self.unknown_hash {
                Some(name) => FingerprintError::UnknownAlgorithm(name.clone()).to_string(),
                None => "the offer has no a=fingerprint: media must be encrypted with DTLS-SRTP"
                    .to_owned(),
            })
        })
    }

    /// Without `a=setup` the offerer is active (RFC 4145 §4.1).
    pub(super) fn setup(&self) -> Setup {
        self.setup.unwrap_or(Setup::Active)
    }

    pub(super) fn has_ice(&self) -> bool {
        self.ufrag.is_some() || self.pwd.is_some()
    }
}

/// RFC 8839 §5.4 allows fewer characters, but nothing hangs on them.
fn ice_string(line: &Line<'_>, value: &str, min: usize) -> Result<String, SdpError> {
    if (min..=256).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(value.to_owned())
    } else {
        Err(line.malformed(format!("expected {min} to 256 characters without spaces")))
    }
}

fn parse_setup(line: &Line<'_>, value: &str) -> Result<Setup, SdpError> {
    match value {
        "actpass" => Ok(Setup::ActPass),
        "active" => Ok(Setup::Active),
        "passive" => Ok(Setup::Passive),
        "holdconn" => Err(SdpError::Unacceptable(
            "a=setup:holdconn asks for no connection; offer actpass".to_owned(),
        )),
        _ => Err(line.malformed("a=setup is actpass, active or passive")),
    }
}
