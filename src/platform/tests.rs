//! The node over a real store and a media plane that answers as told.
#![allow(clippy::unwrap_used)]

mod api;
mod audience;
mod broadcasts;
mod chat;
mod extensions;
mod hls;
mod permission;
mod recordings;
mod sessions;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use spillway_sfu::{
    Accepted, EndReason, Event, IceCredentials, LayerSelection, LayerStatistics, PublishRequest,
    Reject, SessionId, VideoClock, WatchRequest, WorkerId,
};
use spillway_sfu_net::DataMessage;
use spillway_signaling::{
    ChannelName, Chats as _, ConnectionLimits, Origin, Platform as _, Refusal,
    api::model::{ChannelProfile, PageRequest, TokenKind},
    platform::{BearerToken, Caller, NewSession, PublishCall, Role, SessionRef, WatchCall},
};

use tokio::sync::oneshot;

use super::*;
use crate::{
    auth::{self, Issuers, SigningKey},
    config,
    media::{MediaFigures, RestartedIce},
    store::{Sqlite, StoredChannel},
};

/// A media plane that accepts everything, or refuses once what it's told to refuse with, or takes its time once.
#[derive(Default)]
struct FakeMedia {
    gate: Mutex<Option<oneshot::Receiver<()>>>,
    serial: AtomicU64,
    refuse_with: Mutex<Option<Reject>>,
    published: Mutex<Vec<PublishRequest>>,
    watched: Mutex<Vec<WatchRequest>>,
    closed: Mutex<Vec<SessionId>>,
    selected: Mutex<Vec<(SessionId, LayerSelection)>>,
    /// Every publisher's.
    layers: Mutex<Vec<LayerStatistics>>,
    /// What was sent on data channels.
    said: Mutex<Vec<DataMessage>>,
    closed_channels: Mutex<Vec<u16>>,
    /// How often it was asked for layers.
    asked: AtomicU64,
    /// Its only worker.
    is_gone: AtomicBool,
}

impl FakeMedia {
    /// The next request is answered when what's returned goes.
    fn take_time(&self) -> oneshot::Sender<()> {
        let (opened, gate) = oneshot::channel();
        *self.gate.lock().unwrap() = Some(gate);
        opened
    }

    async fn pass_gate(&self) {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            let _ = gate.await;
        }
    }

    fn accept(&self) -> Result<Accepted, Reject> {
        if let Some(reject) = self.refuse_with.lock().unwrap().take() {
            return Err(reject);
        }
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let session = SessionId {
            worker: WorkerId(0),
            serial,
        };
        Ok(Accepted {
            session,
            answer: "answer".into(),
            ufrag: format!("ufrag{serial}"),
        })
    }
}

#[async_trait]
impl MediaPlane for FakeMedia {
    async fn publish(&self, request: PublishRequest) -> Result<Accepted, Reject> {
        self.published.lock().unwrap().push(request);
        self.pass_gate().await;
        self.accept()
    }

    async fn watch(&self, request: WatchRequest) -> Result<Accepted, Reject> {
        self.watched.lock().unwrap().push(request);
        self.pass_gate().await;
        self.accept()
    }

    fn send_data(&self, messages: Vec<DataMessage>) -> Vec<oneshot::Receiver<Vec<SessionId>>> {
        self.said.lock().unwrap().extend(messages);
        Vec::new()
    }

    fn close_channel(&self, _: SessionId, channel: u16) {
        self.closed_channels.lock().unwrap().push(channel);
    }

    async fn video_clocks(&self, _: Vec<SessionId>) -> Result<Vec<VideoClock>, Reject> {
        Ok(Vec::new())
    }

    async fn restart_ice(
        &self,
        _: SessionId,
        remote: IceCredentials,
    ) -> Result<RestartedIce, Reject> {
        self.pass_gate().await;
        Ok(RestartedIce {
            ufrag: "renewed".into(),
            sdpfrag: format!("for {}", remote.ufrag),
        })
    }

    async fn select_layers(
        &self,
        session: SessionId,
        selection: LayerSelection,
    ) -> Result<(), Reject> {
        self.selected.lock().unwrap().push((session, selection));
        Ok(())
    }

