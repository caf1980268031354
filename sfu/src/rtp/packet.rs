//! The RTP header (RFC 3550 §5.1) and its extension block (RFC 8285).

/// Bytes of the header before CSRCs and extensions.
const FIXED_HEADER_LEN: usize = 12;
/// `profile` of the one-byte form (RFC 8285 §4.2).
const ONE_BYTE_PROFILE: u16 = 0xBEDE;
/// `profile` of the two-byte form without its application bits (RFC 8285 §4.3).
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// Why a datagram isn't an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The version isn't 2.
    #[error("the RTP version isn't 2")]
    Version,
    /// The datagram ends before the header does.
    #[error("the datagram ends inside the RTP header")]
    TruncatedHeader,
    /// The padding is zero bytes long, or longer than what follows the header.
    #[error("the RTP padding doesn't fit behind the header")]
    Padding,
}

/// A parsed view of one RTP packet (RFC 3550 §5.1). Never allocates.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    fixed: &'a [u8; FIXED_HEADER_LEN],
    /// The extension block's `profile` and its body; an empty body without a block.
    profile: u16,
    extensions: &'a [u8],
    payload: &'a [u8],
    header_len: usize,
    padding_len: usize,
}

impl<'a> Packet<'a> {
    /// Reads a decrypted packet. Version, CSRC list, extension block and padding are checked against the datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let header = Header::parse(datagram)?;
        let body = header.rest;
        let padding_len = if header.fixed[0] & 0x20 == 0 {
            0
        } else {
            let len = usize::from(*body.last().ok_or(ParseError::Padding)?);
            if len == 0 {
                return Err(ParseError::Padding);
            }
            len
        };
        let payload_len = body
            .len()
            .checked_sub(padding_len)
            .ok_or(ParseError::Padding)?;
        Ok(Self {
            fixed: header.fixed,
            profile: header.profile,
            extensions: header.extensions,
            payload: &body[..payload_len],
            header_len: datagram.len() - body.len(),
            padding_len,
        })
    }

    /// The payload type, 0 to 127.
    pub const fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7F
    }

    /// The marker bit: in video the last packet of a frame.
    pub const fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The sequence number.
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in units of the codec's clock rate.
    pub const fn timestamp(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The synchronization source.
    pub const fn ssrc(&self) -> u32 {
        let [.., a, b, c, d] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Offset of the payload in the datagram: behind CSRCs and extensions.
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// The payload without padding. Empty in a packet that is all padding (a bandwidth probe).
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes of padding behind the payload, the count byte included.
    pub const fn padding_len(&self) -> usize {
        self.padding_len
    }

    /// The header extensions, in the packet's order. A block of an unknown profile has none.
    pub const fn extensions(&self) -> Extensions<'a> {
        let form = match self.profile {
            ONE_BYTE_PROFILE => Form::OneByte,
            profile if profile & 0xFFF0 == TWO_BYTE_PROFILE => Form::TwoByte,
            _ => {
                return Extensions {
                    form: Form::OneByte,
                    rest: &[],
                };
            }
        };
        Extensions {
            form,
            rest: self.extensions,
        }
    }
}

/// Length of a packet's header: fixed part, CSRCs and extensions. Works on encrypted packets as well, whose padding
/// [`Packet::parse`] can't check.
pub fn header_len(datagram: &[u8]) -> Result<usize, ParseError> {
    Ok(datagram.len() - Header::parse(datagram)?.rest.len())
}

