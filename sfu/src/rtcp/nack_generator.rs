//! Decides what to ask a publisher to resend, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::MediaKind;

/// How long a packet may be late before it counts as lost: networks reorder within a burst. At least so long, and as
/// long as packets were seen to overtake each other lately, up to the most.
const MIN_TOLERANCE: Duration = Duration::from_millis(5);
const MAX_TOLERANCE: Duration = Duration::from_millis(20);
/// What was seen of reordering counts for so long.
const TOLERANCE_HOLDS: Duration = Duration::from_secs(10);
/// How often a packet is asked for before it is forgotten.
const MAX_TRIES: u8 = 14;
/// The wait grows by this with each try: a path that loses answers is likely full, and not to be filled further.
const BACK_OFF: (u32, u32) = (5, 4);
/// A gap of this age asks for a keyframe, too. Repairs that take longer than a few round trips are the sign of a path
/// on which a keyframe comes sooner, and viewers' pictures stand still meanwhile.
const OVERDUE: Duration = Duration::from_millis(600);
/// A video packet that would come later than this isn't asked for: a viewer waits for a gap no longer than 3 s before
/// it wants a keyframe itself, and the repair has yet to reach it. So long because some publishers, OBS among them,
/// make no keyframe when asked: then late is better than never.
const USEFUL_VIDEO: Duration = Duration::from_secs(2);
/// Sound that is later than a listener's buffer was concealed already.
const USEFUL_AUDIO: Duration = Duration::from_millis(250);
/// The most packets that are missed at a time. A longer gap isn't loss but a jump, and none of it is asked for.
const MAX_MISSING: usize = 500;
/// The most packets that one request names, so that at worst (none near another) it fits a datagram.
const MAX_PER_REQUEST: usize = 250;

/// Which packets of one source to ask for and when: first after a small tolerance for reordering, then about once a
/// round trip, and only while the answer would still be of use.
///
/// Driven by `on_packet`; `take_due` when `next_timeout` has come.
#[derive(Debug, Clone)]
pub struct NackGenerator {
    useful: Duration,
    highest: Option<u64>,
    /// Ascending by sequence number, [`MAX_MISSING`] at most; the oldest give way.
    missing: VecDeque<Missing>,
    /// How late a packet came on its own, and when.
    reordered: Option<(Duration, Instant)>,
    /// The first and last packet of a keyframe that isn't whole yet.
    keyframe: Option<(u64, u64)>,
    overdue: bool,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    sequence: u64,
    noticed: Instant,
    due: Instant,
    /// When it was first and last asked for.
    asked: Option<(Instant, Instant)>,
    /// How long it waits for an answer.
    wait: Duration,
    tries: u8,
    /// A keyframe was asked for because of it.
    overdue: bool,
}

/// A packet that was missed came after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// How long after it was missed.
    pub missed: Duration,
    /// How often it was asked for.
    pub tries: u8,
    /// How long after it was first and last asked for.
    pub asked: Option<(Duration, Duration)>,
}

impl NackGenerator {
    /// Misses nothing yet.
    pub const fn new(kind: MediaKind) -> Self {
        Self {
            useful: match kind {
                MediaKind::Video => USEFUL_VIDEO,
                MediaKind::Audio => USEFUL_AUDIO,
            },
            highest: None,
            missing: VecDeque::new(),
            reordered: None,
            keyframe: None,
            overdue: false,
        }
    }

