//! H.264 between its two forms: with start codes as encoders write it, with lengths as ISO BMFF has it.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Flaw, Picture, annexb::nal_units, brings_others};
use crate::media::TrackConfig;

/// NAL unit types (ITU-T H.264 table 7-1).
const SLICE: u8 = 1;
const SPS: u8 = 7;
const PPS: u8 = 8;
const AUD: u8 = 9;
const FILLER: u8 = 12;

/// What an encoder put out, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    /// Each NAL unit with a length of 4 bytes before it, without parameter sets, access unit delimiters and filler, which
    /// ISO BMFF has no use for (ISO/IEC 14496-15 §5.3.2).
    pub(crate) data: Bytes,
    pub(crate) sps: Vec<Bytes>,
    pub(crate) pps: Vec<Bytes>,
    /// It has B slices.
    pub(crate) has_b: bool,
}

/// Reads NAL units with start codes (ITU-T H.264 annex B).
pub(crate) fn take_apart(annex_b: &[u8]) -> AccessUnit {
    let mut unit = AccessUnit::default();
    let mut data = BytesMut::with_capacity(annex_b.len() + 16);
    for nal in nal_units(annex_b) {
        match nal.first().map(|byte| byte & 0x1f) {
            Some(SPS) => unit.sps.push(Bytes::copy_from_slice(nal)),
            Some(PPS) => unit.pps.push(Bytes::copy_from_slice(nal)),
            Some(AUD | FILLER) | None => {}
            Some(kind) => {
                unit.has_b |= kind == SLICE && is_b(&nal[1..]);
                data.put_u32(nal.len() as u32);
                data.put_slice(nal);
            }
        }
    }
    unit.data = data.freeze();
    unit
}

/// Follows a source's pictures.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// What the last picture brought that brought others than before.
    sets: Option<[Vec<Bytes>; 2]>,
}

impl Stream {
    pub(super) fn look(&mut self, annex_b: &[u8]) -> Picture {
        let unit = take_apart(annex_b);
        let sets = [unit.sps, unit.pps];
        let is_new = brings_others(self.sets.as_ref(), &sets);
        if is_new {
            self.sets = Some(sets);
        }
        Picture {
            data: unit.data,
            is_new,
            flaw: unit.has_b.then_some(Flaw::Reordered),
        }
    }

    pub(super) fn config(&self, size: (u16, u16)) -> Option<TrackConfig> {
        let [sps, pps] = self.sets.as_ref()?;
        track_config(sps, pps, size)
    }
}

/// Whether a slice's header (ITU-T H.264 §7.3.3) says that it is one of B: `first_mb_in_slice`, then `slice_type`.
fn is_b(header: &[u8]) -> bool {
    let mut bits = header
        .iter()
        .take(16)
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut golomb = || {
        // §9.1
        let zeros = bits.by_ref().take(32).take_while(|bit| *bit == 0).count();
        let suffix = bits
            .by_ref()
            .take(zeros)
            .fold(1_u64, |value, bit| value << 1 | u64::from(bit));
        suffix - 1
    };
    golomb();
    // Table 7-6: 5 more, if all slices of the picture are of the kind.
    golomb() % 5 == 1
}

/// The track of these parameter sets (ISO/IEC 14496-15 §5.3.3.1). None without any of a kind, with more than fit, or for a
/// sequence parameter set that is cut off.
pub(crate) fn track_config(
    sps: &[Bytes],
    pps: &[Bytes],
    (width, height): (u16, u16),
) -> Option<TrackConfig> {
    let &[_, profile, compatibility, level, ..] = &sps.first()?[..] else {
        return None;
    };
    let counts = (1..32).contains(&sps.len()) && (1..256).contains(&pps.len());
    if !counts {
        return None;
    }
    let mut avcc = BytesMut::new();
    // Lengths of 4 bytes. The upper bits are reserved, and 1.
    avcc.put_slice(&[1, profile, compatibility, level, 0xff]);
    avcc.put_u8(0xe0 | sps.len() as u8);
    put_sets(&mut avcc, sps)?;
    avcc.put_u8(pps.len() as u8);
    put_sets(&mut avcc, pps)?;
    if matches!(profile, 100 | 110 | 122 | 144) {
        // 4:2:0 with 8 bits, which is all that is encoded or passed on; no extensions of the sequence parameter set.
        avcc.put_slice(&[0xfd, 0xf8, 0xf8, 0]);
    }
    Some(TrackConfig::H264 {
        avcc: avcc.freeze(),
        width,
        height,
    })
}

fn put_sets(out: &mut BytesMut, sets: &[Bytes]) -> Option<()> {
    for set in sets {
        out.put_u16(u16::try_from(set.len()).ok()?);
        out.put_slice(set);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn parameter_sets_leave_the_samples() {
        let annex_b = [
            &[0, 0, 0, 1, 0x09, 0xf0][..],
            &[0, 0, 0, 1, 0x67, 66, 0xc0, 31, 5],
            &[0, 0, 1, 0x68, 1, 2],
            &[0, 0, 0, 1, 0x65, 9, 0, 0, 3, 9],
            &[0, 0, 1, 0x65, 7, 0],
        ]
        .concat();
        let unit = take_apart(&annex_b);
        assert_eq!(unit.sps, [&[0x67, 66, 0xc0, 31, 5][..]]);
        assert_eq!(unit.pps, [&[0x68, 1, 2][..]]);
        assert_eq!(
            unit.data[..],
            [0, 0, 0, 6, 0x65, 9, 0, 0, 3, 9, 0, 0, 0, 2, 0x65, 7]
        );
    }

    #[test]
    fn what_is_no_access_unit_is_none() {
        for bytes in [
            &[][..],
            &[0, 0, 1],
            &[0, 0, 0, 1, 0, 0, 1],
            &[1, 2, 3],
            &[0; 64],
        ] {
            assert_eq!(take_apart(bytes), AccessUnit::default(), "{bytes:?}");
        }
        let set = |bytes: &'static [u8]| [Bytes::from_static(bytes)];
        assert_eq!(track_config(&set(&[0x67, 1]), &set(&[0x68]), (2, 2)), None);
        assert_eq!(track_config(&set(&[0x67, 66, 0, 31]), &[], (2, 2)), None);
    }

    #[test]
    fn high_profile_says_its_format() {
        let sps = |profile| [Bytes::from(vec![0x67, profile, 0, 31])];
        let pps = [Bytes::from_static(&[0x68])];
        let avcc = |profile| match track_config(&sps(profile), &pps, (16, 16)) {
            Some(TrackConfig::H264 { avcc, .. }) => avcc,
            other => panic!("{other:?}"),
        };
        assert_eq!(avcc(66).len() + 4, avcc(100).len());
        assert_eq!(avcc(66)[..6], [1, 66, 0, 31, 0xff, 0xe1]);
    }

    #[test]
    fn b_slices_are_seen() {
        // first_mb_in_slice 0, slice_type 0, 5, 7, 1 and 6; and the second slice of a picture.
        for (header, expected) in [
            (&[0x80][..], false),
            (&[0x98], false),
            (&[0x88], false),
            (&[0xa0], true),
            (&[0x9c], true),
            (&[0x05, 0xa8, 0], true),
            (&[], false),
            (&[0; 20], false),
        ] {
            assert_eq!(is_b(header), expected, "{header:?}");
        }
    }
}
