//! The node's configuration: one type per section of `spillway.toml`, every key with a default.
//!
//! [`Config::load`] reads the file, lays the `SPILLWAY_*` variables over it and validates the result. A key that
//! doesn't exist is an error, so that a misspelt limit can't silently be no limit.

mod audience;
mod auth;
mod channels;
mod chat;
mod error;
mod hls;
mod http;
mod limits;
mod load;
mod log;
mod media;
mod vod;
mod webhooks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use audience::Audience;
pub use auth::{Auth, Issuer};
pub use channels::Channels;
pub use chat::{Chat, EventForm, EventSource};
pub use error::{ConfigError, Problem};
pub use hls::Hls;
pub(crate) use http::listen_address;
pub use http::{ForwardedHeader, Http};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use media::{IceServer, Media};
pub use vod::{KeepFor, Quota, Vod};
pub use webhooks::{Endpoint, WebhookEvent, Webhooks};

/// Everything that can be configured. The file `spillway.toml` at the root of the repository explains each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the database, the signing key and recorded media live.
    pub data_dir: PathBuf,
    /// The HTTP face.
    pub http: Http,
    /// The media ports.
    pub media: Media,
    /// Who may do what.
    pub auth: Auth,
    /// How channels and broadcasts behave.
    pub channels: Channels,
    /// What may be said, and how fast.
    pub chat: Chat,
    /// How it's counted how audiences do.
    pub audience: Audience,
    /// The sidecar that the node runs.
    pub hls: Hls,
    /// Recordings.
    pub vod: Vod,
    /// The bounds of everything that grows with use.
    pub limits: Limits,
    /// Outside services that are told or asked.
    pub webhooks: Webhooks,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            http: Http::default(),
            media: Media::default(),
            auth: Auth::default(),
            channels: Channels::default(),
            chat: Chat::default(),
            audience: Audience::default(),
            hls: Hls::default(),
            vod: Vod::default(),
            limits: Limits::default(),
            webhooks: Webhooks::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// Checks what types alone can't: ranges, and keys that need each other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        if self.data_dir.as_os_str().is_empty() {
            problems.push(Problem::new(
                "data_dir",
                "is empty; name a directory, such as \"./data\"",
            ));
        }
        self.http.check(&mut problems);
        self.media.check(&mut problems);
        self.auth.check(&mut problems);
        self.chat.check(&mut problems);
        self.audience.check(&mut problems);
        self.hls.check(&mut problems);
        self.vod.check(&self.data_dir, &mut problems);
        self.limits.check(&mut problems);
        self.webhooks.check(&mut problems);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const EXAMPLE: &str = include_str!("../../spillway.toml");

    #[test]
    fn the_commented_file_says_exactly_the_defaults() {
        let written: toml::Table = EXAMPLE.parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(written, defaults);
    }

    #[test]
    fn the_defaults_are_valid() {
        Config::default().validate().unwrap();
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut config = Config {
            data_dir: PathBuf::new(),
            ..Config::default()
        };
        config.http.tls_cert = "cert.pem".into();
        let text = config.validate().unwrap_err().to_string();
        assert!(
            text.contains("data_dir") && text.contains("http.tls_key"),
            "{text}"
        );
    }
}
