//! `[limits]`: the bounds of everything that grows with use. At each bound new work is refused, what runs goes on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Viewers on this node; beyond it 503 with `Retry-After`.
    pub viewers: usize,
    /// How late a media worker may be with what it gets, smoothed over half a second; beyond it new viewers go to other
    /// workers, and where all stay late for a second they get 503 with `Retry-After`.
    #[serde(with = "humantime_serde")]
    pub worker_lag: Duration,
    /// Bits a second that the node sends to all viewers; beyond it new viewers get 503 with `Retry-After`. 0: no bound.
    pub egress_bits_per_second: u64,
    /// Publishers on this node; beyond it 503 with `Retry-After`.
    pub publishers: usize,
    /// Sessions from one address (one IPv6 /64); beyond it 429 with `Retry-After`.
    pub sessions_per_address: usize,
    /// Bytes of packets kept for one layer, for joins and retransmissions; beyond it the oldest go.
    pub cache_bytes_per_layer: usize,
    /// Bytes of packets that the node keeps for all layers; beyond it caches stop growing.
    pub cache_bytes: usize,
    /// Bits a second that all catch-ups of the node may take; beyond it each gets less.
    pub catch_up_bits_per_second: u64,
    /// A publisher is asked for a keyframe of one layer at most this often.
    #[serde(with = "humantime_serde")]
    pub keyframe_interval: Duration,
    /// Channels in the store; beyond it a new one is refused.
    pub channels: usize,
    /// Tokens in the store; beyond it a new one is refused.
    pub tokens: usize,
    /// Broadcasts of one channel in the store; beyond it the oldest are forgotten.
    pub broadcasts_per_channel: usize,
    /// Broadcasts of all channels in the store; beyond it the oldest are forgotten.
    pub broadcasts: usize,
    /// HTTP connections; beyond it 503 with `Retry-After`, or with TLS none is opened.
    pub connections: usize,
    /// HTTP connections from one address (one IPv6 /64) that isn't a trusted proxy's; the same beyond it.
    pub connections_per_address: usize,
    /// Event streams of viewers, each an HTTP connection; beyond it 503 with `Retry-After`. See [`Limits::event_streams`].
    pub event_streams: usize,
    /// Requests for HLS that are passed on to sidecars on this machine at a time; beyond it 503 with `Retry-After`.
    pub hls_requests: usize,
    /// Accesses to the storage of recordings at a time; one more waits 2 s, then 503 with `Retry-After`.
    pub vod_reads: usize,
    /// Bytes of an SDP offer or sdpfrag; beyond it 413.
    pub sdp_bytes: usize,
    /// Bytes of a JSON body; beyond it 413.
    pub json_bytes: usize,
    /// POST, PATCH and DELETE requests a second from one address, sustained; beyond it 429 with `Retry-After`.
    pub requests_per_second: u32,
    /// How many of them may come at once.
    pub request_burst: u32,
    /// Addresses whose request rate is remembered; beyond it the least recently seen half is forgotten.
    pub rate_addresses: usize,
    /// How long a request's body may take to arrive; beyond it 408.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long a request's head may take, and a connection may be idle; beyond it the connection is closed.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            viewers: 10_000,
            worker_lag: Duration::from_millis(100),
            egress_bits_per_second: 0,
            publishers: 100,
            sessions_per_address: 256,
            cache_bytes_per_layer: 16 << 20,
            cache_bytes: 512 << 20,
            catch_up_bits_per_second: 1_000_000_000,
            keyframe_interval: Duration::from_millis(500),
            channels: 10_000,
            tokens: 100_000,
            broadcasts_per_channel: 1000,
            broadcasts: 100_000,
            connections: 16_384,
            connections_per_address: 1024,
            event_streams: 12_288,
            hls_requests: 8192,
            vod_reads: 256,
            sdp_bytes: 64 * 1024,
            json_bytes: 64 * 1024,
            requests_per_second: 50,
            request_burst: 200,
            rate_addresses: 65_536,
            body_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
        }
    }
}

/// Sessions of sidecars for each publisher that there may be: its sidecar's, another one's, and once more each while one reconnects.
const SIDECARS: usize = 4;

impl Limits {
    /// How many sessions of sidecars there may be, beside `viewers`: a node that is full of viewers needs LL-HLS the most.
    pub fn sidecar_sessions(&self) -> usize {
        self.publishers.saturating_mul(SIDECARS)
    }

    /// How many event streams there may be: at most three quarters of the connections, so that other requests find room.
    pub fn event_streams(&self) -> usize {
        self.event_streams.min(self.connections / 4 * 3)
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let least_one = [
            ("viewers", self.viewers),
            ("publishers", self.publishers),
            ("sessions_per_address", self.sessions_per_address),
            ("channels", self.channels),
            ("tokens", self.tokens),
            ("broadcasts_per_channel", self.broadcasts_per_channel),
            ("broadcasts", self.broadcasts),
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("event_streams", self.event_streams),
            ("hls_requests", self.hls_requests),
            ("vod_reads", self.vod_reads),
            ("requests_per_second", self.requests_per_second as usize),
            ("request_burst", self.request_burst as usize),
            ("rate_addresses", self.rate_addresses),
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
            ("body_timeout", self.body_timeout),
            ("header_timeout", self.header_timeout),
        ] {
            if value < Duration::from_secs(1) {
                problems.push(Problem::new(
                    format!("limits.{key}"),
                    "is under a second, which lets hardly anybody in; write at least \"1s\"",
                ));
            }
        }
        if self.worker_lag < Duration::from_millis(10) {
            problems.push(Problem::new(
                "limits.worker_lag",
                "is under 10 ms, as late as a worker is that has much to do and does it; write at least \"10ms\"",
            ));
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
