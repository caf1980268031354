//! `[hls]`: the sidecar that this node runs beside itself, and who gets what it makes.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[hls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hls {
    /// Whether the node runs a sidecar of its own. Sidecars elsewhere may register all the same.
    pub enabled: bool,
    /// The program. Empty: `spillway-hls` beside this one.
    pub command: PathBuf,
    /// Further arguments for it.
    pub args: Vec<String>,
    /// How long a signed address of a restricted channel holds.
    #[serde(with = "humantime_serde")]
    pub signed_lifetime: Duration,
}

impl Default for Hls {
    fn default() -> Self {
        Self {
            enabled: true,
            command: PathBuf::new(),
            args: Vec::new(),
            signed_lifetime: Duration::from_hours(6),
        }
    }
}

/// Shorter, and a player that pauses is sent away; longer, and who was let in once is in for good.
const LIFETIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(30 * 24);

impl Hls {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        if !LIFETIMES.contains(&self.signed_lifetime) {
            problems.push(Problem::new(
                "hls.signed_lifetime",
                "is out of range; it is \"1m\" to \"30days\"",
            ));
        }
    }
}
