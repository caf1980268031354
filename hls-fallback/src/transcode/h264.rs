//! H.264 between its two forms: with start codes as encoders write it, with lengths as ISO BMFF has it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::TrackConfig;

/// NAL unit types (ITU-T H.264 table 7-1).
const SPS: u8 = 7;
const PPS: u8 = 8;
const AUD: u8 = 9;

/// What an encoder put out, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccessUnit {
    /// Each NAL unit with a length of 4 bytes before it, without parameter sets and access unit delimiters.
    pub(super) data: Bytes,
    pub(super) sps: Option<Bytes>,
    pub(super) pps: Option<Bytes>,
}

/// Reads NAL units with start codes (ITU-T H.264 annex B).
pub(super) fn take_apart(annex_b: &[u8]) -> AccessUnit {
    let mut unit = AccessUnit::default();
    let mut data = BytesMut::with_capacity(annex_b.len() + 16);
    for nal in nal_units(annex_b) {
        match nal.first().map(|byte| byte & 0x1f) {
            Some(SPS) => unit.sps = Some(Bytes::copy_from_slice(nal)),
            Some(PPS) => unit.pps = Some(Bytes::copy_from_slice(nal)),
            Some(AUD) | None => {}
            Some(_) => {
                data.put_u32(nal.len() as u32);
                data.put_slice(nal);
            }
        }
    }
    unit.data = data.freeze();
    unit
}

/// The NAL units between the start codes, without trailing zeros.
fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annex_b);
    std::iter::from_fn(move || {
        let from = rest?;
        let end = from.windows(3).position(|w| w == [0, 0, 1]);
        rest = end.and_then(|end| after_start_code(&from[end..]));
        let nal = &from[..end.unwrap_or(from.len())];
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&nal[..nal.len() - zeros])
    })
    .filter(|nal| !nal.is_empty())
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(3).position(|w| w == [0, 0, 1])?;
    Some(&bytes[at + 3..])
}

/// The track of these parameter sets (ISO/IEC 14496-15 §5.3.3.1). None for a sequence parameter set that is cut off.
pub(super) fn track_config(
    sps: &[u8],
    pps: &[u8],
    (width, height): (u16, u16),
) -> Option<TrackConfig> {
    let &[_, profile, compatibility, level, ..] = sps else {
        return None;
    };
    let mut avcc = BytesMut::new();
    // Lengths of 4 bytes; one set of each kind. The upper bits are reserved, and 1.
    avcc.put_slice(&[1, profile, compatibility, level, 0xff, 0xe1]);
    avcc.put_u16(u16::try_from(sps.len()).ok()?);
    avcc.put_slice(sps);
    avcc.put_u8(1);
    avcc.put_u16(u16::try_from(pps.len()).ok()?);
    avcc.put_slice(pps);
    if matches!(profile, 100 | 110 | 122 | 144) {
        // 4:2:0 with 8 bits, which is all that is encoded here; no extensions of the sequence parameter set.
        avcc.put_slice(&[0xfd, 0xf8, 0xf8, 0]);
    }
    Some(TrackConfig::H264 {
        avcc: avcc.freeze(),
        width,
        height,
    })
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
        assert_eq!(unit.sps.as_deref(), Some(&[0x67, 66, 0xc0, 31, 5][..]));
        assert_eq!(unit.pps.as_deref(), Some(&[0x68, 1, 2][..]));
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
        assert_eq!(track_config(&[0x67, 1], &[], (2, 2)), None);
    }

    #[test]
    fn high_profile_says_its_format() {
        let avcc = |profile| match track_config(&[0x67, profile, 0, 31], &[0x68], (16, 16)) {
            Some(TrackConfig::H264 { avcc, .. }) => avcc,
            other => panic!("{other:?}"),
        };
        assert_eq!(avcc(66).len() + 4, avcc(100).len());
        assert_eq!(avcc(66)[..6], [1, 66, 0, 31, 0xff, 0xe1]);
    }
}
