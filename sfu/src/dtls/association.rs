//! One DTLS association over OpenSSL, without sockets.
//!
//! OpenSSL's own retransmission timer reads the wall clock and starts at a second. So we keep the last flight and
//! send it again on a timer of ours, in the caller's time and quicker. OpenSSL still gets its turn first: when its
//! timer has run out it repeats the flight with new record numbers, which is what makes a peer whose last flight was
//! lost repeat that (RFC 6347 §4.2.4; a peer drops our copies as replays).

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    mem,
    time::{Duration, Instant},
};

use openssl::{
    error::ErrorStack,
    ssl::{ErrorCode, Ssl, SslStream, SslVerifyMode},
    x509::{X509StoreContextRef, X509VerifyResult},
};

use super::{Certificate, DtlsRole, Fingerprint};
use crate::srtp::Profile;

/// Bytes of a datagram: leaves room for IPv6, UDP and TURN on a path of 1280 (RFC 8200 §5).
const MTU: u32 = 1200;
/// Datagrams that wait to be taken by `poll_transmit`. Those beyond are lost, as on any network.
const MAX_OUTBOUND: usize = 64;
/// The first wait before a flight is sent again, doubled with each.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
/// The longest such wait.
const LAST_RETRANSMISSION: Duration = Duration::from_secs(2);
/// RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// SRTP master keys and salts of both sides.
pub(crate) struct Keys {
    pub(crate) profile: Profile,
    pub(crate) local: MasterKey,
    pub(crate) remote: MasterKey,
}

/// An SRTP master key with its salt.
pub(crate) struct MasterKey {
    pub(crate) key: Vec<u8>,
    pub(crate) salt: Vec<u8>,
}

/// What a datagram or timeout brought about.
pub(crate) enum Progress {
    /// Nothing to tell yet.
    Handshaking,
    /// The handshake is done, and the peer is who its SDP says.
    Connected(Box<Keys>),
    /// Connected before; there may be data to [`Association::read`].
    Established,
}

/// The association is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The peer's certificate isn't the one of its SDP.
    FingerprintMismatch,
    /// The handshake failed: no common cipher or SRTP profile, a broken peer, or a fatal alert.
    Handshake,
    /// The peer closed.
    ClosedByPeer,
}

/// DTLS with one peer.
pub(crate) struct Association {
    stream: SslStream<Wire>,
    role: DtlsRole,
    fingerprint: Fingerprint,
    established: bool,
    /// What we sent last and the peer hasn't answered.
    flight: Vec<Vec<u8>>,
    retransmit_at: Option<Instant>,
    retransmit_after: Duration,
}

