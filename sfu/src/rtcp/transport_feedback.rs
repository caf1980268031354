//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use std::time::Duration;

use super::{Writer, format, packet_type::TRANSPORT_FEEDBACK};
use crate::rtp::wire::{take_u8, take_u16, take_u24};

/// The unit of arrival times (§3.1.5).
pub const TICK: Duration = Duration::from_micros(250);
/// The unit of reference times is 64 ms (§3.1).
pub const TICKS_PER_REFERENCE: i64 = 256;
/// Reference times wrap here (§3.1).
const REFERENCE_MODULUS: i64 = 1 << 24;
/// The most packets that one report speaks of. Two bits and a two-byte delta for each, and the fields before them,
/// stay below the 1200 bytes that every path carries.
pub(super) const MAX_STATUSES: usize = 450;

/// Packet status symbols (§3.1.1).
mod symbol {
    pub(super) const NOT_RECEIVED: u8 = 0;
    pub(super) const SMALL_DELTA: u8 = 1;
    pub(super) const LARGE_DELTA: u8 = 2;
}

/// What one report says, without the arrival times behind it.
#[derive(Debug, Clone)]
pub struct TransportFeedback<'a> {
    /// Who reports.
    pub sender: u32,
    /// A source of the transport; which one means nothing.
    pub media: u32,
    /// The transport-wide sequence number of the first packet that the report speaks of.
    pub base_sequence: u16,
    /// Counts the reports up, so that lost ones are noticed.
    pub feedback_count: u8,
    /// What arrival times are relative to, in units of 64 ms ([`TICKS_PER_REFERENCE`]) of the receiver's clock.
    /// 24 bits on the wire, so that it wraps after 12 days.
    pub reference_time: u32,
    status_count: u16,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportFeedback<'a> {
    /// Reads a packet behind its SSRCs. All statuses and deltas that it promises are there.
    pub(super) fn parse(sender: u32, media: u32, mut body: &'a [u8]) -> Option<Self> {
        let base_sequence = take_u16(&mut body)?;
        let status_count = take_u16(&mut body)?;
        let reference_time = take_u24(&mut body)?;
        let feedback_count = take_u8(&mut body)?;
        let (mut seen, mut delta_len) = (0_u16, 0_usize);
        let mut rest = body;
        while seen < status_count {
            let chunk = Chunk::parse(take_u16(&mut rest)?);
            let count = chunk.len().min(status_count - seen);
            delta_len += chunk.delta_len(count)?;
            seen += count;
        }
        let chunks = body.get(..body.len() - rest.len())?;
        Some(Self {
            sender,
            media,
            base_sequence,
            feedback_count,
            reference_time,
            status_count,
            chunks,
            deltas: rest.get(..delta_len)?,
        })
    }

    /// Iterates over the packets that the report speaks of: sequence number and, if it arrived, when: in [`TICK`]s
    /// relative to the reference time.
    pub const fn statuses(&self) -> Statuses<'a> {
        Statuses {
            sequence: self.base_sequence,
            left: self.status_count,
            chunk: Chunk::Run { symbol: 0, len: 0 },
            position: 0,
            chunks: self.chunks,
            deltas: self.deltas,
            arrival: 0,
        }
    }
}

/// One packet chunk (§3.1.2).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// §3.1.3
    Run { symbol: u8, len: u16 },
    /// §3.1.4, 14 symbols of 1 bit.
    OneBit(u16),
    /// §3.1.4, 7 symbols of 2 bits.
    TwoBit(u16),
}

impl Chunk {
    const fn parse(bits: u16) -> Self {
        match bits >> 14 {
            0b10 => Self::OneBit(bits & 0x3FFF),
            0b11 => Self::TwoBit(bits & 0x3FFF),
            _ => Self::Run {
                symbol: (bits >> 13) as u8 & 0b11,
                len: bits & 0x1FFF,
            },
        }
    }

    const fn len(self) -> u16 {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => 14,
            Self::TwoBit(_) => 7,
        }
    }

    const fn symbol(self, position: u16) -> u8 {
        match self {
            Self::Run { symbol, .. } => symbol,
            Self::OneBit(bits) => (bits >> (13 - position)) as u8 & 0b1,
            Self::TwoBit(bits) => (bits >> (12 - 2 * position)) as u8 & 0b11,
        }
    }

    /// Bytes of delta that the first `count` symbols have; `None` with the reserved symbol among them.
    fn delta_len(self, count: u16) -> Option<usize> {
        if let Self::Run { symbol, len: _ } = self {
            return Some(symbol_delta_len(symbol)? * usize::from(count));
        }
        (0..count)
            .map(|position| symbol_delta_len(self.symbol(position)))
            .sum()
    }
}

const fn symbol_delta_len(symbol: u8) -> Option<usize> {
    match symbol {
        symbol::NOT_RECEIVED => Some(0),
        symbol::SMALL_DELTA => Some(1),
        symbol::LARGE_DELTA => Some(2),
        _ => None,
    }
}

/// Iterates over the packets that a report speaks of, see [`TransportFeedback::statuses`].
#[derive(Debug, Clone)]
pub struct Statuses<'a> {
    sequence: u16,
    left: u16,
    chunk: Chunk,
    /// Of the next symbol in `chunk`.
    position: u16,
    chunks: &'a [u8],
    deltas: &'a [u8],
    /// Of the packet before.
    arrival: i64,
}

