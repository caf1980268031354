use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    ssl::{
        SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
        SslVersion,
    },
    x509::{X509, X509NameBuilder},
};

use super::{DtlsRole, Fingerprint, HashAlgorithm};
use crate::srtp::Profile;

/// Forward secrecy and authenticated encryption only: what browsers have offered for years.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";
const GROUPS: &str = "X25519:P-256:P-384";
/// So that peers may keep fingerprints across a clock that is wrong: no dates to get wrong (RFC 5280 §4.1.2.5).
const NOT_BEFORE: &str = "20000101000000Z";
const NOT_AFTER: &str = "99991231235959Z";

/// Our DTLS identity: a self-signed certificate with its key, made at start and shared by all sessions.
pub struct Certificate {
    fingerprint: Fingerprint,
    server: SslContext,
    client: SslContext,
}

/// The system's OpenSSL couldn't make a certificate.
#[derive(Debug, thiserror::Error)]
#[error(
    "OpenSSL can't make a DTLS certificate with an SRTP profile; check its installation and policy ({0})"
)]
pub struct CertificateError(#[from] ErrorStack);

impl Certificate {
    /// Makes a new key (ECDSA P-256) and certificate.
    pub fn generate() -> Result<Self, CertificateError> {
        Ok(Self::from_key(&ecdsa_key()?, &Profile::ALL, CIPHERS)?)
    }

    /// With other ciphers than ours.
    #[cfg(test)]
    pub(crate) fn generate_with_ciphers(ciphers: &str) -> Result<Self, CertificateError> {
        Ok(Self::from_key(&ecdsa_key()?, &Profile::ALL, ciphers)?)
    }

    /// With an RSA key, as `GStreamer` makes.
    #[cfg(test)]
    pub(crate) fn generate_rsa() -> Result<Self, CertificateError> {
        let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2048)?)?;
        Ok(Self::from_key(&key, &Profile::ALL, CIPHERS)?)
    }

    /// With the SRTP profiles of other implementations.
    #[cfg(test)]
    pub(crate) fn generate_with_profiles(profiles: &[Profile]) -> Result<Self, CertificateError> {
        Ok(Self::from_key(&ecdsa_key()?, profiles, CIPHERS)?)
    }

    /// As server OpenSSL picks the first of `profiles` that the peer offers.
    fn from_key(
        key: &PKey<Private>,
        profiles: &[Profile],
        ciphers: &str,
    ) -> Result<Self, ErrorStack> {
        let certificate = self_signed(key)?;
        let fingerprint =
            Fingerprint::of(HashAlgorithm::Sha256, &certificate).ok_or_else(ErrorStack::get)?;
        let names: Vec<&str> = profiles
            .iter()
            .map(|profile| profile.openssl_name())
            .collect();
        let context = |method| build_context(method, key, &certificate, &names.join(":"), ciphers);
        Ok(Self {
            fingerprint,
            server: context(SslMethod::dtls_server())?,
            client: context(SslMethod::dtls_client())?,
        })
    }

    /// The SHA-256 fingerprint, for SDP.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn context(&self, role: DtlsRole) -> &SslContext {
        match role {
            DtlsRole::Server => &self.server,
            DtlsRole::Client => &self.client,
        }
    }
}

fn ecdsa_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn self_signed(key: &PKey<Private>) -> Result<X509, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "Spillway")?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    // RFC 5280 §4.1.2.2: positive, at most 20 octets.
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let (not_before, not_after) = (
        Asn1Time::from_str(NOT_BEFORE)?,
        Asn1Time::from_str(NOT_AFTER)?,
    );
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    builder.set_pubkey(key)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn build_context(
    method: SslMethod,
    key: &PKey<Private>,
    certificate: &X509,
    profiles: &str,
    ciphers: &str,
) -> Result<SslContext, ErrorStack> {
    let mut context: SslContextBuilder = SslContext::builder(method)?;
    context.set_certificate(certificate)?;
    context.set_private_key(key)?;
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_cipher_list(ciphers)?;
    context.set_groups_list(GROUPS)?;
    context.set_tlsext_use_srtp(profiles)?;
    // The associations themselves decide by fingerprint; no certificate at all is never enough (RFC 5763 §5).
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    context.set_options(
        SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION,
    );
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(context.build())
}