impl Association {
    pub(crate) fn new(
        certificate: &Certificate,
        role: DtlsRole,
        fingerprint: Fingerprint,
    ) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(certificate.context(role))?;
        ssl.set_mtu(MTU)?;
        match role {
            DtlsRole::Server => ssl.set_accept_state(),
            DtlsRole::Client => ssl.set_connect_state(),
        }
        let expected = fingerprint.clone();
        ssl.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            move |_, context| verify(&expected, context),
        );
        Ok(Self {
            stream: SslStream::new(ssl, Wire::default())?,
            role,
            fingerprint,
            established: false,
            flight: Vec::new(),
            retransmit_at: None,
            retransmit_after: FIRST_RETRANSMISSION,
        })
    }

    /// There is a path: the client begins. Calling it again does nothing.
    pub(crate) fn start(&mut self, now: Instant) -> Result<Progress, Failure> {
        if self.role == DtlsRole::Client && self.flight.is_empty() && !self.established {
            return self.shake(now);
        }
        Ok(Progress::Handshaking)
    }

    /// Takes a datagram in. Anything that isn't a record of this association is ignored (RFC 6347 §4.1.2.7).
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Progress, Failure> {
        self.stream.get_mut().offer(datagram);
        let progress = if self.established {
            Ok(Progress::Established)
        } else {
            self.shake(now)
        };
        if matches!(progress, Ok(Progress::Handshaking)) {
            self.stream.get_mut().forget();
        }
        progress
    }

    /// Reads one message of the peer into `buffer`. `None` if there is no more. Call after `handle`, until `None`.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        match self.stream.ssl_read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) => {
                self.stream.get_mut().forget();
                let ends = matches!(error.code(), ErrorCode::ZERO_RETURN | ErrorCode::SSL);
                if ends {
                    Err(Failure::ClosedByPeer)
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Seals one message. Before the handshake is done, or when it is too long, it is lost.
    pub(crate) fn write(&mut self, message: &[u8]) {
        if self.established && self.stream.ssl_write(message).is_err() {
            tracing::debug!(len = message.len(), "DTLS didn't take a message");
        }
    }

    /// Says good-bye (`close_notify`), also in answer to the peer's.
    pub(crate) fn close(&mut self) {
        self.retransmit_at = None;
        // Fails in the middle of a handshake, when there is nobody to say good-bye to.
        if let Err(error) = self.stream.shutdown() {
            tracing::debug!(%error, "DTLS association ends without good-bye");
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.stream.get_mut().outbound.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.retransmit_at
    }

    /// Sends the last flight again if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<Progress, Failure> {
        if self.established || self.retransmit_at.is_none_or(|at| at > now) {
            return Ok(Progress::Handshaking);
        }
        let wait = (self.retransmit_after * 2).min(LAST_RETRANSMISSION);
        let before = self.stream.get_ref().outbound.len();
        let progress = self.shake(now)?;
        if self.stream.get_ref().outbound.len() == before {
            for datagram in &self.flight {
                self.stream.get_mut().send(datagram.clone());
            }
        }
        self.retransmit_after = wait;
        self.retransmit_at = Some(now + wait);
        Ok(progress)
    }

    /// Lets OpenSSL do what it can with what has come.
    fn shake(&mut self, now: Instant) -> Result<Progress, Failure> {
        let before = self.stream.get_ref().outbound.len();
        let result = self.stream.do_handshake();
        let flight: Vec<Vec<u8>> = self
            .stream
            .get_ref()
            .outbound
            .iter()
            .skip(before)
            .cloned()
            .collect();
        match result {
            Ok(()) => self.finish().map(Progress::Connected),
            Err(error) if error.code() == ErrorCode::WANT_READ => {
                if !flight.is_empty() {
                    self.flight = flight;
                    self.retransmit_after = FIRST_RETRANSMISSION;
                    self.retransmit_at = Some(now + FIRST_RETRANSMISSION);
                }
                Ok(Progress::Handshaking)
            }
            Err(error) => {
                self.retransmit_at = None;
                tracing::debug!(%error, "DTLS handshake failed");
                let mismatch =
                    self.stream.ssl().verify_result() == X509VerifyResult::APPLICATION_VERIFICATION;
                Err(if mismatch {
                    Failure::FingerprintMismatch
                } else {
                    Failure::Handshake
                })
            }
        }
    }

    fn finish(&mut self) -> Result<Box<Keys>, Failure> {
        self.flight = Vec::new();
        self.retransmit_at = None;
        // The callback has said so already; without this an OpenSSL that never asked it would be trusted.
        let certificate = self.stream.ssl().peer_certificate();
        if !certificate.is_some_and(|certificate| self.fingerprint.matches(&certificate)) {
            return Err(Failure::FingerprintMismatch);
        }
        let keys = self.export_keys().ok_or(Failure::Handshake)?;
        self.established = true;
        Ok(Box::new(keys))
    }

    /// RFC 5764 §4.2: client key, server key, client salt, server salt.
    fn export_keys(&self) -> Option<Keys> {
        let ssl = self.stream.ssl();
        let name = ssl.selected_srtp_profile()?.name();
        let profile = Profile::ALL
            .into_iter()
            .find(|profile| profile.openssl_name() == name)?;
        let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
        let mut material = vec![0; 2 * (key_len + salt_len)];
        ssl.export_keying_material(&mut material, EXPORTER_LABEL, None)
            .ok()?;
        let (keys, salts) = material.split_at(2 * key_len);
        let (client_key, server_key) = keys.split_at(key_len);
        let (client_salt, server_salt) = salts.split_at(salt_len);
        let client = MasterKey {
            key: client_key.to_vec(),
            salt: client_salt.to_vec(),
        };
        let server = MasterKey {
            key: server_key.to_vec(),
            salt: server_salt.to_vec(),
        };
        let (local, remote) = match self.role {
            DtlsRole::Server => (server, client),
            DtlsRole::Client => (client, server),
        };
        Some(Keys {
            profile,
            local,
            remote,
        })
    }
}

/// Peers' certificates are self-signed: what counts is that the leaf is the one of the SDP (RFC 8122 §6.2).
fn verify(expected: &Fingerprint, context: &mut X509StoreContextRef) -> bool {
    let trusted = context.error_depth() > 0
        || context
            .current_cert()
            .is_some_and(|certificate| expected.matches(certificate));
    context.set_error(if trusted {
        X509VerifyResult::OK
    } else {
        X509VerifyResult::APPLICATION_VERIFICATION
    });
    trusted
}

/// What OpenSSL takes for its socket: one datagram at a time in, whole datagrams out.
#[derive(Default)]
struct Wire {
    inbound: Option<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
}

impl Wire {
    fn offer(&mut self, datagram: &[u8]) {
        self.inbound = Some(datagram.to_vec());
    }

    /// What OpenSSL left of a datagram it won't want again.
    fn forget(&mut self) {
        self.inbound = None;
    }

    fn send(&mut self, datagram: Vec<u8>) {
        if self.outbound.len() < MAX_OUTBOUND {
            self.outbound.push_back(datagram);
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = mem::take(&mut self.inbound).ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.send(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
