//! The source as the best rendition: its pictures, put in their places as they came.
//!
//! When it can't be that any more, the encoder takes over at the end of what is in hand, with the last picture; when it can again,
//! the encoder hands over at a keyframe. Either begins a segment, with a discontinuity.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Cadence,
    fitness::Reason,
    grid::Grid,
    inspector::Track,
    lateness::Lateness,
    retimer::{Irregular, Retimer, Timed},
    running::{Coming, Mode, Running},
    segments::{Beginning, Segments},
};
use crate::media::{Frame, Moment, Sample};

/// Pictures are waited for so much longer than usual, in microseconds, since to take over costs more than to be late.
const PATIENCE: i64 = 100_000;

/// A picture that is handed on.
pub(super) struct Coded {
    data: Bytes,
    keyframe: bool,
}

impl From<&Coming<'_>> for Coded {
    fn from(coming: &Coming<'_>) -> Self {
        Self {
            data: coming.look.data.clone(),
            keyframe: coming.keyframe,
        }
    }
}

impl From<Timed<Coded>> for Sample {
    fn from(timed: Timed<Coded>) -> Self {
        Self {
            data: timed.picture.data,
            time: timed.time,
            duration: timed.duration,
            keyframe: timed.picture.keyframe,
        }
    }
}

/// What it takes while the source is passed through.
pub(super) struct Passing {
    cadence: Cadence,
    retimer: Retimer<Coded>,
    /// How the source is encoded.
    track: Arc<Track>,
    lateness: Lateness,
}

impl Passing {
    /// The slot of a picture, or why it can't be passed through.
    pub(super) fn accept(&self, coming: &Coming<'_>, segments: &Segments) -> Result<u64, Reason> {
        let track = coming.look.track.as_ref().map_err(|reason| *reason)?;
        if !Arc::ptr_eq(track, &self.track) {
            return Err(Reason::Changed);
        }
        // A keyframe doesn't refer to what was lost.
        if coming.frame.lost_before && !coming.keyframe {
            return Err(Reason::Lost);
        }
        let slot = self
            .retimer
            .slot_for(coming.time, coming.keyframe)
            .map_err(Reason::Uneven)?;
        let left = u64::from(self.cadence.longest).checked_sub(segments.lasted(slot));
        match left {
            None => Err(Reason::NoKeyframe),
            Some(0) if !coming.keyframe => Err(Reason::NoKeyframe),
            Some(_) => Ok(slot),
        }
    }

    /// A picture of `time` came `now`.
    pub(super) fn on_live(&mut self, time: Moment, now: Moment) {
        self.lateness.on_frame(time, now);
    }

    /// Until when the next picture is waited for.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        let until = self.cadence.time_of(self.retimer.waits_until());
        Some(self.lateness.deadline(until)?.plus(PATIENCE))
    }

    /// The slots before this one are given away.
    pub(super) fn frontier(&self) -> u64 {
        self.retimer.frontier()
    }

    /// Hands on what is in hand, when no more comes.
    pub(super) fn finish_at_part(self, mut emit: impl FnMut(Sample)) {
        let end = self.retimer.end_before(None);
        self.retimer.finish(end, |timed| emit(timed.into()));
    }
}

impl Running {
    /// Whether the source may be passed through from a keyframe of `time` on. Why not is said once.
    pub(super) fn may_pass(&mut self, time: Moment) -> bool {
        match self.fitness.check(time) {
            Ok(()) => true,
            Err(Reason::Lately | Reason::Nothing) => false,
            Err(reason) => {
                if self.said.replace(reason) != Some(reason) {
                    tracing::info!(%reason, "the source is encoded");
                }
                false
            }
        }
    }

    /// The broadcast begins with the source, whose first picture is a keyframe and gets slot 0.
    pub(super) fn begin_passing(&mut self, group: &[Frame], now: Moment) {
        for (i, frame) in group.iter().enumerate() {
            let time = self.timeline.shifted(frame.time);
            let Some(coming) = self.look(frame, time) else {
                continue;
            };
            match &coming.look.track {
                Ok(track) if i == 0 => {
                    self.pass_from(0, &coming, track.clone(), Lateness::of_a_beginning(), now);
                }
                _ => {
                    self.on_coming(&coming, now);
                }
            }
        }
        // Those before came from the cache.
        if let (Mode::Passing(passing), Some(last)) = (&mut self.mode, group.last()) {
            passing.on_live(self.timeline.shifted(last.time), now);
        }
    }

    /// The encoder hands over to the source, of which a keyframe comes. False if that can't be now.
    pub(super) fn hand_over(&mut self, coming: &Coming<'_>, now: Moment) -> bool {
        let (Mode::Encoding(grid), Ok(track)) = (&mut self.mode, &coming.look.track) else {
            return false;
        };
        let lateness = grid.lateness().clone();
        let mut ready = Vec::new();
        let slot = grid.end_before(coming.time, |slot| ready.push(slot));
        self.show(ready);
        let Some(slot) =
            slot.filter(|slot| self.segments.may_begin(*slot) && self.sound.ahead() <= *slot)
        else {
            return false;
        };
        self.break_at(slot);
        self.pass_from(slot, coming, track.clone(), lateness, now);
        true
    }

