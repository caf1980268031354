//! Which packets of one layer arrived at one viewer: exact counts of what was lost and what came twice.

/// Packets behind the newest that are told apart. What comes later than that counts as lost, as a player would have it.
const WINDOW: u64 = 8_192;
const WORD: u64 = u64::BITS as u64;

/// The packets of one layer.
#[derive(Debug)]
pub struct Tally {
    first: u64,
    highest: u64,
    distinct: u64,
    duplicates: u64,
    seen: Box<[u64; (WINDOW / WORD) as usize]>,
}

impl Tally {
    /// The first packet of the layer has come.
    pub fn new(packet: u64) -> Self {
        let mut tally = Self {
            first: packet,
            highest: packet,
            distinct: 1,
            duplicates: 0,
            seen: Box::new([0; (WINDOW / WORD) as usize]),
        };
        tally.set(packet);
        tally
    }

    /// Counts a packet. False if it was there before, or is too old to tell.
    pub fn note(&mut self, packet: u64) -> bool {
        if packet > self.highest {
            // What the window leaves behind is forgotten.
            for gone in self.highest + 1..=packet.min(self.highest + WINDOW) {
                self.clear(gone);
            }
            self.highest = packet;
        } else if self.highest - packet >= WINDOW || self.is_set(packet) {
            self.duplicates += 1;
            return false;
        }
        // The one that came first had overtaken others.
        self.first = self.first.min(packet);
        self.set(packet);
        self.distinct += 1;
        true
    }

    /// Packets between the first and the last that came, and didn't come themselves.
    pub fn lost(&self) -> u64 {
        self.highest - self.first + 1 - self.distinct
    }

    /// Packets that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn place(packet: u64) -> (usize, u64) {
        let at = packet % WINDOW;
        ((at / WORD) as usize, 1 << (at % WORD))
    }

    fn set(&mut self, packet: u64) {
        let (word, bit) = Self::place(packet);
        self.seen[word] |= bit;
    }

    fn clear(&mut self, packet: u64) {
        let (word, bit) = Self::place(packet);
        self.seen[word] &= !bit;
    }

    fn is_set(&self, packet: u64) -> bool {
        let (word, bit) = Self::place(packet);
        self.seen[word] & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_repetitions_are_counted_once() {
        let mut tally = Tally::new(1_000);
        // 1,001 is lost, 1,003 late, 1,002 twice.
        let fates = [1_002, 1_004, 1_003, 1_002, 1_004].map(|packet| tally.note(packet));
        assert_eq!(fates, [true, true, true, false, false]);
        assert_eq!((tally.lost(), tally.duplicates()), (1, 2));
        assert!(tally.note(1_001));
        assert_eq!(tally.lost(), 0);
    }

    #[test]
    fn the_first_that_comes_may_have_overtaken_others() {
        let mut tally = Tally::new(1_000);
        let fates = [998, 999, 998, 1_001].map(|packet| tally.note(packet));
        assert_eq!(fates, [true, true, false, true]);
        assert_eq!((tally.lost(), tally.duplicates()), (0, 1));
        assert!(tally.note(996));
        assert_eq!(tally.lost(), 1);
    }

    #[test]
    fn a_jump_longer_than_the_window_is_loss() {
        let mut tally = Tally::new(5);
        assert!(tally.note(5 + 3 * WINDOW));
        assert_eq!(tally.lost(), 3 * WINDOW - 1);
        assert!(tally.note(5 + 3 * WINDOW - 1));
        assert!(!tally.note(5 + WINDOW));
        assert_eq!(tally.lost(), 3 * WINDOW - 2);
    }
}
