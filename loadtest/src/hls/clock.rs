//! The time in seconds since 1970, which no step of the system's clock disturbs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Starts with the system's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    at: f64,
}

impl Clock {
    /// Looks at the system's clock once.
    pub fn start() -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            start: Instant::now(),
            at: at.unwrap_or_default().as_secs_f64(),
        }
    }

    /// Now.
    pub fn now(&self) -> f64 {
        self.at + self.start.elapsed().as_secs_f64()
    }
}
