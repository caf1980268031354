//! What one sidecar does: it follows a node, and makes LL-HLS of each channel that is on air.

mod broadcast;
mod node;
mod prompter;
mod registration;
mod server;

use std::{collections::HashMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::sleep,
};
use url::Url;

pub use broadcast::Making;
pub use node::{Node, NodeError};
pub use prompter::Prompter;
pub use server::Crowd;

use crate::{
    captions::{Language, Recognizer},
    origin::Origin,
    record::{self, RecordError, Recorder, Recording},
    transcode,
    whep::{self, Token},
};
use node::{Live, News};
use registration::{Admission, Registration};

/// How soon the node's event stream is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often presentations that have ended are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// What is recorded of broadcasts that are over may be finished for so long at the end: the node's own sidecar has 2.5 s
/// ([docs/sidecar.md](../../../docs/sidecar.md)). What isn't done then, the next start goes on with.
const FINISH: Duration = Duration::from_secs(2);

/// How a sidecar works.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node, as `http://127.0.0.1:8080`.
    pub node: Url,
    /// What the node knows it by: a service token of it.
    pub token: Token,
    /// The sidecar's name among those of the node.
    pub id: String,
    /// Where it serves.
    pub listen: SocketAddr,
    /// How many may be there at a time.
    pub crowd: Crowd,
    /// How the node, and players that it sends on, reach it, where that isn't `listen`.
    pub advertise: Option<Url>,
    /// How it encodes.
    pub transcode: transcode::Settings,
    /// How much of a broadcast's past is listed.
    pub window: Duration,
    /// How broadcasts are recorded, if they are.
    pub record: Option<record::Settings>,
    /// What makes captions, if there are to be any.
    pub captions: Option<Captions>,
}

/// What makes captions of a sidecar's broadcasts.
#[derive(Clone)]
pub struct Captions {
    /// What turns speech into words.
    pub recognizer: Arc<dyn Recognizer>,
    /// What is spoken.
    pub language: Language,
}

impl fmt::Debug for Captions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captions")
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

/// Why a sidecar can't work.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// No socket.
    #[error("can't listen at {address}: {source}")]
    Listen {
        /// There.
        address: SocketAddr,
        /// Because of that.
        source: std::io::Error,
    },
    /// The node's address.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The address to be told can't be derived.
    #[error("say with --advertise at which URL the node reaches this sidecar")]
    Advertise,
    /// Another process works with the spool.
    #[error(transparent)]
    Spool(RecordError),
}

/// Works until `stop` comes.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<(), SidecarError> {
    let failed = |source| SidecarError::Listen {
        address: options.listen,
        source,
    };
    let listener = server::listen(options.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let node = Node::new(options.node.clone(), options.token.clone())?;
    let url = match &options.advertise {
        Some(url) => url.clone(),
        None if address.ip().is_unspecified() => return Err(SidecarError::Advertise),
        // To a node elsewhere, loopback is itself.
        None if address.ip().is_loopback() && !node::is_loopback(&options.node) => {
            return Err(SidecarError::Advertise);
        }
        None => node::own_url(address).ok_or(SidecarError::Advertise)?,
    };
    let origin = Origin::default();
    let recorder = recorder(options.record.clone(), &node)?;
    tracing::info!(%address, node = %options.node, "serving LL-HLS");
    let mut broadcasts = Broadcasts {
        options: options.clone(),
        node: node.clone(),
        origin: origin.clone(),
        recorder,
        running: HashMap::new(),
        changed: Arc::new(Notify::new()),
    };
    let changed = broadcasts.changed.clone();
    let registration = Registration {
        node: &node,
        id: &options.id,
        url: &url,
        origin: &origin,
        changed: &changed,
    };
    let (admission, admitted) = watch::channel(Admission::Unknown);
    let serving = server::serve(listener, origin.router(), options.crowd.clone());
    tokio::select! {
        served = serving => served.map_err(failed)?,
        () = broadcasts.follow(&node, admitted) => {}
        () = registration.keep(&admission) => {}
        () = sweep(&origin) => {}
        () = stop => {}
    }
    let leaving = async {
        // Another's name isn't to be taken back.
        if *admission.borrow() != Admission::Refused {
            node.leave(&options.id).await;
        }
    };
    tokio::join!(leaving, broadcasts.close());
    Ok(())
}