    async fn session_layers(&self, _: SessionId) -> Result<Vec<LayerStatistics>, Reject> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.layers.lock().unwrap().clone())
    }

    async fn close(&self, session: SessionId) -> Result<(), Reject> {
        self.closed.lock().unwrap().push(session);
        Ok(())
    }

    async fn figures(&self) -> MediaFigures {
        MediaFigures::default()
    }

    fn is_healthy(&self) -> bool {
        self.is_running(WorkerId(0))
    }

    fn is_running(&self, _: WorkerId) -> bool {
        !self.is_gone.load(Ordering::Relaxed)
    }
}

struct Fixture {
    node: Node,
    media: Arc<FakeMedia>,
    store: Arc<Sqlite>,
    directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    fixture_with(&Config::default()).await
}

async fn fixture_with(config: &Config) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&directory.path().join("spillway.db")).unwrap());
    let key = SigningKey::load_or_create(directory.path()).unwrap();
    let media = Arc::new(FakeMedia::default());
    let metrics = Metrics::default();
    let parts = Parts {
        store: store.clone(),
        storage: storage_in(directory.path(), config),
        verifier: Arc::new(Verifier::new(key, Issuers::default())),
        media: media.clone(),
        webhooks: Webhooks::start(&config.webhooks, &metrics).unwrap(),
        metrics,
        connections: Connections::new(ConnectionLimits {
            total: 1,
            per_address: 1,
            exempt: Vec::new(),
        }),
    };
    let node = Node::new(config, parts).await.unwrap();
    Fixture {
        node,
        media,
        store,
        directory,
    }
}

fn storage_in(directory: &std::path::Path, config: &Config) -> Storage {
    let url = config.vod.storage_url(directory).unwrap();
    Storage::open(&url, config.limits.vod_reads).unwrap()
}

fn demo() -> ChannelName {
    "demo".parse().unwrap()
}

fn caller(token: Option<&str>) -> Caller {
    Caller {
        address: "192.0.2.1".parse().unwrap(),
        token: token.map(|token| BearerToken(token.into())),
        user_agent: Some("test".into()),
        origin: Origin::default(),
    }
}

fn first_page() -> PageRequest {
    PageRequest {
        limit: 50,
        after: None,
    }
}

impl Fixture {
    async fn token(&self, kind: TokenKind, channel: Option<&str>) -> String {
        self.token_with_id(kind, channel).await.0
    }

    async fn token_with_id(&self, kind: TokenKind, channel: Option<&str>) -> (String, String) {
        let channel = channel.map(|name| name.parse().unwrap());
        let issued = auth::issue(
            self.node.parts.verifier.key(),
            kind,
            channel,
            None,
            String::new(),
        )
        .unwrap();
        self.store.add_token(&issued.details, 100).await.unwrap();
        (issued.token, issued.details.id)
    }

    async fn publish(&self, token: Option<&str>) -> Result<NewSession, Refusal> {
        let call = PublishCall {
            channel: demo(),
            offer: "offer".into(),
            caller: caller(token),
        };
        self.node.publish(call).await
    }

    async fn watch(&self, token: Option<&str>) -> Result<NewSession, Refusal> {
        self.watch_by("offer", token).await
    }

    async fn watch_by(&self, offer: &str, token: Option<&str>) -> Result<NewSession, Refusal> {
        let call = WatchCall {
            channel: demo(),
            offer: offer.into(),
            caller: caller(token),
            layer: None,
            wait: true,
        };
        self.node.watch(call).await
    }

    async fn add_channel(&self, restricted_viewing: bool) {
        let mut profile = ChannelProfile {
            title: "Demo".into(),
            ..ChannelProfile::default()
        };
        profile.settings.restricted_viewing = restricted_viewing;
        let channel = StoredChannel {
            name: demo(),
            profile,
            created_at: Timestamp(1),
        };
        self.store.create_channel(&channel, 10).await.unwrap();
    }

    async fn event(&self, event: Event) {
        self.node.on_media_event(event).await;
    }

    async fn live(&self, serial: u64) {
        self.event(Event::Live {
            channel: "demo".parse().unwrap(),
            session: id(serial),
        })
        .await;
    }

    async fn ended(&self, serial: u64) {
        self.event(Event::Ended {
            session: id(serial),
            reason: EndReason::ByPeer,
        })
        .await;
    }
}

fn id(serial: u64) -> SessionId {
    SessionId {
        worker: WorkerId(0),
        serial,
    }
}

fn session(role: Role, session: &NewSession) -> SessionRef {
    SessionRef {
        role,
        channel: demo(),
        key: session.key.clone(),
    }
}
