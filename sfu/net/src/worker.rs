//! One media worker: a thread that owns an engine and its sockets, and waits for both.
//!
//! The loop is plain: wait, take letters, take datagrams, flush, take what TCP has, run due timers. It polls by itself
//! instead of running on an async runtime: the only waiting is in one place, sending needs no readiness, and UDP
//! sockets ask to hear of free buffer space only while something waits for it, which an async socket would hear of
//! after every packet sent.

use std::{
    io,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, unix::SourceFd};
use spillway_sfu::{Disposition, Path};
use tokio::sync::oneshot;

use crate::{
    core::Core,
    handover::Owners,
    lag::Lag,
    mailbox::{Letter, Letters},
    outlet::Outlet,
    reflexive::Keepalive,
    statistics::WorkerStatistics,
    tokens::{self, Named},
    udp::ReceiveBatch,
};

/// Readiness events taken by one wait.
const POLL_EVENTS: usize = 256;
/// How long letters are read before what came is sent on. They may be messages for all of a channel's viewers: pictures don't
/// wait for the last of them.
const LETTERS_TIME: Duration = Duration::from_millis(1);
/// How long one UDP socket, or all connections, are read before what came is sent on.
pub(crate) const READ_TIME: Duration = Duration::from_millis(5);
/// A worker that hasn't read all for so long hurries.
const TOO_LATE: Duration = Duration::from_millis(50);
/// Room for one TCP read behind a partial frame.
const READ_BUFFER: usize = 64 << 10;
/// How often idle connections are looked for and the load is told.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How soon events that the platform had no room for are offered again.
const EVENT_RETRY: Duration = Duration::from_millis(10);
/// First bytes of STUN (RFC 7983 §7): these name their worker, others don't.
const STUN_FIRST_BYTES: std::ops::RangeInclusive<u8> = 0..=3;

pub(crate) struct Worker<C: Core> {
    pub(crate) engine: C,
    pub(crate) outlet: Outlet<C>,
    poll: Poll,
    letters: Letters<C::Statistics>,
    more_letters: bool,
    udp_ready: Vec<UdpReadiness>,
    batch: ReceiveBatch,
    pub(crate) read_buffer: Vec<u8>,
    pub(crate) ready_connections: Vec<u32>,
    owners: Owners,
    keepalive: Option<Keepalive>,
    next_sweep: Instant,
    lag: Lag,
    told: Told,
    events_wait: bool,
    stop_at: Option<Instant>,
    /// Those who wait for the thread's end: they hear of it by the drop.
    stopped: Vec<oneshot::Sender<()>>,
}

/// What the directory was told of, when: how long the worker had been busy and how much it had sent by then.
#[derive(Clone, Copy)]
struct Told {
    at: Instant,
    busy: Duration,
    bytes: u64,
}

#[derive(Clone, Copy)]
struct UdpReadiness {
    readable: bool,
    /// Whether the poll tells when there is room to send.
    wants_write: bool,
}

impl<C: Core> Worker<C> {
    pub(crate) fn new(
        poll: Poll,
        letters: Letters<C::Statistics>,
        engine: C,
        outlet: Outlet<C>,
        keepalive: Option<Keepalive>,
    ) -> io::Result<Self> {
        for (index, port) in outlet.udp.iter().enumerate() {
            poll.registry().register(
                &mut SourceFd(&port.socket().as_raw_fd()),
                tokens::udp(index),
                Interest::READABLE,
            )?;
        }
        let now = Instant::now();
        let readiness = UdpReadiness {
            readable: true,
            wants_write: false,
        };
        Ok(Self {
            udp_ready: vec![readiness; outlet.udp.len()],
            engine,
            outlet,
            poll,
            letters,
            more_letters: false,
            batch: ReceiveBatch::new(),
            read_buffer: vec![0; READ_BUFFER],
            ready_connections: Vec::new(),
            owners: Owners::new(now),
            keepalive,
            next_sweep: now + SWEEP_INTERVAL,
            lag: Lag::new(now),
            told: Told {
                at: now,
                busy: Duration::ZERO,
                bytes: 0,
            },
            events_wait: false,
            stop_at: None,
            stopped: Vec::new(),
        })
    }