    /// What comes from a slot on doesn't continue what was before it. All that was is to be handed on after that, so that its
    /// segment ends with it.
    fn break_at(&mut self, slot: u64) {
        let number = self.segments.next_number();
        self.presenter.discontinuity(number);
        self.announce(Beginning { number, slot });
    }

    fn pass_from(
        &mut self,
        slot: u64,
        coming: &Coming<'_>,
        track: Arc<Track>,
        lateness: Lateness,
        now: Moment,
    ) {
        let begun = self.segments.begin(slot, false);
        if self.layout.is_none() {
            self.begin_layout(track.size, begun);
        }
        self.renditions.pass_best(begun, track.config.clone());
        self.renditions.on_segment(begun, false);
        self.fitness.on_passed(now);
        self.said = None;
        tracing::info!(
            codec = %track.needs,
            size = %track.size,
            "the source is passed through"
        );
        self.mode = Mode::Passing(Passing {
            cadence: self.cadence,
            retimer: Retimer::new(self.cadence, slot, coming.into()),
            track,
            lateness,
        });
        self.history.clear();
        self.history.begin_segment(begun);
        self.history.push(slot, coming.frame.clone());
        self.show_below(slot, coming);
    }

    /// Passes a picture through. False if a keyframe is needed.
    pub(super) fn pass(&mut self, slot: u64, coming: &Coming<'_>) -> bool {
        let next = self.cadence.slots(self.fitness.longest_group());
        let begins = coming.keyframe && self.segments.begins_with_keyframe(slot, next);
        if begins {
            let number = self.segments.next_number();
            let beginning = Beginning { number, slot };
            self.announce(beginning);
            self.history.begin_segment(beginning);
        }
        self.history.push(slot, coming.frame.clone());
        let Mode::Passing(passing) = &mut self.mode else {
            return true;
        };
        let renditions = &mut self.renditions;
        passing
            .retimer
            .take(coming.into(), slot, |timed| renditions.sample(timed.into()));
        if begins {
            passing.retimer.begin_segment();
            let begun = self.segments.begin(slot, false);
            self.renditions.on_segment(begun, false);
        }
        self.sound.on_slot(slot);
        self.show_below(slot, coming)
    }

    /// Has a picture decoded for the renditions below, if there are any.
    fn show_below(&mut self, slot: u64, coming: &Coming<'_>) -> bool {
        if coming.keyframe {
            self.renditions.follow();
        }
        self.renditions.push_coded(slot, coming.frame);
        if !self.renditions.takes_pictures() {
            self.decoding.stop();
            return true;
        }
        let renditions = &mut self.renditions;
        self.decoding
            .decode(coming.frame, coming.time, |picture, _| {
                renditions.push(slot, &picture);
            })
    }

    /// No picture came for too long.
    pub(super) fn pause(&mut self, now: Moment) {
        self.take_over(Reason::Uneven(Irregular::Gap), None, now);
    }

    /// The encoder takes over from the source: before a picture of `time`, or at the end of the part.
    pub(super) fn take_over(&mut self, reason: Reason, time: Option<Moment>, now: Moment) {
        let Mode::Passing(passing) = &self.mode else {
            return;
        };
        tracing::info!(%reason, "the source is encoded");
        self.said = Some(reason);
        let end = passing.retimer.end_before(time);
        let lateness = passing.lateness.clone();
        self.fitness.on_taken_over(reason, now);
        self.break_at(end);
        if !self.decoding.is_on() {
            for frame in self.history.group() {
                self.decoding.decode(frame, frame.time, |_, _| {});
            }
        }
        self.history.clear();
        let clock = (self.cadence.epoch, self.cadence.rate);
        let shown = self.decoding.latest().cloned();
        let grid = Mode::Encoding(Grid::from_slot(clock, end, shown, lateness));
        if let Mode::Passing(passing) = std::mem::replace(&mut self.mode, grid) {
            let renditions = &mut self.renditions;
            passing
                .retimer
                .finish(end, |timed| renditions.sample(timed.into()));
        }
        self.renditions.follow();
        let begun = self.begin_encoded(end, None);
        self.renditions.encode_best(begun);
    }

    /// The broadcast begins with encoded pictures: the last of these.
    pub(super) fn begin_encoding(&mut self, group: &[Frame], now: Moment) {
        let mut last = None;
        for frame in group {
            let time = self.timeline.shifted(frame.time);
            self.look(frame, time);
            self.decoding.decode(frame, time, |picture, time| {
                last = Some((picture, time));
            });
        }
        let mut ready = Vec::new();
        if let (Mode::Encoding(grid), Some((picture, time))) = (&mut self.mode, last) {
            grid.on_picture(picture, time, now, |slot| ready.push(slot));
        }
        self.show(ready);
    }
}
