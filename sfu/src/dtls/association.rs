//! One DTLS association over OpenSSL, without sockets.
//!
//! OpenSSL's own retransmission timer reads the wall clock and starts at a second. So we keep the last flight and
//! send it again on a timer of ours, in the caller's time and quicker. OpenSSL still gets its turn first: when its
//! timer has run out it repeats the flight with new record numbers, which is what makes a peer whose last flight was
//! lost repeat that (RFC 6347 §4.2.4; a peer drops our copies as replays).
//!
//! After the handshake [`Records`] seals and opens. OpenSSL stays only until the peer is known to be done as well, since
//! it would have to repeat its last flight, and then makes room.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    mem,
    time::{Duration, Instant},
};

use openssl::{
    error::ErrorStack,
    ssl::{ErrorCode, Ssl, SslRef, SslStream, SslVerifyMode},
    x509::{X509StoreContextRef, X509VerifyResult},
};
use zeroize::Zeroizing;

use super::{
    Certificate, DtlsRole, Fingerprint,
    records::{self, MAX_MESSAGE, Record, Records},
};
use crate::srtp::Profile;

/// Bytes of a datagram: leaves room for IPv6, UDP and TURN on a path of 1280 (RFC 8200 §5).
const MTU: u32 = 1200;
/// Datagrams that wait to be taken by `poll_transmit`. Those beyond are lost, as on any network.
const MAX_OUTBOUND: usize = 64;
/// Messages of the peer that wait to be read. Those beyond are lost.
const MAX_INBOX: usize = 64;
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
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) salt: Zeroizing<Vec<u8>>,
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
    state: State,
    role: DtlsRole,
    /// Datagrams to send.
    outbound: VecDeque<Vec<u8>>,
}

enum State {
    Handshaking(Box<Handshake>),
    Established(Box<Established>),
    /// Failed, or closed.
    Over,
}

/// OpenSSL at work.
struct Handshake {
    stream: SslStream<Wire>,
    fingerprint: Fingerprint,
    /// What we sent last and the peer hasn't answered.
    flight: Vec<Vec<u8>>,
    retransmit_at: Option<Instant>,
    retransmit_after: Duration,
}

/// Keys for data, which OpenSSL isn't needed for.
struct Established {
    records: Records,
    inbox: VecDeque<Vec<u8>>,
    closed: bool,
    /// The peer may still need our last flight again.
    lingering: Option<SslStream<Wire>>,
}

impl Association {
    pub(crate) fn new(
        certificate: &Certificate,
        role: DtlsRole,
        fingerprint: Fingerprint,
    ) -> Result<Self, ErrorStack> {
        Ok(Self {
            state: State::Handshaking(Box::new(Handshake::new(certificate, role, fingerprint)?)),
            role,
            outbound: VecDeque::new(),
        })
    }

    /// There is a path: the client begins. Calling it again does nothing.
    pub(crate) fn start(&mut self, now: Instant) -> Result<Progress, Failure> {
        match &self.state {
            State::Handshaking(handshake)
                if self.role == DtlsRole::Client && handshake.flight.is_empty() =>
            {
                self.shake(now)
            }
            _ => Ok(Progress::Handshaking),
        }
    }

    /// Takes a datagram in. Anything that isn't a record of this association is ignored (RFC 6347 §4.1.2.7).
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Progress, Failure> {
        match &mut self.state {
            State::Handshaking(handshake) => {
                handshake.stream.get_mut().inbound = records::of_handshake(datagram);
                let progress = self.shake(now)?;
                match &mut self.state {
                    State::Handshaking(handshake) => handshake.stream.get_mut().inbound = None,
                    // Behind the peer's last flight there may be data already.
                    State::Established(established) => {
                        established.take_data(datagram);
                    }
                    State::Over => {}
                }
                Ok(progress)
            }
            State::Established(established) => {
                established.handle(datagram, &mut self.outbound);
                Ok(Progress::Established)
            }
            State::Over => Ok(Progress::Handshaking),
        }
    }

