//! The RTP header (RFC 3550 §5.1), read in place: the load generator looks at hundreds of thousands a second.

/// Bytes before the list of contributing sources.
const FIXED: usize = 12;
/// The profile of one-byte extensions (RFC 8285 §4.2).
const ONE_BYTE: u16 = 0xbede;
/// The profiles of two-byte extensions (RFC 8285 §4.3), without the four bits that applications may use.
const TWO_BYTE: u16 = 0x1000;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the header, extensions included: where the payload begins.
    pub len: usize,
    /// The payload type.
    pub payload_type: u8,
    /// The last packet of a picture.
    pub marker: bool,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// Whose packet it is.
    pub ssrc: u32,
    extensions: (usize, usize, u16),
}

impl Header {
    /// Reads the header of a packet, sealed or not. None if it isn't RTP or is cut off.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let fixed = packet.first_chunk::<FIXED>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut len = FIXED + 4 * usize::from(fixed[0] & 0x0f);
        let mut extensions = (len, len, 0);
        if fixed[0] & 0x10 != 0 {
            let [a, b, c, d] = *packet.get(len..)?.first_chunk::<4>()?;
            let end = len + 4 + 4 * usize::from(u16::from_be_bytes([c, d]));
            extensions = (len + 4, end, u16::from_be_bytes([a, b]));
            len = end;
        }
        (packet.len() >= len).then_some(Self {
            len,
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            extensions,
        })
    }

    /// The value of an extension, if the packet has it.
    pub fn extension<'a>(&self, packet: &'a [u8], wanted: u8) -> Option<&'a [u8]> {
        let (start, end, profile) = self.extensions;
        let mut rest = packet.get(start..end)?;
        while let Some((&first, behind)) = rest.split_first() {
            if first == 0 {
                rest = behind;
                continue;
            }
            let (id, len, behind) = if profile == ONE_BYTE {
                (first >> 4, usize::from(first & 0x0f) + 1, behind)
            } else if profile & 0xfff0 == TWO_BYTE {
                let (&len, behind) = behind.split_first()?;
                (first, usize::from(len), behind)
            } else {
                return None;
            };
            let (value, behind) = behind.split_at_checked(len)?;
            if id == wanted {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn extensions_of_both_forms_are_found() {
        let fixed = [0x90, 0xe0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9];
        let one = [0xbe, 0xde, 0, 2, 0x31, 5, 6, 0, 0x40, 7, 0, 0];
        let two = [0x10, 0x00, 0, 2, 3, 2, 5, 6, 4, 1, 7, 0];
        for extensions in [one, two] {
            let packet = [&fixed[..], &extensions, b"payload"].concat();
            let header = Header::read(&packet).unwrap();
            assert_eq!((header.sequence, header.timestamp, header.ssrc), (7, 8, 9));
            assert_eq!((header.payload_type, header.marker), (96, true));
            assert_eq!(&packet[header.len..], b"payload");
            assert_eq!(header.extension(&packet, 3), Some(&[5, 6][..]));
            assert_eq!(header.extension(&packet, 4), Some(&[7][..]));
            assert_eq!(header.extension(&packet, 5), None);
            for cut in 0..header.len {
                assert_eq!(Header::read(&packet[..cut]), None);
            }
        }
    }
}
