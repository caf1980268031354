//! Whether the queue on the path grows: the trend of one-way delays (draft-ietf-rmcat-gcc-02 §5.2 to §5.4, with the
//! linear regression that libwebrtc uses in place of the draft's Kalman filter).

use arrayvec::ArrayVec;

use super::PacketResult;

/// Packets sent within this time are one group: they left as one burst.
const GROUP_US: u64 = 5_000;
/// Packets that arrive this close behind each other, faster than they were sent, waited somewhere and came as one.
const BUNCH_US: i64 = 5_000;
const MAX_BUNCH_US: i64 = 100_000;
/// Receivers' clocks don't jump by this much: if one seems to, all starts over.
const MAX_STEP_US: i64 = 3_000_000;
/// Groups that the trend is drawn through.
const WINDOW: usize = 20;
/// Share of the former value in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// The trend is multiplied by this, and by the number of groups seen up to [`MOST_GROUPS`], to be held against the
/// threshold in milliseconds.
const GAIN: f64 = 4.0;
const MOST_GROUPS: u32 = 60;
/// The trend must be over the threshold this long.
const OVERUSE_MS: f64 = 10.0;
/// The threshold follows the trend, slowly upwards and faster down, within these bounds (§5.4).
const THRESHOLD_MS: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const FIRST_THRESHOLD_MS: f64 = 12.5;
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A trend this far above the threshold is an outlier that the threshold doesn't follow.
const OUTLIER_MS: f64 = 15.0;
const MAX_STEP_MS: f64 = 100.0;

/// What the delays say of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Usage {
    /// Delays are steady.
    #[default]
    Normal,
    /// A queue grows.
    Over,
    /// A queue drains.
    Under,
}

/// Packets that left together.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: u64,
    last_sent: u64,
    first_arrived: i64,
    last_arrived: i64,
}

impl Group {
    fn new(sent: u64, arrived: i64) -> Self {
        Self {
            first_sent: sent,
            last_sent: sent,
            first_arrived: arrived,
            last_arrived: arrived,
        }
    }

    fn holds(&self, sent: u64, arrived: i64) -> bool {
        if sent == self.last_sent || sent - self.first_sent <= GROUP_US {
            return true;
        }
        let apart = arrived - self.last_arrived;
        let sent_apart = (sent.saturating_sub(self.last_sent)) as i64;
        apart < sent_apart && apart <= BUNCH_US && arrived - self.first_arrived < MAX_BUNCH_US
    }

    fn add(&mut self, sent: u64, arrived: i64) {
        self.last_sent = self.last_sent.max(sent);
        self.last_arrived = self.last_arrived.max(arrived);
    }
}

/// Follows the delays of one path.
#[derive(Debug)]
pub(crate) struct DelayTrend {
    group: Option<Group>,
    former: Option<Group>,
    /// Arrival in milliseconds since the first group, and smoothed delay in milliseconds.
    points: ArrayVec<(f64, f64), WINDOW>,
    origin: i64,
    groups: u32,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    before: f64,
    over_ms: f64,
    over_count: u32,
    usage: Usage,
}

