//! `[auth]`: whose tokens are believed, and what is open without one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[auth]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Requests from this machine itself need no admin token.
    pub admin_from_loopback: bool,
    /// Other issuers whose tokens are believed besides this node's own.
    pub issuers: Vec<Issuer>,
}

/// One of `[[auth.issuers]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` claim of its tokens.
    pub name: String,
    /// File with its public (or shared) keys as a JSON Web Key Set (RFC 7517).
    pub jwks: PathBuf,
}

impl Auth {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        for (index, issuer) in self.issuers.iter().enumerate() {
            if issuer.name.is_empty() || issuer.name == crate::auth::OWN_ISSUER {
                problems.push(Problem::new(
                    format!("auth.issuers[{index}].name"),
                    format!(
                        "is \"{}\"; write the iss claim of that issuer's tokens",
                        issuer.name
                    ),
                ));
            }
        }
    }
}
