//! DTLS records once the handshake is done (RFC 6347 §4.1): data channels' packets both ways, and the good-bye.
//!
//! OpenSSL needs 50 KiB for an association as long as it lives, most of it for two buffers of the largest record. So it does
//! the handshake, and what comes after, which is one AEAD per record, is done here: 2 KiB. See
//! `docs/decisions/0009-dtls-records.md`.

use aws_lc_rs::{
    aead::{
        AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
    },
    tls_prf::{self, P_SHA256, P_SHA384, Secret},
};
use openssl::ssl::SslRef;
use zeroize::Zeroizing;

use super::DtlsRole;

/// The longest message (RFC 6347 §4.1).
pub(super) const MAX_MESSAGE: usize = 1 << 14;

/// Type, version, epoch, number and length of a record.
const HEADER_LEN: usize = 13;
/// DTLS 1.2.
const VERSION: [u8; 2] = [0xfe, 0xfd];
/// There is one handshake, so one change of keys.
const EPOCH: [u8; 2] = [0, 1];
const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
/// `close_notify` as a warning (RFC 5246 §7.2).
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const FATAL: u8 = 2;
/// Our first number. OpenSSL has used those before: a few for its Finished and copies of it.
const FIRST_NUMBER: u64 = 1 << 20;
/// Numbers end here (48 bits). Nobody gets there.
const LAST_NUMBER: u64 = (1 << 48) - 1;
const MASTER_SECRET_LEN: usize = 48;
const RANDOM_LEN: usize = 32;
/// Bytes of a GCM nonce that each record bears (RFC 5288 §3).
const EXPLICIT_NONCE_LEN: usize = 8;
const TAG_LEN: usize = 16;

/// An AEAD suite of TLS 1.2, as negotiated.
#[derive(Clone, Copy)]
struct Suite {
    algorithm: &'static Algorithm,
    hash: &'static tls_prf::Algorithm,
    /// The nonce's last bytes come with each record (RFC 5288 §3), or are its number (RFC 7905 §2).
    explicit: bool,
}

impl Suite {
    /// By OpenSSL's name.
    fn named(name: &str) -> Option<Self> {
        let (algorithm, hash, explicit) = if name.ends_with("AES128-GCM-SHA256") {
            (&AES_128_GCM, &P_SHA256, true)
        } else if name.ends_with("AES256-GCM-SHA384") {
            (&AES_256_GCM, &P_SHA384, true)
        } else if name.ends_with("CHACHA20-POLY1305") {
            (&CHACHA20_POLY1305, &P_SHA256, false)
        } else {
            return None;
        };
        Some(Self {
            algorithm,
            hash,
            explicit,
        })
    }

    /// Bytes of the nonce that the handshake gives.
    fn salt_len(self) -> usize {
        if self.explicit { 4 } else { 12 }
    }

    fn explicit_len(self) -> usize {
        if self.explicit { EXPLICIT_NONCE_LEN } else { 0 }
    }
}

/// One direction's key.
struct Direction {
    /// The library wipes it when it goes.
    key: LessSafeKey,
    salt: Zeroizing<[u8; 12]>,
}

impl Direction {
    fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Option<Self> {
        let mut room = Zeroizing::new([0; 12]);
        room[..salt.len()].copy_from_slice(salt);
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(suite.algorithm, key).ok()?),
            salt: room,
        })
    }

    /// The nonce of a record: `bytes` are those that it bears, or else its number.
    fn nonce(&self, suite: Suite, bytes: [u8; 8]) -> Nonce {
        let mut nonce = *self.salt;
        if suite.explicit {
            nonce[4..].copy_from_slice(&bytes);
        } else {
            for (byte, number) in nonce[4..].iter_mut().zip(bytes) {
                *byte ^= number;
            }
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// What a record of the peer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A packet of the data channels.
    Data(Vec<u8>),
    /// Good-bye, or a fatal alert.
    Closed,
    /// Something that needs no answer.
    Other,
}

/// What a handshake gives to seal and open with.
pub struct Secrets<'s> {
    /// OpenSSL's name of the suite.
    pub suite: &'s str,
    /// The master secret.
    pub master: &'s [u8; MASTER_SECRET_LEN],
    /// The client's random bytes.
    pub client_random: &'s [u8; RANDOM_LEN],
    /// The server's.
    pub server_random: &'s [u8; RANDOM_LEN],
    /// The nonce of our Finished. With GCM OpenSSL counts nonces up from a random one; with ChaCha20-Poly1305 this is
    /// unused.
    pub finished_nonce: u64,
}

