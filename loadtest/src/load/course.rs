//! The course of a load test: publishers get on air, step by step viewers come and are measured, all leave.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::clock::since_1970;
use super::endpoint::Role;
use super::reactor::{Due, LoadError, Parting, Reactor, TICK};
use super::result::{self, Second};
use super::server::Sample;
use super::step::{Counts, Step, Window};
use super::totals::Flow;

/// All publishers are on air this long before the first viewer comes.
const ON_AIR: Duration = Duration::from_secs(3);
/// How long publishers may take to get on air.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// What is on its way when the window ends counts if it arrives in this time.
const DRAIN: Duration = Duration::from_secs(1);
/// At the end: for what is said last, over HTTP too.
const GOOD_BYES: Duration = Duration::from_millis(500);
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
        let mut steps: Vec<Step> = Vec::new();
        let ended = self.steps(&mut steps, progress);
        // What was found up to here is worth a report.
        let linger = if ended.is_ok() {
            self.options.linger
        } else {
            Duration::ZERO
        };
        self.interrupted = Arc::default();
        self.on_air = false;
        self.leave(false);
        self.until(Instant::now() + linger, "left", progress)?;
        self.outcome.after_viewers = ended.is_ok().then(|| self.sample()).flatten();
        self.leave(true);
        // The last good-byes.
        self.until(Instant::now() + GOOD_BYES, "ending", progress)?;
        if let Err(error) = ended {
            if steps.is_empty() {
                return Err(error);
            }
            let reason = format!("after {} steps: {error}", steps.len());
            self.outcome.failures.insert(reason, 1);
        }
        Ok(result::Report::new(
            self.options,
            self.outcome,
            &self.totals,
            steps,
            self.seconds,
        ))
    }

    fn steps(
        &mut self,
        steps: &mut Vec<Step>,
        progress: &mut dyn Progress,
    ) -> Result<(), LoadError> {
        self.publish(progress)?;
        self.outcome.before_viewers = self.sample();
        for viewers in self.options.steps() {
            steps.push(self.step(*viewers, progress)?);
        }
        Ok(())
    }

    /// Viewers join until each channel has so many, and are measured.
    fn step(&mut self, viewers: usize, progress: &mut dyn Progress) -> Result<Step, LoadError> {
        let failed = self.failed();
        let now = Instant::now();
        let there = self.seats.iter().filter(|seat| !seat.is_publisher).count();
        let joining = there..viewers * self.options.channels;
        let ramp = Duration::from_secs_f64(joining.len() as f64 / self.options.rate);
        for number in joining {
            let after = (number - there) as f64 / self.options.rate;
            let at = now + Duration::from_secs_f64(after);
            self.add_seat(number % self.options.channels, false, at);
        }
        self.until(now + ramp + self.options.settle, "joining", progress)?;
        self.measure(progress)?;
        self.until(Instant::now() + DRAIN, "draining", progress)?;
        self.count_viewers();
        self.window.failed = self.failed() - failed;
        let before = self.outcome.before_viewers;
        Ok(Step::new(&self.window, &self.totals, before))
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
        self.window = Window::default();
        let from = since_1970();
        self.totals
            .begin_window(from..from + self.options.duration.as_nanos() as u64);
        for endpoint in self.endpoints.values_mut() {
            match &mut endpoint.role {
                Role::Publisher(publisher) => publisher.begin_window(),
                Role::Viewer(viewer) => viewer.begin_window(),
            }
        }
        self.window.counts_at_start = self.counts();
        self.window.at_start = self.sample();
        let start = Instant::now();
        let viewers = self.occupants(false);
        self.counted = viewers
            .iter()
            .map(|(id, seat)| (*id, self.seats[*seat].channel))
            .collect();
        let all = self.seats.iter().filter(|seat| !seat.is_publisher);
        self.window.absent = all
            .filter(|seat| !seat.is_taken())
            .map(|seat| seat.channel)
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
        self.window.at_end = self.sample();
        self.window.counts_at_end = self.counts();
        self.window.measured = start.elapsed();
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
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(LoadError::Interrupted);
            }
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
        let (window, range) = (&mut self.window, &self.totals.window);
        let mut sent = BTreeMap::new();
        self.outcome.keyframe_requests = 0;
        for (id, endpoint) in &mut self.endpoints {
            match &mut endpoint.role {
                Role::Publisher(publisher) => {
                    let channel = self.seats[endpoint.seat].channel;
                    sent.insert(channel, publisher.in_window());
                    self.outcome.keyframe_requests += publisher.requests();
                }
                Role::Viewer(viewer) => {
                    window.watching += u64::from(endpoint.connected);
                    window.data_channels += u64::from(endpoint.peer.has_data_channel());
                    let (came, gap) = viewer.end_window(u64::MAX, range);
                    window.note_gap(gap);
                    if self.counted.contains_key(id) {
                        window.arrived += came;
                    }
                }
            }
        }
        let mut expected = Flow::default();
        for channel in std::mem::take(&mut self.counted).values() {
            expected += sent.get(channel).copied().unwrap_or_default();
        }
        for channel in &window.absent {
            expected += sent.get(channel).copied().unwrap_or_default();
        }
        // With several layers nobody gets all that is sent, and who leaves on purpose doesn't either.
        let options = self.options;
        let exact = options.bitrate.len() == 1
            && !options.only_watch
            && options.churn.is_none()
            && options.storm.is_none();
        window.expected = exact.then_some(expected);
        // Nobody who leaves from now on has anything to add.
        self.totals.window = 0..0;
    }

    /// Sessions that failed so far.
    fn failed(&self) -> u64 {
        self.outcome.failures.values().sum()
    }

    fn counts(&self) -> Counts {
        Counts {
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
            failures: self.failed(),
        };
        self.totals.latency_now.reset();
        second
    }
}
