use std::collections::{BTreeSet, HashMap, HashSet};

use aws_lc_rs::{
    aead::{
        AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
    },
    digest::{SHA384, digest},
    tls_prf::{self, P_SHA256, P_SHA384, Secret},
};
use spillway_sfu::{
    dtls::{Record, Records, Secrets},
    transport::DtlsRole,
};

const CLIENT_RANDOM: [u8; 32] = [2; 32];
const SERVER_RANDOM: [u8; 32] = [3; 32];
/// Near the end, so that counting up from it wraps.
const FINISHED_NONCE: u64 = (1 << 63) - (1 << 20) - 3;
const HEADER_LEN: usize = 13;
const TAG_LEN: usize = 16;
const ALERT: u8 = 21;
const DATA: u8 = 23;
const VERSION: [u8; 2] = [0xfe, 0xfd];
const EPOCH: u16 = 1;
/// RFC 6347 §4.1.
const MAX_DATA: usize = 1 << 14;
/// RFC 6347 §4.1.2.6: how many numbers below the highest are remembered, itself included.
const WINDOW: u64 = 64;
const LAST_NUMBER: u64 = (1 << 48) - 1;
/// Of one input; more only takes longer.
const MAX_STEPS: usize = 64;
/// UDP has no longer ones.
const MAX_DATAGRAM: usize = 65_507;

/// What comes after a DTLS handshake. The first byte chooses suite and role. The rest is a list of steps, which build
/// datagrams of records that the peer sealed, as it should or as it shouldn't, of records that came before, and of
/// anything; change them; deliver them; and seal what we send. What is opened is what a model of RFC 6347 §4.1.2 expects:
/// whatever isn't authentic leaves no trace.
pub fn dtls(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let suite = &SUITES[usize::from(choice) % SUITES.len()];
    let role = [DtlsRole::Server, DtlsRole::Client][usize::from(choice >> 7)];
    // Other keys for each input: what the fuzzer remembers of records of another one is no record of this one.
    let master = *digest(&SHA384, data)
        .as_ref()
        .first_chunk()
        .expect("384 bits are 48 bytes");
    let mut ends = Ends::new(suite, role, &master);
    let mut datagram = Vec::new();
    for _ in 0..MAX_STEPS {
        if input.0.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0 => {
                let kind = [DATA, DATA, DATA, ALERT][usize::from(input.byte() % 4)];
                let record = ends.sealed(&mut input, kind, VERSION, EPOCH);
                datagram.extend(record);
            }
            1 => {
                let [kind, major, minor, epoch] = input.bytes();
                let record = ends.sealed(&mut input, kind, [major, minor], epoch.into());
                datagram.extend(record);
            }
            2 => {
                let which = usize::from(input.byte());
                if let Some(record) = ends.made.get(which % ends.made.len().max(1)) {
                    datagram.extend_from_slice(record);
                }
            }
            3 => {
                let len = usize::from(input.byte());
                datagram.extend(input.take(len));
            }
            4 => {
                let at = usize::from(input.number());
                let bit = input.byte() % 8;
                if let Some(byte) = datagram.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            5 => datagram.truncate(usize::from(input.number())),
            6 => ends.we_seal(&mut input),
            _ => ends.deliver(&std::mem::take(&mut datagram)),
        }
        datagram.truncate(MAX_DATAGRAM);
    }
    ends.deliver(&datagram);
    ends.probe();
}

struct Suite {
    name: &'static str,
    algorithm: &'static Algorithm,
    hash: &'static tls_prf::Algorithm,
    /// Records bear a part of their nonce.
    explicit: bool,
}

static SUITES: [Suite; 3] = [
    Suite {
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        algorithm: &AES_128_GCM,
        hash: &P_SHA256,
        explicit: true,
    },
    Suite {
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        algorithm: &AES_256_GCM,
        hash: &P_SHA384,
        explicit: true,
    },
    Suite {
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        algorithm: &CHACHA20_POLY1305,
        hash: &P_SHA256,
        explicit: false,
    },
];

