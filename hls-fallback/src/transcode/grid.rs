//! The grid: pictures that come when they like, put at even distances.
//!
//! A player of LL-HLS wants every frame to last as long as the others. So each picture is given a slot; a slot that no picture
//! came for in time shows the one before it once more, and of two pictures for one slot the first is left out of the samples.

use super::lateness::Lateness;
use crate::media::{Moment, Rate};

/// A picture stays in the slot after the last one's while it is closer to it than this share of a slot: jitter around the middle
/// between two slots would otherwise leave one out and repeat another all the time.
const STICKS: f64 = 0.8;
/// Slots that are filled at once at most, when pictures leap ahead: a minute's at 60 a second.
const LONGEST_FILL: i64 = 3_600;
/// And before a picture that somebody else shows: half a second's at 60.
const LONGEST_LEAP: i64 = 30;

/// A slot to encode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot<P> {
    /// Counted from the epoch.
    pub(super) number: u64,
    pub(super) picture: P,
}

/// Puts pictures into slots. Sans-IO.
#[derive(Debug)]
pub(super) struct Grid<P> {
    epoch: Moment,
    rate: Rate,
    /// The last slot that was given out.
    last: Option<i64>,
    current: Option<P>,
    lateness: Lateness,
}

impl<P: Clone> Grid<P> {
    /// Slot 0 is at `epoch`.
    pub(super) fn new(epoch: Moment, rate: Rate) -> Self {
        Self {
            epoch,
            rate,
            last: None,
            current: None,
            lateness: Lateness::default(),
        }
    }

    /// One that goes on with slot `first`, showing a picture until the next one comes.
    pub(super) fn from_slot(
        (epoch, rate): (Moment, Rate),
        first: u64,
        shown: Option<P>,
        lateness: Lateness,
    ) -> Self {
        Self {
            epoch,
            rate,
            last: Some(first as i64 - 1),
            current: shown,
            lateness,
        }
    }

    /// Whether there is anything to show.
    pub(super) fn shows(&self) -> bool {
        self.current.is_some()
    }

    /// Where the slots end that were given out.
    pub(super) fn frontier(&self) -> u64 {
        self.last.map_or(0, |last| (last + 1) as u64)
    }

    pub(super) fn lateness(&self) -> &Lateness {
        &self.lateness
    }

    /// The slot of a picture of `time` that is shown by somebody else, as all after it are; gives out those before it. None if
    /// that leaps ahead.
    pub(super) fn end_before(
        &mut self,
        time: Moment,
        mut emit: impl FnMut(Slot<P>),
    ) -> Option<u64> {
        let next = self.last.map_or(0, |last| last + 1);
        let slot = (self.exact(time).round() as i64).max(next);
        if slot - next > LONGEST_LEAP {
            return None;
        }
        self.fill(slot - 1, &mut emit);
        Some(slot as u64)
    }

    fn exact(&self, time: Moment) -> f64 {
        time.since(self.epoch) as f64 * self.rate.per_second() / 1e6
    }

    /// When slot `number` is.
    fn time_of(&self, number: i64) -> Moment {
        let period = i128::from(self.rate.denominator) * 1_000_000;
        let micros = i128::from(number) * period / i128::from(self.rate.numerator);
        self.epoch.plus(micros as i64)
    }

    /// A picture of `time` came `now`: gives out its slot, and those before it that nothing came for.
    pub(super) fn on_picture(
        &mut self,
        picture: P,
        time: Moment,
        now: Moment,
        mut emit: impl FnMut(Slot<P>),
    ) {
        self.lateness.on_frame(time, now);
        let Some(number) = self.slot_for(time) else {
            // Too late for a slot of its own, and still newer than what is shown.
            self.current = Some(picture);
            return;
        };
        self.fill(number - 1, &mut emit);
        self.current = Some(picture);
        self.fill(number, &mut emit);
    }

    /// The slot of a picture; none if it and those after are given out already, or it is from before the epoch.
    fn slot_for(&self, time: Moment) -> Option<i64> {
        let exact = self.exact(time);
        let next = self.last.map_or(0, |last| last + 1);
        if self.current.is_none() {
            // Nothing comes before the first picture: it has the slot of its time, however late in the broadcast.
            return Some((exact.round() as i64).max(next));
        }
        if (exact - next as f64).abs() < STICKS {
            return Some(next);
        }
        let number = exact.round() as i64;
        (number >= next).then(|| number.min(next + LONGEST_FILL))
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        self.current.as_ref()?;
        let next = self.last? + 1;
        self.lateness.deadline(self.time_of(next))
    }

    /// Repeats the last picture in slots that nothing came for in time.
    pub(super) fn handle_timeout(&mut self, now: Moment, mut emit: impl FnMut(Slot<P>)) {
        while let Some(due) = self.next_timeout()
            && due <= now
        {
            self.fill(self.last.map_or(0, |last| last + 1), &mut emit);
        }
    }

