//! The bounds and habits of the HTTP face.

use std::time::Duration;

use axum::http::HeaderName;
use ipnet::IpNet;

use crate::WebOrigin;

/// How the HTTP face behaves; every bound has a default. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The most bytes of an SDP offer or sdpfrag: 64 KiB. A larger one is answered with 413.
    pub max_sdp_bytes: usize,
    /// The most bytes of a JSON body: 64 KiB. A larger one is answered with 413.
    pub max_json_bytes: usize,
    /// The most requests for HLS that are passed on to sidecars at a time: 8192. One more is answered with 503.
    pub max_hls_requests: usize,
    /// How long a body may take to arrive: 10 s. A slower one is answered with 408.
    pub body_timeout_s: u64,
    /// How long the head of an HTTP/1 request may take, and a connection may be idle: 30 s. See [`bound_connections`].
    ///
    /// [`bound_connections`]: crate::bound_connections
    pub header_timeout_s: u64,
    /// How often one address may `POST`, `PUT`, `PATCH` and `DELETE`. Beyond it: 429 with `Retry-After`.
    pub requests: RequestRate,
    /// How often players of one address may report how they do, beside that: as many at once as may watch there, and each of
    /// them every 8 s.
    pub reports: RequestRate,
    /// Proxies whose word about the client's address is believed. None by default.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which those proxies give it. The other one is never read, since a proxy passes it on unchecked.
    pub forwarded_header: ForwardedHeader,
    /// The header in which they give the client's country. None by default.
    pub country_header: Option<HeaderName>,
    /// Whether a caller on the node's own machine needs no admin token. Only requests count that come straight from a
    /// loopback address, for a loopback host, and not from another site's page.
    pub admin_from_loopback: bool,
    /// Other nodes that the pages of this one may make sessions at. None by default.
    pub other_nodes: Vec<WebOrigin>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_sdp_bytes: 64 * 1024,
            max_json_bytes: 64 * 1024,
            max_hls_requests: 8192,
            body_timeout_s: 10,
            header_timeout_s: 30,
            requests: RequestRate::default(),
            reports: RequestRate {
                burst: 256,
                per_second: 32.0,
                ..RequestRate::default()
            },
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            country_header: None,
            admin_from_loopback: false,
            other_nodes: Vec::new(),
        }
    }
}

impl Config {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }
}

/// A token bucket for each address; IPv6 addresses count by /64, which is what one customer gets.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRate {
    /// How many requests at once: 200, so that an office or a load test behind one address isn't stopped.
    pub burst: u32,
    /// How many a second after that, finite and not negative: 50.
    pub per_second: f64,
    /// The most addresses that are remembered: 65536. Beyond it the least recently seen half is forgotten, which gives
    /// those addresses a new burst.
    pub addresses: usize,
}

impl Default for RequestRate {
    fn default() -> Self {
        Self {
            burst: 200,
            per_second: 50.0,
            addresses: 65_536,
        }
    }
}

/// The header in which a proxy names the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}
