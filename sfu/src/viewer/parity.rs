//! Sums (XOR) of the packets of a group, from which those that get lost are put together again: the header and payload
//! of repair packets as draft-ietf-payload-flexible-fec-scheme-03 §4.2 has them, with flexible masks and one protected
//! stream.

use std::{ops::Range, time::Instant};

/// Sums that are kept of one group.
const LANES: usize = 12;
/// Repair packets of one group at most.
pub(crate) const MOST_REPAIRS: usize = 6;
/// Which repair packets each lane is in, by how many there are: a bit for each of them. Where two lost packets are in
/// different sets of them, there is one that has only one of the two, and the other follows from that. Of nine packets, at 5 %
/// loss, three repair packets of three leave 4.0 % of the groups with a hole, and these 2.0 %.
const PATTERNS: [&[u8]; MOST_REPAIRS] = [
    &[1],
    &[1, 2, 3],
    &[1, 2, 4, 3, 6, 5, 7],
    &[1, 2, 4, 8, 3, 12, 5, 10, 6, 9, 7, 14],
    &[1, 2, 4, 8, 16, 3, 12, 17, 6, 24, 5, 10],
    &[1, 2, 4, 8, 16, 32, 3, 12, 48, 5, 10, 36],
];
/// Numbers that a group spans: what a mask of six bytes names (§4.2.2.1). The largest mask names 109, but the first packets
/// of a picture that long shouldn't wait for its last.
const SPAN: u64 = 46;
/// ... and what one of two bytes names.
const SHORT_SPAN: u32 = 15;
/// The fixed part of an RTP header (RFC 3550 §5.1), which the repair header stands for.
const FIXED: usize = 12;
/// Bytes behind that in the longest packet that can be repaired.
const LANE_BYTES: usize = 1_440;
/// Bytes of the repair header before its mask.
const BEFORE_MASK: usize = 18;

/// What a packet is to its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The viewer's number, extended.
    pub(crate) sequence: u64,
    /// It is the last of its picture.
    pub(crate) ends: bool,
    /// It begins a keyframe.
    pub(crate) keyframe: bool,
}

/// The sum of some packets.
#[derive(Debug, Clone)]
struct Lane {
    /// Flags, payload type, length behind the fixed header, timestamp.
    head: [u8; 8],
    body: [u8; LANE_BYTES],
    /// Bytes of `body` that count; what lies behind is as good as 0.
    length: usize,
}

impl Lane {
    const EMPTY: Self = Self {
        head: [0; 8],
        body: [0; LANE_BYTES],
        length: 0,
    };

    fn clear(&mut self) {
        self.head = [0; 8];
        self.length = 0;
    }

    /// Adds bytes at `at`; the caller has checked that they fit.
    fn add(&mut self, at: usize, bytes: &[u8]) {
        let end = (at + bytes.len()).min(LANE_BYTES);
        if self.length < end {
            self.body[self.length..end].fill(0);
            self.length = end;
        }
        add(&mut self.body[at..end], bytes);
    }
}

fn add(sum: &mut [u8], bytes: &[u8]) {
    for (sum, byte) in sum.iter_mut().zip(bytes) {
        *sum ^= byte;
    }
}

/// Packets that are repaired together. Each is added to a lane by its number; when the group is complete, repair packets are
/// made of the lanes. So nobody needs to know beforehand how many packets a picture has.
#[derive(Debug)]
pub(crate) struct Group {
    lanes: Box<[Lane]>,
    /// The first number, and those from there on that were added, one bit each.
    base: u64,
    mask: u64,
    /// The number behind the newest packet, of this group or of those before.
    next: u64,
    began: Instant,
    keyframe: bool,
    /// The newest packet ended a picture.
    ended: bool,
    /// A packet was longer than a lane.
    too_long: bool,
    timestamp: u32,
}

