//! One direction of a link, as a pure model: no clock, no sockets, and every chance from one seed.
//!
//! Driving contract: [`Model::send`] a packet at a moment; from [`Model::next_arrival`] on, take what has
//! arrived with [`Model::receive`] until it gives `None`. Moments never go backwards. The same seed,
//! conditions and calls give the same fates.
//!
//! A packet first waits for the queue, which is served at the link's rate and drops at its tail; then it
//! may be lost on the wire (it has cost its share of the rate); then it travels for the delay and jitter.
//! Jitter alone never reorders: a packet also waits for those before it, so packets that are closer than
//! the jitter arrive in bunches. A reordered packet is held back, so that later ones overtake it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The most packets on the way at a time, whatever the conditions; more are dropped as if the queue were full.
pub const MAX_IN_FLIGHT: usize = 1 << 16;

/// What a link does to packets. The default is a perfect link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Bits per second; `None` for no limit.
    pub rate: Option<u64>,
    /// How much may wait for the rate; `None` for no limit below [`MAX_IN_FLIGHT`].
    pub queue: Option<QueueLimit>,
    /// Time that every packet travels.
    pub delay: Duration,
    /// Added to the delay, evenly spread from nothing to this.
    pub jitter: Duration,
    /// Chance of each packet to be lost, from 0 to 1, independently of the others.
    pub loss: f64,
    /// Losses that come in a row, besides [`Self::loss`].
    pub burst_loss: Option<BurstLoss>,
    /// Chance of each packet to be held back.
    pub reorder: f64,
    /// How long a packet is held back.
    pub reorder_by: Duration,
    /// Chance of each packet to arrive twice.
    pub duplicate: f64,
}

/// The bound of a queue; a packet that would exceed it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// Bytes that wait, the new packet included.
    Bytes(u64),
    /// Time that the new packet would wait.
    Time(Duration),
}

/// Bursts of loss (the Gilbert model: a good state without loss, and a bad one in which all is lost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurstLoss {
    /// Share of all packets that are lost so, below 1.
    pub share: f64,
    /// Mean packets of a burst, at least 1.
    pub length: f64,
}

/// What became of the packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets given to the link.
    pub sent: u64,
    /// Bytes given to the link.
    pub sent_bytes: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// Lost on the wire.
    pub lost: u64,
    /// Held back.
    pub reordered: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Packets that came out, second copies included.
    pub delivered: u64,
}

/// One direction of a link that carries packets of type `P`.
pub struct Model<P> {
    conditions: Conditions,
    chance: StdRng,
    in_burst: bool,
    /// When the last queued packet will have left the queue.
    busy_until: Option<Instant>,
    /// Arrival of the last packet that wasn't held back; jitter keeps the order after it.
    last_arrival: Option<Instant>,
    in_flight: BinaryHeap<Reverse<Arrival<P>>>,
    counts: Counts,
}

struct Arrival<P> {
    at: Instant,
    number: u64,
    packet: P,
}

