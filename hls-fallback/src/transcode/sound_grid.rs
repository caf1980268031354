//! Sound at even distances: packets that come when they like become one row of samples without gaps.

use std::{collections::VecDeque, ops::Range};

use super::lateness::Lateness;
use crate::media::Moment;

/// Samples a second of each channel.
pub const SAMPLE_RATE: u32 = 48_000;
/// Left and right take turns.
pub(super) const CHANNELS: usize = 2;

/// Sound may be off its place by so many samples before anything is done about it: a millisecond.
const TOLERATED: i64 = 48;
/// Up to so far it is brought back by stretching, which isn't heard; from there on by a gap or a cut: 40 ms, beyond which
/// lips are seen to be off.
const STRETCHED: i64 = 1_920;
/// One sample in so many is what stretching adds or leaves out at most: half a percent.
const STRETCH: i64 = 200;
/// Silence is filled in by pieces of 10 ms.
const PIECE: i64 = 480;
/// Silence that is filled in at once at most: a minute's.
const LONGEST_FILL: i64 = 60 * SAMPLE_RATE as i64;

/// Puts decoded sound in its place. Sans-IO.
#[derive(Debug)]
pub(super) struct SoundGrid {
    epoch: Moment,
    /// Where the next sample goes, counted from the epoch.
    next: i64,
    /// What wasn't taken yet: the last samples before `next`, of both channels.
    waiting: VecDeque<f32>,
    lateness: Lateness,
}

impl SoundGrid {
    /// Sample 0 is at `epoch`.
    pub(super) fn new(epoch: Moment) -> Self {
        Self {
            epoch,
            next: 0,
            waiting: VecDeque::new(),
            lateness: Lateness::default(),
        }
    }

    /// Samples of one channel that are missing before sound of `time`; negative, if there is sound in its place already.
    pub(super) fn missing_before(&self, time: Moment) -> i64 {
        let micros = i128::from(time.since(self.epoch));
        (micros * i128::from(SAMPLE_RATE) / 1_000_000) as i64 - self.next
    }

    /// Puts in what a decoder makes up for lost sound.
    pub(super) fn conceal(&mut self, samples: &[f32]) {
        self.append(samples);
    }

    /// Sound of `time` came `now`.
    pub(super) fn on_sound(&mut self, samples: &[f32], time: Moment, now: Moment) {
        self.lateness.on_frame(time, now);
        let count = (samples.len() / CHANNELS) as i64;
        let off = self.missing_before(time);
        if off.abs() <= TOLERATED {
            self.append(samples);
        } else if off.abs() < STRETCHED && self.next > 0 {
            let most = count / STRETCH;
            let stretched = stretch(samples, count + off.clamp(-most, most));
            self.append(&stretched);
        } else if off > 0 {
            self.silence(off.min(LONGEST_FILL));
            self.append(samples);
        } else {
            let cut = (-off).min(count) as usize * CHANNELS;
            self.append(&samples[cut..]);
        }
    }

    /// When [`Self::handle_timeout`] has something to do. None before the first sound came.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        let after = i128::from(self.next) * 1_000_000 / i128::from(SAMPLE_RATE);
        self.lateness.deadline(self.epoch.plus(after as i64))
    }

    /// Fills in silence where no sound came in time.
    pub(super) fn handle_timeout(&mut self, now: Moment) {
        while self.next_timeout().is_some_and(|due| due <= now) {
            self.silence(PIECE);
        }
    }

    /// Fills in silence up to `until`, where there is no sound to wait for at all.
    pub(super) fn fill_until(&mut self, until: Moment) {
        let missing = self.missing_before(until);
        if missing >= PIECE {
            self.silence(missing.min(LONGEST_FILL));
        }
    }

    /// Whether any sound ever came.
    pub(super) fn has_begun(&self) -> bool {
        self.next_timeout().is_some()
    }

    /// From the first sample that wasn't taken to where the next one goes.
    pub(super) fn span(&self) -> Range<u64> {
        let first = self.next - (self.waiting.len() / CHANNELS) as i64;
        first as u64..self.next as u64
    }

    /// Takes `count` samples of each channel, once there are as many; and where they begin.
    pub(super) fn take(&mut self, count: usize) -> Option<(u64, Vec<f32>)> {
        if self.waiting.len() < count * CHANNELS {
            return None;
        }
        let first = self.span().start;
        let samples = self.waiting.drain(..count * CHANNELS).collect();
        Some((first, samples))
    }

    fn silence(&mut self, count: i64) {
        let samples = count.max(0) as usize * CHANNELS;
        self.waiting.resize(self.waiting.len() + samples, 0.0);
        self.next += count.max(0);
    }

    fn append(&mut self, samples: &[f32]) {
        self.waiting.extend(samples);
        self.next += (samples.len() / CHANNELS) as i64;
    }
}

