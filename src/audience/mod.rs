//! How audiences do: what players report is counted in memory, and written down now and then as what there is more.
//!
//! [`Slice`]s add up in any order, so nobody needs to know who else counts. Nothing of a person comes in here but from which country
//! and on what device they watch. See docs/audience.md.

mod allowance;
mod histogram;
mod slice;
mod view;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use spillway_chat::protocol::Report;
use spillway_signaling::{
    BroadcastId, ChannelName, OnAir, Origin,
    api::model::{Broadcast, Timestamp},
};
use tokio::sync::watch;

pub use allowance::{Allowance, alone};
pub use histogram::Histogram;
pub use slice::{MINUTES, Part, Slice, Tally, Way};
pub use view::view;

use crate::{
    metrics::Metrics,
    store::{Store, StoreError},
};

/// Parts of slices that wait to be written, of all broadcasts: some 10 MB. Beyond it what would need another is dropped.
const MOST_WAITING: usize = 20_000;

/// The counts of a node. Clones are handles to the same.
#[derive(Clone)]
pub struct AudienceDesk(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    metrics: Metrics,
    on_air: watch::Receiver<OnAir>,
    is_enabled: bool,
    waiting: Mutex<Waiting>,
    /// Who reads or writes the store: between the two nothing must be in neither, or in both.
    turn: tokio::sync::Mutex<()>,
    store_fails: AtomicBool,
}

/// What isn't written yet.
#[derive(Default)]
struct Waiting {
    slices: HashMap<BroadcastId, Slice>,
    /// Of all.
    parts: usize,
}

impl Waiting {
    /// False: there's no room.
    fn add(&mut self, broadcast: &BroadcastId, counted: &Slice) -> bool {
        let known = self.slices.get_mut(broadcast);
        let is_full = self.parts + counted.len() > MOST_WAITING;
        if is_full
            && !known
                .as_ref()
                .is_some_and(|known| known.has_all_of(counted))
        {
            return false;
        }
        let slice = match known {
            Some(known) => known,
            None => self.slices.entry(broadcast.clone()).or_default(),
        };
        let before = slice.len();
        slice.add(counted);
        self.parts += slice.len() - before;
        true
    }

    fn take(&mut self, broadcast: &BroadcastId) -> Option<Slice> {
        let taken = self.slices.remove(broadcast)?;
        self.parts -= taken.len();
        Some(taken)
    }
}

impl AudienceDesk {
    /// The counts of a node with that store.
    pub fn new(
        store: Arc<dyn Store>,
        metrics: Metrics,
        on_air: watch::Receiver<OnAir>,
        is_enabled: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            store,
            metrics,
            on_air,
            is_enabled,
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            store_fails: AtomicBool::default(),
        }))
    }

    /// Counts a report that was held to its [`Allowance`]; `None` was dropped there.
    pub fn note(
        &self,
        channel: &ChannelName,
        origin: Origin,
        report: Option<&Report>,
        now: Timestamp,
    ) {
        if !self.0.is_enabled {
            return;
        }
        let on_air = self.0.on_air.borrow().get(channel).cloned();
        let is_counted = report.zip(on_air).is_some_and(|(report, air)| {
            let minute = view::minute_of(air.started_at, now);
            let id = air.broadcast.parse::<BroadcastId>();
            id.is_ok_and(|id| self.waiting().add(&id, &Slice::of(minute, origin, report)))
        });
        let metrics = &self.0.metrics;
        if is_counted {
            metrics.audience_reports.inc();
        } else {
            metrics.audience_dropped.inc();
        }
    }

    /// Counts the sessions that watch what is on air.
    pub fn note_sessions(&self, watched: &[(Broadcast, u32)], now: Timestamp) {
        if !self.0.is_enabled {
            return;
        }
        let mut waiting = self.waiting();
        for (broadcast, sessions) in watched.iter().filter(|(_, sessions)| *sessions > 0) {
            let minute = view::minute_of(broadcast.started_at, now);
            if let Ok(id) = broadcast.id.parse::<BroadcastId>() {
                // Where there's no room, reports are what is dropped and told of.
                waiting.add(&id, &Slice::of_sessions(minute, *sessions));
            }
        }
    }

    /// All that was counted of a broadcast, written down or not.
    pub async fn counted(&self, broadcast: &BroadcastId) -> Result<Slice, StoreError> {
        let _turn = self.0.turn.lock().await;
        let mut counted = self.0.store.audience(broadcast).await?;
        if let Some(waiting) = self.waiting().slices.get(broadcast) {
            counted.add(waiting);
        }
        Ok(counted)
    }

    /// Writes down what isn't. What can't be written waits for the next time. To be called every few seconds, and when a
    /// broadcast ends.
    pub async fn write(&self) {
        let _turn = self.0.turn.lock().await;
        let broadcasts: Vec<_> = self.waiting().slices.keys().cloned().collect();
        for broadcast in broadcasts {
            let Some(slice) = self.waiting().take(&broadcast) else {
                continue;
            };
            match self.0.store.add_audience(&broadcast, &slice).await {
                Ok(true) => self.store_works(),
                Ok(false) if !self.is_on_air(&broadcast) => {
                    tracing::debug!(%broadcast, "figures of a broadcast that nobody remembers are forgotten");
                }
                Ok(false) => self.put_back(&broadcast, &slice),
                Err(error) => {
                    self.put_back(&broadcast, &slice);
                    if !self.0.store_fails.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "figures of audiences can't be written; they wait in memory");
                    }
                    // The others would fare no better.
                    return;
                }
            }
        }
    }

    fn put_back(&self, broadcast: &BroadcastId, slice: &Slice) {
        // What came meanwhile may have taken the room.
        if !self.waiting().add(broadcast, slice) {
            self.0.metrics.audience_dropped.inc();
        }
    }

    fn store_works(&self) {
        if self.0.store_fails.swap(false, Ordering::Relaxed) {
            tracing::info!("figures of audiences can be written again");
        }
    }

    fn is_on_air(&self, broadcast: &BroadcastId) -> bool {
        let on_air = self.0.on_air.borrow();
        on_air
            .values()
            .any(|air| air.broadcast == broadcast.as_str())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_goes_on_counting_what_is_known() {
        let mut waiting = Waiting::default();
        let id = |number: usize| format!("b{number}").parse::<BroadcastId>().unwrap();
        let slice = Slice::of_sessions(0, 1);
        for number in 0..MOST_WAITING {
            assert!(waiting.add(&id(number), &slice));
        }
        assert!(!waiting.add(&id(MOST_WAITING), &slice));
        assert!(!waiting.add(&id(0), &Slice::of_sessions(1, 1)));
        assert!(waiting.add(&id(0), &Slice::of_sessions(0, 9)));
        assert_eq!(waiting.slices.len(), MOST_WAITING);
        assert_eq!(waiting.take(&id(0)).unwrap(), Slice::of_sessions(0, 9));
        assert!(waiting.take(&id(0)).is_none());
        assert!(waiting.add(&id(MOST_WAITING), &slice));
        for number in 1..=MOST_WAITING {
            assert!(waiting.take(&id(number)).is_some());
        }
        assert_eq!(waiting.parts, 0);
    }
}
