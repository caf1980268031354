//! Probes: for a moment as much is sent as a better layer would take, to see whether it arrives at that pace. What media
//! doesn't fill is filled with retransmissions, or padding. Without probes a viewer of a small layer would never be known
//! to have a path for a larger one.

use std::time::{Duration, Instant};

use super::PacketResult;

/// A probe lasts this long, and longer until it has this many packets.
const LENGTH: Duration = Duration::from_millis(80);
const LONGEST: Duration = Duration::from_millis(200);
const LEAST_PACKETS: u32 = 6;
/// Feedback of all of it must have come this long after its end.
const PATIENCE: Duration = Duration::from_millis(800);
/// It must have arrived nearly whole to say anything of the pace.
const LEAST_ARRIVED: f64 = 0.8;
/// Arriving slower than this share of the pace at which it was sent, it filled the path: a little less is what the path
/// carries.
const UNSATURATED: f64 = 0.9;
const SATURATED_SHARE: f64 = 0.95;
/// The pace at which it arrived can't be much higher than that at which it was sent: what waited came in a bunch.
const MOST_RATIO: f64 = 2.0;
/// A probe is filled in steps of this.
const STEP: Duration = Duration::from_millis(2);
/// Between probes, and how that grows while they fail.
const INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(4);
const BACKOFF: f64 = 1.6;
/// Intervals vary by up to this share of them: viewers behind one path that probed in step would find it full each time.
const SPREAD: f64 = 0.5;
/// After one that succeeded the next may follow.
const SOON: Duration = Duration::from_millis(250);

/// One probe.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    rate: f64,
    started: Instant,
    filled: Instant,
    /// What left while it ran, media included.
    sent_bytes: u64,
    sent_packets: u32,
    /// It ended; its feedback is waited for.
    ended: Option<Instant>,
    /// What feedback told of it: first and last departure, and bytes but for the last; the same of arrivals.
    departed: Option<(u64, u64)>,
    arrived: Option<(i64, i64)>,
    first_bytes: u64,
    last_bytes: u64,
    bytes: u64,
    packets: u32,
}

/// Probes of one path, one at a time.
#[derive(Debug)]
pub(crate) struct Prober {
    cluster: Option<Cluster>,
    next: Option<Instant>,
    interval: Duration,
    /// Draws how intervals vary.
    random: u32,
}

impl Prober {
    /// `seed` tells viewers apart.
    pub(crate) fn new(seed: u32) -> Self {
        Self {
            // Never 0, from where xorshift doesn't get away.
            random: seed | 1,
            cluster: None,
            next: None,
            interval: INTERVAL,
        }
    }

    /// Whether packets that leave now belong to a probe.
    pub(crate) fn is_running(&self) -> bool {
        self.cluster.is_some_and(|c| c.ended.is_none())
    }

    /// Starts a probe at `rate` bits per second if it is time for one.
    pub(crate) fn start(&mut self, now: Instant, rate: f64) -> bool {
        if self.cluster.is_some() || self.next.is_some_and(|at| now < at) {
            return false;
        }
        self.cluster = Some(Cluster {
            rate,
            started: now,
            filled: now,
            sent_bytes: 0,
            sent_packets: 0,
            ended: None,
            departed: None,
            arrived: None,
            first_bytes: 0,
            last_bytes: 0,
            bytes: 0,
            packets: 0,
        });
        true
    }

    /// Bytes that the running probe lacks at its pace.
    pub(crate) fn missing(&self, now: Instant) -> usize {
        let Some(cluster) = self.cluster.filter(|c| c.ended.is_none()) else {
            return 0;
        };
        let passed = now.saturating_duration_since(cluster.started).as_secs_f64();
        let due = (cluster.rate / 8.0 * passed) as u64;
        due.saturating_sub(cluster.sent_bytes) as usize
    }