impl Group {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            lanes: vec![Lane::EMPTY; LANES].into(),
            base: 0,
            mask: 0,
            next: 0,
            began: now,
            keyframe: false,
            ended: false,
            too_long: false,
            timestamp: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.lanes.iter_mut().for_each(Lane::clear);
        self.mask = 0;
        self.keyframe = false;
        self.ended = false;
        self.too_long = false;
    }

    /// Adds a packet: its header, with `fleeting` what receivers take for 0 in it, and what follows. Late ones that lie
    /// before the group stay unprotected, and begin none: what comes after them would soon be beyond it. A packet that is
    /// beyond the group begins another in its place; then this returns what the group was.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        place: Place,
        (header, body): (&[u8], &[u8]),
        fleeting: [Option<Range<usize>>; 2],
    ) -> Option<Self> {
        let (fixed, extensions) = header.split_first_chunk::<FIXED>()?;
        let newest = place.sequence >= self.next;
        let passed = (self.mask != 0 && place.sequence >= self.base + SPAN)
            .then(|| std::mem::replace(self, Self::new(now)));
        if self.mask == 0 {
            if !newest {
                return passed;
            }
            self.base = place.sequence;
            self.began = now;
        }
        let Some(offset) = place.sequence.checked_sub(self.base) else {
            return passed;
        };
        if newest {
            self.next = place.sequence + 1;
            self.ended = place.ends;
        }
        let length = extensions.len() + body.len();
        self.too_long |= length > LANE_BYTES;
        if self.too_long || self.mask >> offset & 1 == 1 {
            return passed;
        }
        self.mask |= 1 << offset;
        self.keyframe |= place.keyframe;
        let &[flags, payload_type, _, _, a, b, c, d, ..] = fixed;
        self.timestamp = u32::from_be_bytes([a, b, c, d]);
        let [high, low] = (length as u16).to_be_bytes();
        let lane = &mut self.lanes[offset as usize % LANES];
        add(
            &mut lane.head,
            &[flags, payload_type, high, low, a, b, c, d],
        );
        lane.add(0, extensions);
        lane.add(extensions.len(), body);
        // Added once more they are as if they had been 0.
        for range in fleeting.into_iter().flatten() {
            if let (Some(bytes), Some(at)) =
                (header.get(range.clone()), range.start.checked_sub(FIXED))
            {
                lane.add(at, bytes);
            }
        }
        passed
    }

    /// How many of the next packets may leave before the group may have to be closed: those up to the end of a picture, or
    /// of what the mask names.
    pub(crate) fn before_close(&self, mut next: impl Iterator<Item = Place>) -> Option<usize> {
        let mut base = (self.mask != 0).then_some(self.base);
        let closes = |place: Place| {
            if place.sequence >= self.next {
                base.get_or_insert(place.sequence);
            }
            base.is_some_and(|base| place.ends || place.sequence >= base + SPAN - 1)
        };
        next.position(closes).map(|at| at + 1)
    }

    /// Packets added.
    pub(crate) fn count(&self) -> usize {
        self.mask.count_ones() as usize
    }

    /// No more can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.too_long || self.span() >= SPAN as u32
    }

    /// Whether a picture is complete, or several are.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended && self.mask != 0
    }

    pub(crate) fn has_keyframe(&self) -> bool {
        self.keyframe
    }

    /// When its first packet was added.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Of the packet added last.
    pub(crate) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    fn span(&self) -> u32 {
        64 - self.mask.leading_zeros()
    }

    fn mask_bytes(&self) -> usize {
        if self.span() > SHORT_SPAN { 6 } else { 2 }
    }

    fn longest(&self) -> usize {
        self.lanes.iter().map(|lane| lane.length).max().unwrap_or(0)
    }

    /// Bytes of the payload of each repair packet; `None` if a packet is too long for them.
    pub(crate) fn repair_bytes(&self) -> Option<usize> {
        let bytes = BEFORE_MASK + self.mask_bytes() + self.longest();
        (!self.too_long).then_some(bytes)
    }

    /// Writes the payload of repair packet `index` of `count`, for packets of the stream `ssrc`. `None` if it would cover
    /// nothing, which happens where numbers are missing.
    pub(crate) fn write(
        &self,
        target: &mut [u8],
        (index, count): (usize, usize),
        ssrc: u32,
    ) -> Option<()> {
        let patterns = PATTERNS.get(count.checked_sub(1)?)?;
        let covers = |lane: usize| patterns[lane % patterns.len()] >> index & 1 == 1;
        let covered = (0..SPAN as usize).filter(|place| covers(place % LANES));
        let mask = self.mask & covered.fold(0, |mask, place| mask | 1 << place);
        if mask == 0 {
            return None;
        }
        let (header, body) = target.split_at_mut_checked(BEFORE_MASK + self.mask_bytes())?;
        body.fill(0);
        let mut head = [0; 8];
        for (_, lane) in (0..).zip(&*self.lanes).filter(|(place, _)| covers(*place)) {
            add(&mut head, &lane.head);
            add(body, &lane.body[..lane.length]);
        }
        header[..8].copy_from_slice(&head);
        // Neither a retransmission nor of a fixed mask; the version isn't summed up.
        header[0] &= 0x3f;
        header[8..12].copy_from_slice(&[1, 0, 0, 0]);
        header[12..16].copy_from_slice(&ssrc.to_be_bytes());
        header[16..18].copy_from_slice(&(self.base as u16).to_be_bytes());
        write_mask(&mut header[BEFORE_MASK..], mask);
        Some(())
    }
}

