//! Big-endian reading that can't run over the end.

/// Takes the first `N` bytes off `rest`.
pub(crate) fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

/// Takes a byte off `rest`.
pub(crate) fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    take(rest).map(|[byte]| *byte)
}

/// Takes a 16-bit number off `rest`.
pub(crate) fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest).map(|bytes| u16::from_be_bytes(*bytes))
}

/// Takes a 24-bit number off `rest`.
pub(crate) fn take_u24(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c]))
}

/// Takes a 32-bit number off `rest`.
pub(crate) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(|bytes| u32::from_be_bytes(*bytes))
}

/// Takes a 64-bit number off `rest`.
pub(crate) fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(|bytes| u64::from_be_bytes(*bytes))
}
