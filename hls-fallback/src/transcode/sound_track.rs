//! The sound of a broadcast on its way into segments.

use std::collections::VecDeque;

use super::{
    Listener, Sink,
    cadence::Cadence,
    segments::Beginning,
    sound::{FRAME, Sound, SoundError},
    sound_encoder::SoundEncoder,
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
    /// The first one says when segments without pictures begin.
    renditions: Vec<Rendition>,
    /// Where segments begin, from the one on that the next sample is in.
    beginnings: VecDeque<Beginning>,
    /// The slot that begins behind the beginning of the last sample that was handed on.
    ahead: u64,
}

/// The sound as it is encoded in one way.
struct Rendition {
    encoder: Box<dyn SoundEncoder>,
    sink: Box<dyn Sink>,
    held: VecDeque<Sample>,
}

impl SoundTrack {
    pub(super) fn new(
        cadence: Cadence,
        outputs: Vec<(Box<dyn SoundEncoder>, Box<dyn Sink>)>,
        listener: Option<Box<dyn Listener>>,
    ) -> Result<Self, SoundError> {
        let begin = |(encoder, mut sink): (Box<dyn SoundEncoder>, Box<dyn Sink>)| {
            sink.start(encoder.config());
            Rendition {
                encoder,
                sink,
                held: VecDeque::new(),
            }
        };
        Ok(Self {
            cadence,
            sound: Sound::new(cadence.epoch, listener)?,
            renditions: outputs.into_iter().map(begin).collect(),
            beginnings: VecDeque::new(),
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

    /// Goes on with silence where no sound came in time, and encodes what there is, as soon as that is a part: with
    /// warm caches it takes less than frame by frame.
    pub(super) fn handle_timeout(&mut self, now: Moment) -> Result<(), SoundError> {
        self.sound.handle_timeout(now);
        let span = self.sound.span();
        // The encoder is a frame behind.
        let needed = (self.part_after(span.start).div_ceil(FRAME) + 1) * FRAME;
        if span.end < needed {
            return Ok(());
        }
        self.encode()
    }

    /// Where the part ends that a sample is in.
    fn part_after(&mut self, sample: u64) -> u64 {
        let ticks = |slot| self.cadence.ticks_at(slot, SAMPLE_RATE);
        while self
            .beginnings
            .get(1)
            .is_some_and(|next| ticks(next.slot) <= sample)
        {
            self.beginnings.pop_front();
        }
        let mut end = self.beginnings.front().map_or(0, |begun| begun.slot);
        while ticks(end) <= sample {
            end += u64::from(self.cadence.part);
        }
        let next = self.beginnings.get(1).map(|next| next.slot);
        ticks(next.map_or(end, |next| end.min(next)))
    }

    /// Encodes what there is.
    pub(super) fn encode(&mut self) -> Result<(), SoundError> {
        let renditions = &mut self.renditions;
        self.sound.drain(|first, samples| {
            for Rendition { encoder, held, .. } in renditions.iter_mut() {
                encoder.encode(first, samples, &mut |sample| held.push_back(sample))?;
            }
            Ok(())
        })
    }

    /// The pictures have come to `slot`: without any sound there is silence.
    pub(super) fn on_slot(&mut self, slot: u64) {
        let until = self.cadence.time_of(slot).plus(SILENCE_BEHIND);
        self.sound.fill_until(until);
    }

    /// Where a segment begins.
    pub(super) fn announce(&mut self, beginning: Beginning) {
        self.beginnings
            .retain(|known| known.number < beginning.number);
        self.beginnings.push_back(beginning);
        for rendition in &mut self.renditions {
            rendition
                .sink
                .begin_segment(beginning.number, beginning.slot);
        }
    }

    /// The slots before this one have sound already that belongs to a segment.
    pub(super) fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Whether the next sample doesn't begin before `slot`.
    pub(super) fn has_come_to(&self, slot: u64) -> Option<bool> {
        let next = self.renditions.first()?.held.front()?;
        Some(next.time >= self.cadence.ticks_at(slot, SAMPLE_RATE))
    }

    /// Hands the samples on that begin before `slot`.
    pub(super) fn release(&mut self, slot: u64) {
        self.hand_on_before(self.cadence.ticks_at(slot, SAMPLE_RATE));
    }

    /// Hands the next sample on.
    pub(super) fn release_next(&mut self) {
        let first = self.renditions.first();
        if let Some(next) = first.and_then(|rendition| rendition.held.front()) {
            self.hand_on_before(next.time + 1);
        }
    }

    fn hand_on_before(&mut self, until: u64) {
        for Rendition { sink, held, .. } in &mut self.renditions {
            while let Some(sample) = held.pop_front_if(|sample| sample.time < until) {
                let micros = sample.time * 1_000_000 / u64::from(SAMPLE_RATE);
                self.ahead = self.ahead.max(self.cadence.slots(micros as i64 + 1));
                sink.push(sample);
            }
        }
    }

    pub(super) fn finish(self) {
        for mut rendition in self.renditions {
            rendition.sink.finish();
        }
    }
}
