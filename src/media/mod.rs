//! The media plane as the platform sees it, and its workers behind that.

mod workers;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use spillway_sfu::{
    Accepted, IceCredentials, LayerSelection, LayerStatistics, PublishRequest, Reject, SessionId,
    VideoClock, WatchRequest, WorkerId,
};
use spillway_sfu_net::DataMessage;
use spillway_signaling::api::model::SessionFigures;
use tokio::sync::oneshot;

pub use workers::{MediaError, Workers, start};

/// The media plane of a node: the workers of `spillway-sfu-net`, or in tests a stand-in.
#[async_trait]
pub trait MediaPlane: Send + Sync + 'static {
    /// Makes a publisher's session.
    async fn publish(&self, request: PublishRequest) -> Result<Accepted, Reject>;
    /// Makes a viewer's session.
    async fn watch(&self, request: WatchRequest) -> Result<Accepted, Reject>;
    /// Restarts a session's ICE with the client's new credentials.
    async fn restart_ice(
        &self,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<RestartedIce, Reject>;
    /// Limits the layers that a viewer's session is sent.
    async fn select_layers(
        &self,
        session: SessionId,
        selection: LayerSelection,
    ) -> Result<(), Reject>;
    /// A publisher's layers now. Cheap: it's asked for every second.
    async fn session_layers(&self, session: SessionId) -> Result<Vec<LayerStatistics>, Reject>;
    /// Sends messages on data channels, each session's in the order of the calls. The answers name the sessions that didn't take
    /// theirs.
    fn send_data(&self, messages: Vec<DataMessage>) -> Vec<oneshot::Receiver<Vec<SessionId>>>;
    /// Closes a data channel, after what was sent on it.
    fn close_channel(&self, session: SessionId, channel: u16);
    /// How the pictures of viewers relate to the wall clock now.
    async fn video_clocks(&self, sessions: Vec<SessionId>) -> Result<Vec<VideoClock>, Reject>;
    /// Ends a session.
    async fn close(&self, session: SessionId) -> Result<(), Reject>;
    /// How media goes now.
    async fn figures(&self) -> MediaFigures;
    /// Whether all of it runs. What doesn't had a bug, and takes no sessions any more.
    fn is_healthy(&self) -> bool;
    /// Whether that worker runs. One that broke off tells of no end of its sessions.
    fn is_running(&self, worker: WorkerId) -> bool;
}

/// This side of a restarted ICE session.
#[derive(Debug, Clone)]
pub struct RestartedIce {
    /// Our new user name fragment, which names the ICE session.
    pub ufrag: String,
    /// Our credentials and candidates (RFC 8840).
    pub sdpfrag: String,
}

/// How media goes on a node.
#[derive(Debug, Clone, Default)]
pub struct MediaFigures {
    /// Each session's figures.
    pub sessions: HashMap<SessionId, SessionFigures>,
    /// Each worker's figures, by its number.
    pub workers: Vec<WorkerFigures>,
}

/// What one worker counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerFigures {
    /// Sessions now.
    pub sessions: u64,
    /// How long what it gets waits for it, smoothed over half a second.
    pub lag: Duration,
    /// How long it had something to do.
    pub busy: Duration,
    /// Further figures: name (as in the metric `spillway_media_NAME_total`) and count.
    pub counters: Vec<(&'static str, u64)>,
}
