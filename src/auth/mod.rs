//! Tokens: JSON Web Tokens (RFC 7519) that say what their bearer may do with which channel.
//!
//! This node's own tokens are signed with the key in the data directory; tokens of other issuers are believed when the
//! configuration names their keys. What a token allows is a [`Grant`]. Tokens and keys are never logged.

mod addresses;
mod issuers;
mod key;

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use spillway_signaling::{
    ChannelName,
    api::model::{IssuedToken, Timestamp, Token, TokenKind},
};

use crate::{
    store::{Store, StoreError},
    time,
};

pub use addresses::{AddressError, AddressSigner};
pub use issuers::{IssuerError, Issuers};
pub use key::{KeyError, SigningKey};

/// The `iss` claim of this node's own tokens.
pub const OWN_ISSUER: &str = "spillway";

/// What tokens of other issuers must have among their `aud`, if they have one.
pub const AUDIENCE: &str = "spillway";

/// Longer tokens aren't looked at.
const MAX_TOKEN_BYTES: usize = 8192;

/// How far another issuer's clock may be off, in seconds.
const FOREIGN_CLOCK_LEEWAY_S: u64 = 30;

/// The one claim that is read before the signature is checked.
#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// The claims of a token.
#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// What the bearer may do.
    role: TokenKind,
    /// With which channel; every token but a service's and an admin's names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelName>,
    /// By which the token is revoked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    jti: String,
    /// Whose key it is, for other issuers, whose tokens of one streamer differ from day to day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
}

/// What a sound token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What the bearer may do.
    pub kind: TokenKind,
    /// With which channel; all for a service and an admin.
    pub channel: Option<ChannelName>,
    /// The token's identifier, by which it's revoked.
    pub id: String,
    /// Whose key it is: two tokens with the same holder may take over from each other.
    pub holder: String,
    /// From when on the token isn't good any more.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// Whether the grant is for that, on that channel.
    pub fn allows(&self, kind: TokenKind, channel: &ChannelName) -> bool {
        self.kind == TokenKind::Admin
            || (self.kind == kind && self.channel.as_ref() == Some(channel))
    }

    /// Whether the bearer may see the channel: any token for it will do.
    pub fn allows_viewing(&self, channel: &ChannelName) -> bool {
        match self.kind {
            TokenKind::Admin | TokenKind::Service => true,
            TokenKind::Publish | TokenKind::View | TokenKind::Moderate => {
                self.channel.as_ref() == Some(channel)
            }
        }
    }
}

/// Why a token isn't believed. No text repeats anything of the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It isn't a token.
    #[error("the token can't be read; copy it whole, as `spillway token` printed it")]
    Malformed,
    /// The signature is of another key.
    #[error(
        "the token wasn't signed by this server; make one with `spillway token` in this server's data directory"
    )]
    Forged,
    /// Nobody by that name is configured.
    #[error(
        "the token's issuer isn't configured; add it to auth.issuers, or use a token of this server"
    )]
    UnknownIssuer,
    /// The signature is good, but this node's store doesn't know it.
    #[error(
        "the token isn't among those that this server remembers: it was revoked long ago, or its store was replaced; ask for a new one"
    )]
    Unknown,
    /// Its time is over, or hasn't begun.
    #[error("the token has expired; ask for a new one")]
    Expired,
    /// It was revoked.
    #[error("the token was revoked; ask for a new one")]
    Revoked,
    /// It's sound but lacks the channel it is for, or is meant for another service.
    #[error(
        "the token isn't for this server: it needs a role and, unless it's a service's or an admin's, a channel"
    )]
    Unfit,
    /// Whether it's revoked can't be told.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs this node's tokens.
