//! The controller against a modelled path: a sender of layers that picks what fits, in virtual time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use spillway_loadtest::link::model::{BurstLoss, Conditions, Model, QueueLimit};

use super::{Controller, PacketResult};

const FRAME: Duration = Duration::from_micros(33_333);
const FEEDBACK: Duration = Duration::from_millis(50);
const LAYERS: [u64; 3] = [300_000, 1_000_000, 2_500_000];
const PACKET: usize = 1_200;
/// Room that a layer needs beside itself.
const ROOM: f64 = 1.15;

/// Packet number on the link.
type Wire = Vec<u8>;

struct Simulation {
    now: Instant,
    start: Instant,
    link: Model<Wire>,
    controller: Controller,
    sent: Vec<(u64, usize, bool)>,
    last_sent: Option<Instant>,
    /// Numbers and arrivals that the next report tells of, and when it reaches us.
    arrived: Vec<(usize, i64)>,
    reports: VecDeque<(Instant, Vec<(usize, i64)>)>,
    reported: usize,
    back: Duration,
    layer: usize,
    next_frame: Instant,
    next_feedback: Instant,
    owed: f64,
    /// A switch takes until the next keyframe is there.
    switching: Option<(usize, Instant)>,
    history: Vec<(Duration, u64, usize)>,
}

impl Simulation {
    fn new(conditions: Conditions, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            back: conditions.delay,
            link: Model::new(conditions, seed),
            controller: Controller::new(seed as u32),
            sent: Vec::new(),
            last_sent: None,
            arrived: Vec::new(),
            reports: VecDeque::new(),
            reported: 0,
            layer: 2,
            next_frame: now,
            next_feedback: now,
            owed: 0.0,
            switching: None,
            history: Vec::new(),
        }
    }

    fn send(&mut self, bytes: usize) {
        let number = self.sent.len();
        let mut packet = vec![0; bytes];
        packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let sent = (self.now - self.start).as_micros() as u64;
        self.sent.push((sent, bytes, self.controller.is_probing()));
        self.last_sent = Some(self.now);
        if self.controller.is_probing() {
            self.controller.on_probe_sent(bytes);
        }
        self.link.send(self.now, packet);
    }

    fn frame(&mut self) {
        self.owed += LAYERS[self.layer] as f64 / 8.0 * FRAME.as_secs_f64();
        while self.owed >= PACKET as f64 {
            self.owed -= PACKET as f64;
            self.send(PACKET);
        }
        self.send(200);
    }

    fn choose(&mut self) {
        let rate = self.controller.rate() as f64;
        let room = |layer: usize| if layer > self.layer { ROOM } else { 1.0 };
        let fits = |layer: &usize| LAYERS[*layer] as f64 * room(*layer) <= rate || *layer == 0;
        let best = (0..3).rev().find(fits).unwrap_or(0);
        if best != self.layer && self.switching.is_none_or(|(layer, _)| layer != best) {
            self.switching = Some((best, self.now + Duration::from_millis(150)));
        }
        if best == self.layer {
            self.switching = None;
        }
        if let Some((layer, at)) = self.switching
            && self.now >= at
        {
            self.layer = layer;
            self.switching = None;
        }
        if let Some(next) = LAYERS.get(self.layer + 1) {
            self.controller
                .probe_for(self.now, (*next as f64 * ROOM) as u64);
        }
    }

    fn feedback(&mut self) {
        let mut told = std::mem::take(&mut self.arrived);
        told.sort_unstable();
        if !told.is_empty() {
            self.reports.push_back((self.now + self.back, told));
        }
    }

    fn report(&mut self, told: &[(usize, i64)]) {
        let last = told.last().map_or(0, |t| t.0);
        let mut newest = 0;
        for number in self.reported.min(told[0].0)..=last {
            let (sent, bytes, probe) = self.sent[number];
            let arrived = told.iter().find(|t| t.0 == number).map(|t| t.1);
            if arrived.is_none() && number < self.reported {
                continue;
            }
            newest = arrived.map_or(newest, |at| at - sent as i64);
            self.controller.on_packet(&PacketResult {
                sent,
                arrived,
                bytes: bytes as u16,
                probe,
            });
        }
        self.reported = self.reported.max(last + 1);
        let queueing = Duration::from_micros((newest - self.back.as_micros() as i64).max(0) as u64);
        self.controller
            .on_feedback(self.now, Some(self.back * 2), queueing);
    }

    /// Runs until this time since the start.
    fn run(&mut self, until: Duration) {
        while self.now - self.start < until {
            self.now += Duration::from_millis(1);
            while let Some(packet) = self.link.receive(self.now) {
                let number = u64::from_be_bytes(packet[..8].try_into().unwrap_or_default());
                let at = (self.now - self.start).as_micros() as i64;
                if !self.arrived.iter().any(|a| a.0 == number as usize) {
                    self.arrived.push((number as usize, at));
                }
            }
            while self.reports.front().is_some_and(|(at, _)| *at <= self.now) {
                if let Some((_, told)) = self.reports.pop_front() {
                    self.report(&told);
                }
            }
            if self.now >= self.next_feedback {
                self.next_feedback += FEEDBACK;
                self.feedback();
            }
            if self.now >= self.next_frame {
                self.next_frame += FRAME;
                self.choose();
                self.frame();
            }
            while self.controller.probe_missing(self.now) > 600 {
                self.send(PACKET);
            }
            self.controller.handle_timeout(self.now, self.last_sent);
            let at = self.now - self.start;
            self.history.push((at, self.controller.rate(), self.layer));
        }
    }

    fn conditions(&mut self, change: impl FnOnce(&mut Conditions), base: &Conditions) {
        let mut conditions = base.clone();
        change(&mut conditions);
        self.link.set_conditions(conditions);
    }

    /// Share of the time from here to there that was spent on this layer.
    fn share(&self, layer: usize, from: u64, to: u64) -> f64 {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        let within = self.history.iter().filter(|h| span.contains(&h.0));
        let (mut all, mut on) = (0, 0);
        for entry in within {
            all += 1;
            on += usize::from(entry.2 == layer);
        }
        on as f64 / f64::from(all.max(1))
    }

    fn print(&self) {
        for entry in self.history.iter().step_by(250) {
            println!("{:?} {} {}", entry.0, entry.1, entry.2);
        }
    }
}

