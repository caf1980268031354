//! `[auth]`: whose tokens are believed, and what is open without one.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Requests from this machine itself need no admin token.
    pub admin_from_loopback: bool,
    /// How long a token that was revoked stays in the list.
    #[serde(with = "humantime_serde")]
    pub keep_revoked: Duration,
    /// Other issuers whose tokens are believed besides this node's own.
    pub issuers: Vec<Issuer>,
}

/// As `humantime` counts it: 30.44 days.
const MONTH: Duration = Duration::from_secs(2_630_016);

impl Default for Auth {
    fn default() -> Self {
        Self {
            admin_from_loopback: false,
            keep_revoked: MONTH,
            issuers: Vec::new(),
        }
    }
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
