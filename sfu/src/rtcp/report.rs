//! Report blocks (RFC 3550 §6.4.1).

use std::slice;

/// Bytes of a block.
pub(super) const REPORT_BLOCK_LEN: usize = 24;
/// The most that the 24-bit signed loss count can say.
pub(super) const MAX_CUMULATIVE_LOST: i32 = 0x7F_FFFF;

/// What one receiver says of one source (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; duplicates count against it, so that it may be negative. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// The highest sequence number, extended by its cycles in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in RTP timestamp units.
    pub jitter: u32,
    /// The middle of the last sender report's NTP timestamp; 0 if there was none.
    pub last_sr: u32,
    /// Time since that sender report, in 1/65536 s; 0 if there was none.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn from_bytes(bytes: &[u8; REPORT_BLOCK_LEN]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |index: usize| words.get(index).map_or(0, |word| u32::from_be_bytes(*word));
        let loss = word(1);
        Self {
            ssrc: word(0),
            fraction_lost: (loss >> 24) as u8,
            // The shifts carry the sign of the 24-bit number over.
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            highest_sequence: word(2),
            jitter: word(3),
            last_sr: word(4),
            delay_since_last_sr: word(5),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let lost = self
            .cumulative_lost
            .clamp(-MAX_CUMULATIVE_LOST - 1, MAX_CUMULATIVE_LOST);
        let fraction = u32::from(self.fraction_lost) << 24;
        let words = [
            self.ssrc,
            fraction | (lost.cast_unsigned() & 0xFF_FFFF),
            self.highest_sequence,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ];
        for word in words {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// Iterates over the [`ReportBlock`]s of a report.
#[derive(Debug, Clone)]
pub struct ReportBlocks<'a>(slice::Iter<'a, [u8; REPORT_BLOCK_LEN]>);

impl<'a> ReportBlocks<'a> {
    /// The first `count` blocks in `body`, if it has that many. Profile-specific extensions may follow them.
    pub(super) fn parse(body: &'a [u8], count: u8) -> Option<Self> {
        let (blocks, _) = body.as_chunks();
        Some(Self(blocks.get(..usize::from(count))?.iter()))
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        self.0.next().map(ReportBlock::from_bytes)
    }
}
