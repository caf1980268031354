//! When repair packets are worth their bytes, and how many.
//!
//! A repair packet mends one loss among the packets that it covers a moment after they left; a retransmission mends any
//! loss, for fewer bytes, but a round trip and more later. So packets are protected where the path loses them by chance,
//! where a round trip is longer than a picture can wait, and with what the path is believed to carry beside the layer.

use std::time::{Duration, Instant};

use super::{FeedbackSummary, parity::MOST_REPAIRS};

/// Shares of packets lost from which on repair packets are sent, and below which no more.
const LOSSY: f64 = 0.012;
const CLEAN: f64 = 0.006;
/// ... as seen over the last packets, of which the older count less, by this time constant, and over so many at least.
const MEMORY: Duration = Duration::from_secs(5);
const LEAST_SEEN: f64 = 150.0;
/// No more is believed to be lost by chance.
const MOST_LOST: f64 = 0.2;
/// Round trips from which on retransmissions come too late for a picture to be shown in step, and below which they don't.
const FAR: Duration = Duration::from_millis(50);
const NEAR: Duration = Duration::from_millis(40);
/// Behind a longer queue packets aren't lost by chance: repair packets would only make it longer.
const SHORT_QUEUE: Duration = Duration::from_millis(50);
/// There are so many repair packets that this many packets get lost for each, on average.
const LOSSES_COVERED: f64 = 0.25;
/// Keyframes are protected so many times as well: what depends on them lasts seconds.
const KEYFRAME_FACTOR: f64 = 2.0;
/// Pictures of fewer packets share repair packets with the next, ...
const LEAST_PACKETS: usize = 5;
/// ... unless that takes this share of a round trip: then a retransmission would be as quick.
const PATIENCE: f64 = 0.4;
/// Repair packets take at most this share of the picture's bitrate, and as much of that at once as comes in this time.
const MOST_SHARE: f64 = 0.35;
const BURST: Duration = Duration::from_millis(300);
/// ... or this many bytes, if that is more.
const LEAST_BURST: f64 = 4_000.0;

/// What is known of a path and of what is sent over it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) rtt: Option<Duration>,
    pub(crate) queueing: Duration,
    /// What the path is believed to carry, and what the layer takes of it, in bits per second.
    pub(crate) estimate: u64,
    pub(crate) media: u64,
    /// The picture is sent as it comes.
    pub(crate) live: bool,
}

/// Judges one path.
#[derive(Debug)]
pub(crate) struct Protection {
    on: bool,
    /// Packets reported lately, and those of them that were lost.
    seen: f64,
    lost: f64,
    heard: Instant,
    patience: Duration,
    /// Bytes that may be sent, and those that come each second.
    credit: f64,
    rate: f64,
    filled: Instant,
}

