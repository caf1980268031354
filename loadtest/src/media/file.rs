//! A file of H.264 (ITU-T H.264 annex B) as the source of pictures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use super::mark::Mark;
use super::packets;

/// Bytes of a file: it is kept in memory.
const MOST: u64 = 512 << 20;
/// Bytes of a picture: the mark counts its packets in 14 bits.
const MOST_OF_PICTURE: usize = 16 << 20;
/// Bytes that are looked at of a NAL unit's fields.
const FIELDS: usize = 24;

/// NAL unit types (ITU-T H.264 table 7-1).
mod nal {
    pub(super) const SLICE: u8 = 1;
    pub(super) const PARTITION_A: u8 = 2;
    pub(super) const IDR: u8 = 5;
    pub(super) const SEI: u8 = 6;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    pub(super) const DELIMITER: u8 = 9;
    pub(super) const PREFIX: u8 = 14;
    pub(super) const RESERVED: u8 = 18;
    /// From here on RTP has its own types.
    pub(super) const UNSPECIFIED: u8 = 24;
}

/// Why a file can't be published.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused something.
    #[error("it can't be read")]
    Unreadable(#[from] io::Error),
    /// See [`MOST`].
    #[error("it has more than {} MiB", MOST >> 20)]
    TooLarge,
    /// No start code.
    #[error(
        "it holds no H.264 with start codes (annex B); `ffmpeg -i FILE -c copy -bsf:v h264_mp4toannexb OUT.h264` makes it of others"
    )]
    NotH264,
    /// What no H.264 stream has.
    #[error("it isn't H.264, or is broken, at byte {0}")]
    Broken(usize),
    /// Nothing to begin with.
    #[error("it has no keyframe (IDR picture)")]
    NoKeyframe,
    /// A keyframe that nobody can decode.
    #[error("it has no {0} before its first keyframe")]
    NoParameters(&'static str),
    /// WebRTC has no order of pictures but that of their sending.
    #[error("it has B pictures, which WebRTC can't show in order; encode it with `-bf 0`")]
    Backward,
    /// See [`MOST_OF_PICTURE`].
    #[error("it has a picture of more than {} MiB", MOST_OF_PICTURE >> 20)]
    TooLargePicture,
}

/// One access unit.
#[derive(Default)]
struct Picture {
    key: bool,
    units: Vec<Range<usize>>,
}

/// The pictures of a file, from its first keyframe on.
pub struct File {
    bytes: Vec<u8>,
    pictures: Vec<Picture>,
    profile: [u8; 3],
}

impl File {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(MOST + 1)
            .read_to_end(&mut bytes)?;
        Self::new(bytes)
    }

    /// Takes a stream.
    pub fn new(bytes: Vec<u8>) -> Result<Self, FileError> {
        if bytes.len() as u64 > MOST {
            return Err(FileError::TooLarge);
        }
        let mut pictures = split(&bytes)?;
        let first = pictures.iter().position(|picture| picture.key);
        let begin = first.ok_or(FileError::NoKeyframe)?;
        complete(&bytes, &mut pictures)?;
        pictures.drain(..begin);
        let size = |picture: &Picture| picture.units.iter().map(Range::len).sum::<usize>();
        if pictures
            .iter()
            .any(|picture| size(picture) > MOST_OF_PICTURE)
        {
            return Err(FileError::TooLargePicture);
        }
        let profile = pictures
            .iter()
            .flat_map(|picture| &picture.units)
            .find_map(|unit| match bytes.get(unit.clone())? {
                [header, profile, constraints, level, ..] if kind(*header) == nal::SPS => {
                    Some([*profile, *constraints, *level])
                }
                _ => None,
            })
            .ok_or(FileError::NoParameters("SPS"))?;
        Ok(Self {
            bytes,
            pictures,
            profile,
        })
    }

    /// `profile_idc`, constraints and `level_idc`, as SDP has them.
    pub fn profile(&self) -> [u8; 3] {
        self.profile
    }

    /// Whether picture `number` is a keyframe. After the last the first comes again.
    pub fn is_key(&self, number: u32) -> bool {
        self.picture(number).key
    }

    /// The RTP payloads of picture `number`, with `mark` in one of them for all.
    pub fn payloads(&self, number: u32, mark: Mark) -> Vec<Vec<u8>> {
        let units = self.units(number);
        let coded = |unit: &&[u8]| unit.first().is_some_and(|header| is_coded(kind(*header)));
        let before = units.iter().position(coded).unwrap_or(0);
        let sei = packets::sei(mark);
        let mut marked = units;
        // Where the standard has it: behind other SEI, before what is coded.
        marked.insert(before, &sei);
        packets::payloads(&marked)
    }

    fn picture(&self, number: u32) -> &Picture {
        &self.pictures[number as usize % self.pictures.len()]
    }

    fn units(&self, number: u32) -> Vec<&[u8]> {
        let units = self.picture(number).units.iter();
        units.map(|unit| &self.bytes[unit.clone()]).collect()
    }
}

