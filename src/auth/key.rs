//! The key that signs this node's tokens, and from which that of addresses is made: 32 random bytes in a file that only its
//! owner can read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{DecodingKey, EncodingKey};
use rand::TryRng as _;
use sha2::Sha256;

const KEY_BYTES: usize = 32;
const FILE_NAME: &str = "token.key";
/// What the key of signed addresses is made from, with the key itself: who checks addresses can make no tokens.
const FOR_ADDRESSES: &[u8] = b"spillway signed addresses";
/// What the key of chat's identities is made from, likewise.
const FOR_CHAT: &[u8] = b"spillway chat identities";

/// Signs and checks this node's own tokens (HMAC-SHA256).
#[derive(Clone)]
pub struct SigningKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    for_addresses: [u8; 32],
    for_chat: [u8; 32],
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or made.
    #[error("can't use the signing key {path}: {source}; check that the data directory is writable by this user", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error("the signing key {path} can be read by others, who could then make tokens; run: chmod 600 {path}", path = .0.display())]
    Exposed(PathBuf),
    /// It isn't a key of ours.
    #[error("the signing key {path} is damaged; restore it from a backup, or delete it, which makes all tokens void", path = .0.display())]
    Damaged(PathBuf),
    /// It can't sign.
    #[error(
        "the signing key can't sign; delete token.key in the data directory, which makes all tokens void"
    )]
    Unusable,
}

impl SigningKey {
    /// The data directory's key; made at the first use.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join(FILE_NAME);
        let failed = |source| KeyError::File {
            path: path.clone(),
            source,
        };
        match File::open(&path) {
            Ok(file) => Self::read(&path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(data_dir, &path).map_err(failed)?;
                Self::read(&path, File::open(&path).map_err(failed)?)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn read(path: &Path, file: File) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let mut secret = Vec::with_capacity(KEY_BYTES + 1);
        file.take(KEY_BYTES as u64 + 1)
            .read_to_end(&mut secret)
            .map_err(failed)?;
        if secret.len() != KEY_BYTES {
            return Err(KeyError::Damaged(path.to_owned()));
        }
        Ok(Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
            for_addresses: derived(&secret, FOR_ADDRESSES),
            for_chat: derived(&secret, FOR_CHAT),
        })
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    pub(super) fn for_addresses(&self) -> &[u8; 32] {
        &self.for_addresses
    }

    /// The key of chat's identities.
    pub(crate) fn for_chat(&self) -> &[u8; 32] {
        &self.for_chat
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length (RFC 2104 §3)"
)]
fn derived(secret: &[u8], purpose: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.chain_update(purpose).finalize().into_bytes().into()
}

/// Writes the key beside its place and links it there, so that of two processes that start at once one wins and no
/// reader sees half a key.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    let mut secret = [0_u8; KEY_BYTES];
    rand::rngs::SysRng
        .try_fill_bytes(&mut secret)
        .map_err(io::Error::other)?;
    let draft = data_dir.join(format!("{FILE_NAME}.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        SigningKey::load_or_create(directory.path()).unwrap();
        let path = directory.path().join(FILE_NAME);
        let first = std::fs::read(&path).unwrap();
        SigningKey::load_or_create(directory.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        SigningKey::load_or_create(directory.path()).unwrap();
        let path = directory.path().join(FILE_NAME);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = SigningKey::load_or_create(directory.path()).err().unwrap();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        SigningKey::load_or_create(directory.path()).unwrap();
        std::fs::write(directory.path().join(FILE_NAME), b"short").unwrap();
        assert!(matches!(
            SigningKey::load_or_create(directory.path()),
            Err(KeyError::Damaged(_))
        ));
    }
}
