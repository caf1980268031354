//! `[webhooks]`: outside services that are told of events, or asked for permission.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Problem;

/// A shared secret shorter than this could be guessed.
const MIN_SECRET_BYTES: usize = 16;

/// `[webhooks]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Key of the HMAC-SHA256 signature on every request.
    pub secret: String,
    /// Asked before a publisher is let in. Empty: nobody is asked.
    pub authorize_publish: String,
    /// Asked before a viewer is let in. Empty: nobody is asked.
    pub authorize_view: String,
    /// Whether a session is let in when the service that is asked doesn't answer.
    pub authorize_fail_open: bool,
    /// How long an answer may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Events waiting for delivery to one endpoint; the newest are dropped, and counted, beyond it.
    pub queue: usize,
    /// How often a delivery is tried.
    pub attempts: u32,
    /// Pause before the second try; it doubles with each one after.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// Who is told of events.
    pub endpoints: Vec<Endpoint>,
}

/// One of `[[webhooks.endpoints]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Where events are sent to.
    pub url: String,
    /// Which; all without.
    #[serde(default)]
    pub events: Vec<WebhookEvent>,
}

/// What endpoints are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookEvent {
    /// A channel is on air.
    OnPublish,
    /// A channel's publisher is gone.
    OnUnpublish,
    /// A viewer's session is connected.
    OnViewerJoin,
    /// A viewer's session ended.
    OnViewerLeave,
}

impl WebhookEvent {
    /// Its name in the configuration and in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnPublish => "on-publish",
            Self::OnUnpublish => "on-unpublish",
            Self::OnViewerJoin => "on-viewer-join",
            Self::OnViewerLeave => "on-viewer-leave",
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            secret: String::new(),
            authorize_publish: String::new(),
            authorize_view: String::new(),
            authorize_fail_open: false,
            timeout: Duration::from_secs(3),
            queue: 1000,
            attempts: 6,
            backoff: Duration::from_secs(1),
            endpoints: Vec::new(),
        }
    }
}

impl Webhooks {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut used = false;
        let mut check_url = |key: String, url: &str| {
            used = true;
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                problems.push(Problem::new(
                    key,
                    format!("is \"{url}\"; it begins with http:// or https://"),
                ));
            }
        };
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            check_url(format!("webhooks.endpoints[{index}].url"), &endpoint.url);
        }
        for (key, url) in [
            ("authorize_publish", &self.authorize_publish),
            ("authorize_view", &self.authorize_view),
        ] {
            if !url.is_empty() {
                check_url(format!("webhooks.{key}"), url);
            }
        }
        if used && self.secret.len() < MIN_SECRET_BYTES {
            problems.push(Problem::new(
                "webhooks.secret",
                format!("needs at least {MIN_SECRET_BYTES} characters, so that the receiver can trust the signature; try: openssl rand -hex 32"),
            ));
        }
        if self.queue == 0 || self.attempts == 0 {
            problems.push(Problem::new(
                "webhooks.queue, webhooks.attempts",
                "must be at least 1",
            ));
        }
    }
}
