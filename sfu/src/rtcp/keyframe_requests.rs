//! Coalesces what many viewers ask for into what one publisher is asked for.

use std::time::{Duration, Instant};

/// Requests for keyframes of one layer: at most one goes out per interval. A request within the interval is remembered
/// and goes out when it ends, unless a keyframe arrives first.
///
/// `request` and `handle_timeout` return whether the publisher is to be asked now.
#[derive(Debug, Clone)]
pub struct KeyframeRequests {
    interval: Duration,
    sent: Option<Instant>,
    waiting: bool,
}

impl KeyframeRequests {
    /// At most one request per `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            sent: None,
            waiting: false,
        }
    }

    /// Somebody needs a keyframe. Whether the publisher is to be asked now.
    pub fn request(&mut self, now: Instant) -> bool {
        self.waiting = true;
        self.handle_timeout(now)
    }

    /// A keyframe arrived: nobody waits for one any more.
    pub fn on_keyframe(&mut self) {
        self.waiting = false;
    }

    /// When a remembered request goes out.
    pub fn next_timeout(&self) -> Option<Instant> {
        let sent = self.sent.filter(|_| self.waiting)?;
        Some(sent + self.interval)
    }

    /// Whether the publisher is to be asked now, for a request that was remembered.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let open = self
            .sent
            .is_none_or(|sent| now.saturating_duration_since(sent) >= self.interval);
        let due = self.waiting && open;
        if due {
            self.sent = Some(now);
            self.waiting = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    #[test]
    fn requests_within_an_interval_become_one_at_its_end() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(INTERVAL);
        assert!(requests.request(start));
        assert_eq!(requests.next_timeout(), None);
        assert!(!requests.request(start + INTERVAL / 4));
        assert!(!requests.request(start + INTERVAL / 2));
        assert_eq!(requests.next_timeout(), Some(start + INTERVAL));
        assert!(!requests.handle_timeout(start + INTERVAL / 2));
        assert!(requests.handle_timeout(start + INTERVAL));
        assert_eq!(requests.next_timeout(), None);
        assert!(!requests.request(start + INTERVAL * 3 / 2));
        assert!(requests.request(start + INTERVAL * 2));
    }

    #[test]
    fn a_keyframe_answers_the_remembered_request() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new(INTERVAL);
        assert!(requests.request(start));
        assert!(!requests.request(start + INTERVAL / 4));
        requests.on_keyframe();
        assert_eq!(requests.next_timeout(), None);
        assert!(!requests.handle_timeout(start + INTERVAL));
        assert!(requests.request(start + INTERVAL));
    }
}
