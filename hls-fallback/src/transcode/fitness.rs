//! Whether the source can be passed through as it is. Sans-IO.
//!
//! A change costs players a discontinuity, so the source has to have been fit for a while before it is passed through again: for
//! longer each time that it didn't last.

use std::fmt;

use super::{cadence::Cadence, inspector::Look, retimer::Irregular};
use crate::media::{Moment, VideoCodec};

/// Groups of pictures that have to be fit, one behind the other, ...
const GROUPS: u32 = 3;
/// ... for at least so long, in microseconds. Twice as long each time that passing through didn't last ...
const HOLDS: i64 = 4_000_000;
/// ... for that long, ...
const LASTED: i64 = 60_000_000;
/// ... and at most so long.
const HOLDS_MOST: i64 = 300_000_000;

/// Why the source isn't passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing of it came yet.
    Nothing,
    /// It isn't to be.
    Off,
    /// Players don't decode that.
    Codec(VideoCodec),
    /// They don't decode it in this form.
    Format,
    /// It has several spatial layers.
    Layered,
    /// Players that watch weren't told that they would need its decoder.
    Untold,
    /// libav can't decode it, so neither can anybody.
    Broken,
    /// Its pictures aren't shown in the order in which they come.
    Reordered,
    /// Keyframes come too seldom, or never.
    NoKeyframe,
    /// Its size, or another of its parameters, changed.
    Changed,
    /// Pictures were lost.
    Lost,
    /// Pictures come too unevenly.
    Uneven(Irregular),
    /// It was one of these a short while ago.
    Lately,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing of it came yet"),
            Self::Off => f.write_str("it is to be encoded"),
            Self::Codec(codec) => write!(f, "it is {codec}"),
            Self::Format => f.write_str(
                "it isn't 4:2:0 with 8 bits, or with 10 in another codec than H.264, or it is HDR or malformed",
            ),
            Self::Layered => f.write_str("it has several spatial layers (SVC)"),
            Self::Untold => f.write_str(
                "players that watch weren't told of its codec when the broadcast began: it is passed through in the next one",
            ),
            Self::Broken => f.write_str("it can't be decoded"),
            Self::Reordered => f.write_str("it has B pictures"),
            Self::NoKeyframe => f.write_str("its keyframes are too far apart"),
            Self::Changed => f.write_str("its size or encoding changed"),
            Self::Lost => f.write_str("pictures of it were lost"),
            Self::Uneven(Irregular::Gap) => f.write_str("its pictures pause"),
            Self::Uneven(Irregular::Crowd) => f.write_str("too many of its pictures come at once"),
            Self::Uneven(Irregular::Back) => f.write_str("its clock went back"),
            Self::Lately => f.write_str("it hasn't been fit for long enough"),
        }
    }
}

/// Watches the pictures of the source.
#[derive(Debug)]
pub(super) struct Fitness {
    /// A group of pictures lasts so long at most, and two pictures are so far apart: microseconds.
    longest: i64,
    widest: i64,
    last: Option<Moment>,
    keyframe: Option<Moment>,
    /// How long groups of pictures lasted that the last ones were.
    groups: [i64; 8],
    /// Groups that were fit, one behind the other, and since when.
    fit: u32,
    since: Option<Moment>,
    reason: Reason,
    /// How long it has to have been fit.
    holds: i64,
    passed_since: Option<Moment>,
    /// The last picture could be passed through, for itself.
    is_passable: bool,
}

impl Fitness {
    pub(super) fn new(cadence: &Cadence) -> Self {
        let micros = |slots: u32| cadence.ticks_at(u64::from(slots), 1_000_000) as i64;
        Self {
            longest: micros(cadence.longest),
            widest: micros(cadence.part),
            last: None,
            keyframe: None,
            groups: [0; 8],
            fit: 0,
            since: None,
            reason: Reason::Nothing,
            holds: HOLDS,
            passed_since: None,
            is_passable: false,
        }
    }

    /// A picture came.
    pub(super) fn on_picture(
        &mut self,
        look: &Look,
        keyframe: bool,
        lost_before: bool,
        time: Moment,
    ) {
        let apart = self.last.replace(time).map(|last| time.since(last));
        let group = self.keyframe.map(|began| time.since(began));
        self.is_passable = look.track.is_ok();
        if let Err(reason) = look.track {
            self.not(reason);
        } else if lost_before {
            self.not(Reason::Lost);
        } else if apart.is_some_and(|apart| apart > self.widest) {
            self.not(Reason::Uneven(Irregular::Gap));
        } else if look.is_new && self.keyframe.is_some() {
            self.not(Reason::Changed);
        } else if group.is_some_and(|group| group > self.longest) {
            self.not(Reason::NoKeyframe);
        } else if keyframe && self.keyframe.is_some() {
            self.fit = self.fit.saturating_add(1);
        }
        if keyframe {
            if let Some(group) = group {
                self.groups.rotate_right(1);
                self.groups[0] = group;
            }
            self.keyframe = Some(time);
            self.since.get_or_insert(time);
        }
    }

