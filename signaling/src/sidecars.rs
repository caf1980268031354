//! Sidecars: the processes that make LL-HLS of broadcasts. What they are called, where they are, and what they are told of
//! the broadcasts under way.
//!
//! Like viewers' events, what is on air is told as a state and not as a queue of news: a sidecar that reads slowly costs
//! nothing, and misses nothing that still matters.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use axum::http::Uri;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use utoipa::ToSchema;

use crate::{
    ChannelName, Signature, api::model::Timestamp, caller::is_loopback_name, names::is_name,
    rfc_3339,
};

/// The most bytes of a sidecar's URL.
const MAX_URL: usize = 256;

/// The name that a sidecar gives itself: `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$", example = "local")]
pub struct SidecarId(String);

/// A sidecar's name that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sidecar's id has 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidSidecarId;

impl FromStr for SidecarId {
    type Err = InvalidSidecarId;

    fn from_str(id: &str) -> Result<Self, InvalidSidecarId> {
        is_name(id)
            .then(|| Self(id.to_owned()))
            .ok_or(InvalidSidecarId)
    }
}

impl TryFrom<String> for SidecarId {
    type Error = InvalidSidecarId;

    fn try_from(id: String) -> Result<Self, InvalidSidecarId> {
        id.parse()
    }
}

impl From<SidecarId> for String {
    fn from(id: SidecarId) -> Self {
        id.0
    }
}

