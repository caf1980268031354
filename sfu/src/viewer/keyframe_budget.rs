//! How often one viewer may have the publisher asked for a keyframe: each costs everybody who watches that layer.

use std::time::{Duration, Instant};

/// So many in a row, ...
const MOST: f64 = 4.0;
/// ... and then one in this time.
const INTERVAL: Duration = Duration::from_secs(3);
/// Within this time the same wish is only repeated.
const SAME: Duration = Duration::from_millis(500);

/// One viewer's share of the keyframes that are asked for.
#[derive(Debug)]
pub(crate) struct KeyframeBudget {
    left: f64,
    filled: Instant,
    granted: Option<Instant>,
}

impl KeyframeBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            left: MOST,
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
        let earned = since(self.filled).as_secs_f64() / INTERVAL.as_secs_f64();
        self.left = (self.left + earned).min(MOST);
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
        let mut budget = KeyframeBudget::new(start);
        let at = |n: u64| start + Duration::from_millis(n * 10);
        let asked = |n: u64| budget.grant(at(n));
        let granted: Vec<bool> = (0..6_000).map(asked).collect();
        let bursts = granted.windows(2).filter(|pair| !pair[0] && pair[1]);
        // The first four follow each other.
        assert!((15..=20).contains(&bursts.count()));
    }
}
