//! The course of a load test: publishers get on air, viewers come, the window is measured, all leave.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::clock::since_1970;
use super::endpoint::Role;
use super::reactor::{Due, LoadError, Parting, Reactor, TICK};
use super::result::{self, Second};
use super::server::Sample;

/// All publishers are on air this long before the first viewer comes.
const ON_AIR: Duration = Duration::from_secs(3);
/// How long publishers may take to get on air.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// After the window nothing more is sent; what is on its way arrives in this time.
const DRAIN: Duration = Duration::from_secs(1);
/// Viewers who come back in a storm do so within this time, as browsers would.
const STORM_SPREAD: Duration = Duration::from_millis(200);

/// Shows how far it is.
pub trait Progress {
    /// Once a second.
    fn second(&mut self, second: &Second, phase: &str);
}

impl Reactor<'_> {
    /// Runs the whole test.
    pub fn run(mut self, progress: &mut dyn Progress) -> Result<result::Report, LoadError> {
        self.publish(progress)?;
        self.outcome.before_viewers = self.sample();
        let now = Instant::now();
        let viewers = self.options.viewers * self.options.channels;
        let ramp = Duration::from_secs_f64(viewers as f64 / self.options.rate);
        for number in 0..viewers {
            let at = now + ramp.mul_f64(number as f64 / viewers.max(1) as f64);
            self.add_seat(number % self.options.channels, false, at);
        }
        self.until(now + ramp + self.options.settle, "joining", progress)?;
        self.measure(progress)?;
        self.on_air = false;
        self.until(Instant::now() + DRAIN, "draining", progress)?;
        self.count_viewers();
        self.outcome.with_viewers = self.sample();
        self.leave(false);
        self.until(Instant::now() + self.options.linger, "left", progress)?;
        self.outcome.after_viewers = self.sample();
        self.leave(true);
        // The last good-byes.
        self.until(Instant::now() + DRAIN / 4, "ending", progress)?;
        Ok(result::Report::new(
            self.options,
            self.outcome,
            &self.totals,
            self.seconds,
        ))
    }

    /// All publishers get on air, or the test ends.
    fn publish(&mut self, progress: &mut dyn Progress) -> Result<(), LoadError> {
        if self.options.only_watch {
            return Ok(());
        }
        let now = Instant::now();
        for channel in 0..self.options.channels {
            let after = Duration::from_secs_f64(channel as f64 / self.options.rate);
            self.add_seat(channel, true, now + after);
        }
        let ramp = Duration::from_secs_f64(self.options.channels as f64 / self.options.rate);
        let deadline = now + ramp + PUBLISH_TIMEOUT;
        loop {
            self.until(Instant::now() + TICK * 10, "publishing", progress)?;
            let on_air = self.endpoints.values().filter(|e| e.connected).count();
            if on_air == self.options.channels {
                break;
            }
            if let Some(reason) = self.outcome.failures.keys().next() {
                return Err(LoadError::Publish(reason.clone()));
            }
            if Instant::now() > deadline {
                let late = format!("{on_air} of {} on air", self.options.channels);
                return Err(LoadError::Publish(late));
            }
        }
        self.until(Instant::now() + ON_AIR, "on air", progress)
    }

    /// The measured window.
    fn measure(&mut self, progress: &mut dyn Progress) -> Result<(), LoadError> {
        let from = since_1970();
        self.totals.window = from..from + self.options.duration.as_nanos() as u64;
        for endpoint in self.endpoints.values_mut() {
            match &mut endpoint.role {
                Role::Publisher(publisher) => publisher.begin_window(),
                Role::Viewer(viewer) => viewer.begin_window(),
            }
        }
        self.outcome.counts_at_start = self.counts();
        self.outcome.at_start = self.sample();
        let start = Instant::now();
        let viewers = self.occupants(false);
        self.counted = viewers
            .iter()
            .map(|(id, seat)| (*id, self.seats[*seat].channel))
            .collect();
        let end = start + self.options.duration;
        match self.options.storm {
            None => self.until(end, "measuring", progress)?,
            Some(every) => {
                let mut next = start + every;
                while next < end {
                    self.until(next, "measuring", progress)?;
                    self.storm(Instant::now());
                    next += every;
                }
                self.until(end, "measuring", progress)?;
            }
        }
        self.outcome.at_end = self.sample();
        self.outcome.counts_at_end = self.counts();
        self.outcome.measured = start.elapsed();
        Ok(())
    }

    /// Works until this moment, and tells each second of it.
    fn until(
        &mut self,
        end: Instant,
        phase: &str,
        progress: &mut dyn Progress,
    ) -> Result<(), LoadError> {
        while Instant::now() < end {
            self.turn()?;
            if let Some(reason) = self.lost_publisher.take() {
                return Err(LoadError::Publish(reason));
            }
            if self.start.elapsed() >= Duration::from_secs(self.seconds.len() as u64 + 1) {
                let second = self.second();
                progress.second(&second, phase);
                self.seconds.push(second);
            }
        }
        Ok(())
    }

    /// All viewers leave and come back.
    fn storm(&mut self, now: Instant) {
        for (id, seat) in self.occupants(false) {
            self.counted.remove(&id);
            self.remove(id, Parting::Polite);
            let after = STORM_SPREAD.mul_f64(rand::rng().random());
            self.timers.push(Reverse((now + after, Due::Join(seat))));
        }
    }

    /// Viewers leave for good, or publishers do.
    fn leave(&mut self, publishers: bool) {
        self.timers
            .retain(|Reverse((_, due))| matches!(due, Due::Endpoint(_)));
        for (id, _) in self.occupants(publishers) {
            self.remove(id, Parting::Polite);
        }
    }

    /// After the window: what arrived of what was sent, at those who were there when it began and didn't mean to leave.
    fn count_viewers(&mut self) {
        let mut sent = BTreeMap::new();
        for endpoint in self.endpoints.values() {
            if let Role::Publisher(publisher) = &endpoint.role {
                let channel = self.seats[endpoint.seat].channel;
                sent.insert(channel, publisher.in_window());
                self.outcome.keyframe_requests += publisher.requests();
            }
        }
        for (id, endpoint) in &mut self.endpoints {
            if let Role::Viewer(viewer) = &mut endpoint.role {
                self.outcome.watching += u64::from(endpoint.connected);
                self.outcome.data_channels += u64::from(endpoint.peer.has_data_channel());
                let (came, gap) = viewer.end_window(u64::MAX, &self.totals.window);
                self.outcome.note_gap(gap);
                if self.counted.contains_key(id) {
                    self.outcome.arrived += came;
                }
            }
        }
        // The window is counted: nobody who leaves from now on has anything to add to it.
        self.totals.window = 0..0;
        for channel in std::mem::take(&mut self.counted).values() {
            self.outcome.expected += sent.get(channel).copied().unwrap_or_default();
        }
        self.outcome.single_layer = self.options.bitrate.len() == 1;
    }

    fn counts(&self) -> result::Counts {
        result::Counts {
            datagrams: self.totals.datagrams,
            messages: self.totals.messages,
            bytes: self.totals.bytes,
        }
    }

    fn sample(&self) -> Option<Sample> {
        self.server.as_ref()?.sample().ok()
    }

    fn second(&mut self) -> Second {
        let latency = &self.totals.latency_now;
        let percentile = |share| latency.value_at_quantile(share) as f64 / 1e6;
        let second = Second {
            at: self.start.elapsed().as_secs_f64(),
            viewers: self
                .endpoints
                .values()
                .filter(|e| e.connected && matches!(e.role, Role::Viewer(_)))
                .count(),
            median_ms: percentile(0.5),
            p99_ms: percentile(0.99),
            max_ms: latency.max() as f64 / 1e6,
            counts: self.counts(),
            server: self.server.as_ref().and_then(|server| server.sample().ok()),
            failures: self.outcome.failures.values().sum(),
        };
        self.totals.latency_now.reset();
        second
    }
}