/// Both ends, and what a receiver may believe.
struct Ends {
    suite: &'static Suite,
    records: Records,
    /// The peer's side: key and salt that it seals with, and that it opens with.
    seals: (LessSafeKey, Vec<u8>),
    opens: (LessSafeKey, Vec<u8>),
    /// What the peer sealed, and what it says if it is believed: its number, and the record.
    made: Vec<Vec<u8>>,
    meaning: HashMap<Vec<u8>, (u64, Record)>,
    /// Numbers that were believed.
    believed: BTreeSet<u64>,
    /// Nonces that we used.
    nonces: HashSet<[u8; 8]>,
}

impl Ends {
    fn new(suite: &'static Suite, role: DtlsRole, master: &[u8; 48]) -> Self {
        let secrets = Secrets {
            suite: suite.name,
            master,
            client_random: &CLIENT_RANDOM,
            server_random: &SERVER_RANDOM,
            finished_nonce: FINISHED_NONCE,
        };
        let (key_len, salt_len) = (
            suite.algorithm.key_len(),
            if suite.explicit { 4 } else { 12 },
        );
        let seed = [SERVER_RANDOM, CLIENT_RANDOM].concat();
        let block = Secret::new(suite.hash, master)
            .and_then(|secret| secret.derive(b"key expansion", &seed, 2 * (key_len + salt_len)))
            .expect("the PRF takes these");
        let (keys, salts) = block.as_ref().split_at(2 * key_len);
        let side = |index: usize| {
            let key = UnboundKey::new(suite.algorithm, &keys[index * key_len..][..key_len])
                .expect("the length is the algorithm's");
            let salt = salts[index * salt_len..][..salt_len].to_vec();
            (LessSafeKey::new(key), salt)
        };
        let (client, server) = (side(0), side(1));
        let (opens, seals) = match role {
            DtlsRole::Client => (client, server),
            DtlsRole::Server => (server, client),
        };
        Self {
            suite,
            records: Records::new(&secrets, role).expect("the suite is one of ours"),
            seals,
            opens,
            made: Vec::new(),
            meaning: HashMap::new(),
            believed: BTreeSet::new(),
            nonces: HashSet::new(),
        }
    }

    /// A record of the peer's that is authentic. Number, explicit nonce, length and data are the input's.
    fn sealed(&mut self, input: &mut Input<'_>, kind: u8, version: [u8; 2], epoch: u16) -> Vec<u8> {
        let number = self.number(input);
        let len = match input.byte() {
            255 => usize::from(input.number()),
            254 => MAX_DATA - 2 + usize::from(input.byte() % 5),
            len => usize::from(len),
        };
        let mut data = input.take(len).to_vec();
        data.resize(len.min(MAX_DATAGRAM - 2 * HEADER_LEN - TAG_LEN), 0);
        self.seal_as(number, data, kind, version, epoch)
    }

    fn seal_as(
        &mut self,
        number: u64,
        data: Vec<u8>,
        kind: u8,
        version: [u8; 2],
        epoch: u16,
    ) -> Vec<u8> {
        let numbered = (u64::from(epoch) << 48 | number).to_be_bytes();
        // The peer may choose the nonces that it likes.
        let explicit = if self.suite.explicit {
            &(!number).to_be_bytes()[..]
        } else {
            &[]
        };
        let nonce = nonce(&self.seals.1, explicit, numbered);
        let mut sealed = data.clone();
        self.seals
            .0
            .seal_in_place_append_tag(nonce, additional(numbered, kind, data.len()), &mut sealed)
            .expect("it is short");
        let body = explicit.len() + sealed.len();
        let length = u16::try_from(body).expect("it is short").to_be_bytes();
        let header = [&[kind][..], &version, &numbered, &length].concat();
        let record = [&header, explicit, &sealed].concat();

        let for_us = version == VERSION && epoch == EPOCH && data.len() <= MAX_DATA;
        let meaning = match kind {
            DATA => Some(Record::Data(data)),
            // Good-bye as a warning, and anything fatal (RFC 5246 §7.2).
            ALERT if data == [1, 0] || data.first() == Some(&2) => Some(Record::Closed),
            ALERT => Some(Record::Other),
            _ => None,
        };
        if let Some(meaning) = meaning.filter(|_| for_us) {
            self.meaning.insert(record.clone(), (number, meaning));
        }
        self.made.push(record.clone());
        record
    }