/// What SRTP leaves in the clear (RFC 3711 §3.1).
struct Header<'a> {
    fixed: &'a [u8; FIXED_HEADER_LEN],
    profile: u16,
    extensions: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let first = *datagram.first().ok_or(ParseError::TruncatedHeader)?;
        if first >> 6 != 2 {
            return Err(ParseError::Version);
        }
        Self::split(datagram, first).ok_or(ParseError::TruncatedHeader)
    }

    fn split(datagram: &'a [u8], first: u8) -> Option<Self> {
        let (fixed, rest) = datagram.split_first_chunk()?;
        let mut rest = rest.get(4 * usize::from(first & 0x0F)..)?;
        let (mut profile, mut extensions) = (0, &[][..]);
        if first & 0x10 != 0 {
            let ([p0, p1, w0, w1], block) = rest.split_first_chunk()?;
            profile = u16::from_be_bytes([*p0, *p1]);
            let words = usize::from(u16::from_be_bytes([*w0, *w1]));
            (extensions, rest) = block.split_at_checked(4 * words)?;
        }
        Some(Self {
            fixed,
            profile,
            extensions,
            rest,
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Form {
    OneByte,
    TwoByte,
}

/// Iterates over a packet's header extensions as (id, value). Ends at the first element that doesn't fit its block.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    form: Form,
    rest: &'a [u8],
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // A zero byte between elements is padding in both forms (RFC 8285 §4.2, §4.3).
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
        let element = match self.form {
            Form::OneByte => one_byte_element(self.rest),
            Form::TwoByte => two_byte_element(self.rest),
        };
        let (id, value, rest) = element.unwrap_or((0, &[], &[]));
        self.rest = rest;
        (id != 0).then_some((id, value))
    }
}

/// RFC 8285 §4.2: id 15 ends the block, and so does id 0 with a length, which nobody may send.
fn one_byte_element(block: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = block.split_first()?;
    let (id, len) = (head >> 4, usize::from(head & 0x0F) + 1);
    if id == 0 || id == 15 {
        return None;
    }
    let (value, rest) = rest.split_at_checked(len)?;
    Some((id, value, rest))
}

/// RFC 8285 §4.3.
fn two_byte_element(block: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([id, len], rest) = block.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((*id, value, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const FIXED: [u8; 12] = [0x80, 0xE0, 0x12, 0x34, 0, 1, 2, 3, 0xDE, 0xAD, 0xBE, 0xEF];

    fn packet(first: u8, tail: &[u8]) -> Vec<u8> {
        let mut bytes = FIXED.to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(tail);
        bytes
    }

    #[test]
    fn the_fixed_header_is_read() {
        let bytes = packet(0x80, b"hello");
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.payload_type(), 96);
        assert!(packet.marker());
        assert_eq!(packet.sequence(), 0x1234);
        assert_eq!(packet.timestamp(), 0x0001_0203);
        assert_eq!(packet.ssrc(), 0xDEAD_BEEF);
        assert_eq!(packet.header_len(), 12);
        assert_eq!(packet.payload(), b"hello");
        assert_eq!(packet.extensions().count(), 0);
    }

    #[test]
    fn csrcs_and_padding_are_no_payload() {
        let bytes = packet(0xA2, &[1, 1, 1, 1, 2, 2, 2, 2, b'x', b'y', 0, 0, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.header_len(), 20);
        assert_eq!(packet.payload(), b"xy");
        assert_eq!(packet.padding_len(), 3);
    }

    #[test]
    fn a_packet_may_be_all_padding() {
        let bytes = packet(0xA0, &[0, 2]);
        assert_eq!(Packet::parse(&bytes).unwrap().payload(), b"");
    }

    #[test]
    fn wrong_padding_is_refused() {
        for tail in [&[][..], &[0], &[2], &[9, 9, 4]] {
            let bytes = packet(0xA0, tail);
            assert_eq!(Packet::parse(&bytes).unwrap_err(), ParseError::Padding);
            assert_eq!(header_len(&bytes), Ok(12));
        }
    }

    #[test]
    fn other_versions_are_refused() {
        for first in [0x00, 0x40, 0xC0] {
            let bytes = packet(first, &[]);
            assert_eq!(Packet::parse(&bytes).unwrap_err(), ParseError::Version);
        }
    }

    #[test]
    fn one_byte_extensions_are_iterated() {
        let block = [
            0xBE, 0xDE, 0, 3, 0x10, b'0', 0, 0x32, 7, 8, 9, 0, 0xF0, 1, 0x20, 5, b'P',
        ];
        let bytes = packet(0x90, &block);
        let packet = Packet::parse(&bytes).unwrap();
        let all: Vec<_> = packet.extensions().collect();
        assert_eq!(all, [(1, &b"0"[..]), (3, &[7, 8, 9])]);
        assert_eq!(packet.payload(), b"P");
    }

    #[test]
    fn two_byte_extensions_are_iterated() {
        let block = [0x10, 0x05, 0, 2, 1, 0, 0, 15, 1, 5, 200, 9];
        let bytes = packet(0x90, &block);
        let packet = Packet::parse(&bytes).unwrap();
        // The last element claims more than its block has.
        let all: Vec<_> = packet.extensions().collect();
        assert_eq!(all, [(1, &[][..]), (15, &[5])]);
    }

    #[test]
    fn an_unknown_profile_has_no_extensions() {
        let bytes = packet(0x90, &[0xAB, 0xCD, 0, 1, 0x10, 1, 0x20, 2]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.extensions().count(), 0);
        assert_eq!(packet.header_len(), 20);
    }

    #[test]
    fn every_truncation_of_the_header_is_refused() {
        let bytes = packet(
            0x92,
            &[1, 1, 1, 1, 2, 2, 2, 2, 0xBE, 0xDE, 0, 1, 0x10, 1, 0x20, 2],
        );
        for len in 0..bytes.len() {
            let error = Packet::parse(&bytes[..len]).unwrap_err();
            assert_eq!(error, ParseError::TruncatedHeader);
        }
        assert!(Packet::parse(&bytes).is_ok());
    }
}