/// The same sound in `count` samples of each channel: straight lines between those that there are.
fn stretch(samples: &[f32], count: i64) -> Vec<f32> {
    let frames = samples.len() / CHANNELS;
    let count = count.max(0) as usize;
    let mut stretched = Vec::with_capacity(count * CHANNELS);
    for i in 0..count {
        let place = i as f64 * (frames.saturating_sub(1)) as f64 / (count.max(2) - 1) as f64;
        let (before, share) = (place as usize, place.fract() as f32);
        let after = (before + 1).min(frames - 1);
        for channel in 0..CHANNELS {
            let (a, b) = (
                samples[before * CHANNELS + channel],
                samples[after * CHANNELS + channel],
            );
            stretched.push(a + (b - a) * share);
        }
    }
    stretched
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const PACKET: usize = 960;

    fn packet(value: f32) -> Vec<f32> {
        vec![value; PACKET * CHANNELS]
    }

    fn moment(packets: i64) -> Moment {
        Moment(packets * 20_000)
    }

    fn all(grid: &mut SoundGrid) -> Vec<f32> {
        let count = grid.waiting.len() / CHANNELS;
        let left = grid.take(count).unwrap().1;
        left.into_iter().step_by(CHANNELS).collect()
    }

    #[test]
    fn sound_in_time_is_left_as_it_is() {
        let mut grid = SoundGrid::new(Moment(0));
        for i in 0..10 {
            let shaken = moment(i).plus(if i % 2 == 0 { 700 } else { -700 });
            grid.on_sound(&packet(i as f32), shaken, moment(i));
        }
        let expected: Vec<f32> = (0..10).flat_map(|i| vec![i as f32; PACKET]).collect();
        assert_eq!(all(&mut grid), expected);
    }

    #[test]
    fn what_is_missing_is_silence_and_what_comes_twice_is_left_out() {
        let mut grid = SoundGrid::new(Moment(0));
        grid.on_sound(&packet(1.0), moment(0), moment(0));
        grid.on_sound(&packet(2.0), moment(4), moment(4));
        grid.on_sound(&packet(3.0), moment(4), moment(4));
        grid.on_sound(&packet(4.0), moment(2), moment(4));
        grid.on_sound(&packet(5.0), moment(5), moment(5));
        let values = [1.0, 0.0, 0.0, 0.0, 2.0];
        let mut expected: Vec<f32> = values.iter().flat_map(|v| vec![*v; PACKET]).collect();
        let sound = all(&mut grid);
        // A packet too much is no more than 20 ms off: it is brought back by stretching.
        assert_eq!(sound[..expected.len()], expected);
        expected.extend(vec![3.0; PACKET - 4]);
        assert_eq!(sound[..expected.len()], expected);
    }

    #[test]
    fn a_clock_that_runs_fast_is_followed_without_gaps() {
        let mut grid = SoundGrid::new(Moment(0));
        // Half a millisecond in each 20, as no crystal is.
        let mut worst = 0;
        for i in 0..3_000 {
            let time = Moment(i * 20_040);
            grid.on_sound(&packet(1.0), time, time);
            worst = worst.max(grid.missing_before(Moment((i + 1) * 20_040)).abs());
        }
        assert!(worst < 100, "{worst}");
        assert!(
            all(&mut grid).into_iter().all(|s| (s - 1.0).abs() < 1e-6),
            "no silence"
        );
    }

    #[test]
    fn silence_goes_on_without_sound() {
        let mut grid = SoundGrid::new(Moment(0));
        grid.on_sound(&packet(1.0), moment(0), moment(0));
        grid.handle_timeout(Moment(40_000));
        assert_eq!(grid.next, PACKET as i64, "it may still come");
        grid.handle_timeout(Moment(1_000_000));
        assert!((42_000..=48_000).contains(&grid.next), "{}", grid.next);
        grid.on_sound(&packet(2.0), moment(30), Moment(1_000_000));
        assert!(
            all(&mut grid)[PACKET..].iter().all(|s| *s == 0.0),
            "its place is taken"
        );
    }

    #[test]
    fn sound_from_before_the_epoch_is_left_out() {
        let mut grid = SoundGrid::new(moment(2));
        for i in 0..4 {
            grid.on_sound(&packet(i as f32 + 1.0), moment(i), moment(i));
        }
        let sound = all(&mut grid);
        assert_eq!(sound.len(), 2 * PACKET);
        assert_eq!((sound[0], sound[PACKET]), (3.0, 4.0));
    }

    #[test]
    fn samples_are_taken_by_the_number_they_have() {
        let mut grid = SoundGrid::new(Moment(0));
        grid.on_sound(&packet(1.0), moment(0), moment(0));
        assert_eq!(grid.take(1_024), None);
        grid.on_sound(&packet(2.0), moment(1), moment(1));
        let (first, samples) = grid.take(1_024).unwrap();
        assert_eq!((first, samples.len()), (0, 2_048));
        assert_eq!(grid.take(512).unwrap().0, 1_024);
    }
}
