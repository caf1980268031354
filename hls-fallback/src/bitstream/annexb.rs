//! NAL units in the byte stream format (ITU-T H.264 and H.265, annex B).

/// The NAL units between the start codes, without trailing zeros.
pub(super) fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
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

/// The first bytes of a NAL unit without what prevents start codes in it (ITU-T H.264 and H.265, §7.4.2): `most` of them.
pub(super) fn unescaped(nal: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len().min(most));
    let mut zeros = 0;
    for &byte in nal {
        if out.len() == most {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}
