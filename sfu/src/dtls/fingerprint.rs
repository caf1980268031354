//! Certificate fingerprints as SDP carries them: `a=fingerprint:sha-256 AB:CD:…` (RFC 8122 §5).

use std::{fmt, str::FromStr};

use openssl::{hash::MessageDigest, x509::X509Ref};

/// A hash function that a fingerprint may be made with.
///
/// RFC 8122 §5 also names MD2 and MD5 and forbids their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// `sha-1`: too weak for signatures, but a second preimage is what it would take here.
    Sha1,
    /// `sha-224`
    Sha224,
    /// `sha-256`: what everybody sends.
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashAlgorithm {
    const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The name in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The length of its digests in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// The hash of a certificate: what ties a DTLS peer to its SDP.
///
/// Parsed from and shown as the value of `a=fingerprint`: `sha-256 12:DF:3E:…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    digest: Vec<u8>,
}

/// The text after `a=fingerprint:` isn't a fingerprint that we can check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Not `algorithm digest`.
    #[error("a fingerprint is a hash function's name, a space, and bytes in hex with ':' between")]
    Syntax,
    /// A hash function that we don't check.
    #[error(
        "fingerprints made with '{0}' can't be checked; use sha-1, sha-224, sha-256, sha-384 or sha-512"
    )]
    UnknownAlgorithm(String),
    /// More or fewer bytes than the hash function makes.
    #[error("a {algorithm} fingerprint has {expected} bytes, this one has {found}")]
    Length {
        /// The name of the hash function.
        algorithm: &'static str,
        /// The bytes it makes.
        expected: usize,
        /// The bytes there were.
        found: usize,
    },
}

impl Fingerprint {
    /// The fingerprint of `certificate`, or `None` if the hash function isn't available in the system's OpenSSL.
    pub(super) fn of(algorithm: HashAlgorithm, certificate: &X509Ref) -> Option<Self> {
        let digest = certificate.digest(algorithm.digest()).ok()?.to_vec();
        Some(Self { algorithm, digest })
    }

    /// Whether `certificate` has this fingerprint. Both are public: no need for a constant time.
    pub(super) fn matches(&self, certificate: &X509Ref) -> bool {
        Self::of(self.algorithm, certificate).as_ref() == Some(self)
    }

    /// The hash function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        let mut separator = ' ';
        for byte in &self.digest {
            write!(f, "{separator}{byte:02X}")?;
            separator = ':';
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(name), Some(hex), None) = (words.next(), words.next(), words.next()) else {
            return Err(FingerprintError::Syntax);
        };
        // Names of hash functions are compared without regard to case (RFC 8122 §5, after RFC 3279).
        let algorithm = HashAlgorithm::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| FingerprintError::UnknownAlgorithm(name.to_owned()))?;
        // RFC 8122 wants capitals; aiortc and others have sent small letters.
        let digest = hex
            .split(':')
            .map(parse_byte)
            .collect::<Option<Vec<u8>>>()
            .ok_or(FingerprintError::Syntax)?;
        if digest.len() != algorithm.digest_len() {
            return Err(FingerprintError::Length {
                algorithm: algorithm.name(),
                expected: algorithm.digest_len(),
                found: digest.len(),
            });
        }
        Ok(Self { algorithm, digest })
    }
}

fn parse_byte(hex: &str) -> Option<u8> {
    // from_str_radix alone would take "+F".
    (hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(hex, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHA1: &str = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";

    #[test]
    fn reads_and_writes_the_example_of_rfc_8122() {
        let fingerprint: Fingerprint = SHA1.parse().unwrap();
        assert_eq!(fingerprint.algorithm(), HashAlgorithm::Sha1);
        assert_eq!(fingerprint.digest().len(), 20);
        assert_eq!(fingerprint.to_string(), SHA1);
    }

    #[test]
    fn case_does_not_matter() {
        let shouted: Fingerprint = SHA1.replace("sha", "SHA").parse().unwrap();
        let whispered: Fingerprint = SHA1.to_ascii_lowercase().parse().unwrap();
        assert_eq!(shouted, whispered);
    }

    #[test]
    fn refuses_what_is_not_a_fingerprint() {
        for text in [
            "",
            "sha-256",
            "sha-1 4A:AD:",
            "sha-1 4A:+D",
            "sha-1 4A AD",
            "sha-1 4AAD",
        ] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(FingerprintError::Syntax),
                "{text}"
            );
        }
        assert_eq!(
            "md5 00".parse::<Fingerprint>(),
            Err(FingerprintError::UnknownAlgorithm("md5".into()))
        );
        assert!(matches!(
            "sha-256 00:01".parse::<Fingerprint>(),
            Err(FingerprintError::Length {
                expected: 32,
                found: 2,
                ..
            })
        ));
    }
}
