//! The mark that each packet of ours carries: who sent it, which it is, and when.
//!
//! It lies where the codec's headers end and the coded picture would begin. All its bytes have the high bit set, so that
//! no H.264 start code and no VP8 or Opus header can be found in it, and a server may read the packet as any other.

/// Begins a mark.
const MAGIC: [u8; 3] = [0xd5, 0xb9, 0xe3];
const HIGH: u8 = 0x80;
/// Bytes of a mark.
pub const LEN: usize = MAGIC.len() + 2 + 1 + 5 + 4 + 9 + 1;
/// Publishers that marks can tell apart.
pub const MAX_PUBLISHERS: usize = 1 << 14;

/// The layer of a mark that says "sound".
pub const SOUND: u8 = 7;

/// What a packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Whose packet it is, below [`MAX_PUBLISHERS`].
    pub publisher: u16,
    /// The layer, 0 the best; [`SOUND`] for sound.
    pub layer: u8,
    /// Of a keyframe.
    pub key: bool,
    /// The first packet of its picture.
    pub first: bool,
    /// The last packet of its picture.
    pub last: bool,
    /// How many packets of the layer were before it.
    pub packet: u64,
    /// How many pictures of the layer were before its own.
    pub frame: u32,
    /// When it was sent, in nanoseconds since 1970.
    pub sent: u64,
}

impl Mark {
    /// In the form that packets carry.
    pub fn to_bytes(self) -> [u8; LEN] {
        let flags = u64::from(self.layer) << 3
            | u64::from(self.key) << 2
            | u64::from(self.first) << 1
            | u64::from(self.last);
        let fields = [
            (u64::from(self.publisher), 2),
            (flags, 1),
            (self.packet, 5),
            (u64::from(self.frame), 4),
            (self.sent, 9),
        ];
        let mut bytes = [HIGH; LEN];
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        let mut at = MAGIC.len();
        for (value, len) in fields {
            for i in 0..len {
                bytes[at + i] |= (value >> (7 * (len - 1 - i))) as u8 & !HIGH;
            }
            at += len;
        }
        bytes[LEN - 1] |= checksum(&bytes[..LEN - 1]);
        bytes
    }

    /// Finds the mark at the beginning of a payload, behind the codec's headers.
    pub fn find(payload: &[u8]) -> Option<Self> {
        Self::locate(payload).map(|(_, mark)| mark)
    }

    fn locate(payload: &[u8]) -> Option<(usize, Self)> {
        payload
            .windows(LEN)
            .enumerate()
            .filter(|(_, window)| window.starts_with(&MAGIC))
            .find_map(|(at, window)| Some((at, Self::read(window)?)))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (check, fields) = bytes.split_last()?;
        if bytes.iter().any(|byte| byte & HIGH == 0) || *check != HIGH | checksum(fields) {
            return None;
        }
        let mut rest = &fields[MAGIC.len()..];
        let mut take = |len: usize| {
            let (value, behind) = rest.split_at(len);
            rest = behind;
            value
                .iter()
                .fold(0u64, |sum, byte| sum << 7 | u64::from(byte & !HIGH))
        };
        let publisher = take(2) as u16;
        let flags = take(1) as u8;
        Some(Self {
            publisher,
            layer: flags >> 3,
            key: flags & 4 != 0,
            first: flags & 2 != 0,
            last: flags & 1 != 0,
            packet: take(5),
            frame: take(4) as u32,
            sent: take(9),
        })
    }
}

/// Writes the moment of sending into the mark of a payload that has one.
pub fn stamp(payload: &mut [u8], sent: u64) {
    if let Some((at, mark)) = Mark::locate(payload) {
        payload[at..at + LEN].copy_from_slice(&Mark { sent, ..mark }.to_bytes());
    }
}

/// Says that the mark behind it stands for all packets of its picture, from number [`Mark::packet`] on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// The packet that the mark is in, counted from the picture's first.
    pub index: u16,
    /// Packets of the picture.
    pub of: u16,
}

/// Finds the mark at the beginning of a payload, with the share that it has if it stands for a whole picture.
pub fn find(payload: &[u8]) -> Option<(Mark, Option<Share>)> {
    let (at, mark) = Mark::locate(payload)?;
    let before = at.checked_sub(SHARE).and_then(|from| payload.get(from..at));
    Some((mark, before.and_then(Share::read)))
}

