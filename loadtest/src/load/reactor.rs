//! One thread with all the peers: their sockets, their timers, and the plan of who comes and goes.
//!
//! It looks at the sockets every millisecond instead of waking up for each packet. Nothing is lost by that, since the
//! kernel notes when packets arrive, and one core is then enough for a thousand viewers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rand::RngExt;
use tokio::runtime::Handle;

use super::clock::since_1970;
use super::http::{Caller, HttpError, Session};
use super::options::{Options, OptionsError};
use super::publisher::Publisher;
use super::result::{self, Outcome, Second};
use super::server::{Sample, Server};
use super::socket::{Batch, Socket};
use super::totals::Totals;
use super::viewer::Viewer;
use crate::peer::{Credentials, Identity, Outbox, Peer, PeerError, Received};
use crate::sdp::{Answer, AnswerError, Offer};

/// How long the thread sleeps when there is nothing to do.
const TICK: Duration = Duration::from_millis(1);
/// A session that isn't connected by then has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A viewer who was refused or lost comes back after so long, if the server doesn't say when.
const RETRY: Duration = Duration::from_secs(1);
/// All publishers are on air this long before the first viewer comes.
const ON_AIR: Duration = Duration::from_secs(3);
/// How long publishers may take to get on air.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// After the window nothing more is sent; what is on its way arrives in this time.
const DRAIN: Duration = Duration::from_secs(1);
/// A viewer who stayed this long without a picture counts as one without.
const PATIENCE: Duration = Duration::from_secs(3);
/// Viewers who come back in a storm do so within this time, as browsers would.
const STORM_SPREAD: Duration = Duration::from_millis(200);
/// Different reasons of failure that are kept apart.
const MOST_REASONS: usize = 20;

/// Why there was no load test.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// See [`OptionsError`].
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A publisher didn't get on air.
    #[error("can't publish: {0}")]
    Publish(String),
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// See [`crate::peer::PeerError`].
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Nobody listens for the result any more.
    #[error("interrupted")]
    Interrupted,
}

/// Why one session came to nothing.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    #[error("not connected after {CONNECT_TIMEOUT:?}")]
    TooLong,
    #[error("the server ended the session")]
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// An endpoint's timers.
    Endpoint(usize),
    /// A seat is to be taken.
    Join(usize),
    /// A viewer's time is over.
    Leave(usize),
}

enum Role {
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

/// One peer with its socket.
struct Endpoint {
    socket: Socket,
    peer: Peer,
    role: Role,
    caller: Caller,
    session: Option<Session>,
    seat: usize,
    born: Instant,
    connected: bool,
    scheduled: Option<Instant>,
}

/// A place that one viewer after the other takes, or that a publisher keeps.
#[derive(Clone, Copy)]
struct Seat {
    channel: usize,
    occupant: Option<usize>,
    is_publisher: bool,
}

/// What the HTTP side has done.
struct Created {
    endpoint: usize,
    result: Result<Session, HttpError>,
}

/// Shows how far it is.
pub trait Progress {
    /// Once a second.
    fn second(&mut self, second: &Second, phase: &str);
}

/// The load test.
pub struct Reactor<'a> {
    options: &'a Options,
    poll: Poll,
    runtime: Handle,
    created: (mpsc::Sender<Created>, mpsc::Receiver<Created>),
    identity: Identity,
    server: Option<Server>,
    endpoints: HashMap<usize, Endpoint>,
    next_endpoint: usize,
    seats: Vec<Seat>,
    timers: BinaryHeap<Reverse<(Instant, Due)>>,
    batch: Batch,
    totals: Totals,
    /// Publishers still send.
    on_air: bool,
    outcome: Outcome,
    seconds: Vec<Second>,
    start: Instant,
    window_start: Instant,
}

impl<'a> Reactor<'a> {
    /// Prepares everything but does nothing yet. HTTP runs on `runtime`.
    pub fn new(options: &'a Options, runtime: Handle) -> Result<Self, LoadError> {
        options.check()?;
        let server = options.server_pid.map(Server::new).transpose();
        Ok(Self {
            options,
            poll: Poll::new().map_err(|e| LoadError::System("can't wait for sockets", e))?,
            runtime,
            created: mpsc::channel(),
            identity: Identity::random().map_err(PeerError::from)?,
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
            seconds: Vec::new(),
            start: Instant::now(),
            window_start: Instant::now(),
        })
    }

