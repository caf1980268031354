//! Pictures whose packets have one mark between them: which packet would bear which.

use std::collections::VecDeque;

use crate::media::mark::{Mark, Share};

/// Pictures that are remembered: at 30 a second two seconds, longer than anybody sends a packet again.
const MOST_PICTURES: usize = 64;
/// Packets that may belong to a picture whose mark hasn't come yet.
const MOST_PACKETS: usize = 512;

/// A picture, from the packet with this sequence number on.
struct Known {
    timestamp: u32,
    begin: u16,
    share: Share,
    mark: Mark,
}

impl Known {
    fn mark_of(&self, packet: &Arrival) -> Option<Mark> {
        let index = packet.sequence.wrapping_sub(self.begin);
        let is_of_it = packet.timestamp == self.timestamp && index < self.share.of;
        is_of_it.then(|| self.share.mark_of(index, &self.mark))
    }
}

/// A packet that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its timestamp.
    pub timestamp: u32,
    /// Its sequence number, or that of the packet that it repeats.
    pub sequence: u16,
    /// When it came, in nanoseconds since 1970.
    pub arrived: u64,
}

/// The pictures of one viewer.
#[derive(Default)]
pub struct Shares {
    known: VecDeque<Known>,
    waiting: VecDeque<Arrival>,
}

impl Shares {
    /// A packet came with a mark for its whole picture. Gives the marks of those packets of the picture that are here.
    pub fn learn(&mut self, packet: Arrival, share: Share, mark: Mark) -> Vec<(Arrival, Mark)> {
        let known = Known {
            timestamp: packet.timestamp,
            begin: packet.sequence.wrapping_sub(share.index),
            share,
            mark,
        };
        let mut here = vec![packet];
        self.waiting.retain(|waiting| {
            let is_of_it = known.mark_of(waiting).is_some();
            here.extend(is_of_it.then_some(*waiting));
            !is_of_it
        });
        let marked = here
            .into_iter()
            .filter_map(|packet| Some((packet, known.mark_of(&packet)?)))
            .collect();
        if self.known.len() == MOST_PICTURES {
            self.known.pop_front();
        }
        self.known.push_back(known);
        marked
    }

    /// A packet came without a mark. Gives the one that it would bear, if its picture is known; else it is remembered.
    pub fn find(&mut self, packet: Arrival) -> Option<Mark> {
        let mark = self
            .known
            .iter()
            .rev()
            .find_map(|known| known.mark_of(&packet));
        if mark.is_none() {
            if self.waiting.len() == MOST_PACKETS {
                self.waiting.pop_front();
            }
            self.waiting.push_back(packet);
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { index: 1, of: 3 };
    const MARK: Mark = Mark {
        publisher: 0,
        layer: 0,
        key: true,
        first: false,
        last: false,
        packet: 40,
        frame: 2,
        sent: 5,
    };

    fn packet(timestamp: u32, sequence: u16) -> Arrival {
        Arrival {
            timestamp,
            sequence,
            arrived: u64::from(sequence),
        }
    }

    #[test]
    fn packets_before_and_behind_the_mark_are_told() {
        let mut shares = Shares::default();
        // Over the wrap: the first comes before the mark, the last behind it.
        assert_eq!(shares.find(packet(9, 65_535)), None);
        let marked = shares.learn(packet(9, 0), SHARE, MARK);
        let told: Vec<(u16, u64, bool)> = marked
            .iter()
            .map(|(packet, mark)| (packet.sequence, mark.packet, mark.first))
            .collect();
        assert_eq!(told, [(0, 41, false), (65_535, 40, true)]);
        let last = shares.find(packet(9, 1));
        assert_eq!(last.map(|mark| (mark.packet, mark.last)), Some((42, true)));
        // Neither what is beyond its packets nor another picture's.
        assert_eq!(shares.find(packet(9, 2)), None);
        assert_eq!(shares.find(packet(10, 1)), None);
    }

    #[test]
    fn no_more_is_remembered_than_needed() {
        let mut shares = Shares::default();
        for sequence in 0..2_000 {
            shares.find(packet(7, sequence));
            shares.learn(packet(u32::from(sequence) + 100, 0), SHARE, MARK);
        }
        assert_eq!(shares.waiting.len(), MOST_PACKETS);
        assert_eq!(shares.known.len(), MOST_PICTURES);
    }
}
