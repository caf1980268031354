//! The samples of a segment: what its `moof`s say (ISO/IEC 14496-12 §8.8).

use mp4_atom::{
    Atom as _, Buf as _, DecodeAtom as _, DecodeMaybe as _, FourCC, Header, Mdat, Moof, Traf,
};

/// `sample_is_non_sync_sample` (§8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// Why a segment isn't one.
#[derive(Debug, thiserror::Error)]
pub(super) enum FragmentError {
    /// Not a box, or not as it should be.
    #[error("the segment can't be read as ISO BMFF: {0}")]
    Box(#[from] mp4_atom::Error),
    /// A sample beyond its `mdat`.
    #[error("the segment's samples aren't in it")]
    OutOfBounds,
    /// A size, a duration or a time isn't told.
    #[error("the segment doesn't say how large or long its samples are")]
    Incomplete,
}

/// A sample and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SampleInfo {
    /// In the segment: bytes.
    pub(super) offset: usize,
    pub(super) size: u32,
    /// When it is decoded, and how long it lasts: ticks.
    pub(super) time: u64,
    pub(super) duration: u32,
    /// By how much it is shown later: ticks.
    pub(super) composition: i32,
    /// It can be decoded without those before it.
    pub(super) sync: bool,
}

/// What there is of a segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) samples: Vec<SampleInfo>,
    /// Where the last whole part ends: bytes.
    pub(super) end: usize,
}

impl Contents {
    /// When its first sample is and how long all last: ticks.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let end = last.time + u64::from(last.duration);
        Some((first.time, end.saturating_sub(first.time)))
    }
}

/// The samples of all whole parts of `data`; a part that was cut off is left out, whatever comes after it.
pub(super) fn read(data: &[u8]) -> Result<Contents, FragmentError> {
    let mut contents = Contents::default();
    let mut rest = data;
    let mut moof: Option<(usize, Moof)> = None;
    while !rest.is_empty() {
        let at = data.len() - rest.len();
        let Some(header) = Header::decode_maybe(&mut rest)? else {
            break;
        };
        let size = header.size.unwrap_or(rest.len());
        if size > rest.len() {
            break;
        }
        let mut body = &rest[..size];
        rest.advance(size);
        match header.kind {
            Moof::KIND => moof = Some((at, Moof::decode_atom(&header, &mut body)?)),
            Mdat::KIND => {
                let Some((start, moof)) = moof.take() else {
                    continue;
                };
                let end = data.len() - rest.len();
                for traf in &moof.traf {
                    samples(traf, start, end, &mut contents.samples)?;
                }
                contents.end = end;
            }
            _ => {}
        }
    }
    Ok(contents)
}

fn samples(
    traf: &Traf,
    moof: usize,
    end: usize,
    out: &mut Vec<SampleInfo>,
) -> Result<(), FragmentError> {
    let defaults = &traf.tfhd;
    let mut time = traf
        .tfdt
        .as_ref()
        .ok_or(FragmentError::Incomplete)?
        .base_media_decode_time;
    for run in &traf.trun {
        // From the moof on, as CMAF has it.
        let mut offset = usize::try_from(run.data_offset.ok_or(FragmentError::Incomplete)?)
            .ok()
            .and_then(|offset| moof.checked_add(offset))
            .ok_or(FragmentError::OutOfBounds)?;
        for entry in &run.samples {
            let size = entry.size.or(defaults.default_sample_size);
            let size = size.ok_or(FragmentError::Incomplete)?;
            let duration = entry.duration.or(defaults.default_sample_duration);
            let duration = duration.ok_or(FragmentError::Incomplete)?;
            let flags = entry.flags.or(defaults.default_sample_flags).unwrap_or(0);
            let after = offset
                .checked_add(size as usize)
                .filter(|after| *after <= end)
                .ok_or(FragmentError::OutOfBounds)?;
            out.push(SampleInfo {
                offset,
                size,
                time,
                duration,
                composition: entry.cts.unwrap_or(0) as i32,
                sync: flags & NON_SYNC == 0,
            });
            offset = after;
            time = time.saturating_add(u64::from(duration));
        }
    }
    Ok(())
}

/// The `moov` of an initialization segment.
pub(super) fn movie(init: &[u8]) -> Result<mp4_atom::Moov, FragmentError> {
    let mut rest = init;
    while let Some(header) = Header::decode_maybe(&mut rest)? {
        let size = header.size.unwrap_or(rest.len());
        if size > rest.len() {
            break;
        }
        let mut body = &rest[..size];
        rest.advance(size);
        if header.kind == FourCC::new(b"moov") {
            return Ok(mp4_atom::Moov::decode_atom(&header, &mut body)?);
        }
    }
    Err(FragmentError::Incomplete)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        media::{Moment, Sample},
        origin::test_segment,
    };

    /// Three parts of two samples.
    fn segment() -> Vec<u8> {
        let sample = |index: u64| Sample {
            data: Bytes::from(vec![index as u8; 100 + index as usize]),
            time: 500 + index * 40,
            duration: 40,
            keyframe: index == 0,
        };
        let samples: Vec<Sample> = (0..6).map(sample).collect();
        test_segment(Moment(0), samples.chunks(2))
    }

    #[test]
    fn samples_are_found_with_their_times_and_places() {
        let data = segment();
        let contents = read(&data).unwrap();
        assert_eq!((contents.samples.len(), contents.end), (6, data.len()));
        assert_eq!(contents.span(), Some((500, 240)));
        for (sample, index) in contents.samples.iter().zip(0_u8..) {
            let found = &data[sample.offset..][..sample.size as usize];
            assert!(found.iter().all(|byte| *byte == index), "{index}");
            assert_eq!(found.len(), 100 + usize::from(index));
            assert_eq!(sample.sync, index == 0);
        }
    }

    #[test]
    fn of_a_segment_that_was_cut_off_whole_parts_are_left() {
        let data = segment();
        let mut ends = vec![0];
        for length in 0..=data.len() {
            let contents = read(&data[..length]).unwrap();
            assert!(contents.end <= length && contents.samples.len().is_multiple_of(2));
            ends.push(contents.end);
        }
        ends.dedup();
        assert_eq!(ends.len(), 4, "nothing, and each of three parts");
    }
}