/// Writes a mask of two or six bytes, whose lowest bit is the first number: each word begins with a bit that tells
/// whether it is the last (§4.2.2.1).
fn write_mask(target: &mut [u8], mask: u64) {
    let first = ((mask & 0x7fff) as u16).reverse_bits() >> 1;
    let second = ((mask >> SHORT_SPAN) as u32 & 0x7fff_ffff).reverse_bits() >> 1;
    if let Some((head, tail)) = target.split_first_chunk_mut::<2>() {
        let last = u16::from(tail.is_empty()) << 15;
        *head = (first | last).to_be_bytes();
        if let Some(tail) = tail.first_chunk_mut::<4>() {
            *tail = (second | 1 << 31).to_be_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SSRC: u32 = 0x1234_5678;

    fn packet(sequence: u16, marker: bool, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x90, u8::from(marker) << 7 | 0x60];
        packet.extend(sequence.to_be_bytes());
        packet.extend(0xa1b2_c3d4u32.to_be_bytes());
        packet.extend(SSRC.to_be_bytes());
        packet.extend_from_slice(body);
        packet
    }

    fn add(group: &mut Group, sequence: u64, packet: &[u8]) -> Option<Group> {
        let place = Place {
            sequence,
            ends: packet[1] & 0x80 != 0,
            keyframe: false,
        };
        group.add(Instant::now(), place, packet.split_at(12), [None, None])
    }

    /// Adds packets without a marker; none of them is beyond the group.
    fn add_all(group: &mut Group, sequences: impl IntoIterator<Item = u64>) {
        for sequence in sequences {
            let packet = packet(sequence as u16, false, &[sequence as u8]);
            assert!(add(group, sequence, &packet).is_none());
        }
    }

    fn written(group: &mut Group, count: usize) -> Vec<Vec<u8>> {
        let length = group.repair_bytes().unwrap();
        let one = |index| {
            let mut target = vec![0xee; length];
            group.write(&mut target, (index, count), SSRC).unwrap();
            target
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn the_header_is_what_the_draft_draws() {
        let mut group = Group::new(Instant::now());
        add(
            &mut group,
            0x1_fffe,
            &packet(0xfffe, false, &[0xf0, 0x0f, 0x55]),
        );
        add(&mut group, 0x2_0001, &packet(1, true, &[0xff]));
        let repair = written(&mut group, 1).remove(0);
        #[rustfmt::skip]
        let expected = [
            // R, F, P, X and CC: of two packets with X nothing is left; M of one; PT of both; length: 3 ^ 1.
            0x00, 0x80, 0, 2,
            // TS recovery
            0, 0, 0, 0,
            // SSRCCount, reserved
            1, 0, 0, 0,
            // SSRC
            0x12, 0x34, 0x56, 0x78,
            // SN base; k, and bits 0 and 3 of Mask [0-14]
            0xff, 0xfe, 0b1100_1000, 0,
            // what follows the fixed headers
            0x0f, 0x0f, 0x55,
        ];
        assert_eq!(repair, expected);
    }

    #[test]
    fn long_groups_have_long_masks() {
        let mut group = Group::new(Instant::now());
        for sequence in 0..46 {
            assert!(!group.is_full());
            add_all(&mut group, [sequence]);
        }
        assert!(group.is_full());
        let repairs = written(&mut group, 2);
        // Lanes 0, 2, 3, 5, 6, … are in the first: numbers 0, 2, 3, 5, … 14 | 15, 17, …
        let first: [u8; 2] = [0b0101_1011, 0b0110_1101];
        let second: [u8; 4] = [0b1101_1011, 0b0110_1101, 0b1011_0110, 0b1101_1011];
        assert_eq!(repairs[0][18..20], first);
        assert_eq!(repairs[0][20..24], second);
        assert_eq!(repairs[0].len(), 25);
        let covered = (0..46).filter(|n| n % 3 != 1);
        assert_eq!(repairs[0][24], covered.fold(0, |sum, n| sum ^ n));
        let covered = (0..46).filter(|n| n % 3 != 0);
        assert_eq!(repairs[1][24], covered.fold(0, |sum, n| sum ^ n));
    }

    #[test]
    fn any_two_neighbours_can_be_told_apart() {
        for (count, patterns) in (1u32..).zip(PATTERNS) {
            let lane = |at: usize| patterns[at % LANES % patterns.len()];
            for at in 0..SPAN as usize {
                assert!(lane(at) > 0 && u32::from(lane(at)) < 1 << count);
                assert!(count == 1 || lane(at) != lane(at + 1), "{count}: {at}");
            }
            for index in 0..count {
                assert!(lane(index as usize) == 1 << index, "none is empty");
            }
        }
    }

    #[test]
    fn late_double_and_oversized_packets_do_no_harm() {
        let mut group = Group::new(Instant::now());
        add(&mut group, 100, &packet(100, false, &[1, 2]));
        add(&mut group, 99, &packet(99, false, &[9]));
        add(&mut group, 100, &packet(100, false, &[1, 2]));
        assert_eq!(group.count(), 1);
        assert!(!group.is_whole());
        add(&mut group, 101, &packet(101, true, &[0; LANE_BYTES + 1]));
        assert!(group.is_full());
        assert_eq!(group.repair_bytes(), None);
        group.clear();
        add(&mut group, 300, &packet(300, true, &[7]));
        assert_eq!(written(&mut group, 1)[0][20..], [7]);
    }

    #[test]
    fn what_is_late_begins_no_group() {
        let mut group = Group::new(Instant::now());
        add_all(&mut group, 200..202);
        add(&mut group, 202, &packet(202, true, &[2]));
        group.clear();
        add_all(&mut group, [150]);
        assert_eq!(group.count(), 0);
        add_all(&mut group, 203..206);
        add_all(&mut group, [151]);
        let last = packet(206, true, &[6]);
        assert!(add(&mut group, 206, &last).is_none());
        assert!(group.is_whole());
        assert_eq!(group.count(), 4);
    }

    #[test]
    fn what_is_late_leaves_a_whole_picture_whole() {
        let mut group = Group::new(Instant::now());
        add_all(&mut group, [10, 12]);
        add(&mut group, 13, &packet(13, true, &[3]));
        add_all(&mut group, [11]);
        assert!(group.is_whole());
        assert_eq!(group.count(), 4);
        add_all(&mut group, [15]);
        add(&mut group, 14, &packet(14, true, &[4]));
        assert!(!group.is_whole(), "the next picture is under way");
    }

    #[test]
    fn a_gap_longer_than_the_mask_ends_a_group() {
        let mut group = Group::new(Instant::now());
        add_all(&mut group, 100..103);
        let mut former = add(&mut group, 146, &packet(146, false, &[6])).unwrap();
        assert_eq!(former.count(), 3);
        assert_eq!(written(&mut former, 1)[0][20..], [103]);
        assert_eq!(group.count(), 1);
        add(&mut group, 147, &packet(147, true, &[7]));
        assert!(group.is_whole());
        assert_eq!(written(&mut group, 1)[0][20..], [1]);
    }

    #[test]
    fn a_group_ends_without_the_last_number_of_its_mask() {
        let mut group = Group::new(Instant::now());
        add_all(&mut group, 100..145);
        assert!(!group.is_full());
        let place = |sequence| Place {
            sequence,
            ends: false,
            keyframe: false,
        };
        assert_eq!(group.before_close((146..200).map(place)), Some(1));
        let former = add(&mut group, 146, &packet(146, false, &[6])).unwrap();
        assert_eq!(former.count(), 45);
        // That of the group behind it is far again.
        assert_eq!(group.before_close((147..200).map(place)), Some(45));
        add_all(&mut group, 147..192);
        assert!(group.is_full());
    }

    #[test]
    fn what_is_fleeting_counts_as_zero() {
        let mut group = Group::new(Instant::now());
        let place = Place {
            sequence: 5,
            ends: true,
            keyframe: false,
        };
        let packet = packet(5, true, &[1, 2, 3, 4, 5, 6]);
        group.add(
            Instant::now(),
            place,
            packet.split_at(16),
            [Some(13..15), None],
        );
        assert_eq!(written(&mut group, 1)[0][20..], [1, 0, 0, 4, 5, 6]);
    }

    #[test]
    fn a_group_ends_with_a_picture_or_with_the_mask() {
        let place = |sequence, ends| Place {
            sequence,
            ends,
            keyframe: false,
        };
        let mut group = Group::new(Instant::now());
        let next = |group: &Group, from: u64, ends: u64| {
            group.before_close((from..from + 64).map(|n| place(n, n == ends)))
        };
        assert_eq!(next(&group, 10, 13), Some(4));
        assert_eq!(next(&group, 10, 100), Some(46));
        add_all(&mut group, [10]);
        assert_eq!(next(&group, 11, 100), Some(45));
        group.clear();
        let late = (0..8).map(|n| place(n, n == 7));
        assert_eq!(group.before_close(late), None, "they begin no group");
    }
}
