//! DTLS 1.2 with SRTP keying (RFC 5764): certificates, their fingerprints, and the association with one peer.
//!
//! OpenSSL does the work, see `docs/decisions/0002-dtls.md` for why. Everything else in the crate knows only
//! [`Association`], [`Certificate`] and [`Fingerprint`].

mod association;
mod certificate;
mod fingerprint;
mod records;

pub(crate) use association::{Association, Failure, Keys, Progress};
pub use certificate::{Certificate, CertificateError};
pub use fingerprint::{Fingerprint, FingerprintError, HashAlgorithm};
pub use records::{Record, Records, Secrets};

/// Which side of the handshake we are (RFC 5763 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsRole {
    /// `a=setup:passive`: we wait for the `ClientHello`.
    Server,
    /// `a=setup:active`: we send the `ClientHello` as soon as there is a path.
    Client,
}
