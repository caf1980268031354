//! The HTTP half of a WHEP viewer (draft-ietf-wish-whep §4).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{StatusCode, Url, header};

use super::{Ended, Options};
use crate::problem;

const TIMEOUT: Duration = Duration::from_secs(8);
/// How large an answer may be.
const MAX_ANSWER: usize = 256 << 10;

/// A token that allows to watch. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token itself, as the node printed it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// What goes into a header.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A session that was created.
#[derive(Debug)]
pub(super) struct Session {
    /// The SDP answer.
    pub(super) answer: String,
    url: Url,
    token: Option<Token>,
    http: reqwest::Client,
}

/// Creates a session with `offer`.
pub(super) async fn subscribe(options: &Options, offer: String) -> Result<Session, Ended> {
    let endpoint = endpoint(options)?;
    let http = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // The certificate is for the node's public name; on loopback there's no one in between.
        .tls_danger_accept_invalid_certs(is_loopback(&endpoint))
        .no_proxy()
        .build()
        .map_err(Ended::Unreachable)?;
    let mut request = http
        .post(endpoint)
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(offer);
    if let Some(token) = &options.token {
        request = request.bearer_auth(&token.0);
    }
    let response = request.send().await.map_err(Ended::Unreachable)?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let location = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let url = location.and_then(|location| response.url().join(location).ok());
    let body = body(response).await?;
    if status != StatusCode::CREATED {
        return Err(Ended::Refused {
            status,
            reason: problem::told(&body).unwrap_or_default(),
            retry_after,
        });
    }
    let url = url.ok_or(Ended::Answer("it has no Location"))?;
    Ok(Session {
        answer: body,
        url,
        token: options.token.clone(),
        http,
    })
}

impl Session {
    /// Ends the session. Failures are ignored: one that is left over ends when its consent isn't renewed.
    pub(super) async fn end(self) {
        let mut request = self.http.delete(self.url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.0);
        }
        if let Err(error) = request.send().await {
            tracing::debug!(%error, "a WHEP session couldn't be ended");
        }
    }
}

/// The text of an answer, which may not be endless.
async fn body(mut response: reqwest::Response) -> Result<String, Ended> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Ended::Unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Ended::Answer("it is too long"));
        }
        body.extend(chunk);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn endpoint(options: &Options) -> Result<Url, Ended> {
    let mut url = options.node.clone();
    url.path_segments_mut()
        .map_err(|()| Ended::Address)?
        .pop_if_empty()
        .extend(["whep", &options.channel]);
    Ok(url)
}

/// In seconds; dates (RFC 9110 §10.2.3) aren't used by nodes.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(value.trim().parse().ok()?))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options(node: &str) -> Options {
        Options {
            node: node.parse().unwrap(),
            channel: "demo".to_owned(),
            token: Some(Token::new("secret")),
        }
    }

    #[test]
    fn certificates_are_checked_unless_on_loopback() {
        let is_loopback = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(is_loopback("https://127.0.0.1:8443/whep/demo"));
        assert!(is_loopback("https://[::1]:8443/whep/demo"));
        assert!(is_loopback("https://localhost/whep/demo"));
        assert!(!is_loopback("https://live.example/whep/demo"));
        assert!(!is_loopback("https://10.0.0.1/whep/demo"));
    }

    #[test]
    fn a_node_may_be_below_a_path() {
        let endpoint = |node| endpoint(&options(node)).unwrap().to_string();
        assert_eq!(
            endpoint("https://live.example"),
            "https://live.example/whep/demo"
        );
        assert_eq!(endpoint("http://a/b/"), "http://a/b/whep/demo");
    }

    #[test]
    fn tokens_are_not_shown() {
        assert!(!format!("{:?}", options("http://a")).contains("secret"));
    }
}