const fn kind(header: u8) -> u8 {
    header & 0x1f
}

/// What belongs to the coded picture, with the prefixes before its slices.
const fn is_coded(kind: u8) -> bool {
    matches!(kind, nal::SLICE..=nal::IDR | nal::PREFIX)
}

/// The NAL units behind the start codes (§B.1), without the zeros that may follow.
fn units(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut units: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(code) = bytes.get(at..at + 3) {
        match code {
            [0, 0, 1] => {
                if let Some(before) = units.last_mut() {
                    before.end = at;
                }
                units.push(at + 3..bytes.len());
                at += 3;
            }
            [_, _, 0 | 1] => at += 1,
            _ => at += 3,
        }
    }
    for unit in &mut units {
        let zeros = bytes[unit.clone()].iter().rev();
        unit.end -= zeros.take_while(|byte| **byte == 0).count();
    }
    units
}

/// Splits a stream into access units, by where a new one begins (§7.4.1.2.3 and §7.4.1.2.4).
fn split(bytes: &[u8]) -> Result<Vec<Picture>, FileError> {
    let units = units(bytes);
    if units.is_empty() {
        return Err(FileError::NotH264);
    }
    let mut pictures = Vec::new();
    let mut current = Picture::default();
    let mut has_slice = false;
    // What was read and may belong to the next one, and whether it must.
    let mut ahead: Vec<Range<usize>> = Vec::new();
    let mut must = false;
    for unit in units {
        let broken = || FileError::Broken(unit.start);
        let fields = &bytes[unit.clone()];
        let header = *fields.first().ok_or_else(broken)?;
        let kind = kind(header);
        if header & 0x80 != 0 || kind == 0 || kind >= nal::UNSPECIFIED {
            return Err(broken());
        }
        match kind {
            nal::SLICE | nal::PARTITION_A | nal::IDR => {
                let mut bits = Bits::of(&fields[1..]);
                let (first_macroblock, slice) = (bits.golomb(), bits.golomb());
                let (Some(first_macroblock), Some(slice)) = (first_macroblock, slice) else {
                    return Err(broken());
                };
                if slice % 5 == 1 {
                    return Err(FileError::Backward);
                }
                if has_slice && (first_macroblock == 0 || must) {
                    pictures.push(std::mem::take(&mut current));
                }
                current.units.append(&mut ahead);
                current.units.push(unit);
                current.key |= kind == nal::IDR;
                has_slice = true;
                must = false;
            }
            nal::SEI..=nal::DELIMITER | nal::PREFIX..=nal::RESERVED => {
                // A prefix may stand before a slice that isn't the first.
                must |= kind != nal::PREFIX;
                ahead.push(unit);
            }
            _ if ahead.is_empty() => current.units.push(unit),
            _ => ahead.push(unit),
        }
    }
    if has_slice {
        pictures.push(current);
    }
    Ok(pictures)
}

/// Puts before each keyframe the parameter sets that came before it, but for those that it has.
fn complete(bytes: &[u8], pictures: &mut [Picture]) -> Result<(), FileError> {
    let mut sets: BTreeMap<(u8, u32), Range<usize>> = BTreeMap::new();
    for picture in pictures {
        let mut own = Vec::new();
        for unit in &picture.units {
            let fields = &bytes[unit.clone()];
            let kind = fields.first().map_or(0, |header| kind(*header));
            // An SPS begins with profile, constraints and level.
            let skipped = match kind {
                nal::SPS => 4,
                nal::PPS => 1,
                _ => continue,
            };
            let id = fields
                .get(skipped..)
                .and_then(|fields| Bits::of(fields).golomb())
                .ok_or(FileError::Broken(unit.start))?;
            sets.insert((kind, id), unit.clone());
            own.push((kind, id));
        }
        if !picture.key {
            continue;
        }
        for (wanted, name) in [(nal::SPS, "SPS"), (nal::PPS, "PPS")] {
            if !sets.keys().any(|(kind, _)| *kind == wanted) {
                return Err(FileError::NoParameters(name));
            }
        }
        let missing = sets.iter().filter(|(set, _)| !own.contains(set));
        picture.units.extend(missing.map(|(_, unit)| unit.clone()));
        picture
            .units
            .sort_by_key(|unit| match bytes.get(unit.start).map(|h| kind(*h)) {
                Some(nal::DELIMITER) => 0,
                Some(nal::SPS) => 1,
                Some(nal::PPS) => 2,
                _ => 3,
            });
    }
    Ok(())
}

/// The first fields of a NAL unit, without what keeps start codes out of it (§7.4.1).
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn of(fields: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(FIELDS);
        let mut zeros = 0;
        for byte in fields.iter().take(FIELDS) {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            bytes.push(*byte);
        }
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// An unsigned Exp-Golomb code (§9.1).
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros == 32 {
                return None;
            }
        }
        let rest = (0..zeros).try_fold(0, |value, _| Some(value << 1 | self.bit()?))?;
        Some((1 << zeros) - 1 + rest)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
