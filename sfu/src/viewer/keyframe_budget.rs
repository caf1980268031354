//! How often one viewer may have the publisher asked for a keyframe: each costs everybody who watches that layer.

use std::time::{Duration, Instant};

/// For pictures that were lost: so many in a row, and then one in this time.
const LOST: (f64, Duration) = (4.0, Duration::from_secs(3));
/// For layers that it turns to.
const CHOSEN: (f64, Duration) = (8.0, Duration::from_millis(750));
/// For places to begin, of which who makes segments of the broadcast needs one each two seconds, or a little more often.
const REFRESHES: (f64, Duration) = (4.0, Duration::from_millis(1500));
/// Within this time the same wish is only repeated.
const SAME: Duration = Duration::from_millis(500);

/// One viewer's share of the keyframes that are asked for.
#[derive(Debug)]
pub(crate) struct KeyframeBudget {
    most: f64,
    interval: Duration,
    left: f64,
    filled: Instant,
    granted: Option<Instant>,
}

impl KeyframeBudget {
    /// For pictures that were lost, or couldn't be kept up with.
    pub(crate) fn for_losses(now: Instant) -> Self {
        Self::new(now, LOST)
    }

    /// For layers that the viewer chose, or that were chosen for it.
    pub(crate) fn for_choices(now: Instant) -> Self {
        Self::new(now, CHOSEN)
    }

    /// For places to begin.
    pub(crate) fn for_refreshes(now: Instant) -> Self {
        Self::new(now, REFRESHES)
    }

    fn new(now: Instant, (most, interval): (f64, Duration)) -> Self {
        Self {
            most,
            interval,
            left: most,
            filled: now,
            granted: None,
        }
    }

    /// Whether a keyframe may be asked for now.
    pub(crate) fn grant(&mut self, now: Instant) -> bool {
        let since = |at| now.saturating_duration_since(at);
        if self.granted.is_some_and(|at| since(at) < SAME) {
            return true;
        }
        let earned = since(self.filled).as_secs_f64() / self.interval.as_secs_f64();
        self.left = (self.left + earned).min(self.most);
        self.filled = now;
        let granted = self.left >= 1.0;
        if granted {
            self.left -= 1.0;
            self.granted = Some(now);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_every_three_seconds() {
        let start = Instant::now();
        let mut budget = KeyframeBudget::for_losses(start);
        let at = |n: u64| start + Duration::from_millis(n * 10);
        let asked = |n: u64| budget.grant(at(n));
        let granted: Vec<bool> = (0..6_000).map(asked).collect();
        let bursts = granted.windows(2).filter(|pair| !pair[0] && pair[1]);
        // The first four follow each other.
        assert!((15..=20).contains(&bursts.count()));
    }
}
