//! Retransmission payloads (RFC 4588).

/// Bytes of the original sequence number in front of a retransmitted payload.
pub const HEADER_LEN: usize = 2;

/// Splits a retransmission's payload into the original packet's sequence number and payload (RFC 4588 §4). `None` for
/// a payload that is too short, as bandwidth probes on the retransmission SSRC are.
pub fn unwrap(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (sequence, original) = payload.split_first_chunk()?;
    Some((u16::from_be_bytes(*sequence), original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_sequence_number_comes_first() {
        assert_eq!(unwrap(&[0x12, 0x34, 5, 6]), Some((0x1234, &[5, 6][..])));
        assert_eq!(unwrap(&[0x12, 0x34]), Some((0x1234, &[][..])));
        assert_eq!(unwrap(&[0x12]), None);
        assert_eq!(unwrap(&[]), None);
    }
}
