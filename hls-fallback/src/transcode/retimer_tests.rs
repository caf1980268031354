//! Sources of all kinds, from seeds that differ each time. A test that fails shows its own, which `SPILLWAY_SEED` replays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use super::*;
use crate::media::Rate;

const SEEDS: usize = 300;

fn cadence(numerator: u32, denominator: u32) -> Cadence {
    let rate = Rate {
        numerator,
        denominator,
    };
    let (part, segment) = (Duration::from_millis(200), Duration::from_secs(2));
    Cadence::new((Moment(1_000_000), 0), rate, part, segment)
}

/// A run of a retimer as the conductor has it: keyframes begin segments.
struct Run {
    cadence: Cadence,
    retimer: Retimer<u64>,
    samples: Vec<Timed<u64>>,
    /// The slots that segments begin with.
    segments: Vec<u64>,
    pushed: u64,
}

impl Run {
    fn new(cadence: Cadence) -> Self {
        Self {
            cadence,
            retimer: Retimer::new(cadence, 0, 0),
            samples: Vec::new(),
            segments: vec![0],
            pushed: 1,
        }
    }

    /// A picture of so many microseconds after the epoch.
    fn push(&mut self, time: i64, keyframe: bool) -> Result<u64, Irregular> {
        let time = self.cadence.epoch.plus(time);
        let slot = self.retimer.slot_for(time, keyframe)?;
        let samples = &mut self.samples;
        self.retimer.take(self.pushed, slot, |s| samples.push(s));
        self.pushed += 1;
        if keyframe {
            self.retimer.begin_segment();
            self.segments.push(slot);
        }
        Ok(slot)
    }

    fn finish(mut self) -> Self {
        let end = self.retimer.end_before(None);
        let done = Retimer::new(self.cadence, 0, 0);
        let samples = &mut self.samples;
        std::mem::replace(&mut self.retimer, done).finish(end, |s| samples.push(s));
        self.segments.push(end);
        self
    }

    /// All pictures are there, in order, without holes; and one begins with each part.
    fn check(&self) {
        let pictures: Vec<u64> = self.samples.iter().map(|s| s.picture).collect();
        assert_eq!(pictures, (0..self.pushed).collect::<Vec<_>>());
        let mut next = 0;
        for sample in &self.samples {
            assert_eq!(sample.time, next);
            assert!(sample.duration > 0);
            next += u64::from(sample.duration);
        }
        let slot = u64::from(self.cadence.ticks_per_slot());
        let starts: std::collections::HashSet<u64> = self.samples.iter().map(|s| s.time).collect();
        for bounds in self.segments.windows(2) {
            for part in (bounds[0]..bounds[1]).step_by(self.cadence.part as usize) {
                assert!(starts.contains(&(part * slot)), "the part at slot {part}");
            }
        }
    }
}

/// What shakes a source.
#[derive(Debug, Clone, Copy)]
struct Shaken {
    jitter: i64,
    /// Of its clock, in millionths.
    drift: i64,
    /// One picture in so many is left out by the camera; 0 for none.
    left_out: u32,
}

/// A minute of it, with a keyframe each two seconds, against the grid of its rate. The largest distance of a picture from its time.
fn minute(seed: u64, cadence: Cadence, shaken: Shaken) -> i64 {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut run = Run::new(cadence);
    let period = 1e6 / cadence.rate.per_second() * (1.0 + shaken.drift as f64 / 1e6);
    let (mut worst, mut last, mut has_left_out) = (0, 0, false);
    let pictures = (60.0 * cadence.rate.per_second()) as u32;
    for i in 1..pictures {
        let keyframe = i % (2 * cadence.second()) == 0;
        let may_leave_out = shaken.left_out > 0 && !keyframe && !has_left_out;
        has_left_out = may_leave_out && random.random_range(0..shaken.left_out) == 0;
        if has_left_out {
            continue;
        }
        let off = random.random_range(-shaken.jitter..=shaken.jitter);
        let time = ((f64::from(i) * period) as i64 + off).max(last + 1);
        last = time;
        let slot = run.push(time, keyframe).unwrap();
        let placed = run.cadence.time_of(slot).since(run.cadence.epoch);
        worst = worst.max((placed - time).abs());
    }
    run.finish().check();
    worst
}

fn seeds() -> Vec<u64> {
    let named = std::env::var("SPILLWAY_SEED").ok();
    match named.and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..SEEDS).map(|_| rand::random()).collect(),
    }
}