impl Iterator for Statuses<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        while self.position >= self.chunk.len() {
            self.chunk = Chunk::parse(take_u16(&mut self.chunks)?);
            self.position = 0;
        }
        let delta = match self.chunk.symbol(self.position) {
            symbol::SMALL_DELTA => Some(i64::from(take_u8(&mut self.deltas)?)),
            symbol::LARGE_DELTA => Some(i64::from(take_u16(&mut self.deltas)?.cast_signed())),
            _ => None,
        };
        let sequence = self.sequence;
        self.position += 1;
        self.sequence = sequence.wrapping_add(1);
        self.arrival += delta.unwrap_or(0);
        Some((sequence, delta.map(|_| self.arrival)))
    }
}

/// Symbols and deltas of a report that is being written.
struct Encoding {
    symbols: [u8; MAX_STATUSES],
    deltas: [i16; MAX_STATUSES],
    len: usize,
}

impl Encoding {
    /// Takes what fits one report: at most [`MAX_STATUSES`], and no delta beyond 16 bits.
    fn new(reference: i64, arrivals: impl Iterator<Item = Option<i64>>) -> Self {
        let mut encoding = Self {
            symbols: [symbol::NOT_RECEIVED; MAX_STATUSES],
            deltas: [0; MAX_STATUSES],
            len: 0,
        };
        let mut previous = reference;
        let places = encoding.symbols.iter_mut().zip(&mut encoding.deltas);
        for ((symbol, delta), arrival) in places.zip(arrivals) {
            if let Some(arrival) = arrival {
                let Ok(step) = i16::try_from(arrival.saturating_sub(previous)) else {
                    break;
                };
                previous = arrival;
                *delta = step;
                *symbol = if u8::try_from(step).is_ok() {
                    symbol::SMALL_DELTA
                } else {
                    symbol::LARGE_DELTA
                };
            }
            encoding.len += 1;
        }
        encoding
    }

    fn write_chunks(&self, out: &mut Vec<u8>) {
        let mut rest = self.symbols.get(..self.len).unwrap_or_default();
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|symbol| *symbol == first).count();
            let fits_one_bit = |symbols: &[u8]| !symbols.contains(&symbol::LARGE_DELTA);
            let (vector, width) = match rest.get(..14).unwrap_or(rest) {
                symbols if fits_one_bit(symbols) => (symbols, 1),
                symbols => (symbols.get(..7).unwrap_or(symbols), 2),
            };
            let (bits, used) = if run >= vector.len() {
                (u16::from(*first) << 13 | run as u16, run)
            } else {
                (vector_chunk(vector, width), vector.len())
            };
            out.extend_from_slice(&bits.to_be_bytes());
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn write_deltas(&self, out: &mut Vec<u8>) {
        for (symbol, delta) in self.symbols.iter().zip(self.deltas).take(self.len) {
            match *symbol {
                symbol::SMALL_DELTA => out.push(delta as u8),
                symbol::LARGE_DELTA => out.extend_from_slice(&delta.to_be_bytes()),
                _ => {}
            }
        }
    }
}

/// A status vector chunk (§3.1.4) of at most 14 symbols of one bit or 7 of two.
fn vector_chunk(symbols: &[u8], width: u32) -> u16 {
    let kind = if width == 1 { 0b10 } else { 0b11 };
    let mut bits = 0_u16;
    for symbol in symbols {
        bits = (bits << width) | u16::from(*symbol);
    }
    let missing = 14 - symbols.len() as u32 * width;
    kind << 14 | bits << missing
}

impl Writer<'_> {
    /// Appends transport-wide feedback on packets from `base_sequence` on: `arrivals` says of one after the other when
    /// it arrived, if it did, in [`TICK`]s of any clock.
    ///
    /// Returns how many packets the report speaks of, which is less than all when they don't fit one report: more than
    /// 450, or more than 8 s between two arrivals. The caller reports the rest separately. Nothing is written if
    /// none of them arrived.
    pub fn transport_feedback(
        &mut self,
        sender: u32,
        media: u32,
        base_sequence: u16,
        feedback_count: u8,
        arrivals: impl Iterator<Item = Option<i64>> + Clone,
    ) -> usize {
        let Some(first) = arrivals.clone().take(MAX_STATUSES).flatten().next() else {
            return 0;
        };
        let reference = first.div_euclid(TICKS_PER_REFERENCE);
        let encoding = Encoding::new(reference * TICKS_PER_REFERENCE, arrivals);
        self.packet(format::TRANSPORT_WIDE, TRANSPORT_FEEDBACK, |out| {
            out.extend_from_slice(&sender.to_be_bytes());
            out.extend_from_slice(&media.to_be_bytes());
            out.extend_from_slice(&base_sequence.to_be_bytes());
            out.extend_from_slice(&(encoding.len as u16).to_be_bytes());
            let reference = reference.rem_euclid(REFERENCE_MODULUS) as u32;
            out.extend_from_slice(&(reference << 8 | u32::from(feedback_count)).to_be_bytes());
            encoding.write_chunks(out);
            encoding.write_deltas(out);
        });
        encoding.len
    }
}

#[cfg(test)]
#[path = "transport_feedback_tests.rs"]
mod tests;