    /// Runs the whole test.
    pub fn run(mut self, progress: &mut dyn Progress) -> Result<result::Report, LoadError> {
        self.publish(progress)?;
        self.outcome.before_viewers = self.sample();
        let now = Instant::now();
        let viewers = self.options.viewers * self.options.channels;
        let ramp = Duration::from_secs_f64(viewers as f64 / self.options.rate);
        for number in 0..viewers {
            let at = now + ramp.mul_f64(number as f64 / viewers.max(1) as f64);
            self.add_seat(number % self.options.channels, false, at);
        }
        self.until(now + ramp + self.options.settle, "joining", progress)?;
        self.measure(progress)?;
        self.on_air = false;
        self.until(Instant::now() + DRAIN, "draining", progress)?;
        self.count_viewers();
        self.outcome.with_viewers = self.sample();
        self.leave(false);
        self.until(Instant::now() + self.options.linger, "left", progress)?;
        self.outcome.after_viewers = self.sample();
        self.leave(true);
        // The last good-byes.
        self.until(Instant::now() + DRAIN / 4, "ending", progress)?;
        Ok(result::Report::new(
            self.options,
            self.outcome,
            &self.totals,
            self.seconds,
        ))
    }

    /// All publishers get on air, or the test ends.
    fn publish(&mut self, progress: &mut dyn Progress) -> Result<(), LoadError> {
        if self.options.only_watch {
            return Ok(());
        }
        let now = Instant::now();
        for channel in 0..self.options.channels {
            let after = Duration::from_secs_f64(channel as f64 / self.options.rate);
            self.add_seat(channel, true, now + after);
        }
        let ramp = Duration::from_secs_f64(self.options.channels as f64 / self.options.rate);
        let deadline = now + ramp + PUBLISH_TIMEOUT;
        loop {
            self.until(Instant::now() + TICK * 10, "publishing", progress)?;
            let on_air = self.endpoints.values().filter(|e| e.connected).count();
            if on_air == self.options.channels {
                break;
            }
            if let Some(reason) = self.outcome.failures.keys().next() {
                return Err(LoadError::Publish(reason.clone()));
            }
            if Instant::now() > deadline {
                let late = format!("{on_air} of {} on air", self.options.channels);
                return Err(LoadError::Publish(late));
            }
        }
        self.until(Instant::now() + ON_AIR, "on air", progress)
    }

    /// The measured window.
    fn measure(&mut self, progress: &mut dyn Progress) -> Result<(), LoadError> {
        let from = since_1970();
        self.totals.window = from..from + self.options.duration.as_nanos() as u64;
        self.outcome.counts_at_start = self.counts();
        self.outcome.at_start = self.sample();
        let start = Instant::now();
        self.window_start = start;
        let end = start + self.options.duration;
        match self.options.storm {
            None => self.until(end, "measuring", progress)?,
            Some(every) => {
                let mut next = start + every;
                while next < end {
                    self.until(next, "measuring", progress)?;
                    self.storm(Instant::now());
                    next += every;
                }
                self.until(end, "measuring", progress)?;
            }
        }
        self.outcome.at_end = self.sample();
        self.outcome.counts_at_end = self.counts();
        self.outcome.measured = start.elapsed();
        Ok(())
    }

    /// Works until this moment, and tells each second of it.
    fn until(
        &mut self,
        end: Instant,
        phase: &str,
        progress: &mut dyn Progress,
    ) -> Result<(), LoadError> {
        while Instant::now() < end {
            self.turn()?;
            if self.start.elapsed() >= Duration::from_secs(self.seconds.len() as u64 + 1) {
                let second = self.second();
                progress.second(&second, phase);
                self.seconds.push(second);
            }
        }
        Ok(())
    }