impl Protection {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            on: false,
            seen: 0.0,
            lost: 0.0,
            heard: now,
            patience: Duration::ZERO,
            credit: 0.0,
            rate: 0.0,
            filled: now,
        }
    }

    /// Takes what became of some packets. What was lost behind a queue says nothing of losses by chance, and what came
    /// late, after a report that it was missing, isn't lost.
    pub(crate) fn on_feedback(&mut self, now: Instant, summary: &FeedbackSummary) {
        let passed = now.saturating_duration_since(self.heard);
        let weight = (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.seen *= weight;
        self.lost *= weight;
        self.heard = now;
        if summary.queueing > SHORT_QUEUE {
            return;
        }
        let lost = f64::from(summary.lost) - f64::from(summary.late);
        self.seen += (f64::from(summary.received) + lost).max(0.0);
        self.lost = (self.lost + lost).max(0.0);
    }

    fn loss(&self) -> f64 {
        (self.lost / self.seen.max(1.0)).min(MOST_LOST)
    }

    /// Whether packets are to be protected from now on.
    pub(crate) fn judge(&mut self, now: Instant, path: Conditions) -> bool {
        let rtt = path.rtt.unwrap_or_default();
        let (least_loss, least_rtt) = if self.on { (CLEAN, NEAR) } else { (LOSSY, FAR) };
        let known = self.on || self.seen >= LEAST_SEEN;
        self.on = known && self.loss() >= least_loss && rtt >= least_rtt;
        self.patience = rtt.mul_f64(PATIENCE);
        self.fill(now);
        let room = path.estimate.saturating_sub(path.media) as f64;
        let pauses = path.queueing > SHORT_QUEUE || !path.live || !self.on;
        self.rate = if pauses {
            0.0
        } else {
            room.min(path.media as f64 * MOST_SHARE) / 8.0
        };
        self.fill(now);
        self.on
    }

    /// Whether pictures of so many packets in all, the first of which left `waited` ago, get their repair packets now.
    pub(crate) fn is_due(&self, packets: usize, waited: Duration) -> bool {
        packets >= LEAST_PACKETS || waited >= self.patience
    }

    /// How many repair packets of `bytes` so many packets get. They count as sent.
    pub(crate) fn grant(
        &mut self,
        now: Instant,
        packets: usize,
        keyframe: bool,
        bytes: usize,
    ) -> usize {
        self.fill(now);
        let factor = if keyframe { KEYFRAME_FACTOR } else { 1.0 };
        let wanted = (packets as f64 * self.loss() / LOSSES_COVERED * factor).ceil();
        let afforded = (self.credit / bytes.max(1) as f64).floor();
        let granted = (wanted.min(afforded) as usize).min(packets.min(MOST_REPAIRS));
        self.credit -= (granted * bytes) as f64;
        granted
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let most = if self.rate > 0.0 {
            (self.rate * BURST.as_secs_f64()).max(LEAST_BURST)
        } else {
            0.0
        };
        self.credit = (self.credit + passed * self.rate).min(most);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Conditions = Conditions {
        rtt: Some(Duration::from_millis(100)),
        queueing: Duration::ZERO,
        estimate: 5_000_000,
        media: 2_500_000,
        live: true,
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn summary(lost: u32, received: u32, queueing: Duration) -> FeedbackSummary {
        FeedbackSummary {
            received,
            lost,
            queueing,
            ..FeedbackSummary::default()
        }
    }

    /// A path that loses `per_mille`, judged for `seconds` every 100 ms; says for how many of these it was protected.
    fn judged(
        protection: &mut Protection,
        now: &mut Instant,
        (per_mille, seconds): (u32, u64),
        path: Conditions,
    ) -> u64 {
        let mut on = 0;
        for step in 0..seconds * 10 {
            *now += ms(100);
            let before = step as u32 * 30 * per_mille / 1000;
            let lost = (step as u32 + 1) * 30 * per_mille / 1000 - before;
            protection.on_feedback(*now, &summary(lost, 30 - lost, path.queueing));
            on += u64::from(protection.judge(*now, path));
        }
        on
    }

    #[test]
    fn it_begins_with_losses_and_ends_without() {
        let mut now = Instant::now();
        let mut protection = Protection::new(now);
        let judged = |protection: &mut Protection, now: &mut Instant, loss, seconds| {
            judged(protection, now, (loss, seconds), PATH)
        };
        assert_eq!(judged(&mut protection, &mut now, 8, 20), 0);
        assert!(
            judged(&mut protection, &mut now, 50, 5) > 35,
            "within 1.5 s"
        );
        assert_eq!(judged(&mut protection, &mut now, 9, 60), 600, "no flapping");
        let still = judged(&mut protection, &mut now, 0, 60);
        assert!((1..80).contains(&still), "{still}");
    }

    #[test]
    fn what_is_lost_behind_a_queue_is_not_lost_by_chance() {
        let mut now = Instant::now();
        let mut protection = Protection::new(now);
        let queued = Conditions {
            queueing: ms(80),
            ..PATH
        };
        assert_eq!(judged(&mut protection, &mut now, (0, 20), PATH), 0);
        assert_eq!(judged(&mut protection, &mut now, (100, 20), queued), 0);
        assert_eq!(judged(&mut protection, &mut now, (0, 5), PATH), 0);
        // What was lost by chance before the queue is forgotten as if there had been none.
        let mut protection = Protection::new(now);
        assert!(judged(&mut protection, &mut now, (30, 20), PATH) > 0);
        judged(&mut protection, &mut now, (100, 20), queued);
        assert!(judged(&mut protection, &mut now, (0, 3), PATH) < 10);
    }

    #[test]
    fn what_comes_late_is_not_lost() {
        let mut now = Instant::now();
        let mut protection = Protection::new(now);
        let mut late = 0;
        for _ in 0..200 {
            now += ms(100);
            let report = FeedbackSummary {
                late,
                ..summary(1, 29 + late, Duration::ZERO)
            };
            late = report.lost;
            protection.on_feedback(now, &report);
            assert!(!protection.judge(now, PATH));
        }
        // Less than 1 % of the packets are missing at any moment, and all of them come.
        assert!(protection.loss() < 0.01, "{}", protection.loss());
    }

    #[test]
    fn a_near_viewer_has_retransmissions() {
        let mut now = Instant::now();
        let mut protection = Protection::new(now);
        let near = |rtt| Conditions {
            rtt: Some(ms(rtt)),
            ..PATH
        };
        assert_eq!(judged(&mut protection, &mut now, (50, 20), near(45)), 0);
        assert!(judged(&mut protection, &mut now, (50, 5), near(55)) > 40);
        assert_eq!(judged(&mut protection, &mut now, (50, 5), near(45)), 50);
        assert_eq!(judged(&mut protection, &mut now, (50, 5), near(35)), 0);
    }

    #[test]
    fn repair_packets_keep_to_the_room_beside_the_layer() {
        for (estimate, media, most) in [
            (5_000_000, 2_500_000, 875_000.0),
            (2_700_000, 2_500_000, 200_000.0),
            (2_000_000, 2_500_000, 0.0),
        ] {
            let path = Conditions {
                estimate,
                media,
                ..PATH
            };
            let mut now = Instant::now();
            let mut protection = Protection::new(now);
            judged(&mut protection, &mut now, (200, 5), path);
            let mut bytes = 0;
            for _ in 0..300 {
                now += ms(33);
                protection.on_feedback(now, &summary(2, 8, path.queueing));
                protection.judge(now, path);
                bytes += protection.grant(now, 20, true, 1_250) * 1_250;
            }
            let rate = bytes as f64 * 8.0 / 9.9;
            assert!(
                rate <= most * 1.05 && rate >= most * 0.9,
                "{rate} of {most}"
            );
        }
    }

    #[test]
    fn nothing_is_added_to_a_queue_or_to_a_catch_up() {
        let mut now = Instant::now();
        for path in [
            Conditions {
                queueing: ms(80),
                ..PATH
            },
            Conditions {
                live: false,
                ..PATH
            },
        ] {
            let mut protection = Protection::new(now);
            assert!(judged(&mut protection, &mut now, (50, 5), PATH) > 0);
            assert!(protection.grant(now, 10, false, 1_250) > 0);
            assert!(
                judged(&mut protection, &mut now, (50, 5), path) > 0,
                "on, but resting"
            );
            assert_eq!(protection.grant(now, 10, false, 1_250), 0);
        }
    }

    #[test]
    fn the_more_is_lost_and_the_more_depends_on_it_the_more_there_are() {
        let mut now = Instant::now();
        let grants = |now: &mut Instant, per_mille, packets, keyframe| {
            let mut protection = Protection::new(*now);
            judged(&mut protection, now, (per_mille, 10), PATH);
            protection.grant(*now, packets, keyframe, 1_250)
        };
        assert_eq!(grants(&mut now, 20, 9, false), 1);
        assert_eq!(grants(&mut now, 50, 9, false), 2);
        assert_eq!(grants(&mut now, 50, 9, true), 4);
        assert_eq!(grants(&mut now, 100, 9, false), 4);
        assert_eq!(grants(&mut now, 50, 18, false), 4);
        assert_eq!(grants(&mut now, 50, 40, true), 6);
        assert_eq!(grants(&mut now, 100, 1, true), 1, "never more than packets");
    }

    #[test]
    fn small_pictures_share_a_repair_packet_while_a_round_trip_allows() {
        let mut now = Instant::now();
        let mut protection = Protection::new(now);
        judged(&mut protection, &mut now, (50, 5), PATH);
        assert!(protection.is_due(5, Duration::ZERO));
        assert!(!protection.is_due(2, ms(33)));
        assert!(protection.is_due(2, ms(40)));
    }
}