    /// Reads one message of the peer into `buffer`. `None` if there is no more. Call after `handle`, until `None`.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        let State::Established(established) = &mut self.state else {
            return Ok(None);
        };
        if let Some(message) = established.inbox.pop_front() {
            let len = message.len().min(buffer.len());
            buffer[..len].copy_from_slice(&message[..len]);
            return Ok(Some(len));
        }
        if established.closed {
            Err(Failure::ClosedByPeer)
        } else {
            Ok(None)
        }
    }

    /// Seals one message. Before the handshake is done, or when it is too long, it is lost.
    pub(crate) fn write(&mut self, message: &[u8]) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if established.lingering.is_some() {
            // A record of ours that overtook the Finished would make the peer take the Finished for a replay. Nothing is lost
            // that isn't said again: the peer speaks first.
            tracing::debug!("a message before the peer is done with the handshake");
        } else if message.len() > MAX_MESSAGE {
            tracing::debug!(len = message.len(), "a message is too long for DTLS");
        } else if let Some(record) = established.records.seal_data(message) {
            push(&mut self.outbound, record);
        }
    }

    /// Media under the keys of the handshake came: the peer has our last flight.
    pub(crate) fn peer_is_done(&mut self) {
        if let State::Established(established) = &mut self.state {
            established.lingering = None;
        }
    }

    /// Says good-bye (`close_notify`), also in answer to the peer's.
    pub(crate) fn close(&mut self) {
        match mem::replace(&mut self.state, State::Over) {
            State::Established(mut established) => {
                if let Some(record) = established.records.seal_close() {
                    push(&mut self.outbound, record);
                }
            }
            State::Handshaking(mut handshake) => {
                // Fails in the middle of a handshake, when there is nobody to say good-bye to.
                if let Err(error) = handshake.stream.shutdown() {
                    tracing::debug!(%error, "DTLS association ends without good-bye");
                }
                handshake.stream.get_mut().drain_into(&mut self.outbound);
            }
            State::Over => {}
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbound.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshaking(handshake) => handshake.retransmit_at,
            _ => None,
        }
    }

    /// Sends the last flight again if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<Progress, Failure> {
        let wait = match &self.state {
            State::Handshaking(handshake)
                if handshake.retransmit_at.is_some_and(|at| at <= now) =>
            {
                (handshake.retransmit_after * 2).min(LAST_RETRANSMISSION)
            }
            _ => return Ok(Progress::Handshaking),
        };
        let before = self.outbound.len();
        let progress = self.shake(now)?;
        if let State::Handshaking(handshake) = &mut self.state {
            if self.outbound.len() == before {
                for datagram in &handshake.flight {
                    push(&mut self.outbound, datagram.clone());
                }
            }
            handshake.retransmit_after = wait;
            handshake.retransmit_at = Some(now + wait);
        }
        Ok(progress)
    }

    /// Lets OpenSSL do what it can with what has come.
    fn shake(&mut self, now: Instant) -> Result<Progress, Failure> {
        let State::Handshaking(handshake) = &mut self.state else {
            return Ok(Progress::Handshaking);
        };
        let done = handshake.shake();
        // An alert too, if it failed.
        let flight = handshake.stream.get_mut().drain_into(&mut self.outbound);
        if !done? {
            if !flight.is_empty() {
                handshake.flight = flight;
                handshake.retransmit_after = FIRST_RETRANSMISSION;
                handshake.retransmit_at = Some(now + FIRST_RETRANSMISSION);
            }
            return Ok(Progress::Handshaking);
        }
        let keys = handshake.keys(self.role)?;
        let sent = handshake.flight.iter().chain(&flight);
        let records = Records::after_handshake(handshake.stream.ssl(), self.role, sent);
        let records = records.ok_or_else(|| {
            tracing::debug!("the handshake's keys can't be used for DTLS records");
            Failure::Handshake
        })?;
        let State::Handshaking(handshake) = mem::replace(&mut self.state, State::Over) else {
            return Err(Failure::Handshake);
        };
        // The server's flight is the last: only the server may have to repeat one.
        let lingering = (self.role == DtlsRole::Server).then_some(handshake.stream);
        self.state = State::Established(Box::new(Established {
            records,
            inbox: VecDeque::new(),
            closed: false,
            lingering,
        }));
        Ok(Progress::Connected(Box::new(keys)))
    }
}

