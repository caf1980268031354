//! One thread with all the peers: their sockets, their timers, and the plan of who comes and goes.
//!
//! It looks at the sockets every millisecond instead of waking up for each packet. Nothing is lost by that, since the
//! kernel notes when packets arrive, and one core is then enough for a thousand viewers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rand::RngExt;
use tokio::runtime::Handle;

use super::clock::since_1970;
use super::endpoint::{Endpoint, Role, SessionError};
use super::http::{Caller, HttpError, Session};
use super::options::{Options, OptionsError};
use super::publisher::Publisher;
use super::result::{Outcome, Second};
use super::server::Server;
use super::socket::{Batch, Socket};
use super::step::Window;
use super::totals::Totals;
use super::viewer::Viewer;
use crate::media::file::{File, FileError};
use crate::peer::{Credentials, Data, Identity, Outbox, Peer, PeerError};
use crate::sdp::{Answer, BASELINE, Offer};

/// How long the thread sleeps when there is nothing to do.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// A viewer who was refused or lost comes back after so long, if the server doesn't say when.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// A viewer who stayed this long without a picture counts as one without.
const PATIENCE: Duration = Duration::from_secs(3);
/// Different reasons of failure that are kept apart.
const MOST_REASONS: usize = 20;

/// Why there was no load test.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// See [`OptionsError`].
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The file isn't one that can be published.
    #[error("can't publish {0}")]
    File(String, #[source] FileError),
    /// A publisher didn't get on air.
    #[error("can't publish: {0}")]
    Publish(String),
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// See [`crate::peer::PeerError`].
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// It was to end before a step was over.
    #[error("interrupted")]
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// An endpoint's timers.
    Endpoint(usize),
    /// A seat is to be taken.
    Join(usize),
    /// A viewer's time is over.
    Leave(usize),
}

/// A place that one viewer after the other takes, or that a publisher keeps.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    pub(super) channel: usize,
    occupant: Option<usize>,
    pub(super) is_publisher: bool,
    /// When the viewer who is to have it was first tried to be let in; none once it had a picture, or left.
    asked: Option<Instant>,
}

impl Seat {
    pub(super) fn is_taken(self) -> bool {
        self.occupant.is_some()
    }
}

/// How a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// With a good-bye.
    Polite,
    /// Without a word.
    Silent,
    /// It failed: the viewer didn't mean to leave.
    Lost,
}

/// What the HTTP side has done.
struct Created {
    endpoint: usize,
    result: Result<Session, HttpError>,
}

/// The load test.
pub struct Reactor<'a> {
    pub(super) options: &'a Options,
    poll: Poll,
    runtime: Handle,
    created: (mpsc::Sender<Created>, mpsc::Receiver<Created>),
    identity: Identity,
    file: Option<Arc<File>>,
    pub(super) server: Option<Server>,
    pub(super) endpoints: HashMap<usize, Endpoint>,
    next_endpoint: usize,
    pub(super) seats: Vec<Seat>,
    pub(super) timers: BinaryHeap<Reverse<(Instant, Due)>>,
    batch: Batch,
    pub(super) totals: Totals,
    /// Publishers still send.
    pub(super) on_air: bool,
    pub(super) outcome: Outcome,
    /// What is gathered of the current step.
    pub(super) window: Window,
    pub(super) seconds: Vec<Second>,
    pub(super) start: Instant,
    /// Viewers who should get all of the window, with their channel.
    pub(super) counted: HashMap<usize, usize>,
    /// Why a publisher isn't on air any more: the test is over.
    pub(super) lost_publisher: Option<String>,
    /// Set from outside: it is to end.
    pub(super) interrupted: Arc<AtomicBool>,
}