pub fn issue(
    key: &SigningKey,
    kind: TokenKind,
    channel: Option<ChannelName>,
    lifetime: Option<Duration>,
    note: String,
) -> Result<IssuedToken, KeyError> {
    let now = time::now();
    let expires_at = lifetime.map(|lifetime| time::after(now, lifetime));
    let details = Token {
        id: time::new_id(),
        kind,
        channel,
        note,
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    let claims = Claims {
        iss: OWN_ISSUER.into(),
        role: kind,
        channel: details.channel.clone(),
        jti: details.id.clone(),
        sub: None,
        iat: Some(now.0 / 1000),
        exp: expires_at.map(|at| at.0.div_ceil(1000)),
    };
    let token = sign(key, &claims)?;
    Ok(IssuedToken { token, details })
}

/// Signs a publisher's token for a part of this node itself. No store knows it, so it can't be revoked.
pub fn issue_internally(
    key: &SigningKey,
    channel: ChannelName,
    holder: &str,
    lifetime: Duration,
) -> Result<String, KeyError> {
    let now = time::now();
    let claims = Claims {
        iss: OWN_ISSUER.into(),
        role: TokenKind::Publish,
        channel: Some(channel),
        jti: String::new(),
        sub: Some(holder.into()),
        iat: Some(now.0 / 1000),
        exp: Some(time::after(now, lifetime).0.div_ceil(1000)),
    };
    sign(key, &claims)
}

fn sign(key: &SigningKey, claims: &Claims) -> Result<String, KeyError> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, key.encoding())
        .map_err(|_| KeyError::Unusable)
}

/// Checks tokens.
pub struct Verifier {
    key: SigningKey,
    issuers: Issuers,
}

impl Verifier {
    /// Believes the tokens of `key` and of the configured issuers.
    pub fn new(key: SigningKey, issuers: Issuers) -> Self {
        Self { key, issuers }
    }

    /// The key that this node signs with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What the token allows, unless it's forged, expired, revoked or forgotten.
    pub async fn verify(&self, token: &str, store: &dyn Store) -> Result<Grant, TokenError> {
        let claims = self.read(token)?;
        // Only what's remembered is believed, so a revoked token stays void when it's forgotten. Those without an
        // identifier are `issue_internally`'s.
        if claims.iss == OWN_ISSUER && !claims.jti.is_empty() {
            let known = store.token(&claims.jti).await?.ok_or(TokenError::Unknown)?;
            if known.revoked_at.is_some() {
                return Err(TokenError::Revoked);
            }
        }
        let is_for_all = matches!(claims.role, TokenKind::Service | TokenKind::Admin);
        if claims.channel.is_none() && !is_for_all {
            return Err(TokenError::Unfit);
        }
        let holder = format!(
            "{} {}",
            claims.iss,
            claims.sub.as_ref().unwrap_or(&claims.jti)
        );
        let leeway = leeway_s(&claims.iss);
        let expires_at = claims.exp.map(|exp| {
            let seconds = exp.saturating_add(leeway).saturating_add(1);
            Timestamp(seconds.saturating_mul(1000))
        });
        Ok(Grant {
            kind: claims.role,
            channel: claims.channel,
            id: claims.jti,
            holder,
            expires_at,
        })
    }

    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        // Unchecked: all that it decides is whose key the signature is checked with.
        let Issued { iss } = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| TokenError::Malformed)?;
        let key = if iss == OWN_ISSUER {
            self.key.decoding()
        } else {
            self.issuers
                .key(&iss, header.kid.as_deref())
                .ok_or(TokenError::UnknownIssuer)?
        };
        // The family comes from the key, never from the token: a public key can't be taken for a shared secret.
        let mut validation = Validation::new_for_family(key.family());
        validation.required_spec_claims.clear();
        validation.validate_nbf = true;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&iss]);
        validation.leeway = leeway_s(&iss);
        let data =
            jsonwebtoken::decode(token, key, &validation).map_err(|error| refusal(error.kind()))?;
        Ok(data.claims)
    }
}

/// How far the issuer's clock may be off, in seconds.
fn leeway_s(issuer: &str) -> u64 {
    if issuer == OWN_ISSUER {
        0
    } else {
        FOREIGN_CLOCK_LEEWAY_S
    }
}

fn refusal(error: &ErrorKind) -> TokenError {
    match error {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => TokenError::Forged,
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => TokenError::Expired,
        ErrorKind::InvalidAudience | ErrorKind::Json(_) => TokenError::Unfit,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;