impl Handshake {
    fn new(
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
            fingerprint,
            flight: Vec::new(),
            retransmit_at: None,
            retransmit_after: FIRST_RETRANSMISSION,
        })
    }

    /// Whether it is done.
    fn shake(&mut self) -> Result<bool, Failure> {
        match self.stream.do_handshake() {
            Ok(()) => Ok(true),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(false),
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

    fn keys(&self, role: DtlsRole) -> Result<Keys, Failure> {
        // The callback has said so already; without this an OpenSSL that never asked it would be trusted.
        let certificate = self.stream.ssl().peer_certificate();
        if !certificate.is_some_and(|certificate| self.fingerprint.matches(&certificate)) {
            return Err(Failure::FingerprintMismatch);
        }
        export_keys(self.stream.ssl(), role).ok_or(Failure::Handshake)
    }
}

impl Established {
    fn handle(&mut self, datagram: &[u8], outbound: &mut VecDeque<Vec<u8>>) {
        let authentic = self.take_data(datagram);
        let Some(stream) = &mut self.lingering else {
            return;
        };
        if let Some(again) = records::of_handshake(datagram) {
            // A handshake message again: OpenSSL repeats its flight. It reads no data, since none is given to it. Who repeats
            // doesn't have the flight, even if there are data beside: some don't wait for it.
            stream.get_mut().inbound = Some(again);
            let outcome = stream.ssl_read(&mut [0]);
            tracing::trace!(?outcome, "a handshake message after the handshake");
            stream.get_mut().inbound = None;
            stream.get_mut().drain_into(outbound);
        } else if authentic {
            self.lingering = None;
        }
    }

    /// Opens what records of data and alerts there are. Whether one was authentic.
    fn take_data(&mut self, datagram: &[u8]) -> bool {
        let mut authentic = false;
        for record in self.records.open(datagram) {
            authentic = true;
            match record {
                Record::Data(message) if self.inbox.len() < MAX_INBOX => {
                    self.inbox.push_back(message);
                }
                Record::Closed => self.closed = true,
                Record::Data(_) | Record::Other => {}
            }
        }
        authentic
    }
}

fn push(outbound: &mut VecDeque<Vec<u8>>, datagram: Vec<u8>) {
    if outbound.len() < MAX_OUTBOUND {
        outbound.push_back(datagram);
    }
}

/// RFC 5764 §4.2: client key, server key, client salt, server salt.
fn export_keys(ssl: &SslRef, role: DtlsRole) -> Option<Keys> {
    let name = ssl.selected_srtp_profile()?.name();
    let profile = Profile::ALL
        .into_iter()
        .find(|profile| profile.openssl_name() == name)?;
    let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
    let mut material = Zeroizing::new(vec![0; 2 * (key_len + salt_len)]);
    ssl.export_keying_material(&mut material, EXPORTER_LABEL, None)
        .ok()?;
    let (keys, salts) = material.split_at(2 * key_len);
    let (client_key, server_key) = keys.split_at(key_len);
    let (client_salt, server_salt) = salts.split_at(salt_len);
    let client = MasterKey {
        key: Zeroizing::new(client_key.to_vec()),
        salt: Zeroizing::new(client_salt.to_vec()),
    };
    let server = MasterKey {
        key: Zeroizing::new(server_key.to_vec()),
        salt: Zeroizing::new(server_salt.to_vec()),
    };
    let (local, remote) = match role {
        DtlsRole::Server => (server, client),
        DtlsRole::Client => (client, server),
    };
    Some(Keys {
        profile,
        local,
        remote,
    })
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
    outbound: Vec<Vec<u8>>,
}

impl Wire {
    /// Moves out what OpenSSL sent, and returns a copy of it.
    fn drain_into(&mut self, outbound: &mut VecDeque<Vec<u8>>) -> Vec<Vec<u8>> {
        let sent = mem::take(&mut self.outbound);
        for datagram in &sent {
            push(outbound, datagram.clone());
        }
        sent
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
        if self.outbound.len() < MAX_OUTBOUND {
            self.outbound.push(datagram.to_vec());
        }
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
