//! Who asks for a rendition: counted by all who answer requests, without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::media::Demand;

/// The requests for a rendition. Times are those since the presentation was made.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Milliseconds, of the last one.
    at: AtomicU64,
    requests: AtomicU64,
}

impl Asked {
    pub(super) fn ask(&self, now: Duration) {
        self.at.fetch_max(now.as_millis() as u64, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn demand(&self, now: Duration) -> Demand {
        let requests = self.requests.load(Ordering::Relaxed);
        let at = Duration::from_millis(self.at.load(Ordering::Relaxed));
        Demand {
            idle: (requests > 0).then(|| now.saturating_sub(at)),
            requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_when_somebody_asked_last() {
        let asked = Asked::default();
        let second = Duration::from_secs;
        assert_eq!(asked.demand(second(9)), Demand::default());
        asked.ask(second(10));
        asked.ask(second(12));
        asked.ask(second(11));
        let idle = Some(second(3));
        assert_eq!(asked.demand(second(15)), Demand { idle, requests: 3 });
    }
}
