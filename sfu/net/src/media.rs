//! The platform's handle to the media workers.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use mio::Poll;
use spillway_sfu::{
    Accepted, Candidate, Engine, EngineConfig, Event, IceCredentials, LayerSelection,
    LayerStatistics, PublishRequest, Reject, SessionId, VideoClock, WatchRequest, WorkerId,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    bind::{PortSockets, open_ports},
    candidates::{candidates, host_addresses},
    config::{MAX_WORKERS, MediaConfig, NetConfig},
    core::Core,
    directory::{Directory, NoPlace},
    error::NetError,
    mailbox::{Command, DataMessage, Letter, Mailbox, Undelivered, mailbox},
    outlet::{EVENTS, Outlet},
    reflexive::{self, Keepalive},
    statistics::WorkerStatistics,
    tcp::TcpPort,
    udp::UdpPort,
    worker::Worker,
};

/// How long the workers may take to say good-bye when the last handle is dropped without a shutdown.
const DROP_DEADLINE: Duration = Duration::from_millis(500);

/// How long a viewer waits for workers that are late: a machine's hiccup is over by then, and an overload isn't.
const LATENESS: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Messages of data channels that a worker sends before it looks after media again.
const DATA_AT_ONCE: usize = 16;

/// The media workers of a node. Clones are handles to the same workers; when the last is dropped the workers end.
pub struct Handle<C: Core>(Arc<Shared<C>>);

impl<C: Core> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The media workers with the media core in them.
pub type Media = Handle<Engine>;

impl Media {
    /// Opens the ports and starts the workers. What happens in sessions comes through the receiver; read it all the
    /// time.
    ///
    /// Blocks up to 1.5 s when a STUN server is configured, and not otherwise.
    pub fn start(config: &MediaConfig) -> Result<(Self, mpsc::Receiver<Event>), NetError> {
        let workers = config.net.workers as u8;
        let (certificate, limits) = (Arc::clone(&config.certificate), config.limits.clone());
        let playout_delay = config.playout_delay;
        Self::start_with(&config.net, move |worker, candidates| {
            let config = EngineConfig {
                worker,
                workers,
                certificate: Arc::clone(&certificate),
                candidates,
                limits: limits.clone(),
                playout_delay,
                unix_time: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(),
            };
            Engine::new(config, Instant::now())
        })
    }
}

struct Shared<C: Core> {
    mailboxes: Arc<[Mailbox<C::Statistics>]>,
    directory: Arc<Directory>,
    candidates: Vec<Vec<Candidate>>,
}

