//! The dependency descriptor (AV1 RTP specification, appendix A): of which sub-layer a frame is, and what it needs.

mod structure;
#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;
pub use structure::{Indication, MAX_DECODE_TARGETS, Structure, Target, Template};

use super::wire::{take_u8, take_u16};
use crate::bits::BitReader;

/// Frames that one frame refers to at most: AV1 has seven reference frames. A descriptor that names more isn't read.
pub const MAX_REFERENCES: usize = 8;
/// Where the extended fields begin, and where they go on behind their flags, in bits.
const EXTENDED: usize = 24;
const BEHIND_FLAGS: usize = EXTENDED + 5;
/// The flag of the extended fields that announces a bitmask of active decode targets.
const ACTIVE_TARGETS_PRESENT: usize = EXTENDED + 1;

/// What every dependency descriptor says in its mandatory fields (§A.8.2), and whether a structure follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the wire format"
)]
pub struct DependencyDescriptor {
    /// The packet is the first of its frame.
    pub first_in_frame: bool,
    /// The packet is the last of its frame.
    pub last_in_frame: bool,
    /// Which template of the structure the frame follows, 0 to 63.
    pub template_id: u8,
    /// Counts frames, of all layers.
    pub frame_number: u16,
    /// A template dependency structure is attached: the frame begins a coded video sequence.
    pub has_structure: bool,
    /// The active decode targets are named.
    pub has_active_targets: bool,
}

impl DependencyDescriptor {
    /// Reads the extension's value.
    pub fn parse(mut value: &[u8]) -> Option<Self> {
        let flags = take_u8(&mut value)?;
        let frame_number = take_u16(&mut value)?;
        Some(Self {
            first_in_frame: flags & 0x80 != 0,
            last_in_frame: flags & 0x40 != 0,
            template_id: flags & 0x3F,
            frame_number,
            // The first flags of the extended fields (§A.8.2).
            has_structure: value.first().is_some_and(|extended| extended & 0x80 != 0),
            has_active_targets: value.first().is_some_and(|extended| extended & 0x40 != 0),
        })
    }
}

/// What a descriptor says of its frame (§A.8.2, `frame_dependency_definition`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The spatial layer, 0 the smallest.
    pub spatial: u8,
    /// The temporal layer, 0 the slowest.
    pub temporal: u8,
    /// What the frame is to each decode target of the structure.
    indications: structure::Indications,
    /// How many frames back the frames that it refers to are.
    pub references: ArrayVec<u16, MAX_REFERENCES>,
}

impl Frame {
    /// What the frame is to a decode target.
    pub fn indication(&self, target: usize) -> Indication {
        self.indications.get(target)
    }

    /// Reads the extension's value, which follows a template of `structure`. `None` where it doesn't, or is malformed.
    pub fn parse(value: &[u8], structure: &Structure) -> Option<Self> {
        let descriptor = DependencyDescriptor::parse(value)?;
        let template = structure.template(descriptor.template_id)?;
        let mut frame = Self {
            spatial: template.spatial,
            temporal: template.temporal,
            indications: template.indications,
            references: template.references.clone(),
        };
        if value.len() > EXTENDED / 8 {
            frame.customize(value, descriptor.has_structure, structure.targets.len())?;
        }
        Some(frame)
    }

    fn customize(&mut self, value: &[u8], attached: bool, targets: usize) -> Option<()> {
        let mut bits = BitReader::new(value.iter().copied());
        bits.skip(EXTENDED as u32 + 1)?;
        let active = bits.flag()?;
        let (indications, references) = (bits.flag()?, bits.flag()?);
        bits.skip(1)?;
        if attached {
            Structure::read(&mut bits)?;
        }
        if active {
            bits.skip(targets as u32)?;
        }
        if indications {
            self.indications = structure::Indications::read(&mut bits, targets)?;
        }
        if references {
            self.references.clear();
            loop {
                let size = bits.bits(2)?;
                if size == 0 {
                    break;
                }
                let back = bits.bits(4 * size)? as u16 + 1;
                self.references.try_push(back).ok()?;
            }
        }
        Some(())
    }
}

/// The structure that a descriptor carries, if it does.
pub fn attached_structure(value: &[u8]) -> Option<Structure> {
    if !DependencyDescriptor::parse(value)?.has_structure {
        return None;
    }
    let mut bits = BitReader::new(value.iter().copied());
    bits.skip(BEHIND_FLAGS as u32)?;
    Structure::read(&mut bits)
}

/// Which decode targets a receiver may expect frames of (§A.8.3, `active_decode_targets_bitmask`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveTargets {
    /// Decode targets of the structure, 1 to 32.
    pub count: u8,
    /// One bit for each, the first the lowest.
    pub mask: u32,
}

/// Writes `value` into `out`, with no other active decode targets than these; those that it left out itself stay so.
/// Returns its new length; `None` where it can't be read, or `out` is too small.
pub fn set_active_targets(value: &[u8], active: ActiveTargets, out: &mut [u8]) -> Option<usize> {
    let head = value.get(..EXTENDED / 8)?;
    // Without extended fields all flags are clear.
    let extended = value.get(EXTENDED / 8..).unwrap_or_default();
    let mut bits = BitReader::new(extended.iter().copied());
    let (mut named, mut behind) = (false, 0);
    if !extended.is_empty() {
        let attached = bits.flag()?;
        named = bits.flag()?;
        bits.skip(3)?;
        if attached && Structure::read(&mut bits)?.targets.len() != usize::from(active.count) {
            return None;
        }
        behind = bits.taken();
    }
    let width = usize::from(active.count);
    let mask = active.mask
        & if named {
            bits.bits(u32::from(active.count))?
        } else {
            u32::MAX
        };
    let rest = behind + if named { width } else { 0 };
    let before = behind.max(BEHIND_FLAGS - EXTENDED);
    let tail = (8 * extended.len()).saturating_sub(rest);
    let length = (EXTENDED + before + width + tail).div_ceil(8);
    let target = out.get_mut(..length)?;
    target.fill(0);
    target[..head.len()].copy_from_slice(head);
    let mut at = EXTENDED;
    let mut put = |bit: bool| {
        target[at / 8] |= u8::from(bit) << (7 - at % 8);
        at += 1;
    };
    let bit_of = |index: usize| extended[index / 8] >> (7 - index % 8) & 1 == 1;
    for index in 0..before {
        put(index < behind && bit_of(index));
    }
    for bit in (0..active.count).rev() {
        put(mask >> bit & 1 == 1);
    }
    for index in rest..rest + tail {
        put(bit_of(index));
    }
    target[ACTIVE_TARGETS_PRESENT / 8] |= 0x80 >> (ACTIVE_TARGETS_PRESENT % 8);
    Some(length)
}

/// Counts the frame of a descriptor on by `ahead`, in place.
pub fn shift_frame_number(value: &mut [u8], ahead: u16) {
    if let Some([_, number @ ..]) = value.first_chunk_mut::<3>() {
        *number = u16::from_be_bytes(*number)
            .wrapping_add(ahead)
            .to_be_bytes();
    }
}
