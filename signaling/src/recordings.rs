//! Recordings: what a broadcast leaves behind, as it's told of, marked, kept and served. See docs/vod.md.

use std::{fmt, ops::Range, str::FromStr};

use async_trait::async_trait;
use axum::body::Body;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChannelName, Refusal, Signature, Ticket,
    api::model::{Broadcast, Listing, PageRequest, Timestamp},
    names::is_name,
    rfc_3339,
    vod::VodObject,
};

/// What the router needs of recordings. A part of [`Platform`](crate::Platform), and like it in all else.
#[async_trait]
pub trait Recordings: Send + Sync + 'static {
    /// Notes what a sidecar says of a recording. 404 when there's no such broadcast, or its recording was deleted.
    async fn note_recording(
        &self,
        broadcast: &BroadcastId,
        report: RecordingReport,
    ) -> Result<(), Refusal>;
    /// Has a recording deleted: nobody finds it any more, and its objects go. 404, 409 while it's made.
    async fn delete_recording(&self, broadcast: &BroadcastId) -> Result<(), Refusal>;
    /// The recordings of a channel, the latest first.
    async fn recordings(
        &self,
        channel: &ChannelName,
        page: PageRequest,
    ) -> Result<Listing<Recording>, Refusal>;
    /// One recording, or 404.
    async fn recording(&self, broadcast: &BroadcastId) -> Result<Recording, Refusal>;

    /// The markers of a broadcast by time. 404 when there's no such broadcast.
    async fn markers(&self, broadcast: &BroadcastId) -> Result<Vec<Marker>, Refusal>;
    /// Sets a marker in the broadcast that is under way. 404 when there's no such channel, 409 when it isn't live or the
    /// broadcast has as many markers as it may, 422 when the moment isn't within it.
    async fn add_marker(&self, channel: &ChannelName, marker: NewMarker)
    -> Result<Marker, Refusal>;
    /// Takes a marker out, or 404.
    async fn delete_marker(&self, broadcast: &BroadcastId, marker: &str) -> Result<(), Refusal>;

    /// Whether the one who asks may see a recording's media: 401 and 403 as for [`Platform::watch`](crate::Platform::watch),
    /// 403 when the signature isn't ours or has expired, 404 when there's no such recording.
    async fn find_vod(
        &self,
        broadcast: &BroadcastId,
        ticket: Ticket<'_>,
    ) -> Result<VodSource, Refusal>;
    /// Reads an object of a recording from the storage. 404, 502 when the storage fails, 503 when it doesn't answer, or has
    /// as much to do as it may.
    async fn read_vod(
        &self,
        broadcast: &BroadcastId,
        object: &VodObject,
        part: ObjectPart,
    ) -> Result<ObjectRead, Refusal>;
}

/// The identifier of a broadcast, as URLs and the storage have it: `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
pub struct BroadcastId(String);

/// An identifier that no broadcast has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a broadcast's identifier has 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidBroadcastId;

impl BroadcastId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BroadcastId {
    type Err = InvalidBroadcastId;

    fn from_str(id: &str) -> Result<Self, InvalidBroadcastId> {
        is_name(id)
            .then(|| Self(id.to_owned()))
            .ok_or(InvalidBroadcastId)
    }
}

impl TryFrom<String> for BroadcastId {
    type Error = InvalidBroadcastId;

    fn try_from(id: String) -> Result<Self, InvalidBroadcastId> {
        id.parse()
    }
}

impl From<BroadcastId> for String {
    fn from(id: BroadcastId) -> Self {
        id.0
    }
}

impl fmt::Display for BroadcastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// The broadcast is under way, and what there is of it can be watched.
    Recording,
    /// The broadcast is over; what is made of all of it isn't there yet.
    Finishing,
    /// Everything is there.
    Ready,
    /// It didn't become whole. What there is can be watched.
    Failed,
}

impl RecordingState {
    /// Whether a sidecar is still at it.
    pub fn is_being_made(self) -> bool {
        matches!(self, Self::Recording | Self::Finishing)
    }
}

