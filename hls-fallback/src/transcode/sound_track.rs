//! The sound of a broadcast on its way into segments.

use std::collections::VecDeque;

use super::{
    Listener, Sink,
    cadence::Cadence,
    segments::Beginning,
    sound::{Sound, SoundError},
    sound_grid::SAMPLE_RATE,
};
use crate::media::{Frame, Moment, Sample};

/// A broadcast without sound is silent up to so long before its last picture, since sound may still come.
const SILENCE_BEHIND: i64 = -500_000;

/// Holds samples back until it is known whether a segment begins with them: until the pictures have come as far. These are waited
/// for a second and a half at most ([`super::grid`], [`super::retimer`]), and no sound is further ahead than the time line has it,
/// two seconds: so what is held is bounded.
pub(super) struct SoundTrack {
    cadence: Cadence,
    sound: Sound,
    sink: Box<dyn Sink>,
    held: VecDeque<Sample>,
    /// The slot that begins behind the beginning of the last sample that was handed on.
    ahead: u64,
}

impl SoundTrack {
    pub(super) fn new(
        cadence: Cadence,
        mut sink: Box<dyn Sink>,
        listener: Option<Box<dyn Listener>>,
    ) -> Result<Self, SoundError> {
        sink.start(Sound::config());
        Ok(Self {
            cadence,
            sound: Sound::new(cadence.epoch, listener)?,
            sink,
            held: VecDeque::new(),
            ahead: 0,
        })
    }

    /// A packet of `time` came `now`.
    pub(super) fn on_packet(&mut self, frame: &Frame, time: Moment, now: Moment) {
        self.sound
            .on_packet(&frame.data, time, now, frame.lost_before);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        self.sound.next_timeout()
    }

    /// Goes on with silence where no sound came in time, and encodes what there is.
    pub(super) fn handle_timeout(&mut self, now: Moment) -> Result<(), SoundError> {
        self.sound.handle_timeout(now);
        let held = &mut self.held;
        self.sound.drain(|sample| held.push_back(sample))
    }

    /// The pictures have come to `slot`: without any sound there is silence.
    pub(super) fn on_slot(&mut self, slot: u64) {
        let until = self.cadence.time_of(slot).plus(SILENCE_BEHIND);
        self.sound.fill_until(until);
    }

    /// Where a segment begins.
    pub(super) fn announce(&mut self, beginning: Beginning) {
        self.sink.begin_segment(beginning.number, beginning.slot);
    }

    /// The slots before this one have sound already that belongs to a segment.
    pub(super) fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Whether the next sample doesn't begin before `slot`.
    pub(super) fn has_come_to(&self, slot: u64) -> Option<bool> {
        let next = self.held.front()?;
        Some(next.time >= self.cadence.ticks_at(slot, SAMPLE_RATE))
    }

    /// Hands the samples on that begin before `slot`.
    pub(super) fn release(&mut self, slot: u64) {
        let until = self.cadence.ticks_at(slot, SAMPLE_RATE);
        while let Some(sample) = self.held.pop_front_if(|sample| sample.time < until) {
            self.hand_on(sample);
        }
    }

    /// Hands the next sample on.
    pub(super) fn release_next(&mut self) {
        if let Some(sample) = self.held.pop_front() {
            self.hand_on(sample);
        }
    }

    fn hand_on(&mut self, sample: Sample) {
        let micros = sample.time * 1_000_000 / u64::from(SAMPLE_RATE);
        self.ahead = self.cadence.slots(micros as i64 + 1);
        self.sink.push(sample);
    }

    pub(super) fn finish(mut self) {
        self.sink.finish();
    }
}
