//! Assembles a node and runs it until it's told to stop.

mod http;
mod welcome;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use spillway_connections::descriptors;
use spillway_sfu::Event;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    auth::{self, Issuers, SigningKey, Verifier},
    config::Config,
    data_dir, demo, logging,
    media::{self, Workers},
    metrics::Metrics,
    platform::{Node, Parts},
    sidecar::{Sidecar, Surroundings},
    storage::Storage,
    store::Sqlite,
    tls,
    webhooks::Webhooks,
};

/// How long a session may outlive its token that was revoked on the command line.
const REVOKED_EVERY: Duration = Duration::from_secs(5);
/// How often broadcasts under way are written down.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How often figures of audiences are written down.
const AUDIENCES_EVERY: Duration = Duration::from_secs(10);
/// How often what is old is forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(10);
/// How often recordings are looked at which aren't to be kept, and the quota.
const RECORDINGS_EVERY: Duration = Duration::from_mins(1);
/// How often viewers' event streams hear of layers and viewers.
const NEWS_EVERY: Duration = Duration::from_secs(1);
/// How long the demo publisher's token lasts; it's a new one at every start.
const DEMO_TOKEN_LIFETIME: Duration = Duration::from_hours(365 * 24);
/// A signal this soon after the first one is the first one's echo.
const PATIENCE: Duration = Duration::from_secs(1);
const DEMO_CHANNEL: &str = "demo";

/// Runs a node until SIGTERM or SIGINT.
pub async fn run(config: &Config, with_demo: bool) -> anyhow::Result<()> {
    logging::start(&config.log)?;
    let mut signals = Signals::catch()?;
    descriptors::raise()?;
    let data_dir = data_dir::prepare(&config.data_dir)?;
    let _lock = data_dir::lock(&data_dir)?;
    let tls = tls::load(&config.http)?;
    let listener = http::listen(&config.http)?;
    let store = Arc::new(Sqlite::open(&data_dir::database(&data_dir))?);
    let key = SigningKey::load_or_create(&data_dir)?;
    let demo_token = auth::issue_internally(
        &key,
        DEMO_CHANNEL.parse()?,
        DEMO_CHANNEL,
        DEMO_TOKEN_LIFETIME,
    )?;
    let sidecar_key = key.clone();
    let verifier = Arc::new(Verifier::new(key, Issuers::load(&config.auth.issuers)?));
    let metrics = Metrics::default();
    let webhooks = Webhooks::start(&config.webhooks, &metrics)?;
    let (workers, events) = tokio::task::block_in_place(|| media::start(config))?;
    let connections = http::connections(config);
    let storage = config.vod.storage_url(&data_dir);
    let storage = storage.map_err(|problem| anyhow::anyhow!("vod.storage {problem}"))?;
    let storage = Storage::open(&storage, config.limits.vod_reads)?;
    let parts = Parts {
        store: store.clone(),
        storage,
        verifier,
        media: Arc::new(workers.clone()),
        webhooks,
        metrics: metrics.clone(),
        connections: connections.clone(),
    };
    let node = Arc::new(Node::new(config, parts).await?);
    let housekeeping = tokio::spawn(join(
        keep_house(node.clone(), events),
        join(
            join(tidy_up(node.clone()), keep_recordings(node.clone())),
            join(tell_news(node.clone()), keep_audiences(node.clone())),
        ),
    ));
    let address = listener.local_addr()?;
    let server = http::Server::start(listener, tls, node.clone(), &connections, config)?;
    let demo = with_demo.then(|| Demo::start(config, address, demo_token));
    let around = Surroundings {
        node_url: http::local_url(config, address),
        store,
        key: sidecar_key,
        metrics,
    };
    let sidecar = Sidecar::start(config, around).await;
    if sidecar.is_none() {
        node.runs_no_sidecar();
    }
    if let Err(error) = welcome::print(config, with_demo) {
        tracing::debug!(%error, "nobody reads the welcome");
    }
    signals.next().await;

    let outside = Outside {
        server,
        demo,
        sidecar,
    };
    let stop = stop(
        node,
        workers,
        housekeeping,
        outside,
        config.http.shutdown_deadline,
    );
    tokio::select! {
        () = stop => tracing::info!("stopped"),
        () = signals.insist() => tracing::warn!("told to stop a second time: stopping at once"),
    }
    Ok(())
}