impl<'a> Reactor<'a> {
    /// Prepares everything but does nothing yet. HTTP runs on `runtime`; once `interrupted` is set all leave.
    pub fn new(
        options: &'a Options,
        runtime: Handle,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        options.check()?;
        for whip in [true, false] {
            options.endpoint(0, whip)?;
        }
        let file = options.file.as_ref().map(|path| {
            let file = File::open(path);
            file.map_err(|error| LoadError::File(path.display().to_string(), error))
        });
        let server = options.server_pid.map(Server::new).transpose();
        Ok(Self {
            options,
            poll: Poll::new().map_err(|e| LoadError::System("can't wait for sockets", e))?,
            runtime,
            created: mpsc::channel(),
            identity: Identity::random().map_err(PeerError::from)?,
            file: file.transpose()?.map(Arc::new),
            server: server.map_err(|e| LoadError::System("--server-pid", e))?,
            endpoints: HashMap::new(),
            next_endpoint: 0,
            seats: Vec::new(),
            timers: BinaryHeap::new(),
            batch: Batch::default(),
            totals: Totals::new()
                .map_err(|e| LoadError::System("histograms", io::Error::other(e.to_string())))?,
            on_air: true,
            outcome: Outcome::default(),
            window: Window::default(),
            seconds: Vec::new(),
            start: Instant::now(),
            counted: HashMap::new(),
            lost_publisher: None,
            interrupted,
        })
    }

    /// Everything that there is to do now, and a short sleep.
    pub(super) fn turn(&mut self) -> Result<(), LoadError> {
        let mut events = Events::with_capacity(1_024);
        loop {
            self.poll
                .poll(&mut events, Some(Duration::ZERO))
                .or_else(|e| {
                    if e.kind() == io::ErrorKind::Interrupted {
                        Ok(())
                    } else {
                        Err(e)
                    }
                })
                .map_err(|e| LoadError::System("can't wait for sockets", e))?;
            for event in &events {
                self.receive(event.token().0);
            }
            if events.is_empty() {
                break;
            }
        }
        while let Ok(created) = self.created.1.try_recv() {
            self.on_created(created);
        }
        let now = Instant::now();
        while let Some(Reverse((at, due))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            match due {
                Due::Endpoint(id) => self.handle_timeout(id, at),
                Due::Join(seat) => self.join(seat),
                Due::Leave(id) => self.end_stay(id),
            }
        }
        let next = self.timers.peek().map_or(TICK, |Reverse((at, _))| {
            at.saturating_duration_since(Instant::now()).min(TICK)
        });
        thread::sleep(next);
        Ok(())
    }

    pub(super) fn add_seat(&mut self, channel: usize, is_publisher: bool, at: Instant) {
        self.seats.push(Seat {
            channel,
            occupant: None,
            is_publisher,
            asked: None,
        });
        self.timers
            .push(Reverse((at, Due::Join(self.seats.len() - 1))));
    }

    fn join(&mut self, seat: usize) {
        if let Err(error) = self.try_join(seat) {
            self.fail(&error);
            self.retry(seat, RETRY);
        }
    }