    /// Everything that there is to do now, and a short sleep.
    fn turn(&mut self) -> Result<(), LoadError> {
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

    fn add_seat(&mut self, channel: usize, is_publisher: bool, at: Instant) {
        self.seats.push(Seat {
            channel,
            occupant: None,
            is_publisher,
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
        let credentials = Credentials::random();
        let role = if is_publisher {
            Role::Publisher(Box::new(Publisher::new(
                channel as u16,
                self.options.plan(),
                now,
            )))
        } else {
            Role::Viewer(Box::new(Viewer::new(
                now,
                self.outcome.joins < self.options.verify as u64,
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
            data_channels: wants_data,
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
                peer: Peer::new(credentials, wants_data),
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
        let mut result = Ok(());
        let Endpoint {
            socket,
            peer,
            role,
            connected,
            ..
        } = endpoint;
        let totals = &mut self.totals;
        let read = socket.receive(&mut self.batch, |burst| {
            totals.messages += 1;
            for datagram in burst.datagrams() {
                totals.datagrams += 1;
                totals.bytes += datagram.len() as u64;
                let received = peer.receive(now, burst.from, datagram, &mut out);
                match received {
                    Ok(Received::Rtp(sealed)) => {
                        if let (Role::Viewer(viewer), Some(opener)) = (&mut *role, peer.opener()) {
                            viewer.on_rtp(now, burst.arrived, sealed, opener, totals);
                        }
                    }
                    Ok(Received::Rtcp(packets)) => match role {
                        Role::Viewer(viewer) => viewer.on_rtcp(now, &packets),
                        Role::Publisher(publisher) => {
                            let again = publisher.on_rtcp(&packets);
                            send_rtp(peer, &again, &mut out);
                        }
                    },
                    Ok(Received::Connected) => {
                        *connected = true;
                        if let Role::Publisher(publisher) = role {
                            publisher.start(now);
                        }
                    }
                    Ok(Received::Handled) => {}
                    Ok(Received::Closed) => result = Err(SessionError::Ended),
                    Err(error) => result = Err(error.into()),
                }
            }
        });
        match read.map_err(SessionError::from).and(result) {
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
        let Some(endpoint) = self.remove(id, false) else {
            return;
        };
        let wait = match error {
            SessionError::Http(HttpError::Refused {
                retry_after: Some(after),
                ..
            }) => *after,
            _ => RETRY,
        };
        if !self.seats[endpoint.seat].is_publisher {
            self.retry(endpoint.seat, wait);
        }
    }

    fn retry(&mut self, seat: usize, wait: Duration) {
        // Not all at once.
        let wait = wait.mul_f64(rand::rng().random_range(1.0..1.5));
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
        let vanishes = rand::rng().random_bool(self.options.vanish);
        if let Some(endpoint) = self.remove(id, !vanishes) {
            self.timers
                .push(Reverse((Instant::now(), Due::Join(endpoint.seat))));
        }
    }

    /// All viewers leave and come back.
    fn storm(&mut self, now: Instant) {
        for (id, seat) in self.occupants(false) {
            self.remove(id, true);
            let after = STORM_SPREAD.mul_f64(rand::rng().random());
            self.timers.push(Reverse((now + after, Due::Join(seat))));
        }
    }

    /// Viewers leave for good, or publishers do.
    fn leave(&mut self, publishers: bool) {
        self.timers
            .retain(|Reverse((_, due))| matches!(due, Due::Endpoint(_)));
        for (id, _) in self.occupants(publishers) {
            self.remove(id, true);
        }
    }

    fn occupants(&self, publishers: bool) -> Vec<(usize, usize)> {
        let seats = self.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| seat.is_publisher == publishers)
            .filter_map(|(number, seat)| Some((seat.occupant?, number)))
            .collect()
    }

    /// Forgets a session, after a good-bye if it is `polite`.
    fn remove(&mut self, id: usize, polite: bool) -> Option<Endpoint> {
        let mut endpoint = self.endpoints.remove(&id)?;
        let now = Instant::now();
        self.seats[endpoint.seat].occupant = None;
        // Closing the socket takes it out of the poll as well.
        let _ = self
            .poll
            .registry()
            .deregister(&mut SourceFd(&endpoint.socket.fd()));
        if polite {
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
        if let Role::Viewer(viewer) = &endpoint.role {
            self.outcome.note_viewer(
                viewer,
                now.saturating_duration_since(endpoint.born) >= PATIENCE,
            );
        }
        Some(endpoint)
    }

    /// After the window: what arrived at those who were there all the time, of what was sent.
    fn count_viewers(&mut self) {
        let mut sent = BTreeMap::new();
        for endpoint in self.endpoints.values() {
            if let Role::Publisher(publisher) = &endpoint.role {
                let channel = self.seats[endpoint.seat].channel;
                sent.insert(channel, publisher.in_window());
                self.outcome.keyframe_requests += publisher.requests();
            }
        }
        let began = self.window_start;
        for endpoint in self.endpoints.values() {
            let channel = self.seats[endpoint.seat].channel;
            if let (Role::Viewer(viewer), Some(sent)) = (&endpoint.role, sent.get(&channel)) {
                self.outcome.watching += u64::from(endpoint.connected);
                self.outcome.data_channels += u64::from(endpoint.peer.has_data_channel());
                if endpoint.born < began && viewer.first_picture().is_some() {
                    self.outcome.expected += sent;
                    self.outcome.arrived += viewer.in_window();
                }
            }
        }
        self.outcome.single_layer = self.options.bitrate.len() == 1;
    }

    fn counts(&self) -> result::Counts {
        result::Counts {
            datagrams: self.totals.datagrams,
            messages: self.totals.messages,
            bytes: self.totals.bytes,
        }
    }

    fn sample(&self) -> Option<Sample> {
        self.server.as_ref()?.sample().ok()
    }

    fn second(&mut self) -> Second {
        let latency = &self.totals.latency_now;
        let percentile = |share| latency.value_at_quantile(share) as f64 / 1e6;
        let second = Second {
            at: self.start.elapsed().as_secs_f64(),
            viewers: self
                .endpoints
                .values()
                .filter(|e| e.connected && matches!(e.role, Role::Viewer(_)))
                .count(),
            median_ms: percentile(0.5),
            p99_ms: percentile(0.99),
            max_ms: latency.max() as f64 / 1e6,
            counts: self.counts(),
            server: self.server.as_ref().and_then(|server| server.sample().ok()),
            failures: self.outcome.failures.values().sum(),
        };
        self.totals.latency_now.reset();
        second
    }
}

impl Endpoint {
    fn speak(
        &mut self,
        now: Instant,
        on_air: bool,
        window: &std::ops::Range<u64>,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        if !self.connected && now.saturating_duration_since(self.born) > CONNECT_TIMEOUT {
            return Err(SessionError::TooLong);
        }
        self.peer.handle_timeout(now, out)?;
        if !self.connected {
            return Ok(());
        }
        match &mut self.role {
            Role::Viewer(viewer) => {
                for datagram in viewer.speak(now) {
                    self.peer.send_rtcp(&datagram, out)?;
                }
            }
            Role::Publisher(publisher) if on_air => {
                let speech = publisher.speak(now, window);
                send_rtp(&mut self.peer, &speech.rtp, out);
                for datagram in speech.rtcp {
                    self.peer.send_rtcp(&datagram, out)?;
                }
            }
            Role::Publisher(_) => {}
        }
        Ok(())
    }

    fn next_timeout(&self, now: Instant, on_air: bool) -> Instant {
        let deadline = self.born + CONNECT_TIMEOUT + TICK;
        let role = match &self.role {
            _ if !self.connected => Some(deadline),
            Role::Viewer(viewer) => Some(viewer.next_timeout()),
            Role::Publisher(publisher) if on_air => publisher.next_timeout(),
            Role::Publisher(_) => None,
        };
        [self.peer.next_timeout(), role]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + CONNECT_TIMEOUT)
    }
}

/// Seals packets for the path that ICE chose. What can't be sealed the viewers will miss.
fn send_rtp(peer: &mut Peer, packets: &[Vec<u8>], out: &mut Outbox) {
    let Some(to) = peer.path() else { return };
    out.extend(
        packets
            .iter()
            .filter_map(|packet| Some((to, peer.seal_rtp(packet).ok()?))),
    );
}
