//! `GET`, on connections that a client keeps, as a player does.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, LOCATION, RETRY_AFTER};
use hyper::http::response::Parts;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

/// A blocking reload may take three target durations (RFC 8216bis §6.2.5.2).
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer, and of a playlist that came compressed.
const MOST: usize = 64 << 20;
const MOST_TEXT: u64 = 16 << 20;
const MOST_REDIRECTS: usize = 5;

/// Why there's no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Another status than 200.
    #[error("{status} for {what}")]
    Status {
        /// The status.
        status: u16,
        /// Which kind of thing was asked for.
        what: &'static str,
        /// When to ask again.
        retry_after: Option<Duration>,
    },
    /// No connection, or it broke off, or took too long.
    #[error("no answer for {what}: {why}")]
    Unreachable {
        /// Which kind of thing was asked for.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Something that can't be.
    #[error("the answer for {what} {why}")]
    Invalid {
        /// Which kind of thing was asked for.
        what: &'static str,
        /// What's wrong with it.
        why: &'static str,
    },
}

/// What came.
#[derive(Debug)]
pub struct Fetched {
    /// Where it was in the end.
    pub url: Url,
    /// Decompressed.
    pub body: Bytes,
    /// Bytes of the body on the wire.
    pub size: usize,
}

impl Fetched {
    /// As text.
    pub fn text(&self) -> Result<&str, FetchError> {
        std::str::from_utf8(&self.body).map_err(|_| FetchError::Invalid {
            what: "a playlist",
            why: "isn't UTF-8",
        })
    }
}

/// One client's connections.
pub struct Fetcher {
    client: Client<HttpConnector, Empty<Bytes>>,
    token: Option<String>,
}

impl Fetcher {
    /// From that address, or the system's choice; with a bearer token.
    pub fn new(from: Option<IpAddr>, token: Option<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_local_address(from);
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            token,
        }
    }

    /// Fetches `what`, a word for errors, and follows redirects.
    pub async fn get(&self, url: &Url, what: &'static str) -> Result<Fetched, FetchError> {
        let unreachable = |why| FetchError::Unreachable { what, why };
        tokio::time::timeout(TIMEOUT, self.follow(url, what))
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("none in {TIMEOUT:?}"))))
    }

    async fn follow(&self, url: &Url, what: &'static str) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let (head, body) = self.send(&url, what).await?;
            let target = head
                .headers
                .get(LOCATION)
                .and_then(|value| url.join(value.to_str().ok()?).ok());
            match (head.status, target) {
                (StatusCode::OK, _) => return fetched(url, &head, body, what),
                (status, Some(target)) if status.is_redirection() => url = target,
                (status, _) => {
                    let retry_after = head
                        .headers
                        .get(RETRY_AFTER)
                        .and_then(|value| value.to_str().ok()?.parse().ok())
                        .map(Duration::from_secs);
                    return Err(FetchError::Status {
                        status: status.as_u16(),
                        what,
                        retry_after,
                    });
                }
            }
        }
        Err(FetchError::Invalid {
            what,
            why: "leads in circles",
        })
    }

    async fn send(&self, url: &Url, what: &'static str) -> Result<(Parts, Bytes), FetchError> {
        let unreachable = |why| FetchError::Unreachable { what, why };
        let uri = Uri::try_from(url.as_str()).map_err(|error| unreachable(error.to_string()))?;
        let mut request = Request::get(uri).header(ACCEPT_ENCODING, "gzip");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| unreachable(error.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| unreachable(chain(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST)
            .collect()
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        Ok((head, body.to_bytes()))
    }
}

fn fetched(url: Url, head: &Parts, body: Bytes, what: &'static str) -> Result<Fetched, FetchError> {
    let size = body.len();
    let encoding = head.headers.get(CONTENT_ENCODING);
    let body = match encoding.map(hyper::header::HeaderValue::as_bytes) {
        None | Some(b"identity") => body,
        Some(b"gzip") => unzipped(&body).ok_or(FetchError::Invalid {
            what,
            why: "isn't the gzip that it says",
        })?,
        Some(_) => {
            return Err(FetchError::Invalid {
                what,
                why: "is compressed in a way that wasn't asked for",
            });
        }
    };
    Ok(Fetched { url, body, size })
}

fn unzipped(body: &[u8]) -> Option<Bytes> {
    let mut out = Vec::new();
    let mut decoder = GzDecoder::new(body).take(MOST_TEXT);
    decoder.read_to_end(&mut out).ok()?;
    Some(out.into())
}

/// An error with its causes: the outermost alone says too little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string doesn't fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
