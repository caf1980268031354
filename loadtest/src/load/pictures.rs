//! Pictures on their way to one viewer: one has arrived once all its packets have.

use std::collections::VecDeque;
use std::ops::Range;

use crate::media::mark::Mark;

/// Pictures that are waited for at once: at 30 a second two seconds, longer than anybody sends a packet again.
const MOST: usize = 64;

/// A picture that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// A keyframe.
    pub key: bool,
    /// When its last packet was sent, in nanoseconds since 1970.
    pub sent: u64,
    /// When the packet came that was missing up to then, be it one in the middle.
    pub arrived: u64,
}

/// Packets of a picture that came, of how many.
#[derive(Debug)]
struct Unfinished {
    picture: (u16, u8, u32),
    first: Option<u64>,
    /// Number and moment of sending.
    last: Option<(u64, u64)>,
    came: u64,
    arrived: u64,
}

/// The pictures that aren't whole yet.
#[derive(Debug, Default)]
pub struct Pictures(VecDeque<Unfinished>);

impl Pictures {
    /// A packet came that hadn't come before. Tells of its picture if that is whole now.
    pub fn note(&mut self, mark: &Mark, arrived: u64) -> Option<Whole> {
        let picture = (mark.publisher, mark.layer, mark.frame);
        let known = self.0.iter().rposition(|known| known.picture == picture);
        let mut unfinished = known
            .and_then(|at| self.0.remove(at))
            .unwrap_or(Unfinished {
                picture,
                first: None,
                last: None,
                came: 0,
                arrived: 0,
            });
        unfinished.came += 1;
        unfinished.arrived = unfinished.arrived.max(arrived);
        unfinished.first = unfinished.first.or(mark.first.then_some(mark.packet));
        unfinished.last = unfinished
            .last
            .or(mark.last.then_some((mark.packet, mark.sent)));
        if let (Some(first), Some((last, sent))) = (unfinished.first, unfinished.last)
            && unfinished.came == last.saturating_sub(first) + 1
        {
            return Some(Whole {
                key: mark.key,
                sent,
                arrived: unfinished.arrived,
            });
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(unfinished);
        None
    }
}

/// The longest time that a viewer was without a new picture, within the measured window.
#[derive(Debug)]
pub struct Gaps {
    /// The last picture, or the moment from which on there ought to be some.
    last: u64,
    longest: u64,
}

impl Gaps {
    /// No picture yet; they should come from this moment on.
    pub fn new(from: u64) -> Self {
        Self {
            last: from,
            longest: 0,
        }
    }

    /// A picture is whole.
    pub fn note(&mut self, arrived: u64, window: &Range<u64>) {
        self.longest = self.longest(arrived, window);
        self.last = self.last.max(arrived);
    }

    /// The first picture is whole: the time before it is that of joining, if it wasn't too long.
    pub fn begin(&mut self, arrived: u64, window: &Range<u64>) {
        self.last = self.last.min(arrived);
        self.note(arrived, window);
    }

    /// A new window begins.
    pub fn reset(&mut self) {
        self.longest = 0;
    }

    /// With the one that lasts until now, or until the window's end. 0 if the viewer wasn't there in it.
    pub fn longest(&self, now: u64, window: &Range<u64>) -> u64 {
        let current = now
            .min(window.end)
            .saturating_sub(self.last.max(window.start));
        self.longest.max(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(frame: u32, number: u64, of: std::ops::RangeInclusive<u64>) -> Mark {
        Mark {
            publisher: 1,
            layer: 0,
            key: frame == 0,
            first: number == *of.start(),
            last: number == *of.end(),
            packet: number,
            frame,
            sent: 1_000 + number,
        }
    }

    #[test]
    fn a_picture_is_whole_with_the_packet_that_was_missing() {
        let mut pictures = Pictures::default();
        assert_eq!(pictures.note(&packet(0, 5, 5..=7), 10), None);
        assert_eq!(pictures.note(&packet(0, 7, 5..=7), 12), None);
        // The next is whole before it.
        let next = pictures.note(&packet(1, 8, 8..=8), 13);
        assert_eq!(
            next.map(|whole| (whole.key, whole.arrived)),
            Some((false, 13))
        );
        let whole = Whole {
            key: true,
            sent: 1_007,
            arrived: 90,
        };
        assert_eq!(pictures.note(&packet(0, 6, 5..=7), 90), Some(whole));
        assert!(pictures.0.is_empty());
    }

    #[test]
    fn what_never_gets_whole_is_forgotten() {
        let mut pictures = Pictures::default();
        for frame in 0..1_000 {
            let number = u64::from(frame) * 2;
            let mark = packet(frame, number, number..=number + 1);
            assert_eq!(pictures.note(&mark, number), None);
        }
        assert_eq!(pictures.0.len(), MOST);
        assert_eq!(pictures.note(&packet(0, 1, 0..=1), 5_000), None);
    }

    #[test]
    fn a_gap_lasts_until_the_window_ends() {
        let window = 100..200;
        let mut gaps = Gaps::new(30);
        gaps.begin(20, &window);
        gaps.note(110, &window);
        assert_eq!(gaps.longest(115, &window), 10);
        assert_eq!(gaps.longest(150, &window), 40);
        gaps.note(120, &window);
        assert_eq!(gaps.longest(500, &window), 80);
        // A picture after the end doesn't shorten it.
        gaps.note(300, &window);
        assert_eq!(gaps.longest(500, &window), 80);
        gaps.reset();
        assert_eq!(gaps.longest(500, &(400..600)), 100);
    }

    #[test]
    fn who_sees_nothing_has_the_whole_window_as_gap() {
        let window = 100..200;
        assert_eq!(Gaps::new(30).longest(500, &window), 100);
        assert_eq!(Gaps::new(150).longest(500, &window), 50);
        assert_eq!(Gaps::new(250).longest(500, &window), 0);
        let mut late = Gaps::new(130);
        late.begin(160, &window);
        assert_eq!(late.longest(165, &window), 30);
        let mut in_time = Gaps::new(130);
        in_time.begin(120, &window);
        assert_eq!(in_time.longest(125, &window), 5);
    }
}
