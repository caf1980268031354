//! The names that appear in URLs: channels and session keys.

use std::{fmt, str::FromStr, sync::Arc};

use rand::RngExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most characters that a channel name has.
pub const MAX_CHANNEL_NAME: usize = 64;

/// The lasting name that streamers publish to and viewers watch: `[A-Za-z0-9_-]{1,64}`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$", example = "demo")]
pub struct ChannelName(Arc<str>);

/// A channel name that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a channel name has 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidChannelName;

impl FromStr for ChannelName {
    type Err = InvalidChannelName;

    fn from_str(name: &str) -> Result<Self, InvalidChannelName> {
        if is_name(name) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidChannelName)
        }
    }
}

impl TryFrom<String> for ChannelName {
    type Error = InvalidChannelName;

    fn try_from(name: String) -> Result<Self, InvalidChannelName> {
        name.parse()
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.as_str().to_owned()
    }
}

impl ChannelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last part of a session URL. Whoever knows it may change and end the session (RFC 9725 §4.2: unguessable), so it's
/// shown to the client that made the session and to nobody else: not in logs, not in lists.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(String);

/// A session key that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session key has 32 hexadecimal digits")]
pub struct InvalidSessionKey;

impl SessionKey {
    /// A new key: 128 bits from the thread's CSPRNG.
    pub fn random() -> Self {
        let bits = u128::from_be_bytes(rand::rng().random());
        Self(format!("{bits:032x}"))
    }

    /// The key as it stands in the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionKey {
    type Err = InvalidSessionKey;

    fn from_str(key: &str) -> Result<Self, InvalidSessionKey> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if key.len() == 32 && key.bytes().all(lower_hex) {
            Ok(Self(key.to_owned()))
        } else {
            Err(InvalidSessionKey)
        }
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// Whether a text has the form of names in URLs: `[A-Za-z0-9_-]{1,64}`.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_CHANNEL_NAME).contains(&text.len()) && text.bytes().all(is_url_safe)
}

fn is_url_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn channel_names_are_checked() {
        for good in ["demo", "A", "a_b-C9", &"x".repeat(64)] {
            assert_eq!(good.parse::<ChannelName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "ü", "a/b", "..", &"x".repeat(65)] {
            assert!(bad.parse::<ChannelName>().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<ChannelName>("\"a b\"").is_err());
    }

    #[test]
    fn session_keys_are_distinct_parse_back_and_stay_out_of_logs() {
        let key = SessionKey::random();
        assert_ne!(key, SessionKey::random());
        assert_eq!(key.as_str().parse::<SessionKey>().unwrap(), key);
        assert!(!format!("{key:?}").contains(key.as_str()));
        assert!("abc".parse::<SessionKey>().is_err());
        assert!("G".repeat(32).parse::<SessionKey>().is_err());
    }
}
