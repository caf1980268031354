//! DTLS 1.2 with SRTP keying (RFC 5764): certificates, their fingerprints, and the association with one peer.

mod fingerprint;

pub use fingerprint::{Fingerprint, FingerprintError, HashAlgorithm};