/// Without one, what is live is live all the same; but another sidecar's work isn't touched.
fn recorder(
    settings: Option<record::Settings>,
    node: &Node,
) -> Result<Option<Recorder>, SidecarError> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    match Recorder::open(settings, node.clone()) {
        Ok(recorder) => Ok(Some(recorder)),
        Err(error @ RecordError::InUse(_)) => Err(SidecarError::Spool(error)),
        Err(error) => {
            tracing::error!(%error, "nothing is recorded");
            Ok(None)
        }
    }
}

async fn sweep(origin: &Origin) {
    loop {
        origin.sweep(std::time::Instant::now());
        sleep(SWEEP).await;
    }
}

/// What is being made.
struct Broadcasts {
    options: Options,
    node: Node,
    origin: Origin,
    recorder: Option<Recorder>,
    running: HashMap<String, Running>,
    changed: Arc<Notify>,
}

struct Running {
    broadcast: String,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broadcasts {
    /// Does what the node's events ask for, while the node takes the sidecar.
    async fn follow(&mut self, node: &Node, mut admitted: watch::Receiver<Admission>) {
        // Whoever tells of it works for as long as this does.
        while admitted
            .wait_for(|admission| *admission == Admission::Taken)
            .await
            .is_ok()
        {
            tokio::select! {
                () = self.listen(node) => {}
                _ = admitted.wait_for(|admission| *admission == Admission::Refused) => {
                    self.running.clear();
                }
            }
        }
    }

    async fn listen(&mut self, node: &Node) {
        let mut failures = 0_u32;
        loop {
            let heard = node.listen(|news| {
                failures = 0;
                self.take(news);
            });
            if let Err(error) = heard.await {
                failures = failures.saturating_add(1);
                match failures {
                    // A node that stops ends its streams, and then its sidecar.
                    1 => tracing::info!(%error, "no news of the node; asking again"),
                    2 => tracing::warn!(%error, "no news of the node; asking again"),
                    _ => {}
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// Nothing is made any more. What was recorded of broadcasts that are over is finished, if that doesn't take long.
    async fn close(mut self) {
        self.running.clear();
        if let Some(recorder) = self.recorder.take() {
            recorder.close(FINISH).await;
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Snapshot(all) => {
                self.running.retain(|_, running| {
                    all.iter().any(|live| live.broadcast == running.broadcast)
                });
                if let Some(recorder) = &mut self.recorder {
                    recorder.end_all_but(|known| all.iter().any(|live| live.broadcast == known));
                }
                for live in all {
                    self.begin(live);
                }
            }
            News::Live(live) => self.begin(live),
            News::Ended(live) => {
                self.running
                    .retain(|_, running| running.broadcast != live.broadcast);
                if let Some(recorder) = &mut self.recorder {
                    recorder.end(&live.broadcast);
                }
            }
        }
    }

    fn begin(&mut self, live: Live) {
        let Live {
            channel,
            broadcast,
            started_at,
        } = live;
        if self
            .running
            .get(&channel)
            .is_some_and(|r| r.broadcast == broadcast && !r.task.is_finished())
        {
            return;
        }
        let options = whep::Options {
            node: self.options.node.clone(),
            channel: channel.clone(),
            token: Some(self.options.token.clone()),
        };
        let making = Making {
            options,
            origin: self.origin.clone(),
            settings: self.options.transcode.clone(),
            window: self.options.window,
            recording: self.record(&broadcast, &channel),
            captions: self.options.captions.clone(),
            prompter: Some(Prompter {
                node: self.node.clone(),
                broadcast: broadcast.clone(),
                started_at,
            }),
            changed: self.changed.clone(),
        };
        let task = tokio::spawn(broadcast::make(making)).abort_handle();
        self.running.insert(channel, Running { broadcast, task });
    }

    fn record(&mut self, broadcast: &str, channel: &str) -> Option<Recording> {
        self.recorder
            .as_mut()?
            .begin(broadcast, channel)
            .inspect_err(|error| tracing::error!(channel, %error, "a broadcast isn't recorded"))
            .ok()
    }
}
