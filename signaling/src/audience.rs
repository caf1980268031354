//! How an audience did, as its players report it. See docs/audience.md.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;
use spillway_chat::protocol::Report;
use utoipa::ToSchema;

use crate::{BroadcastId, ChannelName, Refusal, api::model::Timestamp, platform::Caller};

/// What the router needs of audiences. A part of [`Platform`](crate::Platform), and like it in all else.
#[async_trait]
pub trait Audiences: Send + Sync + 'static {
    /// Takes what a player says that it did, for the broadcast under way; nothing is kept of it where there's none. 401, 403 and
    /// 404 as for [`Platform::watch`](crate::Platform::watch).
    async fn take_report(
        &self,
        channel: &ChannelName,
        caller: &Caller,
        report: Report,
    ) -> Result<(), Refusal>;

    /// How a broadcast's audience did, in points of that many minutes. The caller was authorized before. 404.
    async fn audience(
        &self,
        broadcast: &BroadcastId,
        step: Option<u32>,
    ) -> Result<Audience, Refusal>;
}

/// How a broadcast's audience did.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Audience {
    /// Which broadcast.
    pub broadcast: String,
    /// Its channel.
    pub channel: ChannelName,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null if it hasn't.
    pub ended_at: Option<Timestamp>,
    /// Minutes of a point.
    pub step: u32,
    /// All of it.
    pub total: AudienceTotal,
    /// By time; where nothing was is no point.
    pub points: Vec<AudiencePoint>,
    /// By player: `webrtc`, `hls`.
    pub players: Vec<AudienceShare>,
    /// By device: `desktop`, `mobile`, `tablet`, `tv`, `other`.
    pub devices: Vec<AudienceShare>,
    /// By country, the most watched first: 64 at most, then `other` and `unknown`.
    pub countries: Vec<AudienceShare>,
    /// By the picture's height.
    pub heights: Vec<AudienceHeight>,
    /// What its donations make, by currency (ISO 4217), in minor units.
    pub raised: BTreeMap<String, u64>,
}

/// What was counted, of all or a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct AudienceSums {
    /// How long pictures moved.
    pub watched_s: f64,
    /// How long they stood.
    pub stalled_s: f64,
    /// How often.
    pub stalls: u64,
    /// Viewings that came to a picture.
    pub joins: u64,
}

/// What was counted in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct AudienceTotal {
    /// The sums.
    #[serde(flatten)]
    pub sums: AudienceSums,
    /// Viewers in the minute with the most.
    pub viewers_most: f64,
    /// The most WHEP sessions that the node counted.
    pub sessions_most: u64,
    /// How far behind players were.
    pub latency_ms: Percentiles,
    /// How long the first picture took.
    pub startup_ms: Percentiles,
}

/// What was counted in some minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct AudiencePoint {
    /// Its beginning, in minutes since the broadcast's.
    pub at: u32,
    /// How many watched, on average.
    pub viewers: f64,
    /// The most WHEP sessions that the node counted.
    pub sessions_most: u64,
    /// The sums.
    #[serde(flatten)]
    pub sums: AudienceSums,
    /// How far behind players were.
    pub latency_ms: Percentiles,
}

/// What was counted of a player, a device or a country.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AudienceShare {
    /// Of which.
    pub name: String,
    /// The sums.
    #[serde(flatten)]
    pub sums: AudienceSums,
    /// How far behind players were.
    pub latency_ms: Percentiles,
    /// How long the first picture took.
    pub startup_ms: Percentiles,
}

/// For how long pictures of a height were seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct AudienceHeight {
    /// The most pixels of a class: 180, 240, 360, 480, 720, 1080, 1440, 2160, and 4320 for all beyond.
    pub height: u32,
    /// How long.
    pub watched_s: f64,
}

/// How values are spread; null where there are none. See docs/audience.md for how exact they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half of them are at most that.
    pub p50: Option<u32>,
    /// 95 % of them are.
    pub p95: Option<u32>,
    /// 99 % of them are.
    pub p99: Option<u32>,
}
