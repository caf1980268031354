//! WHIP and WHEP over HTTP (RFC 9725): sessions are created and ended, each from its own address if need be.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

/// A server that takes longer isn't usable.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MOST: usize = 256 << 10;
/// Of a refusal this much is worth showing.
const REASON: usize = 200;
const MOST_REDIRECTS: usize = 3;

/// A session on the server.
#[derive(Debug, Clone)]
pub struct Session {
    /// Where it can be ended.
    pub url: Url,
    /// The SDP answer.
    pub answer: String,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The server said no.
    #[error("{status}: {reason}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it said.
        reason: String,
        /// When it may be tried again.
        retry_after: Option<Duration>,
    },
    /// No connection, or no answer in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// Something that WHIP and WHEP don't allow.
    #[error("the server's answer {0}")]
    Invalid(&'static str),
}

/// One client of a server: an address to come from, and a token to show.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The address that connections come from; the system's choice if none.
    pub from: Option<IpAddr>,
    /// The bearer token.
    pub token: Option<String>,
}

impl Caller {
    /// Creates a session by an SDP offer.
    pub async fn create(&self, endpoint: &Url, offer: String) -> Result<Session, HttpError> {
        let mut url = endpoint.clone();
        for _ in 0..MOST_REDIRECTS {
            let request = self.request(Method::POST, &url, offer.clone())?;
            let (head, body) = self.send(request).await?;
            let target = head
                .headers
                .get(LOCATION)
                .and_then(|value| url.join(value.to_str().ok()?).ok());
            match (head.status, target) {
                (StatusCode::CREATED, Some(url)) => {
                    let answer = String::from_utf8(body.to_vec())
                        .map_err(|_| HttpError::Invalid("isn't text"))?;
                    return Ok(Session { url, answer });
                }
                (StatusCode::CREATED, None) => {
                    return Err(HttpError::Invalid("has no Location"));
                }
                // To another node (RFC 9725 §4.5).
                (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT, Some(target)) => {
                    url = target;
                }
                (status, _) => {
                    let retry_after = head
                        .headers
                        .get(RETRY_AFTER)
                        .and_then(|value| value.to_str().ok()?.parse().ok())
                        .map(Duration::from_secs);
                    return Err(HttpError::Refused {
                        status: status.as_u16(),
                        // It is shown on a terminal.
                        reason: String::from_utf8_lossy(&body)
                            .chars()
                            .take(REASON)
                            .map(|c| if c.is_control() { ' ' } else { c })
                            .collect(),
                        retry_after,
                    });
                }
            }
        }
        Err(HttpError::Invalid("leads in circles"))
    }

    /// Ends a session. It may be gone already.
    pub async fn delete(&self, session: &Url) -> Result<(), HttpError> {
        let request = self.request(Method::DELETE, session, String::new())?;
        self.send(request).await.map(|_| ())
    }

    fn request(
        &self,
        method: Method,
        url: &Url,
        body: String,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut request = Request::builder()
            .method(method)
            .uri(Uri::try_from(url.as_str()).map_err(|_| HttpError::Invalid("names no URL"))?)
            .header(CONTENT_TYPE, "application/sdp");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| HttpError::Unreachable(error.to_string()))
    }

    /// On a connection of its own, as each browser has.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(hyper::http::response::Parts, Bytes), HttpError> {
        let mut connector = HttpConnector::new();
        connector.set_local_address(self.from);
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        let exchange = async {
            let response = client
                .request(request)
                .await
                .map_err(|error| HttpError::Unreachable(chain(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST)
                .collect()
                .await
                .map_err(|error| HttpError::Unreachable(error.to_string()))?;
            Ok((head, body.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| Err(HttpError::Unreachable(format!("none in {TIMEOUT:?}"))))
    }
}

/// An error with its causes: the outermost alone says too little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
