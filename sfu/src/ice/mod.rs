//! ICE-lite (RFC 8445 §2.5): we answer connectivity checks and follow the path that the peer nominates.
//!
//! Our user name fragments name the worker on which the session lives, so that a datagram which reaches another
//! worker can be handed over: two characters for the worker, then random ones.

mod lite;
mod stun;

use rand::{CryptoRng, Rng};
use zeroize::Zeroizing;

use crate::{IceCredentials, WorkerId};

pub(crate) use lite::{IceLite, Moved};
pub(crate) use stun::Refusal;
pub use stun::stun_ufrag;

/// 32 of the 64 ice-chars (RFC 8839 §5.4) that need no care in URLs and HTTP headers.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters that name the worker.
const WORKER_CHARS: usize = 2;
/// Random characters of a user name fragment: 40 bits keep the sessions of a node apart.
const UFRAG_CHARS: usize = 8;
/// Random characters of a password: 160 bits. RFC 8445 §5.3 asks for 128.
const PWD_CHARS: usize = 32;

/// Makes credentials for a session on `worker`.
pub fn local_credentials(worker: WorkerId, rng: &mut impl CryptoRng) -> IceCredentials {
    let mut ufrag = String::with_capacity(WORKER_CHARS + UFRAG_CHARS);
    ufrag.push(letter(worker.0 >> 5));
    ufrag.push(letter(worker.0));
    push_random(&mut ufrag, UFRAG_CHARS, rng);
    let mut pwd = String::with_capacity(PWD_CHARS);
    push_random(&mut pwd, PWD_CHARS, rng);
    IceCredentials { ufrag, pwd }
}

/// The worker that one of our user name fragments names. `None` if it can't be one of ours.
pub fn worker_of(ufrag: &str) -> Option<WorkerId> {
    let [high, low, random @ ..] = ufrag.as_bytes() else {
        return None;
    };
    let worker = value(*high)? << 5 | value(*low)?;
    let ours = random.len() == UFRAG_CHARS;
    ours.then(|| u8::try_from(worker).ok().map(WorkerId))?
}

fn letter(bits: u8) -> char {
    char::from(ALPHABET[usize::from(bits & 31)])
}

fn value(letter: u8) -> Option<u16> {
    let at = ALPHABET.iter().position(|&known| known == letter)?;
    u16::try_from(at).ok()
}

fn push_random(text: &mut String, chars: usize, rng: &mut impl Rng) {
    let mut bytes = Zeroizing::new([0; PWD_CHARS]);
    rng.fill_bytes(&mut *bytes);
    // 32 letters divide 256: every letter is as likely as another.
    text.extend(bytes.iter().take(chars).map(|&byte| letter(byte)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ufrag_names_its_worker() {
        for number in [0, 1, 31, 32, 200, 255] {
            let credentials = local_credentials(WorkerId(number), &mut rand::rng());
            assert_eq!(worker_of(&credentials.ufrag), Some(WorkerId(number)));
            assert!(credentials.pwd.len() * 5 >= 128);
        }
    }

    #[test]
    fn foreign_ufrags_name_no_worker() {
        // "zz" would be worker 825.
        for ufrag in [
            "",
            "a",
            "aa",
            "AAaaaaaaaa",
            "aaaaaaaa",
            "77aaaaaaaa",
            "ñaaaaaaaa",
        ] {
            assert_eq!(worker_of(ufrag), None, "{ufrag}");
        }
    }

    #[test]
    fn credentials_differ() {
        let mut rng = rand::rng();
        let (one, other) = (
            local_credentials(WorkerId(3), &mut rng),
            local_credentials(WorkerId(3), &mut rng),
        );
        assert_ne!(one.ufrag, other.ufrag);
        assert_ne!(one.pwd, other.pwd);
    }
}
