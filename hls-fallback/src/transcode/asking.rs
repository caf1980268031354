//! When the publisher is asked for keyframes, so that the source can be passed through. Sans-IO.
//!
//! A keyframe costs the broadcast's other viewers quality, so publishers that send them by themselves aren't asked, nor those that
//! don't listen: OBS. Whether one sends them by itself shows only when it isn't asked in time. Where it answers so quickly that its
//! keyframe wouldn't come too late even then, that is tried.

use crate::media::Moment;

/// A keyframe is asked for so long before it is due, in microseconds: to a node and on to the publisher, encoded, and back.
const BEFORE: i64 = 350_000;
/// One that comes by itself may be late by that.
const LATE: i64 = 60_000;
/// One that was asked for comes within this time.
const ANSWER: i64 = 1_000_000;
/// Who answers as quickly may be asked when a keyframe is late.
const QUICK: i64 = 150_000;
/// That is tried so often at most, with so much time between.
const TRIES: u32 = 3;
const TRY_AGAIN: i64 = 60_000_000;
/// Publishers that answered none of so many requests ...
const PATIENCE: u32 = 3;
/// ... are asked after so long, again.
const DEAF: i64 = 60_000_000;

/// Whether to ask for the keyframe that ends a group of pictures which has lasted for `lasts`, where they are to be `interval` apart:
/// microseconds.
pub(super) fn is_due(lasts: i64, interval: i64) -> bool {
    lasts >= interval - BEFORE
}

#[derive(Debug)]
pub(super) struct Asking {
    /// Keyframes are to be so far apart at most: microseconds.
    interval: i64,
    keyframe: Moment,
    /// The last group of pictures ended by itself, soon enough.
    by_itself: bool,
    asked: Option<Moment>,
    unanswered: u32,
    /// It is being tried whether the next one comes by itself.
    tries: bool,
    /// How often that was tried, and when last.
    tried: (u32, Option<Moment>),
}

impl Asking {
    pub(super) fn new(interval: i64, now: Moment) -> Self {
        Self {
            interval,
            keyframe: now,
            by_itself: false,
            asked: None,
            unanswered: 0,
            tries: false,
            tried: (0, None),
        }
    }

    /// The pictures that it begins with are of a group that began then: nobody knows how the one before ended.
    pub(super) fn on_group(&mut self, began: Moment) {
        self.keyframe = began;
    }

    /// A keyframe came.
    pub(super) fn on_keyframe(&mut self, now: Moment) {
        let answer = self.asked.take_if(|asked| now.since(*asked) < ANSWER);
        if answer.is_some() {
            self.unanswered = 0;
        }
        let in_time = now.since(self.keyframe) <= self.interval + LATE;
        self.by_itself = answer.is_none() && in_time;
        self.keyframe = now;
        self.tries = answer.is_some_and(|asked| now.since(asked) <= QUICK) && self.may_try(now);
        if self.tries {
            self.tried = (self.tried.0 + 1, Some(now));
        }
    }

    fn may_try(&self, now: Moment) -> bool {
        let (times, last) = self.tried;
        times < TRIES && last.is_none_or(|last| now.since(last) >= TRY_AGAIN)
    }

    /// When [`Self::asks`] may have something to say.
    pub(super) fn next_timeout(&self) -> Moment {
        let early = if self.by_itself || self.tries {
            LATE
        } else {
            -BEFORE
        };
        let due = self.keyframe.plus(self.interval + early);
        let pause = if self.unanswered < PATIENCE {
            self.interval.max(ANSWER)
        } else {
            DEAF
        };
        let again = self.asked.map_or(due, |asked| asked.plus(pause));
        due.max(again)
    }

    /// Whether to ask now.
    pub(super) fn asks(&mut self, now: Moment) -> bool {
        let asks = now >= self.next_timeout();
        if asks {
            self.unanswered = self.unanswered.saturating_add(1);
            self.asked = Some(now);
        }
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// How often a publisher is asked in two minutes, which sends a keyframe each `period`, and answers after so long, if it does; and
    /// how far apart its keyframes are at most.
    fn run(period: i64, answers: Option<i64>) -> (u32, i64) {
        let mut asking = Asking::new(2 * SECOND, Moment(0));
        let (mut asked, mut last, mut widest) = (0, 0, 0);
        let mut due = None;
        for i in 0..12_000 {
            let now = i * 10_000;
            if now - last >= period || due.is_some_and(|due| now >= due) {
                due = None;
                widest = widest.max(now - last);
                last = now;
                asking.on_keyframe(Moment(now));
            }
            if asking.asks(Moment(now)) {
                asked += 1;
                due = answers.map(|after| now + after);
            }
        }
        (asked, widest)
    }

    #[test]
    fn those_that_send_keyframes_by_themselves_are_not_asked() {
        assert_eq!(run(SECOND, Some(150_000)).0, 0);
        // Once, since nobody knows it yet.
        assert_eq!(run(2 * SECOND, Some(150_000)).0, 1);
    }

    #[test]
    fn those_that_listen_are_asked_in_time() {
        for answers in [100_000, 150_000, 160_000, 300_000] {
            let (asked, widest) = run(1_000 * SECOND, Some(answers));
            assert!((55..70).contains(&asked), "{asked}");
            // Segments of 2.4 s are long enough for a late answer.
            let longest = if answers <= QUICK {
                2_220_000
            } else {
                2 * SECOND
            };
            assert!(widest <= longest, "{widest}");
        }
    }

    #[test]
    fn a_group_that_is_old_already_has_one_asked_for_at_once() {
        let now = Moment(100 * SECOND);
        let mut asking = Asking::new(2 * SECOND, now);
        asking.on_group(now.plus(-10 * SECOND));
        assert!(asking.asks(now));
        assert!(!asking.asks(now.plus(SECOND)));
        let mut asking = Asking::new(2 * SECOND, now);
        asking.on_group(now.plus(-SECOND));
        assert!(!asking.asks(now.plus(SECOND / 2)));
        assert!(asking.asks(now.plus(SECOND)));
    }

    #[test]
    fn those_that_do_not_listen_are_let_be() {
        let (asked, _) = run(10 * SECOND, None);
        assert!((3..8).contains(&asked), "{asked}");
    }
}
