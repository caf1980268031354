//! The controlling side of ICE (RFC 8445), nominating the first candidate pair that works, and consent (RFC 7675).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::distr::Alphanumeric;
use rtc_stun::{
    attributes::{
        ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
        RawAttribute,
    },
    crypto::providers::AwsLcRsCrypto,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId},
    xoraddr::XorMappedAddress,
};

use super::{Outbox, PeerError};

/// The first checks follow each other this closely, later ones at twice the distance each time.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
const LONGEST_INTERVAL: Duration = Duration::from_millis(1_600);
/// Consent is asked for this often, give or take a fifth (RFC 7675 §5.1).
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// Consent that wasn't given for so long is withdrawn (RFC 7675 §5.1); a path that wasn't found by then isn't sought on.
const CONSENT_EXPIRY: Duration = Duration::from_secs(30);
/// Requests whose answers are still believed.
const OUTSTANDING: usize = 16;
/// The priority of a host candidate (RFC 8445 §5.1.2.2), peer-reflexive as checks must say it.
const PRIORITY: u32 = 110 << 24 | 65_535 << 8 | 255;
const UFRAG_LEN: usize = 8;
const PASSWORD_LEN: usize = 24;

/// `ice-ufrag` and `ice-pwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name fragment.
    pub ufrag: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// Drawn anew.
    pub fn random() -> Self {
        let word = |len| {
            rand::rng()
                .sample_iter(Alphanumeric)
                .take(len)
                .map(char::from)
                .collect()
        };
        Self {
            ufrag: word(UFRAG_LEN),
            password: word(PASSWORD_LEN),
        }
    }
}

pub(super) struct Agent {
    local: Credentials,
    remote: Option<Credentials>,
    candidates: Vec<SocketAddr>,
    selected: Option<SocketAddr>,
    outstanding: Vec<TransactionId>,
    next_check: Option<Instant>,
    interval: Duration,
    heard: Option<Instant>,
    tie_breaker: [u8; 8],
}

impl Agent {
    pub(super) fn new(local: Credentials) -> Self {
        Self {
            local,
            remote: None,
            candidates: Vec::new(),
            selected: None,
            outstanding: Vec::new(),
            next_check: None,
            interval: FIRST_INTERVAL,
            heard: None,
            tie_breaker: rand::rng().random(),
        }
    }

    pub(super) fn start(
        &mut self,
        now: Instant,
        remote: Credentials,
        candidates: Vec<SocketAddr>,
        out: &mut Outbox,
    ) {
        self.remote = Some(remote);
        self.candidates = candidates;
        self.heard = Some(now);
        self.check(now, out);
    }

    pub(super) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// None before the answer: there is nothing to check.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.next_check
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), PeerError> {
        if self.next_check.is_none_or(|at| at > now) {
            return Ok(());
        }
        if self
            .heard
            .is_some_and(|heard| now.saturating_duration_since(heard) >= CONSENT_EXPIRY)
        {
            return Err(PeerError::Unreachable(CONSENT_EXPIRY));
        }
        self.check(now, out);
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut Outbox,
    ) {
        let mut message = Message::new();
        if message.unmarshal_binary(datagram).is_err() {
            return;
        }
        if message.typ == BINDING_SUCCESS {
            self.on_success(now, from, &mut message);
        } else if message.typ == BINDING_REQUEST && self.is_for_us(&mut message) {
            out.extend(success(&message, from, &self.local.password).map(|bytes| (from, bytes)));
        }
    }

    fn on_success(&mut self, now: Instant, from: SocketAddr, message: &mut Message) {
        let Some(remote) = &self.remote else { return };
        let Some(known) = self
            .outstanding
            .iter()
            .position(|id| *id == message.transaction_id)
        else {
            return;
        };
        if !is_authentic(message, &remote.password) {
            return;
        }
        self.outstanding.swap_remove(known);
        self.heard = Some(now);
        if self.selected.is_none() {
            self.selected = Some(from);
            self.next_check = Some(now + consent_interval());
        }
    }

    /// A full agent checks us as well: its requests bear our password.
    fn is_for_us(&self, request: &mut Message) -> bool {
        is_authentic(request, &self.local.password)
    }

    fn check(&mut self, now: Instant, out: &mut Outbox) {
        let Some(remote) = self.remote.clone() else {
            return;
        };
        let targets = match self.selected {
            Some(path) => vec![path],
            None => self.candidates.clone(),
        };
        for target in targets {
            if let Some((id, request)) = self.request(&remote) {
                if self.outstanding.len() == OUTSTANDING {
                    self.outstanding.remove(0);
                }
                self.outstanding.push(id);
                out.push((target, request));
            }
        }
        self.next_check = Some(
            now + if self.selected.is_some() {
                consent_interval()
            } else {
                let interval = self.interval;
                self.interval = (interval * 2).min(LONGEST_INTERVAL);
                interval
            },
        );
    }

    fn request(&self, remote: &Credentials) -> Option<(TransactionId, Vec<u8>)> {
        let mut request = Message::new();
        request.set_type(BINDING_REQUEST);
        request.write_header();
        TransactionId::new().add_to(&mut request).ok()?;
        let username = format!("{}:{}", remote.ufrag, self.local.ufrag);
        add(&mut request, ATTR_USERNAME, username.as_bytes())?;
        add(&mut request, ATTR_PRIORITY, &PRIORITY.to_be_bytes())?;
        add(&mut request, ATTR_ICE_CONTROLLING, &self.tie_breaker)?;
        add(&mut request, ATTR_USE_CANDIDATE, &[])?;
        finish(&mut request, &remote.password)?;
        Some((request.transaction_id, request.raw))
    }
}

fn consent_interval() -> Duration {
    CONSENT_INTERVAL.mul_f64(rand::rng().random_range(0.8..1.2))
}

fn is_authentic(message: &mut Message, password: &str) -> bool {
    MessageIntegrity::check(message, password.as_bytes(), &AwsLcRsCrypto).is_ok()
}

fn add(message: &mut Message, typ: AttrType, value: &[u8]) -> Option<()> {
    let attribute = RawAttribute {
        typ,
        length: 0,
        value: value.to_vec(),
    };
    attribute.add_to(message).ok()
}

fn finish(message: &mut Message, password: &str) -> Option<()> {
    MessageIntegrity::new_raw_integrity_with_provider(password.as_bytes(), &AwsLcRsCrypto)
        .add_to(message)
        .ok()?;
    FINGERPRINT.add_to(message).ok()
}

fn success(request: &Message, from: SocketAddr, password: &str) -> Option<Vec<u8>> {
    let mut response = Message::new();
    response.set_type(BINDING_SUCCESS);
    response.transaction_id = request.transaction_id;
    response.write_header();
    let mapped = XorMappedAddress {
        ip: from.ip(),
        port: from.port(),
    };
    mapped.add_to(&mut response).ok()?;
    finish(&mut response, password)?;
    Some(response.raw)
}