impl DelayTrend {
    pub(crate) fn new() -> Self {
        Self {
            group: None,
            former: None,
            points: ArrayVec::new(),
            origin: 0,
            groups: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: FIRST_THRESHOLD_MS,
            before: 0.0,
            over_ms: 0.0,
            over_count: 0,
            usage: Usage::Normal,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes a packet that arrived; packets come in the order they were sent.
    pub(crate) fn on_packet(&mut self, packet: &PacketResult) {
        let Some(arrived) = packet.arrived else {
            return;
        };
        let Some(group) = &mut self.group else {
            self.origin = arrived;
            self.group = Some(Group::new(packet.sent, arrived));
            return;
        };
        if packet.sent < group.first_sent {
            return;
        }
        if group.holds(packet.sent, arrived) {
            group.add(packet.sent, arrived);
            return;
        }
        let complete = *group;
        *group = Group::new(packet.sent, arrived);
        let former = self.former.replace(complete);
        if let Some(former) = former {
            self.on_group(former, complete);
        }
    }

    fn on_group(&mut self, former: Group, group: Group) {
        let sent = group.last_sent as i64 - former.last_sent as i64;
        let arrived = group.last_arrived - former.last_arrived;
        if arrived < 0 {
            // A group that overtook the one before says nothing.
            return;
        }
        if arrived - sent > MAX_STEP_US {
            let threshold = self.threshold;
            *self = Self {
                threshold,
                ..Self::new()
            };
            return;
        }
        self.groups = (self.groups + 1).min(MOST_GROUPS);
        self.accumulated += (arrived - sent) as f64 / 1e3;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        if self.points.is_full() {
            self.points.remove(0);
        }
        let at = (group.last_arrived - self.origin) as f64 / 1e3;
        self.points.push((at, self.smoothed));
        let trend = if self.points.is_full() {
            slope(&self.points).unwrap_or(self.before / f64::from(self.groups) / GAIN)
        } else {
            0.0
        };
        self.detect(
            trend * f64::from(self.groups) * GAIN,
            sent as f64 / 1e3,
            arrived as f64 / 1e3,
        );
    }

    fn detect(&mut self, trend: f64, sent_ms: f64, passed_ms: f64) {
        if trend > self.threshold {
            self.over_ms += if self.over_count == 0 {
                sent_ms / 2.0
            } else {
                sent_ms
            };
            self.over_count += 1;
            if self.over_ms > OVERUSE_MS && self.over_count > 1 && trend >= self.before {
                self.over_ms = 0.0;
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_ms = 0.0;
            self.over_count = 0;
            self.usage = if trend < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.before = trend;
        let size = trend.abs();
        if size <= self.threshold + OUTLIER_MS {
            let gain = if size < self.threshold { FALL } else { RISE };
            self.threshold += gain * (size - self.threshold) * passed_ms.min(MAX_STEP_MS);
            self.threshold = self
                .threshold
                .clamp(*THRESHOLD_MS.start(), *THRESHOLD_MS.end());
        }
    }
}

/// The slope of the line through these points with the least squares; `None` if they lie above each other.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let (mut over, mut under) = (0.0, 0.0);
    for &(x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x) * (x - mean_x);
    }
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds groups of 33 ms whose one-way delay follows `delay_ms`.
    fn run(trend: &mut DelayTrend, groups: u64, delay_ms: impl Fn(u64) -> f64) -> Vec<Usage> {
        (0..groups)
            .map(|n| {
                let sent = n * 33_000;
                for packet in 0..3 {
                    trend.on_packet(&PacketResult {
                        sent,
                        arrived: Some((sent as f64 + delay_ms(n) * 1e3) as i64 + packet * 200),
                        bytes: 1200,
                        probe: false,
                    });
                }
                trend.usage()
            })
            .collect()
    }

    #[test]
    fn steady_delays_are_normal_whatever_the_clocks() {
        let mut trend = DelayTrend::new();
        let seen = run(&mut trend, 300, |_| -5_000_000.0);
        assert!(seen.iter().all(|&u| u == Usage::Normal));
    }

    #[test]
    fn a_growing_queue_is_noticed_within_half_a_second() {
        let mut trend = DelayTrend::new();
        run(&mut trend, 100, |_| 20.0);
        let mut trend_grows = DelayTrend::new();
        let seen = run(&mut trend_grows, 130, |n| {
            20.0 + n.saturating_sub(100) as f64 * 10.0
        });
        let first = seen.iter().position(|&u| u == Usage::Over);
        assert!(first.is_some_and(|n| (100..115).contains(&n)), "{first:?}");
    }

    #[test]
    fn a_draining_queue_is_told_from_a_growing_one() {
        let mut trend = DelayTrend::new();
        let seen = run(&mut trend, 140, |n| {
            500.0 - n.saturating_sub(100) as f64 * 10.0
        });
        assert!(seen.contains(&Usage::Under));
        assert!(!seen.contains(&Usage::Over));
    }

    #[test]
    fn jitter_alone_is_no_queue() {
        let mut trend = DelayTrend::new();
        let seen = run(&mut trend, 1_000, |n| {
            20.0 + ((n * 7_919) % 31) as f64 / 2.0
        });
        let over = seen.iter().filter(|&&u| u == Usage::Over).count();
        assert!(over <= 10, "{over} of 1000");
    }

    #[test]
    fn a_clock_that_jumps_starts_over() {
        let mut trend = DelayTrend::new();
        run(&mut trend, 50, |n| if n < 25 { 0.0 } else { 1e7 });
        assert_eq!(trend.usage(), Usage::Normal);
    }
}
