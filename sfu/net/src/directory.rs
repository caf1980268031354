//! Which worker holds what: the platform's side of placement. Locked for a few instructions at a time, and only when
//! sessions begin and end, never for a packet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use spillway_sfu::{ChannelName, Reject, SessionId, WorkerId};

/// What a session weighs, in millionths of a worker's time, beside the time that the worker is seen to be busy: spreads
/// viewers that come all at once, and those who wait for a broadcast. One who gets 2.5 Mbit/s takes about twice as much.
const SESSION_SHARE: u64 = 500;

/// Sessions and load of every worker, and the worker of each live channel's publisher.
pub(crate) struct Directory {
    loads: Vec<Load>,
    most_lag: Duration,
    /// Bits a second to all viewers; none: as many as there are.
    most_egress: Option<u64>,
    publishers: Mutex<Publishers>,
}

#[derive(Default)]
struct Load {
    sessions: AtomicU32,
    /// Millionths of its time that the worker was busy.
    busy: AtomicU32,
    /// How late it is, in microseconds.
    lag: AtomicU32,
    /// Bits a second that it sends.
    egress: AtomicU64,
    /// Sessions that came since it last said so, and in the time before: what they get isn't in `egress` yet, or only in part.
    newcomers: [AtomicU32; 2],
    gone: AtomicBool,
}

/// Why there is no place for a viewer.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("this server sends as much as it may (limits.egress_bits_per_second); try again later")]
    Egress,
    /// May have passed in a moment.
    #[error(
        "this server's media workers have no time for further viewers: what they get waits longer than {} ms \
         (limits.worker_lag); try again later",
        .0.as_millis()
    )]
    Late(Duration),
    #[error("this server's media workers have ended")]
    Gone,
}

impl From<NoPlace> for Reject {
    fn from(why: NoPlace) -> Self {
        Self::Overloaded(why.to_string())
    }
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
    pub(crate) fn new(workers: usize, most_lag: Duration, most_egress: Option<u64>) -> Self {
        Self {
            loads: (0..workers).map(|_| Load::default()).collect(),
            most_lag,
            most_egress,
            publishers: Mutex::default(),
        }
    }

    /// Chooses a worker for a viewer, and counts the session there until [`Self::departed`]. Nobody is let in who couldn't be
    /// served in time, by the viewer's worker or by that of the channel's publisher: those who watch would have it worse, too. Who
    /// watches `for_others` is let in all the same: they have nowhere else to go.
    pub(crate) fn place_viewer(
        &self,
        channel: &ChannelName,
        for_others: bool,
    ) -> Result<WorkerId, NoPlace> {
        if !for_others {
            self.check_egress()?;
        }
        let most = self.most_lag.as_micros();
        let in_time =
            |load: &Load| for_others || u128::from(load.lag.load(Ordering::Relaxed)) <= most;
        let publisher = self.lock().holders.get(channel).map(|h| h.worker);
        let source = publisher.and_then(|worker| self.loads.get(usize::from(worker.0)));
        let worker = if source.is_none_or(in_time) {
            self.least_loaded(in_time)
        } else {
            None
        };
        let worker = worker.ok_or_else(|| self.nobody_in_time())?;
        self.arrived(worker);
        Ok(worker)
    }

    /// Refuses viewers whom the node's way out has no room for: by what goes out, and what those who have just come will take, if
    /// they take as much as the others.
    fn check_egress(&self) -> Result<(), NoPlace> {
        let Some(most) = self.most_egress else {
            return Ok(());
        };
        let (mut egress, mut sessions, mut newcomers) = (0, 0, 0);
        for load in &self.loads {
            egress += load.egress.load(Ordering::Relaxed);
            sessions += u64::from(load.sessions.load(Ordering::Relaxed));
            newcomers += load
                .newcomers
                .iter()
                .map(|n| u64::from(n.load(Ordering::Relaxed)))
                .sum::<u64>();
        }
        let settled = sessions.saturating_sub(newcomers);
        let expected = egress + egress / settled.max(1) * newcomers;
        if expected < most {
            return Ok(());
        }
        Err(NoPlace::Egress)
    }

