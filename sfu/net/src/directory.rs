//! Which worker holds what: the platform's side of placement. Locked for a few instructions at a time, and only when
//! sessions begin and end, never for a packet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use spillway_sfu::{ChannelName, Reject, SessionId, WorkerId};

/// What a session is assumed to weigh before its traffic shows: spreads viewers that come all at once.
const SESSION_BITS: u64 = 500_000;

/// Sessions and traffic of every worker, and the worker of each live channel's publisher.
pub(crate) struct Directory {
    loads: Vec<Load>,
    publishers: Mutex<Publishers>,
}

#[derive(Default)]
struct Load {
    sessions: AtomicU32,
    bits_per_second: AtomicU64,
    gone: AtomicBool,
}

#[derive(Default)]
struct Publishers {
    holders: HashMap<ChannelName, Holder>,
    channels: HashMap<SessionId, ChannelName>,
}

/// Who has a channel.
struct Holder {
    worker: WorkerId,
    /// The session that publishes.
    live: Option<SessionId>,
    /// Publish requests on their way to the worker.
    pending: u32,
}

impl Directory {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            loads: (0..workers).map(|_| Load::default()).collect(),
            publishers: Mutex::default(),
        }
    }

    /// Chooses a worker for a viewer, and counts the session there until [`Self::departed`].
    pub(crate) fn place_viewer(&self) -> WorkerId {
        let worker = self.least_loaded();
        self.arrived(worker);
        worker
    }

    /// Chooses a worker for a publisher, counts the session there, and holds the channel for it until
    /// [`Self::settle`]. A take-over goes to the worker of the present publisher, whose engine swaps them in one step;
    /// of several publishers who come at once to a free channel, the first gets it.
    pub(crate) fn place_publisher(
        &self,
        channel: &ChannelName,
        take_over: bool,
    ) -> Result<WorkerId, Reject> {
        let mut publishers = self.lock();
        let worker = match publishers.holders.get_mut(channel) {
            Some(_) if !take_over => return Err(Reject::AlreadyLive),
            Some(holder) => {
                holder.pending += 1;
                holder.worker
            }
            None => {
                let worker = self.least_loaded();
                let holder = Holder {
                    worker,
                    live: None,
                    pending: 1,
                };
                publishers.holders.insert(channel.clone(), holder);
                worker
            }
        };
        drop(publishers);
        self.arrived(worker);
        Ok(worker)
    }

    /// A publish request is answered: by a session, or refused.
    pub(crate) fn settle(&self, channel: &ChannelName, session: Option<SessionId>) {
        let mut publishers = self.lock();
        if let Some(session) = session {
            publishers.channels.insert(session, channel.clone());
        }
        if let Some(holder) = publishers.holders.get_mut(channel) {
            holder.pending = holder.pending.saturating_sub(1);
            holder.live = session.or(holder.live);
        }
        publishers.release(channel);
    }

    /// A session, publisher or viewer, is gone.
    pub(crate) fn ended(&self, session: SessionId) {
        self.departed(session.worker);
        let mut publishers = self.lock();
        let Some(channel) = publishers.channels.remove(&session) else {
            return;
        };
        if let Some(holder) = publishers.holders.get_mut(&channel)
            && holder.live == Some(session)
        {
            holder.live = None;
        }
        publishers.release(&channel);
    }

    /// A session that was counted at its placement isn't there, or no more.
    pub(crate) fn departed(&self, worker: WorkerId) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            // Never below zero, even if an engine reported an end twice.
            let _ = load
                .sessions
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
    }

    /// A worker says what it sends.
    pub(crate) fn set_traffic(&self, worker: WorkerId, bits_per_second: u64) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            load.bits_per_second
                .store(bits_per_second, Ordering::Relaxed);
        }
    }

    /// A worker's thread has ended: it gets nobody more, and the channels that it held are free.
    pub(crate) fn worker_gone(&self, worker: WorkerId) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            load.gone.store(true, Ordering::Relaxed);
        }
        let mut publishers = self.lock();
        publishers
            .holders
            .retain(|_, holder| holder.worker != worker);
        publishers
            .channels
            .retain(|session, _| session.worker != worker);
    }

    /// Whether that worker's thread runs.
    pub(crate) fn is_present(&self, worker: WorkerId) -> bool {
        self.loads
            .get(usize::from(worker.0))
            .is_some_and(|load| !load.gone.load(Ordering::Relaxed))
    }

    /// Whether every worker's thread runs.
    pub(crate) fn all_present(&self) -> bool {
        !self
            .loads
            .iter()
            .any(|load| load.gone.load(Ordering::Relaxed))
    }

    fn arrived(&self, worker: WorkerId) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            load.sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn least_loaded(&self) -> WorkerId {
        let weight = |load: &Load| {
            load.bits_per_second.load(Ordering::Relaxed)
                + u64::from(load.sessions.load(Ordering::Relaxed)) * SESSION_BITS
        };
        let least = self
            .loads
            .iter()
            .enumerate()
            .filter(|(_, load)| !load.gone.load(Ordering::Relaxed))
            .min_by_key(|(_, load)| weight(load));
        WorkerId(least.map_or(0, |(index, _)| index as u8))
    }

    fn lock(&self) -> MutexGuard<'_, Publishers> {
        // No invariant spans a panic: each method leaves the table whole at every step.
        self.publishers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publishers {
    fn release(&mut self, channel: &ChannelName) {
        if let Some(holder) = self.holders.get(channel)
            && holder.live.is_none()
            && holder.pending == 0
        {
            self.holders.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn channel(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    fn session(worker: WorkerId, serial: u64) -> SessionId {
        SessionId { worker, serial }
    }

    #[test]
    fn of_two_publishers_at_once_one_gets_the_channel() {
        let directory = Directory::new(2);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        assert_eq!(
            directory.place_publisher(&demo, false),
            Err(Reject::AlreadyLive)
        );
        directory.settle(&demo, Some(session(worker, 1)));
        assert_eq!(
            directory.place_publisher(&demo, false),
            Err(Reject::AlreadyLive)
        );
        directory.ended(session(worker, 1));
        assert!(directory.place_publisher(&demo, false).is_ok());
    }

    #[test]
    fn a_refused_publisher_frees_the_channel() {
        let directory = Directory::new(1);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.settle(&demo, None);
        directory.departed(worker);
        assert!(directory.place_publisher(&demo, false).is_ok());
    }

    #[test]
    fn a_take_over_goes_to_the_present_publishers_worker_and_keeps_the_channel_held() {
        let directory = Directory::new(4);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.settle(&demo, Some(session(worker, 1)));
        for _ in 0..8 {
            directory.place_viewer();
        }
        assert_eq!(directory.place_publisher(&demo, true), Ok(worker));
        // The engine ends the old one before it answers for the new one.
        directory.ended(session(worker, 1));
        assert_eq!(
            directory.place_publisher(&demo, false),
            Err(Reject::AlreadyLive)
        );
        directory.settle(&demo, Some(session(worker, 2)));
        directory.ended(session(worker, 2));
        assert!(directory.place_publisher(&demo, false).is_ok());
    }

    #[test]
    fn a_refused_take_over_leaves_the_present_publisher() {
        let directory = Directory::new(2);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.settle(&demo, Some(session(worker, 1)));
        directory.place_publisher(&demo, true).unwrap();
        directory.settle(&demo, None);
        assert_eq!(
            directory.place_publisher(&demo, false),
            Err(Reject::AlreadyLive)
        );
    }

    #[test]
    fn a_worker_that_ended_gets_nobody_and_holds_nothing() {
        let directory = Directory::new(2);
        let demo = channel("demo");
        assert_eq!(directory.place_publisher(&demo, false), Ok(WorkerId(0)));
        directory.settle(&demo, Some(session(WorkerId(0), 1)));
        assert!(directory.all_present());
        directory.worker_gone(WorkerId(0));
        assert!(!directory.all_present());
        assert_eq!(directory.place_publisher(&demo, false), Ok(WorkerId(1)));
        assert_eq!(directory.place_viewer(), WorkerId(1));
    }

    #[test]
    fn viewers_spread_and_traffic_counts() {
        let directory = Directory::new(3);
        let mut placed = [0; 3];
        for _ in 0..30 {
            placed[usize::from(directory.place_viewer().0)] += 1;
        }
        assert_eq!(placed, [10, 10, 10]);
        directory.set_traffic(WorkerId(0), 100_000_000);
        directory.set_traffic(WorkerId(2), 100_000_000);
        assert_eq!(directory.place_viewer(), WorkerId(1));
    }
}
