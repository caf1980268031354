//! The node that a sidecar works for: what is on air there, and telling it where the sidecar is.

use std::{
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use reqwest::{StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::{Host, Url};

use super::prompter::Captions;
use crate::{
    media::Moment,
    problem,
    record::{Marker, Status},
    whep::Token,
};

/// An answer that isn't a stream takes no longer.
const TIMEOUT: Duration = Duration::from_secs(8);
/// What is soon worth nothing takes no longer.
const SOON: Duration = Duration::from_secs(2);
/// The node says something every 10 s.
const SILENCE: Duration = Duration::from_secs(30);

/// A channel that is on air.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Live {
    pub(super) channel: String,
    /// Another one means that it went off air in between.
    pub(super) broadcast: String,
    /// Its stream time 0.
    #[serde(deserialize_with = "moment")]
    pub(super) started_at: Moment,
}

/// RFC 3339.
fn moment<'de, D: Deserializer<'de>>(value: D) -> Result<Moment, D::Error> {
    let text = String::deserialize(value)?;
    let at = humantime::parse_rfc3339(&text).map_err(D::Error::custom)?;
    let since = at.duration_since(UNIX_EPOCH).map_err(D::Error::custom)?;
    i64::try_from(since.as_micros())
        .map(Moment)
        .map_err(D::Error::custom)
}

/// What the node tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// All channels that are on air.
    Snapshot(Vec<Live>),
    /// One more.
    Live(Live),
    /// One less.
    Ended(Live),
}

#[derive(Deserialize)]
struct Snapshot {
    channels: Vec<Live>,
}

#[derive(Serialize)]
struct Registration<'a> {
    url: &'a Url,
    channels: &'a [String],
}

#[derive(Deserialize)]
struct Markers {
    items: Vec<Marker>,
}

/// Why the node isn't heard.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// HTTP failed.
    #[error("the node can't be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// It doesn't want to.
    #[error("the node refused with {status}: {why}")]
    Refused {
        /// With this.
        status: StatusCode,
        /// In its own words, if it had some.
        why: String,
    },
    /// Something else came.
    #[error("the node's event stream can't be read: {0}")]
    Stream(String),
    /// It ended.
    #[error("the node's event stream ended")]
    Ended,
    /// The address is none.
    #[error("{0} is no address of a node: write it as http://127.0.0.1:8080")]
    Address(Url),
}

impl NodeError {
    /// The node doesn't know what it was asked about.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            }
        )
    }

    /// Asking again soon has the same answer: somebody has to change something.
    pub(super) fn is_final(&self) -> bool {
        let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        matches!(self, Self::Refused { status, .. } if status.is_client_error() && !later.contains(status))
    }

    async fn refused(response: reqwest::Response) -> Self {
        let status = response.status();
        let mut why = problem::detail(response).await.unwrap_or_default();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            if !why.is_empty() {
                why.push_str("; ");
            }
            why.push_str(TOKEN);
        }
        Self::Refused { status, why }
    }
}

/// What may be wrong where the node knows no better.
const TOKEN: &str =
    "does the token (SPILLWAY_TOKEN) come from `spillway token service`, of this node?";

/// Speaks to one node.
#[derive(Debug, Clone)]
pub struct Node {
    url: Url,
    token: Token,
    http: reqwest::Client,
}

