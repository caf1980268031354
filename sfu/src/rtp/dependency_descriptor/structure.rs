//! The template dependency structure (AV1 RTP specification, §A.8.2): what the frames of a coded video sequence are.

use arrayvec::ArrayVec;

use super::{ActiveTargets, MAX_REFERENCES};
use crate::bits::BitReader;

/// Decode targets of a structure at most: their count is written in five bits.
pub const MAX_DECODE_TARGETS: usize = 32;
/// Templates of a structure at most: their ids are written in six bits.
const MAX_TEMPLATES: usize = 64;
/// Spatial layers whose size is kept; a structure with more isn't read.
const MAX_SPATIAL: usize = 4;
/// `next_layer_idc` (§A.8.3).
const NEXT_TEMPORAL: u32 = 1;
const NEXT_SPATIAL: u32 = 2;
const NO_MORE: u32 = 3;

/// What a frame is to a decode target (§A.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indication {
    /// It isn't of this target.
    NotPresent,
    /// Nothing of this target refers to it.
    Discardable,
    /// Who can decode it can decode all that comes of this target.
    Switch,
    /// It is needed, and no point to switch to this target.
    Required,
}

/// One indication for each decode target, two bits each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Indications(u64);

impl Indications {
    pub(super) fn read<I: Iterator<Item = u8>>(
        bits: &mut BitReader<I>,
        targets: usize,
    ) -> Option<Self> {
        let mut all = 0;
        for target in 0..targets {
            all |= u64::from(bits.bits(2)?) << (2 * target);
        }
        Some(Self(all))
    }

    pub(super) fn get(self, target: usize) -> Indication {
        match self.0.checked_shr(2 * target as u32).unwrap_or(0) & 3 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }
}

/// What frames have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The spatial layer, 0 the smallest.
    pub spatial: u8,
    /// The temporal layer, 0 the slowest.
    pub temporal: u8,
    pub(super) indications: Indications,
    /// How many frames back the frames that it refers to are.
    pub references: ArrayVec<u16, MAX_REFERENCES>,
}

/// A set of frames that can be decoded by itself: the frames up to these layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Target {
    /// The highest spatial layer.
    pub spatial: u8,
    /// The highest temporal layer.
    pub temporal: u8,
}

/// The structure of a coded video sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Structure {
    first_id: u8,
    /// In the order of their ids.
    pub templates: ArrayVec<Template, MAX_TEMPLATES>,
    /// The decode targets.
    pub targets: ArrayVec<Target, MAX_DECODE_TARGETS>,
    /// Chains of frames that protect decode targets.
    pub chains: u8,
    /// The size of each spatial layer, where the structure names it.
    pub sizes: ArrayVec<(u16, u16), MAX_SPATIAL>,
}

impl Structure {
    /// The template that goes by `id`.
    pub fn template(&self, id: u8) -> Option<&Template> {
        let index = id.wrapping_sub(self.first_id) % MAX_TEMPLATES as u8;
        self.templates.get(usize::from(index))
    }

    /// The decode targets within these layers: those that a viewer who gets no more may expect.
    pub fn active_targets(&self, spatial: u8, temporal: u8) -> ActiveTargets {
        let within = |t: &Target| t.spatial <= spatial && t.temporal <= temporal;
        let bit = |(index, target): (usize, &Target)| u32::from(within(target)) << index;
        ActiveTargets {
            count: self.targets.len() as u8,
            mask: self.targets.iter().enumerate().map(bit).sum(),
        }
    }

    /// Reads `template_dependency_structure()`.
    pub(super) fn read<I: Iterator<Item = u8>>(bits: &mut BitReader<I>) -> Option<Self> {
        let mut structure = Self {
            first_id: bits.bits(6)? as u8,
            ..Self::default()
        };
        let targets = bits.bits(5)? as usize + 1;
        let spatial_layers = structure.read_layers(bits)?;
        for template in &mut structure.templates {
            template.indications = Indications::read(bits, targets)?;
        }
        for template in &mut structure.templates {
            while bits.flag()? {
                let back = bits.bits(4)? as u16 + 1;
                template.references.try_push(back).ok()?;
            }
        }
        structure.skip_chains(bits, targets as u32)?;
        structure.find_targets(targets);
        if bits.flag()? {
            for _ in 0..spatial_layers {
                let size = (bits.bits(16)? as u16, bits.bits(16)? as u16);
                let size = (size.0.saturating_add(1), size.1.saturating_add(1));
                structure.sizes.try_push(size).ok()?;
            }
        }
        Some(structure)
    }

    /// `template_layers()`. Returns how many spatial layers there are.
    fn read_layers<I: Iterator<Item = u8>>(&mut self, bits: &mut BitReader<I>) -> Option<u8> {
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            let template = Template {
                spatial,
                temporal,
                indications: Indications::default(),
                references: ArrayVec::new(),
            };
            self.templates.try_push(template).ok()?;
            match bits.bits(2)? {
                NEXT_TEMPORAL => temporal += 1,
                NEXT_SPATIAL => (spatial, temporal) = (spatial + 1, 0),
                NO_MORE => return Some(spatial + 1),
                _ => {}
            }
        }
    }

    /// `template_chains()`: what forwarding needs of dependencies, the indications say.
    fn skip_chains<I: Iterator<Item = u8>>(
        &mut self,
        bits: &mut BitReader<I>,
        targets: u32,
    ) -> Option<()> {
        let chains = bits.below(targets + 1)?;
        self.chains = chains as u8;
        if chains == 0 {
            return Some(());
        }
        for _ in 0..targets {
            bits.below(chains)?;
        }
        bits.skip(4 * chains * self.templates.len() as u32)
    }

    /// `decode_target_layers()`: a target has the highest layers of the templates that are of it.
    fn find_targets(&mut self, count: usize) {
        for index in 0..count {
            let of_target = |t: &&Template| t.indications.get(index) != Indication::NotPresent;
            let mut target = Target::default();
            for template in self.templates.iter().filter(of_target) {
                target.spatial = target.spatial.max(template.spatial);
                target.temporal = target.temporal.max(template.temporal);
            }
            self.targets.push(target);
        }
    }
}
