//! How a viewer without transport-wide feedback estimates its path: by the rate at which packets come, and by how their
//! delay grows, much as libwebrtc and aiortc do.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{ms, seconds};

/// Delay above the least that says that packets queue up.
const OVERUSE: f64 = 0.06;
/// Seconds by which the least delay is believed to be more, each second.
const FORGETTING: f64 = 0.02;
const WINDOW: Duration = ms(500);

/// A receiver's estimate.
#[derive(Debug)]
pub struct ReceiverEstimate {
    start: Instant,
    window: VecDeque<(Instant, usize)>,
    least: f64,
    queue: f64,
    told: Option<f64>,
    next: Instant,
    decreased: Instant,
}

impl ReceiverEstimate {
    pub fn new(now: Instant) -> Self {
        Self {
            start: now,
            window: VecDeque::new(),
            least: f64::MAX,
            queue: 0.0,
            told: None,
            next: now + seconds(1),
            decreased: now,
        }
    }

    /// A packet came, which left at `send_time` by its abs-send-time: seconds with 18 bits of fraction, modulo 64.
    pub fn on_packet(&mut self, now: Instant, bytes: usize, send_time: u32) {
        self.window.push_back((now, bytes));
        let arrived = (now - self.start).as_secs_f64();
        let sent = f64::from(send_time) / f64::from(1 << 18);
        // The clocks differ by something: that is part of the least delay.
        let delay = (arrived - sent).rem_euclid(64.0);
        // A path that got longer isn't a queue for ever.
        let passed = self
            .window
            .iter()
            .rev()
            .nth(1)
            .map_or(0.0, |(at, _)| (now - *at).as_secs_f64());
        self.least = delay.min(self.least + FORGETTING * passed);
        self.queue = delay - self.least;
    }

    pub fn next_timeout(&self) -> Instant {
        self.next
    }

    /// What it tells now, in bits per second.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<u64> {
        if now < self.next {
            return None;
        }
        self.next = now + ms(100);
        while self
            .window
            .front()
            .is_some_and(|(at, _)| *at + WINDOW < now)
        {
            self.window.pop_front();
        }
        let bytes: usize = self.window.iter().map(|(_, bytes)| bytes).sum();
        let received = bytes as f64 * 8.0 / WINDOW.as_secs_f64();
        let before = self.told.unwrap_or(received);
        let tenth = 1.08_f64.powf(0.1);
        let overuse = self.queue > OVERUSE && now >= self.decreased + ms(300);
        if overuse {
            self.decreased = now;
        }
        let told = if overuse {
            before.min(0.85 * received)
        } else if self.queue > OVERUSE {
            before
        } else {
            (before * tenth).min(before.max(1.5 * received + 10_000.0))
        };
        self.told = Some(told);
        Some(told as u64)
    }
}