    /// Around the highest that was believed, or anywhere.
    fn number(&self, input: &mut Input<'_>) -> u64 {
        let highest = self.believed.last().copied().unwrap_or(0);
        let by = u64::from(input.byte());
        let number = match input.byte() % 8 {
            0..=2 => highest + 1 + by % 4,
            3 => highest.saturating_sub(by),
            4 => highest + by * 16,
            5 => by,
            6 => LAST_NUMBER - by,
            _ => by << (input.byte() % 48),
        };
        number.min(LAST_NUMBER)
    }

    /// What the model says of a number.
    fn is_new(&self, number: u64) -> bool {
        let highest = self.believed.last().copied().unwrap_or(0);
        !self.believed.contains(&number) && number + WINDOW > highest
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let mut expected = Vec::new();
        let mut rest = datagram;
        while rest.len() >= HEADER_LEN {
            let len = HEADER_LEN + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            if rest.len() < len {
                break;
            }
            let (record, behind) = rest.split_at(len);
            rest = behind;
            if let Some((number, meaning)) = self.meaning.get(record)
                && self.is_new(*number)
            {
                self.believed.insert(*number);
                expected.push(meaning.clone());
            }
        }
        let opened: Vec<Record> = self.records.open(datagram).collect();
        assert_eq!(opened, expected, "what is opened of {datagram:02x?}");
    }

    /// What we seal the peer can open; no nonce comes twice.
    fn we_seal(&mut self, input: &mut Input<'_>) {
        let len = usize::from(input.byte()) * 65;
        let data = vec![7; len];
        let (kind, plain, sealed) = if len == 0 {
            (ALERT, vec![1, 0], self.records.seal_close())
        } else {
            let sealed = self.records.seal_data(&data);
            if len > MAX_DATA {
                return assert_eq!(sealed, None, "it is too long");
            }
            (DATA, data, sealed)
        };
        let record = sealed.expect("there are numbers left");
        let (header, body) = record.split_at(HEADER_LEN);
        assert_eq!(header[0], kind);
        assert_eq!(header[1..5], [0xfe, 0xfd, 0, 1]);
        assert_eq!(header[11..], (body.len() as u16).to_be_bytes());
        let numbered = *header[3..].first_chunk().expect("the header is whole");
        let (explicit, sealed) = body.split_at(if self.suite.explicit { 8 } else { 0 });
        let used = explicit.first_chunk().copied().unwrap_or(numbered);
        assert!(self.nonces.insert(used), "a nonce came twice");
        let mut opened = sealed.to_vec();
        let opened = self
            .opens
            .0
            .open_in_place(
                nonce(&self.opens.1, explicit, numbered),
                additional(numbered, kind, plain.len()),
                &mut opened,
            )
            .expect("the peer can open it");
        assert_eq!(opened, plain);
    }

    /// In the end the window is what the model says, number by number.
    fn probe(&mut self) {
        let highest = self.believed.last().copied().unwrap_or(0);
        let around = highest.saturating_sub(WINDOW + 2)..=(highest + 1).min(LAST_NUMBER);
        for number in around {
            let record = self.seal_as(number, vec![9], DATA, VERSION, EPOCH);
            self.deliver(&record);
        }
    }
}

fn nonce(salt: &[u8], explicit: &[u8], numbered: [u8; 8]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..salt.len()].copy_from_slice(salt);
    if explicit.is_empty() {
        // RFC 7905 §2.
        for (byte, number) in nonce[4..].iter_mut().zip(numbered) {
            *byte ^= number;
        }
    } else {
        nonce[4..].copy_from_slice(explicit);
    }
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 5246 §6.2.3.3.
fn additional(numbered: [u8; 8], kind: u8, len: usize) -> Aad<Vec<u8>> {
    let length = (len as u16).to_be_bytes();
    Aad::from([&numbered[..], &[kind], &VERSION, &length].concat())
}

/// What is left of the input; zeros when nothing is.
struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    fn take(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let taken = self.take(N);
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }
}