/// Seals and opens the records of one association.
pub struct Records {
    suite: Suite,
    ours: Direction,
    theirs: Direction,
    /// Our next number.
    next: u64,
    /// The nonce that our number 0 would bear.
    nonce_base: u64,
    /// The highest number that came, and of the 64 up to it those that did (RFC 6347 §4.1.2.6).
    highest: u64,
    seen: u64,
}

impl Records {
    /// Takes over after the handshake of `ssl`. `sent` are the datagrams that OpenSSL has sent. `None` where a secret or the
    /// suite can't be told.
    pub(super) fn after_handshake<'a>(
        ssl: &SslRef,
        role: DtlsRole,
        sent: impl Iterator<Item = &'a Vec<u8>>,
    ) -> Option<Self> {
        let suite = ssl.current_cipher()?.name();
        let finished_nonce = if Suite::named(suite)?.explicit {
            sent.filter_map(|datagram| finished_nonce(datagram))
                .last()?
        } else {
            0
        };
        let mut master = Zeroizing::new([0; MASTER_SECRET_LEN]);
        let (mut client, mut server) = ([0; RANDOM_LEN], [0; RANDOM_LEN]);
        let whole = ssl.session()?.master_key(&mut *master) == MASTER_SECRET_LEN
            && ssl.client_random(&mut client) == RANDOM_LEN
            && ssl.server_random(&mut server) == RANDOM_LEN;
        if !whole {
            return None;
        }
        let secrets = Secrets {
            suite,
            master: &master,
            client_random: &client,
            server_random: &server,
            finished_nonce,
        };
        Self::new(&secrets, role)
    }

    /// `None` for a suite that isn't one of ours.
    pub fn new(secrets: &Secrets<'_>, role: DtlsRole) -> Option<Self> {
        let suite = Suite::named(secrets.suite)?;
        // RFC 5246 §6.3: client key, server key, client nonce, server nonce. `Secret` wipes what it held.
        let (key_len, salt_len) = (suite.algorithm.key_len(), suite.salt_len());
        let block = Secret::new(suite.hash, secrets.master)
            .ok()?
            .derive_with_seed_concatination(
                b"key expansion",
                secrets.server_random,
                secrets.client_random,
                2 * (key_len + salt_len),
            )
            .ok()?;
        let (keys, salts) = block.as_ref().split_at(2 * key_len);
        let direction = |index: usize| {
            let key = &keys[index * key_len..][..key_len];
            let salt = &salts[index * salt_len..][..salt_len];
            Direction::new(suite, key, salt)
        };
        let (client, server) = (direction(0)?, direction(1)?);
        let (ours, theirs) = match role {
            DtlsRole::Client => (client, server),
            DtlsRole::Server => (server, client),
        };
        Some(Self {
            suite,
            ours,
            theirs,
            next: FIRST_NUMBER,
            // Half of all nonces away from OpenSSL's: neither side sends so many records that they meet.
            nonce_base: secrets.finished_nonce ^ (1 << 63),
            highest: 0,
            seen: 0,
        })
    }

    /// A datagram with these data. `None` if they are too long, or all numbers are used.
    pub fn seal_data(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        self.seal(APPLICATION_DATA, data)
    }

    /// A datagram that says good-bye.
    pub fn seal_close(&mut self) -> Option<Vec<u8>> {
        self.seal(ALERT, &CLOSE_NOTIFY)
    }

    fn seal(&mut self, kind: u8, data: &[u8]) -> Option<Vec<u8>> {
        if self.next > LAST_NUMBER || data.len() > MAX_MESSAGE {
            return None;
        }
        let number = epoch_and(self.next);
        let nonce = if self.suite.explicit {
            self.nonce_base.wrapping_add(self.next).to_be_bytes()
        } else {
            number
        };
        self.next += 1;
        let explicit = &nonce[..self.suite.explicit_len()];
        let body = explicit.len() + data.len() + TAG_LEN;
        let mut record = Vec::with_capacity(HEADER_LEN + body);
        record.push(kind);
        record.extend(VERSION);
        record.extend(number);
        record.extend(u16::try_from(body).ok()?.to_be_bytes());
        record.extend(explicit);
        let start = record.len();
        record.extend_from_slice(data);
        let tag = self
            .ours
            .key
            .seal_in_place_separate_tag(
                self.ours.nonce(self.suite, nonce),
                Aad::from(additional(number, kind, data.len())),
                &mut record[start..],
            )
            .ok()?;
        record.extend_from_slice(tag.as_ref());
        Some(record)
    }

    /// Opens the data and alerts that a datagram has. What isn't authentic, or was here before, is ignored (RFC 6347 §4.1.2.7).
    pub fn open<'d>(&'d mut self, datagram: &'d [u8]) -> impl Iterator<Item = Record> + 'd {
        split(datagram)
            .filter(|record| is_protected_data(record))
            .filter_map(|record| self.open_one(record))
    }

    fn open_one(&mut self, record: &[u8]) -> Option<Record> {
        let (header, body) = record.split_first_chunk::<HEADER_LEN>()?;
        let kind = header[0];
        let number = *header[3..].first_chunk::<8>()?;
        let (nonce, sealed) = if self.suite.explicit {
            let (nonce, sealed) = body.split_first_chunk::<EXPLICIT_NONCE_LEN>()?;
            (*nonce, sealed)
        } else {
            (number, body)
        };
        let index = u64::from_be_bytes(number) & LAST_NUMBER;
        let len = sealed.len().checked_sub(TAG_LEN)?;
        if len > MAX_MESSAGE || !self.is_new(index) {
            return None;
        }
        let mut data = sealed.to_vec();
        self.theirs
            .key
            .open_in_place(
                self.theirs.nonce(self.suite, nonce),
                Aad::from(additional(number, kind, len)),
                &mut data,
            )
            .ok()?;
        self.commit(index);
        data.truncate(len);
        Some(match kind {
            APPLICATION_DATA => Record::Data(data),
            ALERT if data == CLOSE_NOTIFY || data.first() == Some(&FATAL) => Record::Closed,
            _ => Record::Other,
        })
    }

    fn is_new(&self, index: u64) -> bool {
        let behind = self.highest.saturating_sub(index);
        index > self.highest || (behind < 64 && self.seen >> behind & 1 == 0)
    }

    fn commit(&mut self, index: u64) {
        if index > self.highest {
            let ahead = (index - self.highest).min(u64::from(u32::MAX)) as u32;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = index;
        } else {
            self.seen |= 1 << (self.highest - index);
        }
    }
}