impl<C: Core> Handle<C> {
    /// Like [`Media::start`], each worker with the engine that `make` makes on its thread.
    pub(crate) fn start_with(
        config: &NetConfig,
        make: impl Fn(WorkerId, Vec<Candidate>) -> C + Clone + Send + 'static,
    ) -> Result<(Self, mpsc::Receiver<Event>), NetError> {
        check(config)?;
        let stun_server = config
            .stun_server
            .as_deref()
            .map(reflexive::resolve)
            .transpose()?;
        let ports = open_ports(config)?;
        let seen = match stun_server {
            Some(server) => reflexive::discover(server, &ports),
            None => vec![None; ports.len()],
        };
        let hosts = host_addresses(config)?;
        let candidates = ports
            .iter()
            .zip(seen)
            .map(|(port, seen)| candidates(config, &hosts, port, seen))
            .collect::<Result<Vec<_>, _>>()?;

        let (events, receiver) = mpsc::channel(EVENTS);
        let directory = Arc::new(Directory::new(
            config.workers,
            config.most_lag,
            config.most_egress,
        ));
        let mut polls = Vec::with_capacity(config.workers);
        let mut mailboxes = Vec::with_capacity(config.workers);
        for _ in 0..config.workers {
            let poll = Poll::new().map_err(NetError::Thread)?;
            let (sender, letters) = mailbox(poll.registry()).map_err(NetError::Thread)?;
            mailboxes.push(sender);
            polls.push((poll, letters));
        }
        // From here on a failure drops the handle, which stops the workers that run already.
        let handle = Self(Arc::new(Shared {
            mailboxes: mailboxes.into(),
            directory,
            candidates,
        }));
        for (index, ((poll, letters), port)) in polls.into_iter().zip(ports).enumerate() {
            let worker = WorkerId(index as u8);
            let keepalive = stun_server.map(|server| Keepalive::new(server, Instant::now()));
            let outlet = handle
                .outlet(worker, config, port, &poll, events.clone())
                .map_err(NetError::Thread)?;
            let offered = handle.0.candidates[index].clone();
            let make = make.clone();
            thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || {
                    let _absence = Absence(Arc::clone(&outlet.directory), worker);
                    match Worker::new(poll, letters, make(worker, offered), outlet, keepalive) {
                        Ok(worker) => worker.run(),
                        Err(error) => {
                            tracing::error!(%error, "a media worker can't watch its sockets; it ends");
                        }
                    }
                })
                .map_err(NetError::Thread)?;
        }
        Ok((handle, receiver))
    }

    fn outlet(
        &self,
        worker: WorkerId,
        config: &NetConfig,
        port: PortSockets,
        poll: &Poll,
        events: mpsc::Sender<Event>,
    ) -> std::io::Result<Outlet<C>> {
        let udp = port
            .udp
            .into_iter()
            .map(UdpPort::new)
            .collect::<Result<Vec<_>, _>>()?;
        let registry = poll.registry().try_clone()?;
        let tcp = TcpPort::new(port.tcp, config.tcp_limits, registry)?;
        Ok(Outlet::new(
            worker,
            udp,
            tcp,
            Arc::clone(&self.0.directory),
            Arc::clone(&self.0.mailboxes),
            events,
        ))
    }

    /// Accepts a publisher. Of several who ask for one free channel at once, one gets it.
    pub async fn publish(&self, request: PublishRequest) -> Result<Accepted, Reject> {
        let directory = &self.0.directory;
        let channel = request.channel.clone();
        let worker = directory.place_publisher(&channel, request.take_over)?;
        let (reply, answer) = oneshot::channel();
        if let Err(reject) = self.post(worker, Command::Publish { request, reply }) {
            directory.settle(&channel, None);
            directory.departed(worker);
            return Err(reject);
        }
        answered(worker, answer).await?
    }

    /// Accepts a viewer, on the worker that does least; refuses it with [`Reject::Overloaded`] where all are late and stay so for
    /// a second, unless it watches for others.
    pub async fn watch(&self, request: WatchRequest) -> Result<Accepted, Reject> {
        let worker = self.place_viewer(&request).await?;
        let (reply, answer) = oneshot::channel();
        if let Err(reject) = self.post(worker, Command::Watch { request, reply }) {
            self.0.directory.departed(worker);
            return Err(reject);
        }
        answered(worker, answer).await?
    }

    async fn place_viewer(&self, request: &WatchRequest) -> Result<WorkerId, NoPlace> {
        let until = Instant::now() + LATENESS;
        loop {
            match self
                .0
                .directory
                .place_viewer(&request.channel, request.for_others)
            {
                Err(NoPlace::Late(_)) if Instant::now() < until => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                placed => return placed,
            }
        }
    }

    /// Restarts a session's ICE with the peer's new credentials; returns our new ones.
    pub async fn restart_ice(
        &self,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject> {
        self.ask(session.worker, |reply| Command::RestartIce {
            session,
            remote,
            reply,
        })
        .await?
    }

    /// Limits the layers that a viewer's session is sent, instead of what it asked for before.
    pub async fn select_layers(
        &self,
        session: SessionId,
        selection: LayerSelection,
    ) -> Result<(), Reject> {
        self.ask(session.worker, |reply| Command::SelectLayers {
            session,
            selection,
            reply,
        })
        .await?
    }

    /// A publisher's layers, or a viewer's current ones: a small part of [`Handle::statistics`], cheap enough to ask for
    /// every second.
    pub async fn session_layers(&self, session: SessionId) -> Result<Vec<LayerStatistics>, Reject> {
        self.ask(session.worker, |reply| Command::SessionLayers {
            session,
            reply,
        })
        .await?
    }

    /// Ends a session.
    pub async fn close(&self, session: SessionId) -> Result<(), Reject> {
        self.ask(session.worker, |reply| Command::Close { session, reply })
            .await?
    }

    /// Sends messages on data channels, each session's in the order of the calls. The answers, as they come, name the
    /// sessions that didn't take theirs: they read too slowly, or their channel or they themselves are gone.
    pub fn send_data(&self, messages: Vec<DataMessage>) -> Vec<oneshot::Receiver<Vec<SessionId>>> {
        let mut of_workers: Vec<Vec<DataMessage>> = vec![Vec::new(); self.0.mailboxes.len()];
        for message in messages {
            if let Some(of_worker) = of_workers.get_mut(usize::from(message.session.worker.0)) {
                of_worker.push(message);
            }
        }
        let mut answers = Vec::new();
        for (worker, messages) in self.workers().zip(of_workers) {
            // A worker has other things to do in between.
            for messages in messages.chunks(DATA_AT_ONCE) {
                let (reply, answer) = oneshot::channel();
                let messages = messages.to_vec();
                let sessions: Vec<_> = messages.iter().map(|message| message.session).collect();
                let posted = self.post(worker, Command::SendData { messages, reply });
                answers.push(if posted.is_ok() {
                    answer
                } else {
                    answered_already(sessions)
                });
            }
        }
        answers
    }

    /// Closes a data channel, after what was sent on it. A worker that has too much to do leaves it open.
    pub fn close_channel(&self, session: SessionId, channel: u16) {
        let command = Command::CloseChannel { session, channel };
        if let Err(error) = self.post(session.worker, command) {
            tracing::debug!(%error, "a data channel can't be closed");
        }
    }

    /// How the pictures of viewers relate to the wall clock now; those that get none are left out.
    pub async fn video_clocks(&self, sessions: Vec<SessionId>) -> Result<Vec<VideoClock>, Reject> {
        let mut clocks = Vec::with_capacity(sessions.len());
        for worker in self.workers() {
            let sessions: Vec<_> = sessions
                .iter()
                .copied()
                .filter(|session| session.worker == worker)
                .collect();
            if !sessions.is_empty() {
                clocks.extend(
                    self.ask(worker, |reply| Command::VideoClocks { sessions, reply })
                        .await?,
                );
            }
        }
        Ok(clocks)
    }

    /// Every worker's figures, in the order of the workers.
    pub async fn statistics(&self) -> Result<Vec<WorkerStatistics<C::Statistics>>, Reject> {
        let mut statistics = Vec::with_capacity(self.0.mailboxes.len());
        for worker in self.workers() {
            statistics.push(
                self.ask(worker, |reply| Command::Statistics { reply })
                    .await?,
            );
        }
        Ok(statistics)
    }

    /// Whether every worker runs. One that doesn't had a bug and takes nobody any more; restart the node.
    pub fn is_healthy(&self) -> bool {
        self.0.directory.all_present()
    }

    /// Whether that worker runs. One that broke off takes its sessions with it and tells of no end.
    pub fn is_running(&self, worker: WorkerId) -> bool {
        self.0.directory.is_present(worker)
    }

    /// The addresses that each worker's clients are told, in the order of the workers.
    pub fn candidates(&self) -> &[Vec<Candidate>] {
        &self.0.candidates
    }

    /// Ends every session with a good-bye, and the workers; waits for them, but not longer than `deadline`.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), NetError> {
        let at = Instant::now() + deadline;
        let mut ends = Vec::new();
        for mailbox in self.0.mailboxes.iter() {
            let (reply, end) = oneshot::channel();
            let stop = Command::Stop {
                deadline: at,
                reply: Some(reply),
            };
            if mailbox.send(Letter::Command(stop)) != Err(Undelivered::Gone) {
                ends.push(end);
            }
        }
        let mut left = 0;
        for end in ends {
            // The worker never answers: it drops the sender as it ends. A little grace, since it keeps to `at` too.
            let wait = at.saturating_duration_since(Instant::now()) + Duration::from_millis(100);
            if tokio::time::timeout(wait, end).await.is_err() {
                left += 1;
            }
        }
        if left > 0 {
            return Err(NetError::StillRunning { left });
        }
        Ok(())
    }

    fn workers(&self) -> impl Iterator<Item = WorkerId> + use<C> {
        (0..self.0.mailboxes.len()).map(|index| WorkerId(index as u8))
    }

    async fn ask<T>(
        &self,
        worker: WorkerId,
        command: impl FnOnce(oneshot::Sender<T>) -> Command<C::Statistics>,
    ) -> Result<T, Reject> {
        let (reply, answer) = oneshot::channel();
        self.post(worker, command(reply))?;
        answered(worker, answer).await
    }

    fn post(&self, worker: WorkerId, command: Command<C::Statistics>) -> Result<(), Reject> {
        let mailbox = self
            .0
            .mailboxes
            .get(usize::from(worker.0))
            .ok_or(Reject::NoSession)?;
        mailbox
            .send(Letter::Command(command))
            .map_err(|undelivered| match undelivered {
                Undelivered::Full => Reject::Overloaded(format!(
                    "media worker {} is overloaded; try again later",
                    worker.0
                )),
                Undelivered::Gone => gone(worker),
            })
    }
}

