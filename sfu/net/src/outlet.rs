//! Where an engine's output goes: sockets, the other workers, the platform.

use std::{collections::VecDeque, net::IpAddr, sync::Arc, time::Instant};

use spillway_sfu::{Event, Output, Path, PeerMessage, Protocol, WorkerId};
use tokio::sync::mpsc;

use crate::{
    core::Core,
    directory::Directory,
    handover::Strays,
    mailbox::{Letter, Mailbox},
    statistics::WorkerCounters,
    tcp::{MovedConnection, TcpPort},
    udp::UdpPort,
};

/// Events that may wait for the platform. Data channel messages beyond are dropped and counted; what tells of
/// sessions waits in the worker, which a session can add to only a few times in its life.
pub(crate) const EVENTS: usize = 16_384;

/// Everything that a worker can send to.
pub(crate) struct Outlet<C: Core> {
    pub(crate) worker: WorkerId,
    pub(crate) udp: Vec<UdpPort>,
    pub(crate) tcp: TcpPort,
    pub(crate) directory: Arc<Directory>,
    pub(crate) counters: WorkerCounters,
    mailboxes: Arc<[Mailbox<C::Statistics>]>,
    strays: Vec<Strays>,
    events: mpsc::Sender<Event>,
    waiting_events: VecDeque<Event>,
}

impl<C: Core> Outlet<C> {
    pub(crate) fn new(
        worker: WorkerId,
        udp: Vec<UdpPort>,
        tcp: TcpPort,
        directory: Arc<Directory>,
        mailboxes: Arc<[Mailbox<C::Statistics>]>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            worker,
            udp,
            tcp,
            directory,
            counters: WorkerCounters::default(),
            strays: mailboxes.iter().map(|_| Strays::default()).collect(),
            mailboxes,
            events,
            waiting_events: VecDeque::new(),
        }
    }

    /// Whether `worker` is another worker of this node.
    pub(crate) fn is_other(&self, worker: WorkerId) -> bool {
        worker != self.worker && usize::from(worker.0) < self.mailboxes.len()
    }

    /// Gathers a datagram for the worker that it belongs to. See [`Self::hand_over`].
    pub(crate) fn stray(&mut self, owner: WorkerId, path: Path, datagram: &[u8]) {
        let Some(strays) = self.strays.get_mut(usize::from(owner.0)) else {
            return;
        };
        strays.push(path, datagram);
        if strays.is_full() {
            self.hand_over_to(usize::from(owner.0));
        }
    }

    /// Sends on what was gathered for other workers.
    pub(crate) fn hand_over(&mut self) {
        for index in 0..self.strays.len() {
            self.hand_over_to(index);
        }
    }

    fn hand_over_to(&mut self, index: usize) {
        if self.strays[index].is_empty() {
            return;
        }
        let strays = std::mem::take(&mut self.strays[index]);
        let count = strays.len() as u64;
        match self.mailboxes[index].send(Letter::Strays(strays)) {
            Ok(()) => self.counters.handed_over += count,
            Err(_) => self.counters.handover_drops += count,
        }
    }

    /// Gives a TCP connection to the worker that its first frame names. At a full mailbox it is closed.
    pub(crate) fn move_connection(&mut self, owner: WorkerId, moved: MovedConnection) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(owner.0)) {
            let _ = mailbox.send(Letter::Connection(moved));
        }
    }

    /// Offers again what the platform had no room for. False while something still waits.
    pub(crate) fn deliver_events(&mut self) -> bool {
        while let Some(event) = self.waiting_events.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
                self.waiting_events.push_front(event);
                return false;
            }
        }
        true
    }

    /// Whether anything waits for the network.
    pub(crate) fn is_blocked(&self) -> bool {
        self.udp.iter().any(UdpPort::is_blocked) || self.tcp.is_blocked()
    }

    /// The socket whose address is `local`; the one of the same family, or the first, where that is a wildcard's.
    fn socket_for(&mut self, local: IpAddr) -> Option<&mut UdpPort> {
        let serves = |port: &UdpPort| {
            let bound = port.bound().ip();
            bound == local
                || (bound.is_unspecified()
                    && (bound.is_ipv6() || bound.is_ipv4() == local.is_ipv4()))
        };
        let index = self.udp.iter().position(serves).unwrap_or(0);
        self.udp.get_mut(index)
    }
}

impl<C: Core> Output for Outlet<C> {
    fn clock(&self, _: Instant) -> Instant {
        Instant::now()
    }

    fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        if segment == 0 || datagrams.is_empty() {
            return;
        }
        match path.protocol {
            Protocol::Tcp(number) => self.tcp.send(number, datagrams, segment),
            Protocol::Udp => {
                if let Some(port) = self.socket_for(path.local) {
                    port.send(path, datagrams, segment);
                }
            }
        }
    }

    fn peer(&mut self, worker: WorkerId, message: PeerMessage) {
        let letter = Letter::Peer {
            from: self.worker,
            message,
        };
        let sent = self
            .mailboxes
            .get(usize::from(worker.0))
            .is_some_and(|mailbox| mailbox.send(letter).is_ok());
        if !sent {
            self.counters.peer_drops += 1;
            if self.counters.peer_drops.is_power_of_two() {
                tracing::error!(
                    from = self.worker.0,
                    to = worker.0,
                    dropped = self.counters.peer_drops,
                    "a media worker doesn't keep up; the node is overloaded"
                );
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::Ended { session, .. } = event {
            self.directory.ended(session);
        }
        let is_data = matches!(event, Event::Data { .. });
        if !self.waiting_events.is_empty() {
            if is_data {
                self.counters.event_drops += 1;
            } else {
                self.waiting_events.push_back(event);
            }
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            if is_data {
                self.counters.event_drops += 1;
            } else {
                self.waiting_events.push_back(event);
            }
        }
    }
}
