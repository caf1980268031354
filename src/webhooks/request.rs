//! One signed request to an outside service.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::time;

/// `t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<seconds>.<body>">`
const SIGNATURE: &str = "Spillway-Signature";
/// Names the delivery, the same at every try, so that a receiver can tell repetitions.
const DELIVERY: &str = "Spillway-Delivery";

/// Signs and sends.
pub(super) struct Sender {
    client: reqwest::Client,
    secret: Vec<u8>,
}

impl Sender {
    pub(super) fn new(client: reqwest::Client, secret: &str) -> Self {
        Self {
            client,
            secret: secret.as_bytes().to_vec(),
        }
    }

    /// POSTs `body`, signed at this moment, so that a receiver can refuse what is replayed later.
    pub(super) async fn post(
        &self,
        url: &str,
        delivery: &str,
        body: String,
    ) -> reqwest::Result<reqwest::Response> {
        let seconds = time::now().0 / 1000;
        self.client
            .post(url)
            .header("Content-Type", "application/json")
            .header(DELIVERY, delivery)
            .header(
                SIGNATURE,
                format!("t={seconds},v1={}", sign(&self.secret, seconds, &body)),
            )
            .body(body)
            .send()
            .await
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length (RFC 2104 §3)"
)]
pub(super) fn sign(secret: &[u8], seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_other_tools_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'sixteen letters!'
        let signature = sign(b"sixteen letters!", 1_700_000_000, "{\"a\":1}");
        assert_eq!(
            signature,
            "05a4098144457fc851f03b578b1abb1a878a9090ba7355a09a3f121b5000bf10"
        );
    }
}
