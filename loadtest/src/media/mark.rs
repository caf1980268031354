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
        payload
            .windows(LEN)
            .filter(|window| window.starts_with(&MAGIC))
            .find_map(Self::read)
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
    let found = payload
        .windows(LEN)
        .position(|window| window.starts_with(&MAGIC) && Mark::read(window).is_some());
    if let Some(at) = found
        && let Some(mark) = Mark::read(&payload[at..at + LEN])
    {
        payload[at..at + LEN].copy_from_slice(&Mark { sent, ..mark }.to_bytes());
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
}
