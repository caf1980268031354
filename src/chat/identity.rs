//! Who writes: identities that a client keeps, and hashes of addresses that nobody turns back without the key of this node.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::Sha256;
use spillway_chat::{AuthorId, room::AddressHash};

use crate::auth::SigningKey;

/// Random bytes of an author's identifier: enough that no two are the same.
const ID_BYTES: usize = 9;
/// Bytes of the signature.
const MAC_BYTES: usize = 16;

/// Makes identities and believes those that it made, by a key that is made from the node's own.
///
/// An identity is the author's public identifier with a signature: whoever has it is that author. Nothing is stored.
pub(super) struct Identities {
    key: [u8; 32],
}

impl Identities {
    pub(super) fn new(key: &SigningKey) -> Self {
        Self {
            key: *key.for_chat(),
        }
    }

    /// Somebody new, with what they need to be the same the next time.
    pub(super) fn make(&self) -> (AuthorId, String) {
        let bytes: [u8; ID_BYTES] = rand::rng().random();
        let id = AuthorId::try_from(URL_SAFE_NO_PAD.encode(bytes))
            .unwrap_or_else(|_| unreachable!("twelve letters of base64url are an author's id"));
        let identity = self.identity_of(&id);
        (id, identity)
    }

    /// Whose identity this is; nobody's if we didn't make it.
    pub(super) fn read(&self, identity: &str) -> Option<AuthorId> {
        let (id, mac) = identity.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        // In constant time.
        self.mac(b"author", id.as_bytes())
            .verify_truncated_left(&mac)
            .ok()?;
        (mac.len() == MAC_BYTES).then(|| AuthorId::try_from(id.to_owned()).ok())?
    }

    fn identity_of(&self, id: &AuthorId) -> String {
        let mac = self
            .mac(b"author", id.as_str().as_bytes())
            .finalize()
            .into_bytes();
        format!("{id}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
    }

    /// What a ban remembers of an address: of IPv6 its network, since a user has all of it.
    pub(super) fn hash(&self, address: IpAddr) -> AddressHash {
        let network = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        };
        let mac = self.mac(b"address", &network).finalize().into_bytes();
        let mut hash = [0; 8];
        hash.copy_from_slice(&mac[..8]);
        AddressHash(u64::from_be_bytes(hash))
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length (RFC 2104 §3)"
    )]
    fn mac(&self, what: &[u8], of: &[u8]) -> Hmac<Sha256> {
        let mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.chain_update(what).chain_update([0]).chain_update(of)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn identities() -> Identities {
        let directory = tempfile::tempdir().unwrap();
        Identities::new(&SigningKey::load_or_create(directory.path()).unwrap())
    }

    #[test]
    fn an_identity_is_believed_by_who_made_it_alone() {
        let identities_here = identities();
        let (id, identity) = identities_here.make();
        assert_eq!(identities_here.read(&identity), Some(id.clone()));
        assert_eq!(identities().read(&identity), None);
        let (other, _) = identities_here.make();
        assert_ne!(id, other);
        let (_, mac) = identity.split_once('.').unwrap();
        for forged in [
            format!("{other}.{mac}"),
            format!("{id}."),
            format!("{id}"),
            format!("{id}.{}", &mac[..8]),
            ".".into(),
        ] {
            assert_eq!(identities_here.read(&forged), None, "{forged}");
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_hash_alike() {
        let identities_here = identities();
        let hash = |address: &str| identities_here.hash(address.parse().unwrap());
        assert_eq!(hash("2001:db8::1"), hash("2001:db8::ffff:1"));
        assert_ne!(hash("2001:db8::1"), hash("2001:db8:0:1::1"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.2.2"));
        assert_ne!(
            hash("192.0.2.1"),
            identities().hash("192.0.2.1".parse().unwrap())
        );
    }
}