    fn try_join(&mut self, seat: usize) -> Result<(), SessionError> {
        let now = Instant::now();
        let id = self.next_endpoint;
        self.next_endpoint += 1;
        let Seat {
            channel,
            is_publisher,
            ..
        } = self.seats[seat];
        let from = self.options.source(seat);
        let any = match self.options.server.host() {
            Some(url::Host::Ipv6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        let socket = Socket::bind(from.unwrap_or(any), !self.options.no_gro)?;
        self.poll.registry().register(
            &mut SourceFd(&socket.fd()),
            Token(id),
            Interest::READABLE,
        )?;
        let wants_data = self.options.data_channel && !is_publisher;
        let data = if wants_data { Data::Open } else { Data::None };
        let credentials = Credentials::random();
        let role = if is_publisher {
            Role::Publisher(Box::new(Publisher::new(
                channel as u16,
                self.options.plan(self.file.clone()),
                now,
            )))
        } else {
            let asked = *self.seats[seat].asked.get_or_insert(now);
            let number = seat - self.publishers();
            Role::Viewer(Box::new(Viewer::new(
                now,
                asked,
                number < self.options.verify,
            )))
        };
        let fingerprint = self.identity.fingerprint();
        let offer = Offer {
            credentials: &credentials,
            fingerprint: &fingerprint,
            sending: match &role {
                Role::Publisher(publisher) => Some(publisher.sending()),
                Role::Viewer(_) => None,
            },
            picture: true,
            data_channels: wants_data,
            profile: self.file.as_ref().map_or(BASELINE, |file| file.profile()),
        }
        .to_sdp();
        let caller = Caller {
            from,
            token: self.options.token.clone(),
        };
        // Checked when the test began.
        if let Ok(endpoint) = self.options.endpoint(channel, is_publisher) {
            let (caller, done) = (caller.clone(), self.created.0.clone());
            self.runtime.spawn(async move {
                let result = caller.create(&endpoint, offer).await;
                let created = Created {
                    endpoint: id,
                    result,
                };
                // If nobody listens any more the test is over.
                let _ = done.send(created);
            });
        }
        self.outcome.joins += u64::from(!is_publisher);
        self.seats[seat].occupant = Some(id);
        self.endpoints.insert(
            id,
            Endpoint {
                socket,
                peer: Peer::new(credentials, data),
                role,
                caller,
                session: None,
                seat,
                born: now,
                connected: false,
                scheduled: None,
            },
        );
        if let (Some(stay), false) = (self.options.churn, is_publisher) {
            let stay = stay.mul_f64(rand::rng().random_range(0.5..1.5));
            self.timers.push(Reverse((now + stay, Due::Leave(id))));
        }
        Ok(())
    }

    fn on_created(&mut self, created: Created) {
        let id = created.endpoint;
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            // It left before the answer came: the session is nobody's.
            if let Ok(session) = created.result {
                let caller = Caller {
                    from: None,
                    token: self.options.token.clone(),
                };
                self.runtime
                    .spawn(async move { caller.delete(&session.url).await });
            }
            return;
        };
        let now = Instant::now();
        let mut out = Outbox::new();
        let result = created
            .result
            .map_err(SessionError::from)
            .and_then(|session| {
                let answer = Answer::read(&session.answer)?;
                endpoint.session = Some(session);
                if let Role::Publisher(publisher) = &mut endpoint.role {
                    publisher.on_answer(&answer);
                }
                endpoint
                    .peer
                    .connect(now, &self.identity, answer.remote, &mut out);
                Ok(())
            });
        match result {
            Ok(()) => self.after(id, now, out),
            Err(error) => self.lose(id, &error),
        }
    }

    /// Reads a socket.
    fn receive(&mut self, id: usize) {
        let now = Instant::now();
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let mut out = Outbox::new();
        let result = endpoint.receive(now, &mut self.batch, &mut self.totals, &mut out);
        match result {
            Ok(()) => self.after(id, now, out),
            Err(error) => self.lose(id, &error),
        }
    }

    fn handle_timeout(&mut self, id: usize, at: Instant) {
        let now = Instant::now();
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        if endpoint.scheduled != Some(at) {
            return;
        }
        endpoint.scheduled = None;
        let mut out = Outbox::new();
        let result = endpoint.speak(now, self.on_air, &self.totals.window, &mut out);
        match result {
            Ok(()) => self.after(id, now, out),
            Err(error) => self.lose(id, &error),
        }
    }

    /// Sends what an endpoint has to say, and notes when it has more.
    fn after(&mut self, id: usize, now: Instant, out: Outbox) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        for (to, datagram) in out {
            if endpoint.socket.send(to, &datagram).is_err() {
                self.totals.unsent += 1;
            }
        }
        let next = endpoint.next_timeout(now, self.on_air);
        if endpoint.scheduled.is_none_or(|scheduled| next < scheduled) {
            endpoint.scheduled = Some(next);
            self.timers.push(Reverse((next, Due::Endpoint(id))));
        }
    }