    fn not(&mut self, reason: Reason) {
        self.reason = reason;
        (self.fit, self.since) = (0, None);
    }

    /// Whether it could be passed through, if only its keyframes were close enough: more of them would help.
    pub(super) fn is_passable(&self) -> bool {
        self.is_passable
    }

    /// The longest of the last groups of pictures: microseconds.
    pub(super) fn longest_group(&self) -> i64 {
        self.groups.into_iter().max().unwrap_or(0)
    }

    /// Whether the source, of which a keyframe just came, may be passed through from here on; why not.
    pub(super) fn check(&self, time: Moment) -> Result<(), Reason> {
        if self.fit == 0 {
            return Err(self.reason);
        }
        let fit_for = self.since.map_or(0, |since| time.since(since));
        if self.fit < GROUPS || fit_for < self.holds {
            return Err(Reason::Lately);
        }
        Ok(())
    }

    /// It is passed through now.
    pub(super) fn on_passed(&mut self, now: Moment) {
        self.passed_since = Some(now);
    }

    /// It isn't any more.
    pub(super) fn on_taken_over(&mut self, reason: Reason, now: Moment) {
        let lasted = self.passed_since.take().map_or(0, |since| now.since(since));
        self.holds = if lasted < LASTED {
            (self.holds * 2).min(HOLDS_MOST)
        } else {
            HOLDS
        };
        self.not(reason);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::{media::Rate, transcode::inspector::Track};

    const SECOND: i64 = 1_000_000;

    struct Run {
        fitness: Fitness,
        time: i64,
    }

    impl Run {
        fn new() -> Self {
            let rate = Rate {
                numerator: 30,
                denominator: 1,
            };
            let (part, segment) = (Duration::from_millis(200), Duration::from_secs(2));
            let cadence = Cadence::new((Moment(0), 0), rate, part, segment);
            Self {
                fitness: Fitness::new(&cadence),
                time: 0,
            }
        }

        /// Groups of so many pictures; what is said of the keyframe after them.
        fn groups(&mut self, count: u32, pictures: u32) -> Result<(), Reason> {
            for _ in 0..count {
                for picture in 0..pictures {
                    self.picture(picture == 0, false, 33_333);
                }
            }
            self.fitness.check(Moment(self.time))
        }

        fn picture(&mut self, keyframe: bool, lost_before: bool, after: i64) {
            self.time += after;
            let look = Look {
                data: Bytes::new(),
                track: Ok(Track::example()),
                is_new: false,
            };
            self.fitness
                .on_picture(&look, keyframe, lost_before, Moment(self.time));
        }
    }

    #[test]
    fn a_source_is_fit_after_a_while_of_close_keyframes() {
        let mut run = Run::new();
        assert_eq!(run.groups(1, 60), Err(Reason::Nothing));
        assert_eq!(run.groups(2, 60), Err(Reason::Lately));
        assert_eq!(run.groups(1, 60), Ok(()));
        assert_eq!(run.fitness.longest_group() / 10_000, 199);
    }

    #[test]
    fn losses_pauses_and_far_keyframes_make_it_unfit() {
        let mut run = Run::new();
        assert_eq!(run.groups(6, 60), Ok(()));
        run.picture(true, true, 33_333);
        assert_eq!(run.fitness.check(Moment(run.time)), Err(Reason::Lost));
        assert_eq!(run.groups(6, 60), Ok(()));
        run.picture(false, false, SECOND / 2);
        let paused = Err(Reason::Uneven(Irregular::Gap));
        assert_eq!(run.fitness.check(Moment(run.time)), paused);
        assert_eq!(run.groups(6, 60), Ok(()));
        assert_eq!(run.groups(2, 250), Err(Reason::NoKeyframe));
        assert_eq!(run.groups(6, 60), Ok(()));
    }

    #[test]
    fn it_has_to_be_fit_for_longer_when_it_did_not_last() {
        let mut run = Run::new();
        for seconds in [4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let began = run.time;
            while run.groups(1, 30).is_err() {}
            let waited = (run.time - began) / SECOND;
            assert!((seconds - 2..seconds + 3).contains(&waited), "{waited}");
            let now = Moment(run.time);
            run.fitness.on_passed(now);
            run.fitness
                .on_taken_over(Reason::Changed, now.plus(5 * SECOND));
        }
        while run.groups(1, 30).is_err() {}
        let now = Moment(run.time);
        run.fitness.on_passed(now);
        run.fitness
            .on_taken_over(Reason::Changed, now.plus(100 * SECOND));
        assert_eq!(run.groups(6, 30), Ok(()));
    }
}