impl<P: AsRef<[u8]> + Clone> Model<P> {
    /// A link with these conditions whose chances follow from `seed`.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: StdRng::seed_from_u64(seed),
            in_burst: false,
            busy_until: None,
            last_arrival: None,
            in_flight: BinaryHeap::new(),
            counts: Counts::default(),
        }
    }

    /// Changes the conditions for the packets sent from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Takes a packet in.
    pub fn send(&mut self, now: Instant, packet: P) {
        self.counts.sent += 1;
        self.counts.sent_bytes += packet.as_ref().len() as u64;
        // All chances are drawn for each packet, so that one condition doesn't change the luck of another.
        let lost = self.draws_loss();
        let jitter = self.conditions.jitter.mul_f64(self.chance.random::<f64>());
        let reordered = self.draws(self.conditions.reorder);
        let duplicated = self.draws(self.conditions.duplicate);

        let Some(left_queue) = self.enqueue(now, packet.as_ref().len()) else {
            self.counts.overflowed += 1;
            return;
        };
        if lost {
            self.counts.lost += 1;
            return;
        }
        let at = self.arrival(left_queue, jitter, reordered);
        if duplicated {
            self.counts.duplicated += 1;
            self.deliver_at(at, packet.clone());
        }
        self.deliver_at(at, packet);
    }

    /// When the next packet arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// The next packet that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<P> {
        if self.next_arrival()? > now {
            return None;
        }
        self.counts.delivered += 1;
        self.in_flight.pop().map(|Reverse(arrival)| arrival.packet)
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn draws(&mut self, probability: f64) -> bool {
        self.chance.random::<f64>() < probability
    }

    fn draws_loss(&mut self) -> bool {
        let alone = self.draws(self.conditions.loss);
        let turn = self.chance.random::<f64>();
        let Some(BurstLoss { share, length }) = self.conditions.burst_loss else {
            return alone;
        };
        // In the long run the share of the bad state is enter / (enter + leave).
        let leave = 1.0 / length;
        let enter = leave * share / (1.0 - share);
        self.in_burst = if self.in_burst {
            turn >= leave
        } else {
            turn < enter
        };
        alone || self.in_burst
    }

    /// When a packet of this size will have left the queue; `None` if it finds no room.
    fn enqueue(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let Some(rate) = self.conditions.rate else {
            return Some(now);
        };
        let begins = self.busy_until.map_or(now, |busy| busy.max(now));
        let waits = begins - now;
        let room = match self.conditions.queue {
            None => true,
            Some(QueueLimit::Time(limit)) => waits <= limit,
            Some(QueueLimit::Bytes(limit)) => {
                waits.as_secs_f64() * rate as f64 / 8.0 + bytes as f64 <= limit as f64
            }
        };
        if !room {
            return None;
        }
        let left = begins + Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        self.busy_until = Some(left);
        Some(left)
    }

    fn arrival(&mut self, left_queue: Instant, jitter: Duration, reordered: bool) -> Instant {
        let at = left_queue + self.conditions.delay + jitter;
        if reordered {
            self.counts.reordered += 1;
            return at + self.conditions.reorder_by;
        }
        let at = self.last_arrival.map_or(at, |last| last.max(at));
        self.last_arrival = Some(at);
        at
    }

    fn deliver_at(&mut self, at: Instant, packet: P) {
        // Packets that arrive together come out in the order in which they were sent.
        let number = self.counts.sent;
        self.in_flight.push(Reverse(Arrival { at, number, packet }));
    }
}

impl<P> PartialEq for Arrival<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<P> Eq for Arrival<P> {}

