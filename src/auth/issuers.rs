//! Other issuers whose tokens are believed: their names and key sets (RFC 7517), from files.

use std::{collections::HashMap, path::PathBuf};

use jsonwebtoken::{DecodingKey, jwk::JwkSet};

use crate::config::Issuer;

/// The keys of every configured issuer.
#[derive(Default)]
pub struct Issuers(HashMap<String, Vec<NamedKey>>);

struct NamedKey {
    id: Option<String>,
    key: DecodingKey,
}

/// Why an issuer's keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The file can't be read.
    #[error("can't read the key set {path} of the issuer {issuer}: {source}; check auth.issuers", path = path.display())]
    Unreadable {
        /// The issuer.
        issuer: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It isn't a key set, or a key in it is of a kind that can't be used.
    #[error("{path} isn't a JSON Web Key Set with usable keys: {reason}; download it again from the issuer {issuer}", path = path.display())]
    Unusable {
        /// The issuer.
        issuer: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Issuers {
    /// Reads the key sets of the configured issuers.
    pub fn load(issuers: &[Issuer]) -> Result<Self, IssuerError> {
        issuers
            .iter()
            .map(|issuer| Ok((issuer.name.clone(), load(issuer)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The key that a token names, or the issuer's only one.
    pub(super) fn key(&self, issuer: &str, id: Option<&str>) -> Option<&DecodingKey> {
        let keys = self.0.get(issuer)?;
        match (id, keys.as_slice()) {
            (None, [only]) => Some(&only.key),
            (None, _) => None,
            (Some(id), keys) => keys
                .iter()
                .find(|known| known.id.as_deref() == Some(id))
                .map(|known| &known.key),
        }
    }
}

fn load(issuer: &Issuer) -> Result<Vec<NamedKey>, IssuerError> {
    let (name, path) = (issuer.name.clone(), issuer.jwks.clone());
    let text = std::fs::read(&path).map_err(|source| IssuerError::Unreadable {
        issuer: name.clone(),
        path: path.clone(),
        source,
    })?;
    let unusable = |reason: String| IssuerError::Unusable {
        issuer: name.clone(),
        path: path.clone(),
        reason,
    };
    let set: JwkSet = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    if set.keys.is_empty() {
        return Err(unusable("it has no keys".into()));
    }
    set.keys
        .into_iter()
        .map(|jwk| {
            let key = DecodingKey::from_jwk(&jwk).map_err(|error| unusable(error.to_string()))?;
            Ok(NamedKey {
                id: jwk.common.key_id,
                key,
            })
        })
        .collect()
}