/// Begins a share: it tells whose user data this is, too (ITU-T H.264 D.1.7).
const SHARED: [u8; 16] = *b"spillway picture";
/// Bytes of a share before the mark.
const SHARE: usize = SHARED.len() + 4;

impl Share {
    /// With its mark, in the form that packets carry.
    pub fn to_bytes(self, mark: Mark) -> [u8; SHARE + LEN] {
        let mut bytes = [HIGH; SHARE + LEN];
        bytes[..SHARED.len()].copy_from_slice(&SHARED);
        let (numbers, behind) = bytes[SHARED.len()..].split_at_mut(SHARE - SHARED.len());
        for (pair, value) in numbers.chunks_exact_mut(2).zip([self.index, self.of]) {
            pair[0] |= (value >> 7) as u8 & !HIGH;
            pair[1] |= value as u8 & !HIGH;
        }
        behind.copy_from_slice(&mark.to_bytes());
        bytes
    }

    /// Finds a share and its mark.
    pub fn find(payload: &[u8]) -> Option<(Self, Mark)> {
        let (mark, share) = find(payload)?;
        Some((share?, mark))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let numbers = bytes.strip_prefix(&SHARED)?;
        let number = |at: usize| {
            let [high, low] = *numbers.get(at..)?.first_chunk::<2>()?;
            Some(u16::from(high & !HIGH) << 7 | u16::from(low & !HIGH))
        };
        Some(Self {
            index: number(0)?,
            of: number(2)?,
        })
    }

    /// Puts this in the place of the share in a payload that has one.
    pub fn write(self, payload: &mut [u8]) {
        if let Some((_, mark)) = Self::find(payload)
            && let Some((at, _)) = Mark::locate(payload)
        {
            payload[at - SHARE..at + LEN].copy_from_slice(&self.to_bytes(mark));
        }
    }

    /// The mark that packet `index` of the picture would bear.
    pub fn mark_of(self, index: u16, mark: &Mark) -> Mark {
        Mark {
            first: index == 0,
            last: index + 1 == self.of,
            packet: mark.packet + u64::from(index),
            ..*mark
        }
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    // Odd, so that no change of a single bit is lost.
    let sum = bytes
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    sum & !HIGH
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_mark_is_found_behind_headers_and_only_whole() {
        let mark = Mark {
            publisher: 499,
            layer: SOUND,
            key: true,
            first: false,
            last: true,
            packet: 1 << 34,
            frame: (1 << 28) - 1,
            sent: 1_790_000_000_123_456_789,
        };
        let bytes = mark.to_bytes();
        for before in 0..20 {
            // The magic's first bytes before it don't hide it.
            let mut payload = [&[0xd5; 20][..before], &bytes, &[0; 9]].concat();
            assert_eq!(Mark::find(&payload), Some(mark));
            assert_eq!(Mark::find(&payload[..before + LEN - 1]), None);
            for broken in before..before + LEN {
                let mut payload = payload.clone();
                payload[broken] ^= 0x10;
                assert_eq!(Mark::find(&payload), None, "byte {broken}");
            }
            stamp(&mut payload, 7);
            assert_eq!(Mark::find(&payload), Some(Mark { sent: 7, ..mark }));
        }
    }

    #[test]
    fn a_shared_mark_is_found_and_told_its_place() {
        let mark = Mark {
            publisher: 1,
            layer: 0,
            key: false,
            first: false,
            last: false,
            packet: 70,
            frame: 9,
            sent: 5,
        };
        let bytes = Share::default().to_bytes(mark);
        // Nothing in it looks like the beginning of a start code.
        assert!(bytes.iter().all(|byte| *byte != 0));
        let mut payload = [&[6, 5, 45][..], &bytes, &[0x80]].concat();
        let share = Share {
            index: 129,
            of: 16_383,
        };
        share.write(&mut payload);
        stamp(&mut payload, 8);
        let mark = Mark { sent: 8, ..mark };
        assert_eq!(Share::find(&payload), Some((share, mark)));
        assert_eq!(Share::find(&mark.to_bytes()), None);
        let of = |index| {
            let mark = share.mark_of(index, &mark);
            (mark.packet, mark.first, mark.last)
        };
        assert_eq!(of(0), (70, true, false));
        assert_eq!(of(16_382), (16_452, false, true));
    }
}