/// What a sidecar says of a recording: at each change of state, and every 10 s while it records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingReport {
    /// How far it is.
    pub state: RecordingState,
    /// How long it is, in milliseconds. At most 2⁵³.
    #[schema(maximum = 9_007_199_254_740_992_u64)]
    pub duration_ms: u64,
    /// How much of the storage it takes. At most 2⁵³.
    #[schema(maximum = 9_007_199_254_740_992_u64)]
    pub bytes: u64,
    /// What went wrong: one line of at most 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub problem: Option<String>,
}

/// The recording of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Recording {
    /// Of which broadcast.
    pub broadcast: BroadcastId,
    /// Of which channel.
    pub channel: ChannelName,
    /// The channel's title when the broadcast began.
    pub title: String,
    /// How far it is.
    pub state: RecordingState,
    /// When the broadcast began (RFC 3339).
    #[serde(with = "rfc_3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When the broadcast ended; null while on air.
    #[serde(with = "rfc_3339::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
    /// How much of the storage it takes.
    pub bytes: u64,
    /// HLS: there from the first whole segment on.
    pub playlist: String,
    /// One MP4 file of all; null until it's ready, like those below.
    pub video: Option<String>,
    /// A picture of it.
    pub poster: Option<String>,
    /// `WebVTT` of small pictures.
    pub storyboard: Option<String>,
    /// `WebVTT` of chapters.
    pub chapters: Option<String>,
    /// What went wrong, told to those who may mark the channel.
    pub problem: Option<String>,
}

impl Recording {
    /// What's to say of it. The addresses follow from the broadcast.
    pub fn new(id: BroadcastId, broadcast: Broadcast, report: RecordingReport) -> Self {
        let at = |object: &str| format!("/vod/{id}/{object}");
        let once_ready = |object| (report.state == RecordingState::Ready).then(|| at(object));
        Self {
            channel: broadcast.channel,
            title: broadcast.title,
            state: report.state,
            started_at: broadcast.started_at,
            ended_at: broadcast.ended_at,
            duration_ms: report.duration_ms,
            bytes: report.bytes,
            playlist: at("index.m3u8"),
            video: once_ready("video.mp4"),
            poster: once_ready("poster.jpg"),
            storyboard: once_ready("storyboard.vtt"),
            chapters: once_ready("chapters.vtt"),
            problem: report.problem,
            broadcast: id,
        }
    }
}

/// A moment of a broadcast that has a name: a chapter of its recording begins there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marker {
    /// Its identifier.
    pub id: String,
    /// When (RFC 3339), on the node's clock.
    #[serde(with = "rfc_3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What begins there. 1 to 200 characters.
    #[schema(max_length = 200)]
    pub title: String,
}

/// A wish for a marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMarker {
    /// What begins there: one line of 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// When (RFC 3339 in UTC), within the broadcast; now without.
    #[serde(default, with = "rfc_3339::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// The markers of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarkerList {
    /// By time.
    pub items: Vec<Marker>,
}

/// What's known of a recording's media, for who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VodSource {
    /// It won't change any more.
    pub is_final: bool,
    /// It isn't for everybody, and this is by what the one who asked gets it.
    pub signature: Option<Signature>,
}

/// What is wanted of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectPart {
    /// What is to say of it, without a byte of it.
    Nothing,
    /// All of it.
    Whole,
    /// From a byte on, up to and with another one, or its end.
    From {
        /// The first, counted from 0.
        first: u64,
        /// The last.
        last: Option<u64>,
    },
    /// So many bytes at its end.
    Last(u64),
}

/// An object, or a part of it.
#[derive(Debug)]
pub struct ObjectRead {
    /// How long the object is, in bytes.
    pub size: u64,
    /// Its entity tag, as in `ETag`, if the storage has one.
    pub tag: Option<String>,
    /// When it was written.
    pub modified: Timestamp,
    /// Which bytes of it `body` has. Empty for [`ObjectPart::Nothing`], and where the object has none of what was asked for.
    pub range: Range<u64>,
    /// The bytes. It breaks off when the storage does.
    pub body: Body,
}
