//! What H.264 and H.265 have in common: NAL units, and parameter sets that keyframes need.

use bytes::Bytes;

use super::{Assembled, Coded};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// The most parameter sets of a kind, and bytes of them, that are kept: far more than encoders use.
const MAX_SETS: usize = 32;
const MAX_SET_BYTES: usize = 4096;

/// Parameter sets that a session description brought (`sprop-parameter-sets`, RFC 6184 §8.1, and `sprop-vps`, `-sps`,
/// `-pps`, RFC 7798 §7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// NAL units without start codes.
    pub h264: Vec<Bytes>,
    /// The same of H.265.
    pub h265: Vec<Bytes>,
}

/// What a NAL unit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// An access unit delimiter, which is first.
    Delimiter,
    /// A parameter set of this kind: 0 for VPS, 1 for SPS, 2 for PPS.
    ParameterSet(usize),
    Slice {
        /// Of a picture that needs none before it.
        key: bool,
        /// The first of its picture.
        first: bool,
    },
    Other,
}

/// How the two differ.
pub(super) trait NalUnits {
    /// Which kinds of parameter sets there are.
    const PARAMETER_SETS: std::ops::RangeInclusive<usize>;

    fn role(unit: &[u8]) -> Role;
}

/// Makes access units of NAL units.
#[derive(Debug, Default)]
pub(super) struct AccessUnits {
    /// VPS, SPS, PPS: those of the last access unit that had any of the kind.
    sets: [Vec<Vec<u8>>; 3],
    /// Some came by themselves, and no picture since.
    unsent: bool,
    /// The last keyframe brought its own.
    in_band: bool,
}

impl AccessUnits {
    pub(super) fn assemble<F: NalUnits>(&mut self, units: &[Vec<u8>], begins: bool) -> Assembled {
        let roles: Vec<Role> = units.iter().map(|unit| F::role(unit)).collect();
        let begins = begins || self.starts::<F>(&roles);
        let slice = roles.iter().find_map(|role| match role {
            Role::Slice { key, first } => Some((*key, *first)),
            _ => None,
        });
        let Some((keyframe, first)) = slice else {
            if begins {
                self.unsent |= self.remember_by_role(units, &roles);
                return Assembled::Nothing;
            }
            return Assembled::Broken;
        };
        if !begins || !first {
            return Assembled::Broken;
        }
        self.remember_by_role(units, &roles);
        let missing: Vec<usize> = F::PARAMETER_SETS
            .filter(|kind| !roles.contains(&Role::ParameterSet(*kind)))
            .collect();
        if keyframe {
            self.in_band = missing.is_empty();
            if missing.iter().any(|kind| self.sets[*kind].is_empty()) {
                return Assembled::Broken;
            }
        }
        let add: &[usize] = if keyframe || std::mem::take(&mut self.unsent) {
            &missing
        } else {
            &[]
        };
        Assembled::Coded(Coded {
            data: self.write(units, &roles, add),
            keyframe,
        })
    }

    /// Keeps parameter sets.
    pub(super) fn remember<F: NalUnits>(&mut self, units: &[Bytes]) {
        let units: Vec<Vec<u8>> = units.iter().map(|unit| unit.to_vec()).collect();
        let roles: Vec<Role> = units.iter().map(|unit| F::role(unit)).collect();
        self.remember_by_role(&units, &roles);
    }

    /// Whether nothing can be missing before units that come after a loss. A slice may have lost its parameter sets, if
    /// they come with the pictures.
    fn starts<F: NalUnits>(&self, roles: &[Role]) -> bool {
        match roles.first() {
            Some(Role::Delimiter) => true,
            Some(Role::ParameterSet(kind)) => kind == F::PARAMETER_SETS.start(),
            Some(Role::Slice { key: true, .. }) => !self.in_band,
            _ => false,
        }
    }

    fn remember_by_role(&mut self, units: &[Vec<u8>], roles: &[Role]) -> bool {
        let mut any = false;
        for (kind, kept) in self.sets.iter_mut().enumerate() {
            let found = units
                .iter()
                .zip(roles)
                .filter(|(unit, role)| {
                    **role == Role::ParameterSet(kind) && unit.len() <= MAX_SET_BYTES
                })
                .map(|(unit, _)| unit);
            let found: Vec<_> = found.take(MAX_SETS).cloned().collect();
            if !found.is_empty() {
                *kept = found;
                any = true;
            }
        }
        any
    }

    /// The units in the byte stream format (ITU-T H.264 and H.265, annex B), with kept parameter sets of the kinds `add`
    /// behind a delimiter.
    fn write(&self, units: &[Vec<u8>], roles: &[Role], add: &[usize]) -> Vec<u8> {
        let delimiters = roles.iter().take_while(|role| **role == Role::Delimiter);
        let (before, after) = units.split_at(delimiters.count());
        let sets = add.iter().flat_map(|kind| &self.sets[*kind]);
        let all = before.iter().chain(sets).chain(after);
        let mut data = Vec::with_capacity(units.iter().map(|unit| unit.len() + 4).sum());
        for unit in all {
            data.extend(START_CODE);
            data.extend(unit);
        }
        data
    }
}