    /// A packet came, the first time or resent, with its unwrapped sequence number. Tells if it had been missed.
    pub fn on_packet(&mut self, now: Instant, sequence: u64) -> Option<Late> {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return None;
        };
        if sequence <= highest {
            let index = self
                .missing
                .binary_search_by_key(&sequence, |m| m.sequence)
                .ok()?;
            let missing = self.missing.remove(index)?;
            self.settle();
            let since = |at| now.saturating_duration_since(at);
            return Some(Late {
                missed: since(missing.noticed),
                tries: missing.tries,
                asked: missing
                    .asked
                    .map(|(first, last)| (since(first), since(last))),
            });
        }
        self.highest = Some(sequence);
        self.miss(now, highest + 1, sequence);
        None
    }

    /// A packet came `late` without having been asked for: so long the path reorders.
    pub fn tolerate(&mut self, now: Instant, late: Duration) {
        let late = (late * 5 / 4).min(MAX_TOLERANCE);
        if late >= self.tolerance(now) {
            self.reordered = Some((late, now));
        }
    }

    fn tolerance(&self, now: Instant) -> Duration {
        let holds = |at: Instant| now.saturating_duration_since(at) < TOLERANCE_HOLDS;
        self.reordered
            .filter(|(_, at)| holds(*at))
            .map_or(MIN_TOLERANCE, |(late, _)| late.max(MIN_TOLERANCE))
    }

    /// A keyframe comes that begins at `first` or behind it and ends at `last`. Once it is whole, what is before `first`
    /// isn't missed any more: viewers go on from the keyframe.
    pub fn on_keyframe(&mut self, first: u64, last: u64) {
        self.keyframe = Some((first, last));
        self.settle();
    }

    fn settle(&mut self) {
        let Some((first, last)) = self.keyframe else {
            return;
        };
        let older = self.missing.partition_point(|m| m.sequence < first);
        if self.missing.get(older).is_none_or(|m| m.sequence > last) {
            self.missing.drain(..older);
            self.keyframe = None;
        }
    }

    /// Whether anything is missed.
    pub fn is_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    fn miss(&mut self, now: Instant, from: u64, to: u64) {
        let gap = to - from;
        if gap > MAX_MISSING as u64 {
            self.missing.clear();
            self.overdue = true;
            return;
        }
        let excess = (self.missing.len() + gap as usize).saturating_sub(MAX_MISSING);
        self.missing.drain(..excess);
        self.overdue |= excess > 0;
        let due = now + self.tolerance(now);
        self.missing.extend((from..to).map(|sequence| Missing {
            sequence,
            noticed: now,
            due,
            asked: None,
            wait: Duration::ZERO,
            tries: 0,
            overdue: false,
        }));
    }

    /// When `take_due` has something to say.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.due).min()
    }

    /// Appends the packets to ask for now to `out`, ascending and 250 at most; the rest stays due. An answer is expected
    /// within `answer`. Packets whose answer would come too late to be of use are forgotten.
    pub fn take_due(&mut self, now: Instant, answer: Duration, out: &mut Vec<u16>) {
        let mut room = MAX_PER_REQUEST;
        let (useful, mut overdue) = (self.useful, false);
        self.missing.retain_mut(|missing| {
            if missing.due > now || room == 0 {
                return true;
            }
            let age = now.saturating_duration_since(missing.noticed);
            let useless = missing.tries == MAX_TRIES || age + answer > useful;
            if !missing.overdue && (useless || age >= OVERDUE) {
                (missing.overdue, overdue) = (true, true);
            }
            if useless {
                return false;
            }
            out.push(missing.sequence as u16);
            room -= 1;
            missing.tries += 1;
            missing.wait = answer.max(missing.wait * BACK_OFF.0 / BACK_OFF.1);
            missing.asked = Some((missing.asked.map_or(now, |(first, _)| first), now));
            missing.due = now + missing.wait;
            true
        });
        self.overdue |= overdue;
    }

    /// Whether packets were missed for so long since the last call that a keyframe would come sooner.
    pub fn take_overdue(&mut self) -> bool {
        std::mem::take(&mut self.overdue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Duration = Duration::from_millis(50);
    const MS: Duration = Duration::from_millis(1);

    fn video() -> NackGenerator {
        NackGenerator::new(MediaKind::Video)
    }

    fn due(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        generator.take_due(now, ANSWER, &mut out);
        out
    }

    /// When a lost packet is asked for, and when a keyframe is wanted, after the gap was noticed.
    fn requests(
        mut generator: NackGenerator,
        answer: Duration,
    ) -> (Vec<Duration>, Option<Duration>) {
        let start = Instant::now();
        generator.on_packet(start, 70_000);
        generator.on_packet(start, 70_002);
        let (mut asked, mut keyframe) = (Vec::new(), None);
        while let Some(now) = generator.next_timeout() {
            let mut out = Vec::new();
            generator.take_due(now, answer, &mut out);
            if !out.is_empty() {
                asked.push(now - start);
            }
            if generator.take_overdue() {
                assert_eq!(keyframe.replace(now - start), None, "asked twice");
            }
        }
        (asked, keyframe)
    }

    #[test]
    fn packets_in_order_are_never_asked_for() {
        let start = Instant::now();
        let mut generator = video();
        for sequence in 65_530..65_545 {
            assert_eq!(generator.on_packet(start, sequence), None);
        }
        assert_eq!(generator.next_timeout(), None);
        assert!(due(&mut generator, start + USEFUL_VIDEO).is_empty());
    }

    #[test]
    fn a_gap_is_asked_for_after_the_tolerance_and_then_once_a_round_trip() {
        let start = Instant::now();
        let mut generator = video();
        generator.on_packet(start, 131_070);
        generator.on_packet(start, 131_074);
        assert!(due(&mut generator, start).is_empty());
        let first = start + MIN_TOLERANCE;
        assert_eq!(generator.next_timeout(), Some(first));
        assert_eq!(due(&mut generator, first), [65_535, 0, 1]);
        assert!(due(&mut generator, first).is_empty());
        assert_eq!(generator.next_timeout(), Some(first + ANSWER));
        generator.on_packet(first, 131_072);
        assert_eq!(due(&mut generator, first + ANSWER), [65_535, 1]);
        let later = first + ANSWER + ANSWER * 5 / 4;
        assert_eq!(generator.next_timeout(), Some(later));
    }

    #[test]
    fn reordered_packets_are_not_asked_for_once_the_path_is_known() {
        let start = Instant::now();
        let mut generator = video();
        for sequence in [70_000, 70_002] {
            generator.on_packet(start, sequence);
        }
        let late = generator.on_packet(start + 12 * MS, 70_001);
        let late = late.map(|late| late.missed);
        assert_eq!(late, Some(12 * MS));
        generator.tolerate(start + 12 * MS, 12 * MS);
        generator.on_packet(start + 20 * MS, 70_004);
        assert_eq!(generator.next_timeout(), Some(start + 35 * MS));
        // The path is believed to have become better.
        generator.on_packet(start + 20 * MS, 70_003);
        let later = start + TOLERANCE_HOLDS * 2;
        generator.on_packet(later, 70_006);
        assert_eq!(generator.next_timeout(), Some(later + MIN_TOLERANCE));
    }

    #[test]
    fn what_came_late_tells_how_late_and_how_often_it_was_asked_for() {
        let start = Instant::now();
        let mut generator = video();
        generator.on_packet(start, 70_000);
        generator.on_packet(start, 70_003);
        let asked = start + MIN_TOLERANCE;
        due(&mut generator, asked);
        let late = generator.on_packet(asked + 30 * MS, 70_001);
        let expected = Late {
            missed: 35 * MS,
            tries: 1,
            asked: Some((30 * MS, 30 * MS)),
        };
        assert_eq!(late, Some(expected));
        due(&mut generator, asked + ANSWER);
        let late = generator.on_packet(asked + 60 * MS, 70_002);
        assert_eq!(late.map(|late| late.tries), Some(2));
        let times = late.and_then(|late| late.asked);
        assert_eq!(times, Some((60 * MS, 10 * MS)));
        assert_eq!(generator.on_packet(asked + 60 * MS, 70_002), None);
    }

    #[test]
    fn only_what_can_still_arrive_in_time_is_asked_for() {
        for answer in [20, 50, 120, 400, 1000].map(|ms| ms * MS) {
            let (asked, keyframe) = requests(video(), answer);
            assert_eq!(asked[0], MIN_TOLERANCE);
            let last = asked[asked.len() - 1];
            assert!(last + answer <= USEFUL_VIDEO, "{answer:?}: {asked:?}");
            assert!(asked.len() <= usize::from(MAX_TRIES));
            for pair in asked.windows(2) {
                assert!(pair[1] >= pair[0] + answer, "{answer:?}: {asked:?}");
            }
            // The first moment at which it could be asked again: the answer is waited for.
            let keyframe = keyframe.unwrap_or_default();
            assert!(keyframe >= OVERDUE, "{answer:?}: {keyframe:?}");
            assert!(
                keyframe <= OVERDUE.max(answer) * 2,
                "{answer:?}: {keyframe:?}"
            );
        }
        let (asked, _) = requests(NackGenerator::new(MediaKind::Audio), 120 * MS);
        assert_eq!(asked.len(), 2, "{asked:?}");
        let (asked, keyframe) = requests(NackGenerator::new(MediaKind::Audio), 300 * MS);
        assert!(asked.is_empty() && keyframe.is_some());
    }

    #[test]
    fn a_keyframe_ends_the_search_for_older_pictures() {
        let start = Instant::now();
        let mut generator = video();
        generator.on_packet(start, 70_000);
        generator.on_packet(start, 70_010);
        for sequence in [70_012, 70_014, 70_016] {
            generator.on_packet(start, sequence);
        }
        let asked = |generator: &mut NackGenerator| due(&mut generator.clone(), start + ANSWER);
        assert_eq!(asked(&mut generator).len(), 12);
        // 70 013 belongs to the keyframe: it isn't whole.
        generator.on_keyframe(70_011, 70_014);
        assert_eq!(asked(&mut generator).len(), 12);
        generator.on_packet(start, 70_011);
        assert_eq!(asked(&mut generator).len(), 11);
        generator.on_packet(start, 70_013);
        assert_eq!(asked(&mut generator), [70_015_u64 as u16]);
        generator.on_keyframe(70_016, 70_016);
        assert!(!generator.is_missing());
        assert!(!generator.take_overdue());
    }

    #[test]
    fn the_oldest_give_way_at_the_bound() {
        let start = Instant::now();
        let mut generator = video();
        // Every second packet is lost.
        for sequence in (70_000..72_000).step_by(2) {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.missing.len(), MAX_MISSING);
        assert!(generator.take_overdue());
        let now = start + MIN_TOLERANCE;
        let first = due(&mut generator, now);
        assert_eq!(first.len(), MAX_PER_REQUEST);
        assert_eq!(first.first(), Some(&(70_999_u64 as u16)));
        assert_eq!(due(&mut generator, now).len(), MAX_MISSING - first.len());
    }

    #[test]
    fn a_jump_is_no_loss() {
        let start = Instant::now();
        let mut generator = video();
        for sequence in [70_000, 70_002, 71_000] {
            generator.on_packet(start, sequence);
        }
        assert_eq!(generator.next_timeout(), None);
        assert!(generator.take_overdue());
    }
}
