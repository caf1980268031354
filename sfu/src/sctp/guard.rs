//! What the SCTP library is spared. A peer is authenticated, not trusted, and the library believes lengths and
//! counts through every TSN that a FORWARD-TSN skips, which can be two billion.

const COMMON_HEADER_LEN: usize = 12;
/// How far the peer's TSNs may be ahead of what we acknowledged: more than our receive buffer lets it send, while
/// going through all of them takes well under a millisecond.
const MAX_TSN_AHEAD: i32 = 1 << 14;

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const FORWARD_TSN: u8 = 192;

/// Watches the packets of one association, both ways.
#[derive(Default)]
pub(super) struct Guard {
    /// The TSN that the peer said it starts with.
    initial: Option<u32>,
    /// The TSN up to which we acknowledged everything.
    acknowledged: u32,
}

impl Guard {
    /// Whether the peer's packet is well-formed (RFC 9260 §3.2) and within bounds.
    pub(super) fn admits(&mut self, packet: &[u8]) -> bool {
        let mut chunks = Chunks::of(packet);
        let admitted = chunks
            .by_ref()
            .all(|(kind, value)| self.admits_chunk(kind, value));
        admitted && chunks.rest.is_empty()
    }

    /// We send this packet.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        for (kind, value) in Chunks::of(packet) {
            if let (SACK, Some(tsn)) = (kind, read_u32(value, 0)) {
                self.acknowledged = tsn;
            }
        }
    }

    fn admits_chunk(&mut self, kind: u8, value: &[u8]) -> bool {
        match kind {
            INIT | INIT_ACK => read_u32(value, 12).is_some_and(|tsn| self.begins(tsn)),
            DATA | FORWARD_TSN => read_u32(value, 0).is_some_and(|tsn| self.is_near(tsn)),
            _ => true,
        }
    }

    /// An INIT that is repeated says the same; another would be another association.
    fn begins(&mut self, tsn: u32) -> bool {
        if self.initial.is_none() {
            self.initial = Some(tsn);
            self.acknowledged = tsn.wrapping_sub(1);
        }
        self.initial == Some(tsn)
    }

    fn is_near(&self, tsn: u32) -> bool {
        self.initial.is_some() && tsn.wrapping_sub(self.acknowledged) as i32 <= MAX_TSN_AHEAD
    }
}

/// The type and value of each chunk. What isn't a chunk stays in `rest`.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Chunks<'a> {
    fn of(packet: &'a [u8]) -> Self {
        // A packet without even a common header is left to be its own malformed rest.
        Self {
            rest: packet.get(COMMON_HEADER_LEN..).unwrap_or(packet),
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, _, high, low, ..] = *self.rest else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let value = self.rest.get(4..len)?;
        // The last chunk's padding may be missing (RFC 9260 §3.2).
        self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, value: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; COMMON_HEADER_LEN];
        packet.extend_from_slice(&[kind, 0, 0, 4 + value.len() as u8]);
        packet.extend_from_slice(value);
        packet
    }

    fn init(tsn: u32) -> Vec<u8> {
        let mut value = [0; 16];
        value[12..].copy_from_slice(&tsn.to_be_bytes());
        packet(INIT, &value)
    }

    fn forward(tsn: u32) -> Vec<u8> {
        packet(FORWARD_TSN, &tsn.to_be_bytes())
    }

    #[test]
    fn tsns_far_ahead_are_not_admitted() {
        let mut guard = Guard::default();
        assert!(!guard.admits(&forward(1)), "before there is an association");
        let start = u32::MAX - 5;
        assert!(guard.admits(&init(start)));
        let limit = start.wrapping_sub(1).wrapping_add(MAX_TSN_AHEAD as u32);
        assert!(guard.admits(&forward(limit)));
        assert!(
            guard.admits(&forward(start.wrapping_sub(9))),
            "old ones are harmless"
        );
        assert!(!guard.admits(&forward(limit.wrapping_add(1))));
        guard.sent(&packet(SACK, &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(guard.admits(&forward(limit.wrapping_add(1))));
    }

    #[test]
    fn an_init_that_begins_elsewhere_is_not_admitted() {
        let mut guard = Guard::default();
        assert!(guard.admits(&init(1)));
        assert!(guard.admits(&init(1)));
        assert!(!guard.admits(&init(2)));
    }

    #[test]
    fn malformed_packets_are_not_admitted() {
        let mut guard = Guard::default();
        let whole = packet(9, &[1; 8]);
        assert!(guard.admits(&whole));
        for len in 1..whole.len() {
            let admitted = guard.admits(&whole[..len]);
            assert!(!admitted || len == COMMON_HEADER_LEN, "{len}");
        }
    }
}