/// Opens the HTTP port for a moment.
pub(crate) fn http_port(config: &Config) -> Result<std::net::SocketAddr, http::ListenError> {
    http::listen(&config.http).map(|_| config.http.listen)
}

/// Takes the media plane's events, and does what's due in between, also when no worker is left to tell any.
async fn keep_house(node: Arc<Node>, mut events: mpsc::Receiver<Event>) {
    let mut tick = interval(Duration::from_secs(1));
    let mut save = interval(SAVE_EVERY);
    let mut revoked = interval(REVOKED_EVERY);
    loop {
        tokio::select! {
            Some(event) = events.recv() => node.on_media_event(event).await,
            _ = tick.tick() => node.on_tick().await,
            _ = save.tick() => node.save_on_air().await,
            _ = revoked.tick() => node.end_revoked().await,
        }
    }
}

/// Forgets what the store isn't to keep, beside everything else: it may take the store a while.
async fn tidy_up(node: Arc<Node>) {
    let mut due = interval(TIDY_EVERY);
    loop {
        due.tick().await;
        node.tidy().await;
    }
}

/// Deletes recordings that aren't to be kept, beside everything else: a storage may be slow.
async fn keep_recordings(node: Arc<Node>) {
    let mut due = interval(RECORDINGS_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            () = node.recording_doomed() => {}
        }
        node.keep_recordings().await;
    }
}

/// Keeps event streams fresh, beside everything else: a media worker may take its time to answer.
async fn tell_news(node: Arc<Node>) {
    let mut due = interval(NEWS_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        node.refresh_news().await;
    }
}

/// Writes figures of audiences down, beside everything else: the store may fail for a while.
async fn keep_audiences(node: Arc<Node>) {
    let mut due = interval(AUDIENCES_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        node.save_audiences().await;
    }
}

async fn join(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::join!(one, other);
}

/// What works for the node from without.
struct Outside {
    server: http::Server,
    demo: Option<Demo>,
    sidecar: Option<Sidecar>,
}

/// Ends what runs, from the outside to the inside, and cuts off what isn't done by the deadline.
async fn stop(
    node: Arc<Node>,
    workers: Workers,
    housekeeping: JoinHandle<()>,
    outside: Outside,
    deadline: Duration,
) {
    tracing::info!("stopping: new sessions are refused");
    let end = Instant::now() + deadline;
    let left = || end.saturating_duration_since(Instant::now());
    node.refuse_sessions();
    if let Some(demo) = outside.demo {
        demo.stop(left()).await;
    }
    if tokio::time::timeout(left(), node.drain()).await.is_err() {
        tracing::warn!("not every session ended before the deadline");
    }
    if let Some(sidecar) = outside.sidecar {
        sidecar.stop(left()).await;
    }
    if let Err(error) = workers.shutdown(left()).await {
        tracing::warn!(%error, "media is cut off");
    }
    housekeeping.abort();
    node.webhooks().stop(left()).await;
    outside.server.stop(left()).await;
}

/// What tells the node to stop. Caught from the start, so that none is missed while the node comes up.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("can't wait for signals");
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Somebody loses patience. Shells and supervisors often send one request to stop twice at once, which isn't that.
    async fn insist(&mut self) {
        let patience = Instant::now() + PATIENCE;
        loop {
            self.next().await;
            if Instant::now() > patience {
                return;
            }
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The running demo publisher.
struct Demo {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Demo {
    fn start(config: &Config, address: std::net::SocketAddr, token: String) -> Self {
        let whip_url = format!("{}/whip/{DEMO_CHANNEL}", http::local_url(config, address));
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // A dropped sender means stop as well.
            let _ = stopped.await;
        };
        let task = tokio::spawn(demo::run(demo::DemoConfig { whip_url, token }, stopped));
        Self { stop, task }
    }

    async fn stop(mut self, deadline: Duration) {
        drop(self.stop);
        if tokio::time::timeout(deadline, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}