impl<C: Core> Drop for Shared<C> {
    fn drop(&mut self) {
        for mailbox in self.mailboxes.iter() {
            let stop = Command::Stop {
                deadline: Instant::now() + DROP_DEADLINE,
                reply: None,
            };
            // A worker whose mailbox is full can't be told, and one that is gone needn't be.
            let _ = mailbox.send(Letter::Command(stop));
        }
    }
}

/// Tells, when a worker's thread ends in whatever way, that it has.
struct Absence(Arc<Directory>, WorkerId);

impl Drop for Absence {
    fn drop(&mut self) {
        self.0.worker_gone(self.1);
    }
}

async fn answered<T>(worker: WorkerId, answer: oneshot::Receiver<T>) -> Result<T, Reject> {
    answer.await.map_err(|_| gone(worker))
}

fn answered_already<T>(answer: T) -> oneshot::Receiver<T> {
    let (reply, receiver) = oneshot::channel();
    // The receiver is there.
    let _ = reply.send(answer);
    receiver
}

fn gone(worker: WorkerId) -> Reject {
    Reject::Overloaded(format!("media worker {} has ended", worker.0))
}

fn check(config: &NetConfig) -> Result<(), NetError> {
    let workers = config.workers;
    if !(1..=MAX_WORKERS).contains(&workers) {
        return Err(NetError::Workers(workers));
    }
    let ports = if config.single_port { 1 } else { workers };
    if usize::from(config.media_port) + ports > usize::from(u16::MAX) + 1 {
        return Err(NetError::TooFewPorts {
            port: config.media_port,
            workers,
        });
    }
    Ok(())
}
