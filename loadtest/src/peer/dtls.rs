//! The DTLS handshake that media keys come from (RFC 5764), by `dimpl`.

use std::sync::Arc;
use std::time::Instant;

use dimpl::certificate::{calculate_fingerprint, generate_self_signed_certificate};
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};

use super::datachannel::DataChannels;

/// Room for the largest record (RFC 6347 §4.1.1 and its expansion).
const RECORD_LEN: usize = 18_432;

/// Why there is no secure connection.
#[derive(Debug, thiserror::Error)]
pub enum DtlsError {
    /// The library's word for it.
    #[error("{0}")]
    Failed(String),
    /// Somebody else answered.
    #[error("the server's certificate isn't the one that its SDP announced")]
    Fingerprint,
    /// No certificate could be made.
    #[error("can't make a certificate: {0}")]
    Certificate(String),
}

impl From<dimpl::Error> for DtlsError {
    fn from(error: dimpl::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A certificate and its key. All peers of a load test may share one: making a thousand costs time and tells nothing.
#[derive(Clone)]
pub struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
}

impl Identity {
    /// Drawn anew.
    pub fn random() -> Result<Self, DtlsError> {
        let certificate = generate_self_signed_certificate()
            .map_err(|error| DtlsError::Certificate(error.to_string()))?;
        Ok(Self {
            certificate,
            config: Arc::new(Config::default()),
        })
    }

    /// What `a=fingerprint` says of it, without the name of the hash.
    pub fn fingerprint(&self) -> String {
        self.certificate.fingerprint_str()
    }
}

/// The keys of both directions, and what they are for (RFC 5764 §4.2).
pub(super) struct Keys {
    pub(super) profile: SrtpProfile,
    pub(super) material: Vec<u8>,
    /// We were the DTLS client: the first of each pair is ours.
    pub(super) is_client: bool,
}

/// What a turn of the state machine brought.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) keys: Option<Keys>,
    pub(super) closed: bool,
}

pub(super) struct Handshake {
    dtls: Dtls,
    expected: [u8; 32],
    is_client: bool,
    next: Option<Instant>,
    buffer: Vec<u8>,
}

impl Handshake {
    pub(super) fn new(
        now: Instant,
        identity: &Identity,
        expected: [u8; 32],
        is_client: bool,
    ) -> Self {
        let mut dtls = Dtls::new_12(identity.config.clone(), identity.certificate.clone(), now);
        dtls.set_active(is_client);
        Self {
            dtls,
            expected,
            is_client,
            next: Some(now),
            buffer: Vec::new(),
        }
    }

    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        self.dtls.handle_timeout(now)?;
        Ok(self.dtls.handle_packet(datagram)?)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        Ok(self.dtls.handle_timeout(now)?)
    }

    pub(super) fn send(&mut self, data: &[u8]) -> Result<(), DtlsError> {
        self.dtls.send_application_data(data)?;
        Ok(())
    }

    pub(super) fn close(&mut self) {
        // It is over either way.
        let _ = self.dtls.close();
    }

    /// Takes out all that there is: datagrams go to `send`, what the peer says on data channels to `data`.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        mut data: Option<&mut DataChannels>,
        mut send: impl FnMut(Vec<u8>),
    ) -> Result<Progress, DtlsError> {
        let mut progress = Progress::default();
        // A thousand peers wait for each other most of the time: the buffer is made for the turn.
        self.buffer.resize(RECORD_LEN, 0);
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(datagram) => send(datagram.to_vec()),
                Output::BufferTooSmall { needed } => self.buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    // Its word for "never" is a moment far away.
                    self.next = Some(at.max(now));
                    break;
                }
                Output::PeerCert(certificate)
                    if calculate_fingerprint(certificate) != self.expected =>
                {
                    return Err(DtlsError::Fingerprint);
                }
                Output::KeyingMaterial(material, profile) => {
                    progress.keys = Some(Keys {
                        profile,
                        material: material.to_vec(),
                        is_client: self.is_client,
                    });
                }
                Output::ApplicationData(message) => {
                    if let Some(data) = &mut data {
                        data.receive(now, message);
                    }
                }
                Output::CloseNotify => progress.closed = true,
                _ => {}
            }
        }
        self.buffer = Vec::new();
        Ok(progress)
    }
}