    /// Runs until the platform stops it.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(POLL_EVENTS);
        while !self.is_done() {
            let timeout = self.timeout(Instant::now());
            match self.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "a media worker can't wait for its sockets; it ends");
                    return;
                }
            }
            let began = Instant::now();
            let is_behind = self.lag.is_behind(began, TOO_LATE);
            self.engine.hurry(began, is_behind);
            let received = self.received();
            self.note(&events);
            self.turn();
            // Connections aren't asked: what one of them sends without end delays nobody else.
            let left = self.more_letters || self.udp_ready.iter().any(|port| port.readable);
            let read = self.received() - received;
            self.lag
                .on_turn(began, Instant::now(), left.then_some(read));
            self.outlet
                .directory
                .set_lag(self.outlet.worker, self.lag.smoothed());
        }
    }

    fn is_done(&self) -> bool {
        self.stop_at.is_some_and(|deadline| {
            let waiting = self.outlet.is_blocked() || self.events_wait;
            !waiting || Instant::now() >= deadline
        })
    }

    /// How long nothing needs to be done unless the network or a letter says so.
    fn timeout(&self, now: Instant) -> Duration {
        if self.has_more() {
            return Duration::ZERO;
        }
        let mut next = self.next_sweep;
        let mut sooner = |at: Option<Instant>| next = next.min(at.unwrap_or(next));
        sooner(Some(self.engine.next_timeout()));
        sooner(self.outlet.tcp.next_timeout());
        sooner(self.stop_at);
        sooner(self.events_wait.then(|| now + EVENT_RETRY));
        next.saturating_duration_since(now)
    }

    /// Whether the last turn left something behind.
    fn has_more(&self) -> bool {
        self.more_letters
            || self.udp_ready.iter().any(|port| port.readable)
            || self.outlet.tcp.has_ready()
    }

    /// Datagrams received by UDP since the start.
    fn received(&self) -> u64 {
        self.outlet.udp.iter().map(|p| p.counters.received).sum()
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            match tokens::named(event.token()) {
                Named::Mailbox => self.more_letters = true,
                Named::Listener => self.outlet.tcp.on_listener(),
                Named::Udp(index) => {
                    if event.is_writable()
                        && let Some(port) = self.outlet.udp.get_mut(index)
                    {
                        port.send_blocked();
                    }
                    if let Some(port) = self.udp_ready.get_mut(index) {
                        port.readable |= event.is_readable();
                    }
                }
                Named::Connection(number) => {
                    let readable =
                        event.is_readable() || event.is_read_closed() || event.is_error();
                    self.outlet
                        .tcp
                        .on_connection(number, readable, event.is_writable());
                }
            }
        }
    }

    /// Everything that there is to do now, each kind of work in turn and within bounds. What came is read before any of it
    /// is sent on: the later a worker is, the more goes to a viewer as one message, and the less a datagram costs.
    fn turn(&mut self) {
        self.read_letters();
        for index in 0..self.outlet.udp.len() {
            self.read_udp(index);
        }
        self.outlet.tcp.accept(Instant::now());
        self.read_connections();
        self.outlet.hand_over();
        let now = Instant::now();
        self.engine.flush(now, &mut self.outlet);
        let now = Instant::now();
        if self.engine.next_timeout() <= now {
            self.engine.handle_timeout(now, &mut self.outlet);
            self.engine.flush(now, &mut self.outlet);
        }
        let sweep = self.next_sweep <= now;
        if sweep {
            self.next_sweep = now + SWEEP_INTERVAL;
            self.tell_load(now);
            if let Some(keepalive) = &mut self.keepalive {
                keepalive.run(now, &mut self.outlet);
            }
        }
        for number in self.outlet.tcp.take_dead(now, sweep) {
            self.close_connection(number);
        }
        self.events_wait = !self.outlet.deliver_events();
        self.watch_for_room();
    }

    fn read_letters(&mut self) {
        if !self.more_letters {
            return;
        }
        self.letters.answer_knock();
        let began = Instant::now();
        let mut now = began;
        while now.saturating_duration_since(began) < LETTERS_TIME {
            let Some(letter) = self.letters.next() else {
                self.more_letters = false;
                break;
            };
            match letter {
                Letter::Command(command) => self.obey(now, command),
                Letter::Peer { from, message } => {
                    self.engine
                        .handle_peer(now, from, message, &mut self.outlet);
                }
                Letter::Strays(mut strays) => {
                    for (path, datagram) in strays.datagrams() {
                        let fate =
                            self.engine
                                .handle_datagram(now, path, datagram, &mut self.outlet);
                        if fate != Disposition::Taken {
                            self.outlet.counters.unknown += 1;
                        }
                    }
                }
                Letter::Connection(moved) => self.adopt_connection(now, moved),
            }
            now = Instant::now();
        }
    }

    fn read_udp(&mut self, index: usize) {
        let began = Instant::now();
        let mut now = began;
        while self.udp_ready[index].readable && now.saturating_duration_since(began) < READ_TIME {
            self.udp_ready[index].readable = self.outlet.udp[index].receive(&mut self.batch);
            now = Instant::now();
            for (path, datagram) in self.batch.datagrams() {
                deliver(
                    &mut self.engine,
                    &mut self.outlet,
                    &mut self.owners,
                    now,
                    path,
                    datagram,
                );
            }
        }
    }

    /// Hears of free buffer space only where something waits for it.
    fn watch_for_room(&mut self) {
        for (index, port) in self.outlet.udp.iter().enumerate() {
            let wants_write = port.is_blocked();
            if self.udp_ready[index].wants_write == wants_write {
                continue;
            }
            let interest = if wants_write {
                Interest::READABLE.add(Interest::WRITABLE)
            } else {
                Interest::READABLE
            };
            match self.poll.registry().reregister(
                &mut SourceFd(&port.socket().as_raw_fd()),
                tokens::udp(index),
                interest,
            ) {
                Ok(()) => self.udp_ready[index].wants_write = wants_write,
                Err(error) => tracing::error!(%error, "a UDP socket can't be watched"),
            }
        }
    }

    /// Says how busy it is, and how much it sends.
    fn tell_load(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.told.at);
        if passed.is_zero() {
            return;
        }
        let (busy, bytes) = (self.lag.busy(), self.sent_bytes());
        let share = busy.saturating_sub(self.told.busy).div_duration_f64(passed);
        let bits = (bytes.saturating_sub(self.told.bytes) * 8) as f64 / passed.as_secs_f64();
        self.told = Told {
            at: now,
            busy,
            bytes,
        };
        let worker = self.outlet.worker;
        let directory = &self.outlet.directory;
        directory.set_busy(worker, (share.min(1.0) * 1e6) as u32);
        directory.set_egress(worker, bits as u64);
    }

    fn sent_bytes(&self) -> u64 {
        let udp = self.outlet.udp.iter().map(|port| port.counters.sent_bytes);
        udp.sum::<u64>() + self.outlet.tcp.counters.sent_bytes
    }

    /// What this worker says of itself.
    pub(crate) fn statistics(&self, now: Instant) -> WorkerStatistics<C::Statistics> {
        let mut udp = crate::udp::UdpCounters::default();
        for port in &self.outlet.udp {
            udp.add(&port.counters);
        }
        WorkerStatistics {
            engine: self.engine.statistics(now),
            udp,
            tcp: self.outlet.tcp.counters,
            worker: self.outlet.counters,
            lag: self.lag.smoothed(),
            busy: self.lag.busy(),
        }
    }

    /// Ends every session and, once what waits is sent, the thread; `reply` is dropped with it.
    pub(crate) fn stop(
        &mut self,
        now: Instant,
        deadline: Instant,
        reply: Option<oneshot::Sender<()>>,
    ) {
        self.stopped.extend(reply);
        self.engine.close_all(now, &mut self.outlet);
        self.engine.flush(now, &mut self.outlet);
        self.outlet.tcp.stop_listening();
        self.stop_at = Some(deadline);
    }
}

/// Gives a UDP datagram to the engine, or to the worker that it belongs to.
fn deliver<C: Core>(
    engine: &mut C,
    outlet: &mut Outlet<C>,
    owners: &mut Owners,
    now: Instant,
    path: Path,
    datagram: &mut [u8],
) {
    // The engine goes first: what it believes of an address is authenticated, what we remember of it is not.
    match engine.handle_datagram(now, path, datagram, outlet) {
        Disposition::Taken => {}
        Disposition::Foreign(owner) if outlet.is_other(owner) => {
            owners.remember(now, path.remote, owner);
            outlet.stray(owner, path, datagram);
        }
        Disposition::Foreign(_) => outlet.counters.unknown += 1,
        Disposition::Unknown => {
            let is_stun = datagram
                .first()
                .is_none_or(|b| STUN_FIRST_BYTES.contains(b));
            match owners.claims(now, path.remote) {
                Some(claims) if !is_stun => {
                    for owner in std::iter::once(claims.first).chain(claims.latest) {
                        outlet.stray(owner, path, datagram);
                    }
                }
                _ => outlet.counters.unknown += 1,
            }
        }
    }
}