    fn fill(&mut self, until: i64, emit: &mut impl FnMut(Slot<P>)) {
        let Some(picture) = &self.current else {
            // Nothing is there to be shown before the first picture: it begins at its own slot.
            self.last = (until >= 0).then_some(until).or(self.last);
            return;
        };
        let first = self.last.map_or(0, |last| last + 1);
        for number in first..=until {
            emit(Slot {
                number: number as u64,
                picture: picture.clone(),
            });
            self.last = Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const THIRTY: Rate = Rate {
        numerator: 30,
        denominator: 1,
    };

    struct Run {
        grid: Grid<char>,
        slots: Vec<(u64, char)>,
    }

    impl Run {
        fn new() -> Self {
            Self {
                grid: Grid::new(Moment(0), THIRTY),
                slots: Vec::new(),
            }
        }

        /// Milliseconds.
        fn picture(&mut self, picture: char, time: i64, now: i64) {
            let (time, now) = (Moment(time * 1_000), Moment(now * 1_000));
            let slots = &mut self.slots;
            self.grid
                .on_picture(picture, time, now, |s| slots.push((s.number, s.picture)));
        }

        fn timeout(&mut self, now: i64) {
            let slots = &mut self.slots;
            self.grid
                .handle_timeout(Moment(now * 1_000), |s| slots.push((s.number, s.picture)));
        }
    }

    #[test]
    fn jitter_is_evened_out() {
        let mut run = Run::new();
        for (i, shaken) in [0, 15, -15, 17, -17, 20, -20, 10].into_iter().enumerate() {
            let time = i as i64 * 100 / 3 + shaken;
            run.picture('a', time, time);
        }
        let numbers: Vec<u64> = run.slots.iter().map(|s| s.0).collect();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn missing_pictures_are_repeats_of_the_last() {
        let mut run = Run::new();
        run.picture('a', 0, 0);
        run.picture('b', 133, 133);
        assert_eq!(
            run.slots,
            [(0, 'a'), (1, 'a'), (2, 'a'), (3, 'a'), (4, 'b')]
        );
    }

    #[test]
    fn time_goes_on_without_pictures() {
        let mut run = Run::new();
        run.picture('a', 0, 20);
        assert!(run.grid.next_timeout() > Some(Moment(33_000)));
        run.timeout(33);
        assert_eq!(run.slots.len(), 1, "it may still come");
        run.timeout(1_120);
        assert!((30..=33).contains(&run.slots.len()), "{:?}", run.slots);
        // A late one has no slot of its own, and is what is shown from then on.
        run.picture('b', 500, 1_120);
        let given = run.slots.len();
        run.timeout(3_000);
        assert!(run.slots[..given].iter().all(|s| s.1 == 'a'));
        assert!(run.slots[given..].iter().all(|s| s.1 == 'b'));
    }

    #[test]
    fn two_pictures_for_one_slot_are_one_sample() {
        let mut run = Run::new();
        for i in 0..60 {
            run.picture('a', i * 100 / 6, i * 100 / 6);
        }
        assert!((29..=32).contains(&run.slots.len()), "{}", run.slots.len());
        let numbers: Vec<u64> = run.slots.iter().map(|s| s.0).collect();
        assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1));
    }

    #[test]
    fn a_leap_is_bounded_and_a_leap_back_gives_nothing_twice() {
        let mut run = Run::new();
        run.picture('a', 0, 0);
        run.picture('b', 86_400_000, 33);
        assert_eq!(run.slots.len() as i64, LONGEST_FILL + 2);
        let before = run.slots.len();
        run.picture('c', 66, 66);
        assert_eq!(run.slots.len(), before);
        let numbers: Vec<u64> = run.slots.iter().map(|s| s.0).collect();
        assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1));
    }

    #[test]
    fn it_hands_over_and_takes_over_without_a_hole() {
        let mut run = Run::new();
        run.picture('a', 0, 0);
        run.picture('b', 33, 33);
        let slots = &mut run.slots;
        let emit = |s: Slot<char>| slots.push((s.number, s.picture));
        let slot = run.grid.end_before(Moment(133_000), emit).unwrap();
        assert_eq!((slot, run.grid.frontier()), (4, 4));
        assert_eq!(run.slots[2..], [(2, 'b'), (3, 'b')]);
        assert_eq!(run.grid.end_before(Moment(9_000_000), |_| {}), None);

        let lateness = run.grid.lateness().clone();
        let clock = (Moment(0), THIRTY);
        run.grid = Grid::from_slot(clock, 60, Some('c'), lateness.clone());
        run.slots.clear();
        run.picture('d', 2_066, 2_066);
        assert_eq!(run.slots, [(60, 'c'), (61, 'c'), (62, 'd')]);
        run.grid = Grid::from_slot(clock, 60, None, lateness);
        assert!(!run.grid.shows());
        run.slots.clear();
        run.picture('d', 1_000, 2_066);
        assert_eq!(run.slots, [(60, 'd')]);
    }
}