    fn nobody_in_time(&self) -> NoPlace {
        let runs = |load: &Load| !load.gone.load(Ordering::Relaxed);
        if self.loads.iter().any(runs) {
            NoPlace::Late(self.most_lag)
        } else {
            NoPlace::Gone
        }
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
                // Publishers are few and bring the viewers: their number bounds them, not the load.
                let worker = self.least_loaded(|_| true).unwrap_or(WorkerId(0));
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

    /// A worker says which part of its time it is busy, in millionths.
    pub(crate) fn set_busy(&self, worker: WorkerId, millionths: u32) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            load.busy.store(millionths, Ordering::Relaxed);
        }
    }

    /// A worker says how much it sends, in bits a second.
    pub(crate) fn set_egress(&self, worker: WorkerId, bits_per_second: u64) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            load.egress.store(bits_per_second, Ordering::Relaxed);
            let came = load.newcomers[0].swap(0, Ordering::Relaxed);
            load.newcomers[1].store(came, Ordering::Relaxed);
        }
    }

    /// A worker says how late it is.
    pub(crate) fn set_lag(&self, worker: WorkerId, lag: Duration) {
        if let Some(load) = self.loads.get(usize::from(worker.0)) {
            let micros = u32::try_from(lag.as_micros()).unwrap_or(u32::MAX);
            load.lag.store(micros, Ordering::Relaxed);
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
            load.newcomers[0].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The worker that does least, of those that run and `may` be chosen.
    fn least_loaded(&self, may: impl Fn(&Load) -> bool) -> Option<WorkerId> {
        let weight = |load: &Load| {
            u64::from(load.busy.load(Ordering::Relaxed))
                + u64::from(load.sessions.load(Ordering::Relaxed)) * SESSION_SHARE
        };
        let least = self
            .loads
            .iter()
            .enumerate()
            .filter(|(_, load)| !load.gone.load(Ordering::Relaxed) && may(load))
            .min_by_key(|(_, load)| weight(load));
        least.map(|(index, _)| WorkerId(index as u8))
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

    fn directory(workers: usize) -> Directory {
        Directory::new(workers, Duration::from_millis(100), None)
    }

    fn channel(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    fn session(worker: WorkerId, serial: u64) -> SessionId {
        SessionId { worker, serial }
    }

    #[test]
    fn of_two_publishers_at_once_one_gets_the_channel() {
        let directory = directory(2);
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
        let directory = directory(1);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.settle(&demo, None);
        directory.departed(worker);
        assert!(directory.place_publisher(&demo, false).is_ok());
    }

    #[test]
    fn a_take_over_goes_to_the_present_publishers_worker_and_keeps_the_channel_held() {
        let directory = directory(4);
        let demo = channel("demo");
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.settle(&demo, Some(session(worker, 1)));
        for _ in 0..8 {
            directory.place_viewer(&channel("demo"), false).unwrap();
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
        let directory = directory(2);
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
        let directory = directory(2);
        let demo = channel("demo");
        assert_eq!(directory.place_publisher(&demo, false), Ok(WorkerId(0)));
        directory.settle(&demo, Some(session(WorkerId(0), 1)));
        assert!(directory.all_present());
        directory.worker_gone(WorkerId(0));
        assert!(!directory.all_present());
        assert_eq!(directory.place_publisher(&demo, false), Ok(WorkerId(1)));
        assert_eq!(
            directory.place_viewer(&channel("demo"), false),
            Ok(WorkerId(1))
        );
    }

    #[test]
    fn viewers_spread_and_load_counts() {
        let directory = directory(3);
        let mut placed = [0; 3];
        for _ in 0..30 {
            placed[usize::from(directory.place_viewer(&channel("demo"), false).unwrap().0)] += 1;
        }
        assert_eq!(placed, [10, 10, 10]);
        directory.set_busy(WorkerId(0), 200_000);
        directory.set_busy(WorkerId(2), 200_000);
        assert_eq!(
            directory.place_viewer(&channel("demo"), false),
            Ok(WorkerId(1))
        );
    }

    #[test]
    fn viewers_go_to_workers_that_are_in_time_or_to_none() {
        let directory = directory(2);
        directory.set_lag(WorkerId(0), Duration::from_millis(101));
        directory.set_busy(WorkerId(1), 990_000);
        assert_eq!(
            directory.place_viewer(&channel("demo"), false),
            Ok(WorkerId(1))
        );
        directory.set_lag(WorkerId(1), Duration::from_secs(10_000));
        assert!(directory.place_viewer(&channel("demo"), true).is_ok());
        let refused = directory.place_viewer(&channel("demo"), false);
        assert!(matches!(refused, Err(NoPlace::Late(_))), "{refused:?}");
        let publisher = directory.place_publisher(&channel("demo"), false);
        assert!(publisher.is_ok(), "who brings viewers gets in");
        directory.set_lag(WorkerId(0), Duration::from_millis(99));
        assert_eq!(
            directory.place_viewer(&channel("other"), false),
            Ok(WorkerId(0))
        );
    }

    #[test]
    fn the_way_out_is_full_with_what_goes_out_and_what_newcomers_will_take() {
        let demo = channel("demo");
        let directory = Directory::new(2, Duration::from_millis(100), Some(10_000_000));
        for _ in 0..8 {
            directory.place_viewer(&demo, false).unwrap();
        }
        let told = |each: u64| {
            for worker in [WorkerId(0), WorkerId(1)] {
                directory.set_egress(worker, each);
            }
        };
        told(0);
        told(4_000_000);
        directory.place_viewer(&demo, false).unwrap();
        directory.place_viewer(&demo, false).unwrap();
        let refused = directory.place_viewer(&demo, false);
        assert_eq!(refused, Err(NoPlace::Egress));
        assert!(
            directory.place_viewer(&demo, true).is_ok(),
            "many watch by that one"
        );
        // They get less than was thought.
        told(4_100_000);
        told(4_100_000);
        assert!(directory.place_viewer(&demo, false).is_ok());
    }

    #[test]
    fn a_late_publishers_worker_takes_no_viewers_of_its_channel() {
        let directory = directory(2);
        let (demo, other) = (channel("demo"), channel("other"));
        let worker = directory.place_publisher(&demo, false).unwrap();
        directory.set_lag(worker, Duration::from_secs(1));
        assert!(directory.place_viewer(&demo, false).is_err());
        assert!(directory.place_viewer(&other, false).is_ok());
    }
}
