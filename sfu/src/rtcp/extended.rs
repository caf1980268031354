//! Extended reports (RFC 3611): how a receiver that sends nothing learns its round trip.

use crate::rtp::{
    NtpTime,
    wire::{take, take_u32},
};

/// Block types (RFC 3611 §4).
pub(super) const REFERENCE_TIME: u8 = 4;
const DELAYS: u8 = 5;

/// One thing that an extended report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtendedBlock {
    /// When a receiver sent it, by its clock (RFC 3611 §4.4).
    ReferenceTime(NtpTime),
    /// A source's answer to one receiver (RFC 3611 §4.5).
    Delay(ReferenceDelay),
    /// A block that Spillway doesn't know.
    Other(u8),
}

/// Which reference time a source answers, and how long it held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceDelay {
    /// The receiver.
    pub ssrc: u32,
    /// The middle of its reference time; 0 if it sent none.
    pub last: u32,
    /// Time since that came, in 1/65536 s.
    pub delay: u32,
}

/// Iterates over what an extended report says: its blocks, and each answer of a block of answers. Ends at a block that
/// doesn't fit.
#[derive(Debug, Clone)]
pub struct ExtendedBlocks<'a> {
    rest: &'a [u8],
    delays: &'a [[u8; 12]],
}

impl<'a> ExtendedBlocks<'a> {
    pub(super) const fn parse(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            delays: &[],
        }
    }

    /// The next block's type and content (RFC 3611 §3).
    fn block(&mut self) -> Option<(u8, &'a [u8])> {
        let [block_type, _, words @ ..] = *take::<4>(&mut self.rest)?;
        let length = 4 * usize::from(u16::from_be_bytes(words));
        let (content, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((block_type, content))
    }
}

impl Iterator for ExtendedBlocks<'_> {
    type Item = ExtendedBlock;

    fn next(&mut self) -> Option<ExtendedBlock> {
        loop {
            if let Some((first, rest)) = self.delays.split_first() {
                self.delays = rest;
                let mut words = first.as_slice();
                return Some(ExtendedBlock::Delay(ReferenceDelay {
                    ssrc: take_u32(&mut words)?,
                    last: take_u32(&mut words)?,
                    delay: take_u32(&mut words)?,
                }));
            }
            let Some((block_type, mut content)) = self.block() else {
                self.rest = &[];
                return None;
            };
            match block_type {
                DELAYS => self.delays = content.as_chunks().0,
                REFERENCE_TIME => {
                    let bits = u64::from_be_bytes(*take(&mut content)?);
                    return Some(ExtendedBlock::ReferenceTime(NtpTime::from_bits(bits)));
                }
                other => return Some(ExtendedBlock::Other(other)),
            }
        }
    }
}
