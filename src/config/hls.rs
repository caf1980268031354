//! `[hls]`: the sidecar that this node runs beside itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
}

impl Default for Hls {
    fn default() -> Self {
        Self {
            enabled: true,
            command: PathBuf::new(),
            args: Vec::new(),
        }
    }
}
