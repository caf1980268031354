//! Redundant audio payloads (RFC 2198).

/// Bytes in front of each redundant block's timestamp and length, and in front of the primary one.
const BLOCK_HEADER: usize = 4;
const PRIMARY_HEADER: usize = 1;
/// RFC 2198 §3: a block's length has 10 bits, its distance in time 14.
const MAX_BLOCK: usize = (1 << 10) - 1;
const MAX_OFFSET: u32 = (1 << 14) - 1;

/// A copy of a packet that was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    offset: u16,
    payload: &'a [u8],
}

impl<'a> Block<'a> {
    /// A copy of what was sent under `timestamp` for a packet that bears `primary`. `None` where RFC 2198 §3 can't name it:
    /// it isn't older, or more than 16,383 ticks, or is empty or longer than 1,023 bytes.
    pub fn new(primary: u32, timestamp: u32, payload: &'a [u8]) -> Option<Self> {
        let offset = primary.wrapping_sub(timestamp);
        let fits = (1..=MAX_OFFSET).contains(&offset) && (1..=MAX_BLOCK).contains(&payload.len());
        fits.then_some(Self {
            offset: offset as u16,
            payload,
        })
    }

    /// Bytes that it adds to a packet.
    pub fn cost(&self) -> usize {
        BLOCK_HEADER + self.payload.len()
    }
}

/// The length of the payload that [`write`] makes.
pub fn length(blocks: &[Block<'_>], primary: &[u8]) -> usize {
    let redundant: usize = blocks.iter().map(Block::cost).sum();
    redundant + PRIMARY_HEADER + primary.len()
}

/// Writes `blocks`, the oldest first, and the primary payload into `target`, which must be as long as [`length`] says. All
/// are of the payload type `payload_type`.
///
/// # Panics
/// If `target` is shorter: a mistake of the caller.
pub fn write(target: &mut [u8], payload_type: u8, blocks: &[Block<'_>], primary: &[u8]) {
    let mut at = 0;
    for block in blocks {
        // F (1), payload type (7), timestamp offset (14), length (10).
        let head = 1 << 31
            | u32::from(payload_type & 127) << 24
            | u32::from(block.offset) << 10
            | block.payload.len() as u32;
        target[at..at + BLOCK_HEADER].copy_from_slice(&head.to_be_bytes());
        at += BLOCK_HEADER;
    }
    target[at] = payload_type & 127;
    at += PRIMARY_HEADER;
    for payload in blocks.iter().map(|b| b.payload).chain([primary]) {
        target[at..at + payload.len()].copy_from_slice(payload);
        at += payload.len();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Reads as RFC 2198 §3 says and allows nothing else: timestamp offsets and payloads, the primary one last.
    fn read(mut bytes: &[u8], payload_type: u8) -> Vec<(u32, Vec<u8>)> {
        let mut heads = Vec::new();
        while bytes[0] & 0x80 != 0 {
            let head = u32::from_be_bytes(bytes[..4].try_into().unwrap());
            assert_eq!(head >> 24, u32::from(0x80 | payload_type));
            heads.push((head >> 10 & 0x3fff, (head & 0x3ff) as usize));
            bytes = &bytes[4..];
        }
        assert_eq!(bytes[0], payload_type);
        bytes = &bytes[1..];
        let mut found = Vec::new();
        for (offset, length) in heads {
            let (block, rest) = bytes.split_at(length);
            found.push((offset, block.to_vec()));
            bytes = rest;
        }
        found.push((0, bytes.to_vec()));
        found
    }

    fn written(blocks: &[Block<'_>], primary: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xee; length(blocks, primary)];
        write(&mut bytes, 111, blocks, primary);
        bytes
    }

    #[test]
    fn blocks_and_the_primary_come_back() {
        let longest = vec![7; 1023];
        let before = [
            Block::new(100, 100_u32.wrapping_sub(16_383), &longest).unwrap(),
            Block::new(100, 99, b"x").unwrap(),
        ];
        assert_eq!(
            read(&written(&before, b"primary"), 111),
            [
                (16_383, longest.clone()),
                (1, b"x".to_vec()),
                (0, b"primary".to_vec())
            ]
        );
        assert_eq!(read(&written(&[], b"p"), 111), [(0, b"p".to_vec())]);
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        let block = Block::new(20_960, 20_000, &[0xaa, 0xbb]).unwrap();
        assert_eq!(
            written(&[block], &[0xcc]),
            [0xef, 0x0f, 0x00, 0x02, 0x6f, 0xaa, 0xbb, 0xcc]
        );
    }

    #[test]
    fn what_the_fields_cannot_hold_is_no_block() {
        assert!(Block::new(960, 960, b"same time").is_none());
        assert!(Block::new(0, 960, b"newer").is_none());
        assert!(Block::new(16_384, 0, b"too old").is_none());
        assert!(Block::new(960, 0, &[0; 1024]).is_none());
        assert!(Block::new(960, 0, &[]).is_none());
        assert!(Block::new(959, u32::MAX, b"time wraps").is_some());
    }
}
