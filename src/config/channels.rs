//! `[channels]`: how channels and broadcasts behave.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[channels]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// A publisher with the same key takes over its channel from itself.
    pub take_over: bool,
    /// A publisher that returns within this time continues its broadcast.
    #[serde(with = "humantime_serde")]
    pub reconnect_grace: Duration,
    /// How long a broadcast that has ended is remembered.
    #[serde(with = "humantime_serde")]
    pub keep_broadcasts: Duration,
}

/// As `humantime` counts it: 365.25 days.
const YEAR: Duration = Duration::from_hours(8766);

impl Default for Channels {
    fn default() -> Self {
        Self {
            take_over: true,
            reconnect_grace: Duration::from_secs(30),
            keep_broadcasts: YEAR,
        }
    }
}
