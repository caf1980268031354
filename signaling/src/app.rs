//! What every handler shares.

use std::sync::Arc;

use crate::{Config, Platform, hls::SidecarProxy, rate_limit::RateLimiter};

/// The state of the router.
pub(crate) struct App {
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) config: Config,
    pub(crate) limiter: RateLimiter,
    /// Of players' reports.
    pub(crate) reports: RateLimiter,
    pub(crate) sidecars: SidecarProxy,
}

impl App {
    pub(crate) fn new(platform: Arc<dyn Platform>, config: Config) -> Self {
        Self {
            platform,
            limiter: RateLimiter::new(config.requests.clone()),
            reports: RateLimiter::new(config.reports.clone()),
            sidecars: SidecarProxy::new(config.max_hls_requests),
            config,
        }
    }
}