impl Node {
    /// The node at `url`, which takes this token.
    ///
    /// # Errors
    /// The address is none, or TLS can't be set up.
    pub fn new(url: Url, token: Token) -> Result<Self, NodeError> {
        if url.cannot_be_a_base() || !matches!(url.scheme(), "http" | "https") {
            return Err(NodeError::Address(url));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(TIMEOUT)
            .read_timeout(SILENCE)
            // The certificate is for the node's public name; on loopback there's no one in between.
            .tls_danger_accept_invalid_certs(is_loopback(&url))
            .no_proxy()
            .build()?;
        Ok(Self { url, token, http })
    }

    /// Tells `take` what is on air, until the connection breaks.
    pub(super) async fn listen(&self, mut take: impl FnMut(News)) -> Result<(), NodeError> {
        let response = self
            .http
            .get(self.at("api/v1/events"))
            .bearer_auth(self.token.secret())
            .header(header::ACCEPT, "text/event-stream")
            .send()
            .await?;
        if response.status() != StatusCode::OK {
            return Err(NodeError::refused(response).await);
        }
        let mut events = response.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| NodeError::Stream(error.to_string()))?;
            if let Some(news) = read(&event.event, &event.data)? {
                take(news);
            }
        }
        Err(NodeError::Ended)
    }

    /// Tells the node where the sidecar `id` is, and what it has. The node forgets it after 10 s.
    pub(super) async fn register(
        &self,
        id: &str,
        url: &Url,
        channels: &[String],
    ) -> Result<(), NodeError> {
        let response = self
            .http
            .put(self.at(&format!("api/v1/sidecars/{id}")))
            .bearer_auth(self.token.secret())
            .timeout(TIMEOUT)
            .json(&Registration { url, channels })
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(NodeError::refused(response).await);
        }
        Ok(())
    }

    /// Tells the node how a broadcast's recording is.
    pub(crate) async fn tell_recording(
        &self,
        broadcast: &str,
        status: &Status,
    ) -> Result<(), NodeError> {
        let response = self
            .http
            .put(self.at(&format!("api/v1/broadcasts/{broadcast}/recording")))
            .bearer_auth(self.token.secret())
            .timeout(TIMEOUT)
            .json(status)
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(NodeError::refused(response).await);
        }
        Ok(())
    }

    /// Tells the node what was said in a broadcast.
    pub(super) async fn tell_captions(
        &self,
        broadcast: &str,
        captions: &Captions<'_>,
    ) -> Result<(), NodeError> {
        let response = self
            .http
            .post(self.at(&format!("api/v1/broadcasts/{broadcast}/captions")))
            .bearer_auth(self.token.secret())
            .timeout(SOON)
            .json(captions)
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(NodeError::refused(response).await);
        }
        Ok(())
    }

    /// What was marked in a broadcast, sorted by time.
    pub(crate) async fn markers(&self, broadcast: &str) -> Result<Vec<Marker>, NodeError> {
        let response = self
            .http
            .get(self.at(&format!("api/v1/broadcasts/{broadcast}/markers")))
            .bearer_auth(self.token.secret())
            .timeout(TIMEOUT)
            .send()
            .await?;
        if response.status() != StatusCode::OK {
            return Err(NodeError::refused(response).await);
        }
        Ok(response.json::<Markers>().await?.items)
    }

    /// Has the node forget the sidecar at once.
    pub(super) async fn leave(&self, id: &str) {
        let request = self
            .http
            .delete(self.at(&format!("api/v1/sidecars/{id}")))
            .bearer_auth(self.token.secret())
            .timeout(Duration::from_secs(1));
        if let Err(error) = request.send().await {
            tracing::debug!(%error, "the node couldn't be told that the sidecar ends");
        }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }
}

/// What an event says; nothing, if it is one of those to come.
fn read(event: &str, data: &str) -> Result<Option<News>, NodeError> {
    let unreadable = |error: serde_json::Error| NodeError::Stream(error.to_string());
    Ok(Some(match event {
        "snapshot" => {
            let snapshot: Snapshot = serde_json::from_str(data).map_err(unreadable)?;
            News::Snapshot(snapshot.channels)
        }
        "live" => News::Live(serde_json::from_str(data).map_err(unreadable)?),
        "ended" => News::Ended(serde_json::from_str(data).map_err(unreadable)?),
        _ => return Ok(None),
    }))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The address that the node is told, where nothing else is said.
pub(super) fn own_url(listens_at: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://{listens_at}")).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn events_are_read_and_those_to_come_left_out() {
        let live = Live {
            channel: "demo".to_owned(),
            broadcast: "b1".to_owned(),
            started_at: Moment(1_767_225_600_120_000),
        };
        let one = r#"{"channel":"demo","broadcast":"b1","started_at":"2026-01-01T00:00:00.120Z"}"#;
        let all = format!(r#"{{"channels":[{one}]}}"#);
        assert_eq!(
            read("snapshot", &all).unwrap(),
            Some(News::Snapshot(vec![live.clone()]))
        );
        assert_eq!(read("live", one).unwrap(), Some(News::Live(live.clone())));
        assert_eq!(read("ended", one).unwrap(), Some(News::Ended(live)));
        assert_eq!(read("viewers", "7").unwrap(), None);
        assert!(read("live", "{}").is_err());
    }

    #[test]
    fn paths_go_below_the_nodes_own() {
        let at = |url: &str| {
            let node = Node::new(Url::parse(url).unwrap(), Token::new("t")).unwrap();
            node.at("api/v1/events").to_string()
        };
        assert_eq!(
            at("http://127.0.0.1:8080"),
            "http://127.0.0.1:8080/api/v1/events"
        );
        assert_eq!(
            at("https://live.example/spillway/"),
            "https://live.example/spillway/api/v1/events"
        );
        for none in ["mailto:a@b.c", "ftp://live.example"] {
            let refused = Node::new(Url::parse(none).unwrap(), Token::new("t"));
            assert!(matches!(refused, Err(NodeError::Address(_))), "{none}");
        }
    }
}