#[test]
fn whatever_shakes_a_source_its_pictures_are_all_there_and_parts_are_even() {
    for seed in seeds() {
        let mut random = SmallRng::seed_from_u64(seed);
        let rates = [(24, 1), (25, 1), (30_000, 1_001), (30, 1), (50, 1), (60, 1)];
        let (numerator, denominator) = rates[random.random_range(0..rates.len())];
        let cadence = cadence(numerator, denominator);
        let period = 1_000_000 * i64::from(denominator) / i64::from(numerator);
        let shaken = Shaken {
            jitter: random.random_range(0..=period * 9 / 20),
            drift: random.random_range(-2_000..=2_000),
            left_out: random.random_range(0..=20),
        };
        eprintln!("replay with SPILLWAY_SEED={seed}: {numerator}/{denominator}, {shaken:?}");
        let worst = minute(seed, cadence, shaken);
        let bound = 4 * period;
        assert!(worst <= bound, "a picture is {worst} µs from its time");
    }
}

#[test]
fn even_pictures_get_a_slot_each() {
    let cadence = cadence(30, 1);
    let mut run = Run::new(cadence);
    for i in 1..300 {
        let shaken = if i % 2 == 0 { 9_000 } else { -9_000 };
        let slot = run.push(i * 100_000 / 3 + shaken, i % 60 == 0).unwrap();
        assert_eq!(slot, i as u64);
    }
    let run = run.finish();
    run.check();
    let slot = cadence.ticks_per_slot();
    assert!(run.samples.iter().all(|s| s.duration == slot));
    assert_eq!(run.segments, [0, 60, 120, 180, 240, 300]);
}

#[test]
fn a_clock_that_drifts_is_followed() {
    for drift in [-10_000, -1_000, 1_000, 10_000] {
        let shaken = Shaken {
            jitter: 0,
            drift,
            left_out: 0,
        };
        let worst = minute(0, cadence(30, 1), shaken);
        assert!(worst < 40_000, "{drift}: {worst} µs");
    }
}

#[test]
fn a_slot_that_nothing_came_for_belongs_to_the_picture_before() {
    let mut run = Run::new(cadence(30, 1));
    run.push(33_333, false).unwrap();
    run.push(133_333, false).unwrap();
    run.push(166_666, false).unwrap();
    let slot = run.cadence.ticks_per_slot();
    let durations: Vec<u32> = run.samples.iter().map(|s| s.duration / slot).collect();
    assert_eq!(durations, [1, 3, 1]);
    run.finish().check();
}

#[test]
fn pictures_for_one_slot_share_it_and_too_many_are_refused() {
    let mut run = Run::new(cadence(30, 1));
    for i in 0..3 {
        assert_eq!(run.push(33_333 + i, false), Ok(1));
    }
    run.push(66_666, false).unwrap();
    let slot = run.cadence.ticks_per_slot();
    let shared: u32 = run.samples[1..].iter().map(|s| s.duration).sum();
    assert_eq!((run.samples.len(), shared), (4, slot));
    // A keyframe that comes at the same time has a slot of its own, since it begins a segment.
    assert_eq!(run.push(66_667, true), Ok(3));
    for i in 0..7 {
        assert_eq!(run.push(66_668 + i, false), Ok(3));
    }
    assert_eq!(run.push(66_680, false), Err(Irregular::Crowd));
    run.finish().check();
}

#[test]
fn a_late_picture_begins_with_the_part_and_a_later_one_is_refused() {
    let mut run = Run::new(cadence(30, 1));
    run.push(133_333, false).unwrap();
    // Slots 4 and 5 are the part's last; this one would be 9.
    assert_eq!(run.push(300_000, false), Ok(6));
    assert_eq!(run.push(333_333, false), Ok(10));
    let until = run.retimer.waits_until();
    assert_eq!(until, 19);
    assert_eq!(run.push(19 * 33_334, false), Err(Irregular::Gap));
    // Then the part ends with what there is.
    assert_eq!(run.retimer.end_before(None), 12);
    let time = |slots: i64| Some(run.cadence.epoch.plus(slots * 33_334));
    assert_eq!(run.retimer.end_before(time(20)), 12);
    assert_eq!(run.retimer.end_before(time(11)), 11);
    assert_eq!(run.retimer.end_before(time(2)), 11);
    run.finish().check();
}

#[test]
fn pictures_of_the_past_are_refused() {
    let mut run = Run::new(cadence(30, 1));
    for i in 1..60 {
        run.push(i * 100_000 / 3, false).unwrap();
    }
    assert_eq!(run.push(100_000, false), Err(Irregular::Back));
    assert_eq!(run.push(1_700_000, false), Ok(59), "late, by less");
    run.finish().check();
}
