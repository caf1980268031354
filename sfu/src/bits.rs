//! Reads headers bit by bit, without allocating.

/// Reads bits, most significant first, from bytes as they come.
pub(crate) struct BitReader<I> {
    bytes: I,
    current: u8,
    /// Bits of `current` that are unread.
    left: u32,
    taken: usize,
}

impl<I: Iterator<Item = u8>> BitReader<I> {
    pub(crate) const fn new(bytes: I) -> Self {
        Self {
            bytes,
            current: 0,
            left: 0,
            taken: 0,
        }
    }

    /// `f(1)`
    pub(crate) fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        self.taken += 1;
        Some((self.current >> self.left) & 1 == 1)
    }

    /// `u(n)` with `n` up to 32.
    pub(crate) fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = (value << 1) | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Leaves out `count` bits.
    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.flag().map(drop))
    }

    /// How many bits were read.
    pub(crate) const fn taken(&self) -> usize {
        self.taken
    }

    /// `ns(n)`: a number below `count`, which is at least 1 (AV1 §4.10.7).
    pub(crate) fn below(&mut self, count: u32) -> Option<u32> {
        let width = count.checked_ilog2()?;
        let short = (2 << width) - count;
        let value = self.bits(width)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.bits(1)?)
    }

    /// `ue(v)`: an unsigned Exp-Golomb number (H.264 §9.1). Also AV1's `uvlc()` (§4.10.3). At most 2³¹ - 2 + 2³¹.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == 32 {
                return None;
            }
        }
        Some(((1 << zeros) - 1) + self.bits(zeros)?)
    }

    /// `se(v)`: a signed Exp-Golomb number (H.264 §9.1.1).
    pub(crate) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 {
            code / 2 + 1
        } else {
            -(code / 2)
        })
    }
}

/// The bytes of a NAL unit without emulation prevention: the 3 in 0, 0, 3 isn't content (H.264 §7.4.1).
pub(crate) fn rbsp(nal: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut zeros = 0;
    nal.iter().copied().filter(move |byte| {
        let prevention = zeros >= 2 && *byte == 3;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        !prevention
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_numbers() {
        // 1 | 010 | 011 | 00100 | 00101 and a zero.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut unsigned = BitReader::new(bytes.into_iter());
        let mut signed = BitReader::new(bytes.into_iter());
        for (ue, se) in [(0, 0), (1, 1), (2, -1), (3, 2), (4, -2)] {
            assert_eq!(unsigned.ue(), Some(ue));
            assert_eq!(signed.se(), Some(se));
        }
        assert_eq!(unsigned.ue(), None);
    }

    #[test]
    fn the_longest_number_is_no_overflow() {
        let bytes = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(BitReader::new(bytes.into_iter()).ue(), Some(u32::MAX - 1));
        assert_eq!(BitReader::new([0; 5].into_iter()).ue(), None);
    }

    #[test]
    fn emulation_prevention_is_left_out() {
        let nal = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3];
        let content: Vec<_> = rbsp(&nal).collect();
        assert_eq!(content, [0, 0, 1, 0, 0, 0, 0, 3, 0, 3]);
    }
}