fn path(rate: u64) -> Conditions {
    Conditions {
        rate: Some(rate),
        queue: Some(QueueLimit::Time(Duration::from_millis(300))),
        delay: Duration::from_millis(30),
        ..Conditions::default()
    }
}

#[test]
fn a_drop_is_followed_and_so_is_the_recovery() {
    for seed in 0..20 {
        let base = path(5_000_000);
        let mut simulation = Simulation::new(base.clone(), seed);
        simulation.run(Duration::from_secs(20));
        simulation.conditions(|c| c.rate = Some(800_000), &base);
        simulation.run(Duration::from_secs(40));
        simulation.conditions(|_| (), &base);
        simulation.run(Duration::from_secs(70));
        let good = simulation.share(2, 5, 20) > 0.99
            && simulation.share(0, 22, 40) > 0.95
            && simulation.share(2, 50, 70) > 0.99;
        if !good {
            simulation.print();
        }
        assert!(good, "seed {seed}");
    }
}

#[test]
fn random_loss_costs_no_layer() {
    for seed in 0..20 {
        for (loss, least) in [(0.02, 0.95), (0.05, 0.95), (0.1, 0.8)] {
            let mut conditions = path(20_000_000);
            conditions.loss = loss;
            conditions.jitter = Duration::from_millis(10);
            let mut simulation = Simulation::new(conditions, seed);
            simulation.run(Duration::from_secs(40));
            let top = simulation.share(2, 15, 40);
            if top < least {
                simulation.print();
            }
            assert!(top >= least, "{top} on top at {loss}, seed {seed}");
        }
    }
}

#[test]
fn bursts_of_loss_cost_no_layer() {
    for seed in 0..20 {
        let mut conditions = path(20_000_000);
        conditions.burst_loss = Some(BurstLoss {
            share: 0.02,
            length: 5.0,
        });
        let mut simulation = Simulation::new(conditions, seed);
        simulation.run(Duration::from_secs(40));
        let top = simulation.share(2, 10, 40);
        assert!(top >= 0.9, "{top} on top, seed {seed}");
    }
}

#[test]
fn the_estimate_never_stays_above_the_path() {
    for seed in 0..20 {
        for rate in [400_000, 1_500_000, 4_000_000] {
            let mut simulation = Simulation::new(path(rate), seed);
            simulation.run(Duration::from_mins(1));
            let mut above = Duration::ZERO;
            let mut longest = Duration::ZERO;
            let mut before = Duration::ZERO;
            for &(at, estimate, _) in &simulation.history {
                if estimate as f64 > 1.5 * rate as f64 {
                    above += at.saturating_sub(before);
                } else {
                    above = Duration::ZERO;
                }
                longest = longest.max(above);
                before = at;
            }
            if longest > Duration::from_secs(2) {
                simulation.print();
            }
            assert!(
                longest <= Duration::from_secs(2),
                "{longest:?} at {rate}, seed {seed}"
            );
        }
    }
}