    /// A session failed.
    fn lose(&mut self, id: usize, error: &SessionError) {
        self.fail(error);
        let Some(endpoint) = self.remove(id, Parting::Lost) else {
            return;
        };
        let wait = match error {
            SessionError::Http(HttpError::Refused {
                retry_after: Some(after),
                ..
            }) => *after,
            _ => RETRY,
        };
        match &endpoint.role {
            Role::Publisher(_) => self.lost_publisher = Some(error.to_string()),
            Role::Viewer(_) => self.retry(endpoint.seat, wait),
        }
    }

    fn retry(&mut self, seat: usize, wait: Duration) {
        // Not all at once, whatever the server says.
        let wait = wait
            .clamp(RETRY / 2, LONGEST_RETRY)
            .mul_f64(rand::rng().random_range(1.0..1.5));
        self.timers
            .push(Reverse((Instant::now() + wait, Due::Join(seat))));
    }

    fn fail(&mut self, error: &SessionError) {
        let failures = &mut self.outcome.failures;
        let reason = error.to_string();
        if failures.len() < MOST_REASONS || failures.contains_key(&reason) {
            *failures.entry(reason).or_default() += 1;
        } else {
            *failures.entry("other".to_owned()).or_default() += 1;
        }
    }

    /// A viewer's stay is over: another takes the seat.
    fn end_stay(&mut self, id: usize) {
        self.counted.remove(&id);
        let parting = if rand::rng().random_bool(self.options.vanish) {
            Parting::Silent
        } else {
            Parting::Polite
        };
        if let Some(endpoint) = self.remove(id, parting) {
            self.timers
                .push(Reverse((Instant::now(), Due::Join(endpoint.seat))));
        }
    }

    pub(super) fn occupants(&self, publishers: bool) -> Vec<(usize, usize)> {
        let seats = self.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| seat.is_publisher == publishers)
            .filter_map(|(number, seat)| Some((seat.occupant?, number)))
            .collect()
    }

    /// Forgets a session, after a good-bye if there is to be one.
    pub(super) fn remove(&mut self, id: usize, parting: Parting) -> Option<Endpoint> {
        let mut endpoint = self.endpoints.remove(&id)?;
        let now = Instant::now();
        self.seats[endpoint.seat].occupant = None;
        // Closing the socket takes it out of the poll as well.
        let _ = self
            .poll
            .registry()
            .deregister(&mut SourceFd(&endpoint.socket.fd()));
        if parting == Parting::Polite {
            let mut out = Outbox::new();
            endpoint.peer.close(now, &mut out);
            for (to, datagram) in out {
                let _ = endpoint.socket.send(to, &datagram);
            }
            if let Some(session) = endpoint.session.clone() {
                let caller = endpoint.caller.clone();
                self.runtime
                    .spawn(async move { caller.delete(&session.url).await });
            }
        }
        if let Role::Viewer(viewer) = &mut endpoint.role {
            // Who was thrown out sees nothing up to the window's end.
            let until = if parting == Parting::Lost {
                u64::MAX
            } else {
                since_1970()
            };
            let (came, gap) = viewer.end_window(until, &self.totals.window);
            // Who was refused is counted as such, and comes again as another.
            if endpoint.session.is_some() {
                self.window.note_gap(gap);
            }
            if self.counted.contains_key(&id) {
                self.window.arrived += came;
            }
            let had_time = now.saturating_duration_since(endpoint.born) >= PATIENCE;
            self.outcome.note_viewer(viewer, had_time);
            // Who was refused, or thrown out before it saw anything, is the same when it comes again.
            if parting != Parting::Lost || viewer.first_picture().is_some() {
                self.seats[endpoint.seat].asked = None;
            }
        }
        Some(endpoint)
    }

    /// The seats of publishers, which are the first.
    fn publishers(&self) -> usize {
        if self.options.only_watch {
            0
        } else {
            self.options.channels
        }
    }
}