    /// Accounts for a packet that left.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        if let Some(cluster) = self.cluster.as_mut().filter(|c| c.ended.is_none()) {
            cluster.sent_bytes += bytes as u64;
            cluster.sent_packets += 1;
        }
    }

    /// Ends a probe that has run its time, and gives up one of which nothing is heard.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        cluster.filled = now;
        let ran = now.saturating_duration_since(cluster.started);
        if cluster.ended.is_none()
            && (ran >= LONGEST || ran >= LENGTH && cluster.sent_packets >= LEAST_PACKETS)
        {
            cluster.ended = Some(now);
        }
        if cluster
            .ended
            .is_some_and(|at| now.saturating_duration_since(at) >= PATIENCE)
        {
            self.finish(now, false);
        }
    }

    /// Takes what became of a packet of the probe.
    pub(crate) fn on_packet(&mut self, packet: &PacketResult) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        let Some(arrived) = packet.arrived else {
            return;
        };
        let bytes = u64::from(packet.bytes);
        cluster.packets += 1;
        cluster.bytes += bytes;
        cluster.departed = Some(match cluster.departed {
            None => (packet.sent, packet.sent),
            Some((first, last)) => (first.min(packet.sent), last.max(packet.sent)),
        });
        cluster.arrived = Some(match cluster.arrived {
            None => {
                cluster.first_bytes = bytes;
                (arrived, arrived)
            }
            Some((first, last)) => {
                if arrived < first {
                    cluster.first_bytes = bytes;
                }
                (first.min(arrived), last.max(arrived))
            }
        });
        cluster.last_bytes = bytes;
    }

    /// What the probe showed, once feedback of all of it came: bits per second.
    pub(crate) fn result(&mut self, now: Instant) -> Option<f64> {
        let cluster = self.cluster.filter(|c| c.ended.is_some())?;
        let whole = f64::from(cluster.packets) >= f64::from(cluster.sent_packets) * LEAST_ARRIVED
            && cluster.packets >= LEAST_PACKETS.min(cluster.sent_packets)
            && cluster.packets > 1;
        if !whole {
            return None;
        }
        let rate = measure(&cluster);
        self.finish(
            now,
            rate.is_some_and(|rate| rate >= UNSATURATED * cluster.rate),
        );
        rate
    }

    fn finish(&mut self, now: Instant, succeeded: bool) {
        self.cluster = None;
        if succeeded {
            self.interval = INTERVAL;
            self.next = Some(now + SOON);
        } else {
            self.next = Some(now + self.interval.mul_f64(self.spread()));
            self.interval = self.interval.mul_f64(BACKOFF).min(MAX_INTERVAL);
        }
    }

    /// From 1 - [`SPREAD`] / 2 to 1 + [`SPREAD`] / 2, by Marsaglia's xorshift.
    fn spread(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        1.0 + SPREAD * (f64::from(self.random) / f64::from(u32::MAX) - 0.5)
    }

    /// When [`Prober::handle_timeout`] or [`Prober::missing`] is to be asked next.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let cluster = self.cluster?;
        match cluster.ended {
            Some(at) => Some(at + PATIENCE),
            None => Some(cluster.filled + STEP),
        }
    }
}

/// The pace at which a probe went through.
fn measure(cluster: &Cluster) -> Option<f64> {
    let (first_sent, last_sent) = cluster.departed?;
    let (first_arrived, last_arrived) = cluster.arrived?;
    let pace = |bytes: u64, microseconds: u64| bytes as f64 * 8e6 / microseconds.max(1) as f64;
    // The last packet takes no time to leave, and the first none to arrive.
    let sent = pace(cluster.bytes - cluster.last_bytes, last_sent - first_sent);
    let arrived = pace(
        cluster.bytes - cluster.first_bytes,
        (last_arrived - first_arrived) as u64,
    );
    if arrived > MOST_RATIO * sent {
        return None;
    }
    Some(if arrived < UNSATURATED * sent {
        SATURATED_SHARE * arrived
    } else {
        sent.min(arrived)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a probe of `rate` over a path of `capacity` and gives what it showed.
    fn probe(prober: &mut Prober, start: Instant, rate: f64, capacity: f64) -> Option<f64> {
        assert!(prober.start(start, rate));
        let (mut results, mut busy) = (Vec::new(), 0.0_f64);
        let mut at = 0;
        while prober.is_running() {
            let now = start + Duration::from_millis(at);
            while prober.missing(now) > 600 {
                prober.on_sent(1_200);
                let sent = at as f64 * 1e3;
                busy = busy.max(sent) + 1_200.0 * 8e6 / capacity;
                results.push(PacketResult {
                    sent: sent as u64,
                    arrived: Some(busy as i64 - 123_456),
                    bytes: 1_200,
                    probe: true,
                });
            }
            prober.handle_timeout(now);
            at += 1;
        }
        for result in &results {
            prober.on_packet(result);
        }
        prober.result(start + Duration::from_millis(at + 60))
    }

    #[test]
    fn a_wide_path_shows_the_pace_of_the_probe() {
        let mut prober = Prober::new(1);
        let shown = probe(&mut prober, Instant::now(), 2e6, 1e8).unwrap_or_default();
        assert!((1.7e6..2.3e6).contains(&shown), "{shown}");
    }

    #[test]
    fn a_full_path_shows_its_own() {
        let mut prober = Prober::new(1);
        let shown = probe(&mut prober, Instant::now(), 2e6, 8e5).unwrap_or_default();
        assert!((6.5e5..8.5e5).contains(&shown), "{shown}");
    }

    #[test]
    fn failures_make_the_next_one_wait_longer() {
        let start = Instant::now();
        let mut prober = Prober::new(1);
        let mut at = start;
        let mut waits = Vec::new();
        for _ in 0..6 {
            let failed = probe(&mut prober, at, 2e6, 5e5).is_some();
            assert!(failed);
            let mut next = at;
            while !prober.start(next, 2e6) {
                next += Duration::from_millis(50);
            }
            prober.cluster = None;
            waits.push(next - at);
            at = next;
        }
        assert!(waits[5] > waits[0] * 2, "{waits:?}");
        let most = MAX_INTERVAL.mul_f64(1.0 + SPREAD / 2.0);
        assert!(waits[5] <= most + Duration::from_millis(400), "{waits:?}");
    }

    #[test]
    fn a_probe_of_which_nothing_is_heard_ends() {
        let start = Instant::now();
        let mut prober = Prober::new(1);
        assert!(prober.start(start, 1e6));
        prober.handle_timeout(start + LONGEST);
        assert!(!prober.is_running());
        prober.handle_timeout(start + LONGEST + PATIENCE);
        assert!(prober.next_timeout().is_none());
    }
}