impl fmt::Display for SidecarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a sidecar serves: scheme, host and port, such as `http://127.0.0.1:45123` or `https://hls1.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SidecarUrl {
    text: String,
    is_local: bool,
}

/// A sidecar's URL that isn't one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSidecarUrl {
    /// It isn't a URL of that form.
    #[error(
        "a sidecar's url has scheme, host and port alone, such as http://127.0.0.1:45123 or https://hls1.example.org"
    )]
    Form,
    /// Nobody checks certificates on the way within one machine.
    #[error("a sidecar on the node's own machine is reached over http://, not https://")]
    LocalTls,
}

impl SidecarUrl {
    /// As it's written, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it's on a loopback address, which nobody but this machine reaches.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

impl FromStr for SidecarUrl {
    type Err = InvalidSidecarUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSidecarUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = text.parse().map_err(|_| InvalidSidecarUrl::Form)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(InvalidSidecarUrl::Form),
        };
        let authority = uri.authority().ok_or(InvalidSidecarUrl::Form)?;
        // Nothing but these two: what a viewer asks for is put behind them.
        let scheme = if is_tls { "https" } else { "http" };
        let is_bare =
            text == format!("{scheme}://{authority}") && !authority.as_str().contains('@');
        if !is_bare || authority.host().is_empty() || text.len() > MAX_URL {
            return Err(InvalidSidecarUrl::Form);
        }
        let is_local = is_loopback_name(authority.host());
        if is_local && is_tls {
            return Err(InvalidSidecarUrl::LocalTls);
        }
        Ok(Self {
            text: text.to_owned(),
            is_local,
        })
    }
}

impl TryFrom<String> for SidecarUrl {
    type Error = InvalidSidecarUrl;

    fn try_from(text: String) -> Result<Self, InvalidSidecarUrl> {
        text.parse()
    }
}

impl From<SidecarUrl> for String {
    fn from(url: SidecarUrl) -> Self {
        url.text
    }
}

/// A broadcast under way, as sidecars are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BroadcastOnAir {
    /// Its channel.
    pub channel: ChannelName,
    /// Its identifier.
    pub broadcast: String,
    /// When it began.
    #[serde(serialize_with = "rfc_3339::serialize")]
    pub started_at: Timestamp,
}

/// All broadcasts under way, by channel. One whose publisher is gone and may return is among them.
pub type OnAir = Arc<BTreeMap<ChannelName, BroadcastOnAir>>;

/// What a sidecar that follows the broadcasts gets.
#[derive(Debug)]
pub struct OnAirFeed {
    /// The broadcasts, now and later.
    pub on_air: watch::Receiver<OnAir>,
    /// Completes, by going, when the node stops or the token is revoked.
    pub end: oneshot::Receiver<()>,
}

/// Where a channel's HLS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsSource {
    /// The sidecar that has it.
    pub sidecar: SidecarUrl,
    /// It isn't for everybody: this is by what the one who asked gets it at a signed address, and nothing else of it may be
    /// kept by shared caches.
    pub signature: Option<Signature>,
}

/// An event as it's sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OnAirTelling {
    pub(crate) name: &'static str,
    pub(crate) data: String,
}

/// Finds what a sidecar wasn't told yet: ask [`OnAirTeller::next`] until there's nothing more, then wait for news.
#[derive(Default)]
pub(crate) struct OnAirTeller {
    told: Option<BTreeMap<ChannelName, BroadcastOnAir>>,
}

impl OnAirTeller {
    /// First the whole state; afterwards what ended, before what began: of two broadcasts of a channel the earlier ends.
    pub(crate) fn next(&mut self, now: &OnAir) -> Option<OnAirTelling> {
        let Some(told) = &mut self.told else {
            self.told = Some((**now).clone());
            let channels: Vec<_> = now.values().collect();
            return tell("snapshot", &serde_json::json!({ "channels": channels }));
        };
        let ended = told
            .iter()
            .find(|(channel, broadcast)| now.get(*channel) != Some(broadcast))
            .map(|(channel, _)| channel.clone());
        if let Some(broadcast) = ended.and_then(|channel| told.remove(&channel)) {
            return tell("ended", &broadcast);
        }
        let (channel, begun) = now
            .iter()
            .find(|(channel, _)| !told.contains_key(channel))?;
        told.insert(channel.clone(), begun.clone());
        tell("live", begun)
    }
}

fn tell(name: &'static str, data: &impl Serialize) -> Option<OnAirTelling> {
    match serde_json::to_string(data) {
        Ok(data) => Some(OnAirTelling { name, data }),
        Err(error) => {
            tracing::error!(%error, "an event can't be written");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn on_air(broadcasts: &[(&str, &str)]) -> OnAir {
        let entry = |(channel, broadcast): &(&str, &str)| {
            let channel: ChannelName = channel.parse().unwrap();
            let broadcast = BroadcastOnAir {
                channel: channel.clone(),
                broadcast: (*broadcast).to_owned(),
                started_at: Timestamp(1_767_225_600_120),
            };
            (channel, broadcast)
        };
        Arc::new(broadcasts.iter().map(entry).collect())
    }

    fn all(teller: &mut OnAirTeller, now: &OnAir) -> Vec<(&'static str, String)> {
        std::iter::from_fn(|| teller.next(now))
            .map(|OnAirTelling { name, data }| {
                let data: serde_json::Value = serde_json::from_str(&data).unwrap();
                (name, data["broadcast"].as_str().unwrap_or("").to_owned())
            })
            .collect()
    }

    #[test]
    fn the_first_event_is_the_whole_state() {
        let mut teller = OnAirTeller::default();
        let told = teller.next(&on_air(&[("demo", "b1")])).unwrap();
        assert_eq!(told.name, "snapshot");
        assert_eq!(
            told.data,
            r#"{"channels":[{"broadcast":"b1","channel":"demo","started_at":"2026-01-01T00:00:00.120Z"}]}"#
        );
        assert_eq!(teller.next(&on_air(&[("demo", "b1")])), None);
    }

    #[test]
    fn what_changed_is_told_once() {
        let mut teller = OnAirTeller::default();
        all(&mut teller, &on_air(&[]));
        let both = on_air(&[("a", "b1"), ("b", "b2")]);
        assert_eq!(
            all(&mut teller, &both),
            [("live", "b1".into()), ("live", "b2".into())]
        );
        assert_eq!(
            all(&mut teller, &on_air(&[("b", "b2")])),
            [("ended", "b1".into())]
        );
    }

    #[test]
    fn a_broadcast_that_follows_another_begins_after_its_end() {
        let mut teller = OnAirTeller::default();
        all(&mut teller, &on_air(&[("a", "b1")]));
        let told = all(&mut teller, &on_air(&[("a", "b2")]));
        assert_eq!(told, [("ended", "b1".into()), ("live", "b2".into())]);
    }

    #[test]
    fn a_url_is_scheme_host_and_port_and_nothing_else() {
        for (text, is_local) in [
            ("http://127.0.0.1:45123", true),
            ("http://127.0.0.1:45123/", true),
            ("http://[::1]:80", true),
            ("http://localhost:8081", true),
            ("http://10.0.0.7:8081", false),
            ("https://hls1.example.org", false),
        ] {
            let url: SidecarUrl = text.parse().unwrap();
            assert_eq!(url.is_local(), is_local, "{text}");
            assert!(!url.as_str().ends_with('/'), "{text}");
        }
        for text in [
            "",
            "/hls",
            "127.0.0.1:45123",
            "ftp://10.0.0.7",
            "http://user:secret@10.0.0.7",
            "http://10.0.0.7/below",
            "http://10.0.0.7//",
            "http://10.0.0.7?x=1",
            "http://10.0.0.7\r\nx: y",
        ] {
            assert!(text.parse::<SidecarUrl>().is_err(), "{text}");
        }
        let local = "https://127.0.0.1:1".parse::<SidecarUrl>();
        assert_eq!(local, Err(InvalidSidecarUrl::LocalTls));
    }
}
