//! `[limits]`: the bounds of everything that grows with use. At each bound new work is refused, what runs goes on.

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Viewers on this node; beyond it 503 with `Retry-After`.
    pub viewers: usize,
    /// Publishers on this node; beyond it 503 with `Retry-After`.
    pub publishers: usize,
    /// Sessions from one address (one IPv6 /64); beyond it 503 with `Retry-After`.
    pub sessions_per_address: usize,
    /// Channels in the store; beyond it a new one is refused.
    pub channels: usize,
    /// Bytes of an SDP offer or sdpfrag; beyond it 413.
    pub sdp_bytes: usize,
    /// Bytes of a JSON body; beyond it 413.
    pub json_bytes: usize,
    /// POST, PATCH and DELETE requests a second from one address, sustained; beyond it 429 with `Retry-After`.
    pub requests_per_second: u32,
    /// How many of them may come at once.
    pub request_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            viewers: 10_000,
            publishers: 100,
            sessions_per_address: 256,
            channels: 10_000,
            sdp_bytes: 64 * 1024,
            json_bytes: 64 * 1024,
            requests_per_second: 20,
            request_burst: 100,
        }
    }
}

impl Limits {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let least_one = [
            ("viewers", self.viewers),
            ("publishers", self.publishers),
            ("sessions_per_address", self.sessions_per_address),
            ("channels", self.channels),
            ("requests_per_second", self.requests_per_second as usize),
            ("request_burst", self.request_burst as usize),
        ];
        for (key, value) in least_one {
            if value == 0 {
                problems.push(Problem::new(
                    format!("limits.{key}"),
                    "is 0, which lets nobody in; write at least 1",
                ));
            }
        }
        for (key, value) in [
            ("sdp_bytes", self.sdp_bytes),
            ("json_bytes", self.json_bytes),
        ] {
            if !(4096..=1024 * 1024).contains(&value) {
                problems.push(Problem::new(
                    format!("limits.{key}"),
                    format!("is {value}; it is 4096 to 1048576"),
                ));
            }
        }
    }
}