/// What of a datagram is OpenSSL's: the records of a handshake. `None` if there are none. It is given no data, and no alert that
/// may be protected: those are ours ([`Records`]).
pub(super) fn of_handshake(datagram: &[u8]) -> Option<Vec<u8>> {
    let records: Vec<&[u8]> = split(datagram)
        .filter(|record| is_of_handshake(record))
        .collect();
    (!records.is_empty()).then(|| records.concat())
}

fn is_of_handshake(record: &[u8]) -> bool {
    record.first_chunk::<HEADER_LEN>().is_some_and(|header| {
        matches!(header[0], CHANGE_CIPHER_SPEC | HANDSHAKE)
            || (header[0] == ALERT && header[3..5] == [0, 0])
    })
}

/// The records of a datagram, headers included, up to the first that is cut off.
fn split(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (record, behind) = rest.split_at_checked(HEADER_LEN + len)?;
        rest = behind;
        Some(record)
    })
}

/// Whether a record is ours to open: data or an alert under the keys of the handshake.
fn is_protected_data(record: &[u8]) -> bool {
    record.first_chunk::<HEADER_LEN>().is_some_and(|header| {
        matches!(header[0], APPLICATION_DATA | ALERT)
            && header[1..3] == VERSION
            && header[3..5] == EPOCH
    })
}

/// The nonce of a Finished message under GCM.
fn finished_nonce(datagram: &[u8]) -> Option<u64> {
    split(datagram)
        .filter(|record| record[0] == HANDSHAKE && record[3..5] == EPOCH)
        .filter_map(|record| record[HEADER_LEN..].first_chunk::<8>())
        .map(|nonce| u64::from_be_bytes(*nonce))
        .last()
}

/// Epoch and number as a record bears them.
fn epoch_and(number: u64) -> [u8; 8] {
    let mut bytes = number.to_be_bytes();
    bytes[..2].copy_from_slice(&EPOCH);
    bytes
}

/// What is authenticated beside the data (RFC 5246 §6.2.3.3, RFC 6347 §4.1.2.1).
fn additional(number: [u8; 8], kind: u8, len: usize) -> [u8; 13] {
    let mut bytes = [0; 13];
    bytes[..8].copy_from_slice(&number);
    bytes[8] = kind;
    bytes[9..11].copy_from_slice(&VERSION);
    bytes[11..].copy_from_slice(&(len as u16).to_be_bytes());
    bytes
}
