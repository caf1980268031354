//! Signs addresses: who knows one may watch what lies below it until it expires, without a token. See docs/hls.md.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use spillway_signaling::{Signature, api::model::Timestamp};

use super::SigningKey;
use crate::time;

/// Expiries are rounded up to it, so that viewers who come together get the same address.
const STEP: Duration = Duration::from_mins(1);

/// Why a signed address doesn't let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It's over.
    #[error(
        "the signed address has expired; ask for the playlist at its own address again, with a token"
    )]
    Expired,
    /// Another key signed it, or for something else.
    #[error(
        "the address isn't signed for this by this server; ask for the playlist at its own address, with a token"
    )]
    Forged,
}

/// Signs addresses and checks them, with a key that is made from the node's own.
pub struct AddressSigner {
    key: [u8; 32],
    lifetime: Duration,
}

impl AddressSigner {
    /// For addresses that hold so long, up to a minute more.
    pub fn new(key: &SigningKey, lifetime: Duration) -> Self {
        Self {
            key: *key.for_addresses(),
            lifetime,
        }
    }

    /// Signs what lies below `scope`: `/hls/{channel}` or `/vod/{broadcast}`.
    pub fn sign(&self, scope: &str, now: Timestamp) -> Signature {
        let step = STEP.as_secs();
        let seconds = time::after(now, self.lifetime).0.div_ceil(1000);
        let expires = seconds.div_ceil(step).saturating_mul(step).to_string();
        let mac = self.mac(&expires, scope).finalize().into_bytes();
        let text = format!("{expires}-{}", URL_SAFE_NO_PAD.encode(mac));
        text.parse()
            .unwrap_or_else(|_| unreachable!("digits, '-' and base64url are a signature"))
    }

    /// Whether the signature is ours, for that, and holds.
    pub fn check(
        &self,
        signature: &Signature,
        scope: &str,
        now: Timestamp,
    ) -> Result<(), AddressError> {
        let (expires, mac) = signature
            .as_str()
            .split_once('-')
            .ok_or(AddressError::Forged)?;
        let mac = URL_SAFE_NO_PAD
            .decode(mac)
            .map_err(|_| AddressError::Forged)?;
        // In constant time.
        self.mac(expires, scope)
            .verify_slice(&mac)
            .map_err(|_| AddressError::Forged)?;
        let expires: u64 = expires.parse().map_err(|_| AddressError::Forged)?;
        if now.0 / 1000 < expires {
            Ok(())
        } else {
            Err(AddressError::Expired)
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length (RFC 2104 §3)"
    )]
    fn mac(&self, expires: &str, scope: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.update(expires.as_bytes());
        mac.update(scope.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_123);
    const HOUR: Duration = Duration::from_hours(1);

    fn signer() -> (AddressSigner, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(directory.path()).unwrap();
        (AddressSigner::new(&key, HOUR), directory)
    }

    #[test]
    fn an_address_holds_for_its_scope_until_it_expires() {
        let (signer, _directory) = signer();
        let signature = signer.sign("/hls/demo", NOW);
        let check = |scope, at| signer.check(&signature, scope, at);
        assert_eq!(check("/hls/demo", NOW), Ok(()));
        assert_eq!(check("/hls/demo2", NOW), Err(AddressError::Forged));
        assert_eq!(check("/vod/demo", NOW), Err(AddressError::Forged));
        let later = |by: Duration| time::after(NOW, by);
        assert_eq!(check("/hls/demo", later(HOUR)), Ok(()));
        let over = later(HOUR + STEP);
        assert_eq!(check("/hls/demo", over), Err(AddressError::Expired));
    }

    #[test]
    fn viewers_who_come_together_get_the_same_address() {
        let (signer, _directory) = signer();
        let soon = time::after(NOW, Duration::from_secs(30));
        assert_eq!(
            signer.sign("/hls/demo", NOW),
            signer.sign("/hls/demo", soon)
        );
    }

    #[test]
    fn what_another_signed_or_changed_is_refused() {
        let (ours, _directory) = signer();
        let (other, _elsewhere) = signer();
        let check = |text: &str| ours.check(&text.parse().unwrap(), "/hls/demo", NOW);
        let signature = ours.sign("/hls/demo", NOW);
        let (expires, mac) = signature.as_str().split_once('-').unwrap();
        let later = expires.parse::<u64>().unwrap() + 60;
        for text in [
            other.sign("/hls/demo", NOW).as_str().to_owned(),
            format!("{later}-{mac}"),
            format!("0{expires}-{mac}"),
            format!("{expires}-{}", &mac[..22]),
            format!("{expires}-A"),
        ] {
            assert_eq!(check(&text), Err(AddressError::Forged), "{text}");
        }
    }
}
