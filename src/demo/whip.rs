//! The HTTP half of a WHIP publisher (RFC 9725 §4.2).

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{StatusCode, Url, header};

use super::{DemoConfig, DemoError};

const TIMEOUT: Duration = Duration::from_secs(8);
/// How much of a refusal is worth showing.
const MAX_REASON: usize = 300;

/// Speaks to one WHIP endpoint.
pub(super) struct Client<'a> {
    config: &'a DemoConfig,
    http: reqwest::Client,
}

/// A WHIP session that was created.
pub(super) struct Session {
    /// The SDP answer.
    pub(super) answer: String,
    url: Url,
}

impl<'a> Client<'a> {
    pub(super) fn new(config: &'a DemoConfig) -> Result<Self, DemoError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // The certificate is for the node's public name; on loopback there's no one in between.
            .tls_danger_accept_invalid_certs(is_loopback(&config.whip_url))
            .no_proxy()
            .build()
            .map_err(|source| DemoError::Unreachable {
                url: config.whip_url.clone(),
                source,
            })?;
        Ok(Self { config, http })
    }

    /// Creates a session with `offer`.
    pub(super) async fn publish(&self, offer: String) -> Result<Session, DemoError> {
        let unreachable = |source| DemoError::Unreachable {
            url: self.config.whip_url.clone(),
            source,
        };
        let response = self
            .http
            .post(&self.config.whip_url)
            .bearer_auth(&self.config.token)
            .header(header::CONTENT_TYPE, "application/sdp")
            .body(offer)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| response.url().join(location).ok());
        let body = response.text().await.map_err(unreachable)?;
        if status != StatusCode::CREATED {
            return Err(DemoError::Refused {
                status,
                body: body.chars().take(MAX_REASON).collect(),
            });
        }
        let url = url.ok_or(DemoError::Answer("it has no Location"))?;
        Ok(Session { answer: body, url })
    }

    /// Ends a session. Failures are ignored: a session that is left over ends when its media stops.
    pub(super) async fn end(&self, session: Session) {
        let request = self
            .http
            .delete(session.url)
            .bearer_auth(&self.config.token);
        if let Err(error) = request.send().await {
            tracing::debug!(%error, "the demo's session couldn't be ended");
        }
    }
}

fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_checked_unless_on_loopback() {
        assert!(is_loopback("https://127.0.0.1:8443/whip/demo"));
        assert!(is_loopback("https://[::1]:8443/whip/demo"));
        assert!(is_loopback("https://localhost/whip/demo"));
        assert!(!is_loopback("https://live.example/whip/demo"));
        assert!(!is_loopback("https://10.0.0.1/whip/demo"));
        assert!(!is_loopback("not a url"));
    }
}
