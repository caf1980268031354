/// How far behind the highest index a packet may be: a resent packet (OBS resends on the same SSRC) comes a round trip
/// late, which at 5,000 packets/s and 200 ms is 1,000 packets. A power of two.
const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;

/// Which packet indices of one SSRC were received (RFC 3711 §3.3.2). Nothing changes until [`Self::commit`].
pub(super) struct ReplayWindow {
    highest: u64,
    /// One bit per index modulo [`WINDOW`].
    received: [u64; WORDS],
}

impl ReplayWindow {
    /// A window that has received `index` alone.
    pub(super) fn starting_at(index: u64) -> Self {
        let mut window = Self {
            highest: index,
            received: [0; WORDS],
        };
        window.set(index);
        window
    }

    /// The full RTP index that `sequence` most likely has (RFC 3711 §3.3.1, appendix A). `None` if it lies before the
    /// first roll-over counter.
    pub(super) fn guess_rtp_index(&self, sequence: u16) -> Option<u64> {
        let distance = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(i64::from(distance))
    }

    /// Whether the packet wasn't received before and isn't too old to tell.
    pub(super) fn is_new(&self, index: u64) -> bool {
        if index > self.highest {
            return true;
        }
        let (word, bit) = place(index);
        self.highest - index < WINDOW && self.received[word] & bit == 0
    }

    /// Notes an authentic packet as received.
    pub(super) fn commit(&mut self, index: u64) {
        if index > self.highest {
            let skipped = (index - self.highest).min(WINDOW);
            for cleared in index - skipped + 1..=index {
                let (word, bit) = place(cleared);
                self.received[word] &= !bit;
            }
            self.highest = index;
        }
        self.set(index);
    }

    fn set(&mut self, index: u64) {
        let (word, bit) = place(index);
        self.received[word] |= bit;
    }
}

fn place(index: u64) -> (usize, u64) {
    let position = index % WINDOW;
    ((position / 64) as usize, 1 << (position % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_new_once() {
        let mut window = ReplayWindow::starting_at(100);
        assert!(!window.is_new(100));
        assert!(window.is_new(101));
        window.commit(105);
        assert!(window.is_new(101));
        window.commit(101);
        assert!(!window.is_new(101));
        assert!(!window.is_new(105));
    }

    #[test]
    fn what_is_older_than_the_window_is_refused() {
        let mut window = ReplayWindow::starting_at(0);
        window.commit(5000);
        assert!(window.is_new(5000 - WINDOW + 1));
        assert!(!window.is_new(5000 - WINDOW));
    }

    #[test]
    fn a_jump_forgets_what_its_places_said() {
        let mut window = ReplayWindow::starting_at(7);
        window.commit(7 + WINDOW);
        for index in 8..7 + WINDOW {
            assert!(window.is_new(index), "{index}");
        }
        window.commit(7 + 10 * WINDOW);
        assert!(window.is_new(8 + 9 * WINDOW));
    }

    #[test]
    fn the_index_guess_follows_the_roll_over() {
        let window = ReplayWindow::starting_at(65_530);
        assert_eq!(window.guess_rtp_index(3), Some(65_539));
        let window = ReplayWindow::starting_at(65_539);
        assert_eq!(window.guess_rtp_index(65_530), Some(65_530));
        let window = ReplayWindow::starting_at(3);
        assert_eq!(window.guess_rtp_index(65_530), None);
    }
}