impl<P> PartialOrd for Arrival<P> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Arrival<P> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Sends packets of 1000 bytes, numbered in their first four bytes, at this interval, and gives
    /// the numbers that arrived with the time since the first was sent.
    fn transfer(
        conditions: Conditions,
        seed: u64,
        packets: u32,
        interval: Duration,
    ) -> (Vec<(u32, Duration)>, Counts) {
        let mut link = Model::new(conditions, seed);
        let start = Instant::now();
        let mut arrived = Vec::new();
        for number in 0..packets {
            let now = start + interval * number;
            receive_until(&mut link, now, |number, at| {
                arrived.push((number, at - start));
            });
            let mut packet = number.to_be_bytes().to_vec();
            packet.resize(1000, 0);
            link.send(now, packet);
        }
        let end = start + Duration::from_hours(1);
        receive_until(&mut link, end, |number, at| {
            arrived.push((number, at - start));
        });
        (arrived, link.counts())
    }

    fn receive_until(
        link: &mut Model<Vec<u8>>,
        end: Instant,
        mut arrived: impl FnMut(u32, Instant),
    ) {
        while let Some(at) = link.next_arrival().filter(|at| *at <= end)
            && let Some(packet) = link.receive(at)
        {
            arrived(
                packet
                    .iter()
                    .take(4)
                    .fold(0, |number, byte| number << 8 | u32::from(*byte)),
                at,
            );
        }
    }

    fn rough() -> Conditions {
        Conditions {
            rate: Some(6_000_000),
            queue: Some(QueueLimit::Time(Duration::from_millis(300))),
            delay: Duration::from_millis(40),
            jitter: Duration::from_millis(10),
            loss: 0.02,
            burst_loss: Some(BurstLoss {
                share: 0.01,
                length: 5.0,
            }),
            reorder: 0.01,
            reorder_by: Duration::from_millis(15),
            duplicate: 0.01,
        }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_perfect_link_changes_nothing() {
        let (arrived, counts) = transfer(Conditions::default(), 1, 100, MS);
        assert!(
            arrived
                .iter()
                .copied()
                .eq((0..100).map(|number| (number, MS * number)))
        );
        assert_eq!(
            counts,
            Counts {
                sent: 100,
                sent_bytes: 100_000,
                delivered: 100,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        assert_eq!(
            transfer(rough(), 7, 2000, 2 * MS),
            transfer(rough(), 7, 2000, 2 * MS)
        );
        assert_ne!(
            transfer(rough(), 7, 2000, 2 * MS),
            transfer(rough(), 8, 2000, 2 * MS)
        );
    }

    #[test]
    fn one_condition_leaves_the_luck_of_another_alone() {
        let lossy = Conditions {
            loss: 0.1,
            ..Conditions::default()
        };
        let slow_and_lossy = Conditions {
            delay: 50 * MS,
            jitter: 20 * MS,
            reorder: 0.5,
            ..lossy.clone()
        };
        let numbers = |conditions| {
            let (arrived, _) = transfer(conditions, 3, 500, MS);
            let mut numbers: Vec<_> = arrived.into_iter().map(|(number, _)| number).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(numbers(lossy), numbers(slow_and_lossy));
    }

    #[test]
    fn the_rate_is_kept_when_offered_more() {
        let conditions = Conditions {
            rate: Some(8_000_000),
            ..Conditions::default()
        };
        let (arrived, _) = transfer(conditions, 1, 1000, Duration::ZERO);
        assert_eq!(arrived.len(), 1000);
        let last = arrived[999].1;
        assert!(
            (last.as_secs_f64() - 1.0).abs() < 1e-3,
            "1000 packets of 8000 bits at 8 Mbit/s took {last:?}"
        );
    }

    #[test]
    fn a_full_queue_drops_at_its_tail() {
        let limits = [QueueLimit::Bytes(10_000), QueueLimit::Time(9 * MS)];
        for queue in limits {
            let conditions = Conditions {
                rate: Some(8_000_000),
                queue: Some(queue),
                ..Conditions::default()
            };
            let (arrived, counts) = transfer(conditions, 1, 50, Duration::ZERO);
            assert!(
                arrived.iter().map(|(number, _)| *number).eq(0..10),
                "{queue:?}: {arrived:?}"
            );
            assert_eq!(counts.overflowed, 40);
        }
    }

    #[test]
    fn what_is_on_the_way_is_bounded() {
        let conditions = Conditions {
            delay: Duration::from_secs(1),
            ..Conditions::default()
        };
        let mut link = Model::new(conditions, 1);
        let now = Instant::now();
        for _ in 0..MAX_IN_FLIGHT + 5 {
            link.send(now, [0; 1]);
        }
        assert_eq!(link.counts().overflowed, 5);
    }

    #[test]
    fn the_shares_of_loss_are_as_told() {
        let random = Conditions {
            loss: 0.05,
            ..Conditions::default()
        };
        let bursts = Conditions {
            burst_loss: Some(BurstLoss {
                share: 0.05,
                length: 8.0,
            }),
            ..Conditions::default()
        };
        for conditions in [random, bursts] {
            let (_, counts) = transfer(conditions.clone(), 11, 100_000, MS);
            let share = counts.lost as f64 / counts.sent as f64;
            assert!((share - 0.05).abs() < 0.005, "{conditions:?} lost {share}");
        }
    }

    #[test]
    fn burst_losses_come_in_a_row() {
        let burst_loss = Some(BurstLoss {
            share: 0.05,
            length: 8.0,
        });
        let (arrived, counts) = transfer(
            Conditions {
                burst_loss,
                ..Conditions::default()
            },
            5,
            100_000,
            MS,
        );
        let bursts = arrived
            .windows(2)
            .filter(|pair| pair[1].0 - pair[0].0 > 1)
            .count();
        let length = counts.lost as f64 / bursts as f64;
        assert!((length - 8.0).abs() < 1.0, "mean burst of {length} packets");
    }

    #[test]
    fn jitter_delays_within_its_bounds_and_keeps_the_order() {
        let conditions = Conditions {
            delay: 40 * MS,
            jitter: 30 * MS,
            ..Conditions::default()
        };
        for interval in [MS, 30 * MS] {
            let (arrived, _) = transfer(conditions.clone(), 2, 1000, interval);
            assert!(arrived.is_sorted_by_key(|(number, _)| *number));
            let travel = arrived
                .iter()
                .map(|(number, at)| at.saturating_sub(interval * *number));
            let (least, most) = (travel.clone().min().unwrap(), travel.max().unwrap());
            assert!(least >= 40 * MS && most <= 70 * MS);
            assert!(
                interval == MS || most.abs_diff(least) > 25 * MS,
                "from {least:?} to {most:?}"
            );
        }
    }

    #[test]
    fn reordered_packets_are_overtaken_and_duplicates_come_twice() {
        let conditions = Conditions {
            reorder: 0.1,
            reorder_by: 5 * MS,
            duplicate: 0.1,
            ..Conditions::default()
        };
        let (arrived, counts) = transfer(conditions, 4, 1000, MS);
        assert!(!arrived.is_sorted_by_key(|(number, _)| *number));
        assert!((70..130).contains(&counts.reordered), "{counts:?}");
        assert!((70..130).contains(&counts.duplicated), "{counts:?}");
        assert_eq!(arrived.len() as u64, 1000 + counts.duplicated);
    }
}
