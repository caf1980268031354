//! Reading bits of what may be cut short.

/// The most significant bit first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next bit.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// A number of up to 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |number, _| Some(number << 1 | u32::from(self.flag()?)))
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.number(8).map(|byte| byte as u8)
    }

    pub(super) fn bytes<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Some(bytes)
    }

    /// None if there aren't so many.
    pub(super) fn skip(&mut self, bits: usize) -> Option<()> {
        let after = self.at.checked_add(bits)?;
        if after > self.data.len() * 8 {
            return None;
        }
        self.at = after;
        Some(())
    }

    /// `ue(v)` of H.264 and H.265 (ITU-T H.265 §9.2), and `uvlc()` of AV1 (AV1 specification §4.10.3), below 2³¹.
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_the_end_is_noticed() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010]);
        assert_eq!(bits.flag(), Some(true));
        // 010, 011, 00100, 00010|1 is cut short.
        assert_eq!((bits.golomb(), bits.golomb()), (Some(1), Some(2)));
        assert_eq!(bits.golomb(), Some(3));
        assert_eq!(bits.golomb(), None);
        assert_eq!(bits.number(1), None);
        let mut bits = Bits::new(&[1, 2, 3]);
        assert_eq!(bits.bytes(), Some([1, 2]));
        assert_eq!(
            (bits.skip(9), bits.skip(8), bits.skip(1)),
            (None, Some(()), None)
        );
        assert_eq!(Bits::new(&[0; 16]).golomb(), None);
    }
}
