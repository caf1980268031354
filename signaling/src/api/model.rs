//! The JSON of the REST API: what goes over the wire, and between this crate and the platform.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChannelName, SidecarId, SidecarUrl, platform::Role};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(value_type = i64, minimum = 0, example = 1_767_225_600_000_i64)]
pub struct Timestamp(pub u64);

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing<T> {
    /// The entries, at most `limit`.
    pub items: Vec<T>,
    /// Give this as `after` to get the next page. Null on the last page.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The most entries: 1 to 200.
    pub limit: u32,
    /// [`Listing::next`] of the page before, as the platform made it; from the client, so check it (400). At most 256 bytes.
    pub after: Option<String>,
}

/// What can be said of a channel by its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelProfile {
    /// What viewers read. At most 200 characters.
    #[schema(max_length = 200)]
    pub title: String,
    /// At most 16 tags of 1 to 40 characters.
    #[schema(max_items = 16)]
    pub tags: Vec<String>,
    /// How the channel behaves.
    pub settings: ChannelSettings,
}

/// How a channel behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// Only callers with a token for the channel may watch it, and the public list leaves it out.
    pub restricted_viewing: bool,
    /// A publisher with the same key takes over from the present one, so that a reconnecting encoder isn't locked out by
    /// its own ghost.
    pub takeover: bool,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            restricted_viewing: false,
            takeover: true,
        }
    }
}

/// A new channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// The name, for good.
    pub name: ChannelName,
    /// See `ChannelProfile`.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// See `ChannelProfile`.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub tags: Vec<String>,
    /// See `ChannelProfile`.
    #[serde(default)]
    pub settings: ChannelSettings,
}

/// A change to a channel: what's left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelEdit {
    /// The new title.
    #[schema(max_length = 200)]
    pub title: Option<String>,
    /// The new tags, replacing all.
    #[schema(max_items = 16)]
    pub tags: Option<Vec<String>>,
    /// The new settings.
    pub settings: Option<SettingsEdit>,
}

/// A change to a channel's settings: what's left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsEdit {
    /// See `ChannelSettings`.
    pub restricted_viewing: Option<bool>,
    /// See `ChannelSettings`.
    pub takeover: Option<bool>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// What viewers read.
    pub title: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How it behaves.
    pub settings: ChannelSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it's on air; null if it isn't.
    pub live_since: Option<Timestamp>,
    /// Viewers on this node now.
    pub viewers: u32,
}

/// A channel on air, as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveChannel {
    /// Its name.
    pub name: ChannelName,
    /// What viewers read.
    pub title: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Viewers now.
    pub viewers: u32,
    /// Since when it's on air.
    pub since: Timestamp,
}

/// A publisher's or viewer's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its public identifier. It isn't the key in the session's URL.
    pub id: String,
    /// Which channel.
    pub channel: ChannelName,
    /// Publisher or viewer.
    pub role: Role,
    /// When it was made.
    pub since: Timestamp,
    /// Whether ICE and DTLS are done.
    pub connected: bool,
    /// The client's address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// How its media goes. Null when it has no figures yet.
    pub figures: Option<SessionFigures>,
}

/// How a session's media goes. What isn't known is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionFigures {
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// The video codec as SDP names it.
    pub video_codec: Option<String>,
    /// The audio codec as SDP names it.
    pub audio_codec: Option<String>,
    /// Width of the picture in pixels.
    pub width: Option<u16>,
    /// Height of the picture in pixels.
    pub height: Option<u16>,
    /// Media packets: received from a publisher, sent to a viewer.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// The present rate.
    pub bits_per_second: Option<u64>,
    /// Packets that didn't get there.
    pub packets_lost: u64,
    /// Packets sent again.
    pub packets_resent: u64,
    /// Keyframes that were asked for.
    pub keyframe_requests: u64,
    /// Round-trip time in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// What a viewer's path is believed to carry.
    pub estimated_bits_per_second: Option<u64>,
    /// What arrived at a viewer lately, where it tells (transport-wide feedback).
    pub delivered_bits_per_second: Option<u64>,
}

/// One time on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Broadcast {
    /// Its identifier.
    pub id: String,
    /// Its channel.
    pub channel: ChannelName,
    /// The channel's title when it began.
    pub title: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while on air.
    pub ended_at: Option<Timestamp>,
    /// The most viewers at one time.
    pub peak_viewers: u32,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Publish to a channel; makes it if there's none.
    Publish,
    /// Watch a channel of restricted viewing.
    View,
    /// Moderate a channel's chat.
    Moderate,
    /// What a sidecar does: watch every channel, follow what is on air, register. Issued by `spillway token service` only.
    Service,
    /// Everything. Issued by `spillway token admin` only.
    Admin,
}

/// A wish for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `publish`, `view` or `moderate`.
    pub kind: TokenKind,
    /// For which channel.
    pub channel: ChannelName,
    /// For how many seconds, 1 to 315360000 (ten years); for good without.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub expires_in_s: Option<u64>,
    /// Who it's for, to recognise it in the list. At most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub note: String,
}

/// A new token. This is the only time that it's shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// The bearer token.
    pub token: String,
    /// What's remembered of it.
    pub details: Token,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedToken({:?})", self.details)
    }
}

/// What's remembered of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its identifier (the JWT's `jti`).
    pub id: String,
    /// What it allows.
    pub kind: TokenKind,
    /// For which channel; null for service and admin.
    pub channel: Option<ChannelName>,
    /// Who it's for.
    pub note: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Until when it holds; null is for good.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A configured webhook and how its deliveries go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Where it's sent, without user and password.
    pub url: String,
    /// Which events it's sent.
    pub events: Vec<String>,
    /// Deliveries that wait or will be tried again.
    pub pending: u64,
    /// Deliveries that were accepted.
    pub delivered: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

/// Where a sidecar serves, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SidecarRegistration {
    /// Scheme, host and port.
    #[schema(value_type = String, example = "http://127.0.0.1:45123")]
    pub url: SidecarUrl,
    /// The channels that it serves, those whose broadcast just ended included. At most 10,000.
    #[schema(max_items = 10_000)]
    pub channels: Vec<ChannelName>,
}

/// A sidecar that was heard of lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sidecar {
    /// What it calls itself.
    pub id: SidecarId,
    /// Where it serves.
    #[schema(value_type = String, example = "http://127.0.0.1:45123")]
    pub url: SidecarUrl,
    /// What it serves.
    pub channels: Vec<ChannelName>,
    /// Since when it's known.
    pub since: Timestamp,
    /// When it was heard of last.
    pub heard_at: Timestamp,
}

/// A node: its load and its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// The version of the software.
    pub version: String,
    /// Since when it runs.
    pub since: Timestamp,
    /// Whether it takes no more sessions because it's about to stop.
    pub draining: bool,
    /// Media workers.
    pub workers: u32,
    /// Channels on air.
    pub live_channels: u32,
    /// Publishers now.
    pub publishers: u32,
    /// Viewers now.
    pub viewers: u32,
    /// The most viewers.
    pub max_viewers: u32,
    /// The most sessions of one address.
    pub max_sessions_per_address: u32,
}
