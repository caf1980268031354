//! The machine-readable clock in the picture: unix milliseconds as a row of black and white blocks.
//!
//! The row starts at ([`X`], [`Y`]) and has [`BLOCKS`] blocks of [`BLOCK`] × [`BLOCK`] pixels, white for 1:
//! first the 48 bits of the time, most significant first, then 8 check bits, the exclusive or of the
//! six bytes and [`CHECK_SEED`]. Blocks lie on the macroblock grid, so they stay sharp at any bitrate.
//! The check tells a torn, blank or foreign picture from a real one (the seed makes all-black invalid).

/// Side of a block in pixels.
pub const BLOCK: usize = 16;
/// Left edge of the row, in pixels.
pub const X: usize = 192;
/// Top edge of the row, in pixels.
pub const Y: usize = 16;
/// Time bits and check bits together.
pub const BLOCKS: usize = TIME_BITS + CHECK_BITS;
/// Folded into the check bits.
pub const CHECK_SEED: u8 = 0xA5;

const TIME_BITS: usize = 48;
const CHECK_BITS: usize = 8;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
const THRESHOLD: u32 = 126;

/// Draws `unix_ms` into a luma plane of the given `stride`.
///
/// Times beyond 48 bits (the year 10889) wrap. Rows outside the plane are left out.
pub fn draw(luma: &mut [u8], stride: usize, unix_ms: u64) {
    let bits = encode(unix_ms);
    for row in luma.chunks_exact_mut(stride).skip(Y).take(BLOCK) {
        let blocks = row.iter_mut().skip(X).take(BLOCKS * BLOCK);
        for (x, pixel) in blocks.enumerate() {
            let bit = BLOCKS - 1 - x / BLOCK;
            *pixel = if bits >> bit & 1 == 1 { WHITE } else { BLACK };
        }
    }
}

/// Reads the time back from a luma plane of the given `stride`; `None` if the check doesn't hold.
///
/// Only the middle of each block is looked at, since a codec blurs the edges.
pub fn read(luma: &[u8], stride: usize) -> Option<u64> {
    const MARGIN: usize = BLOCK / 4;
    const SIDE: usize = BLOCK / 2;
    let mut bits = 0;
    for block in 0..BLOCKS {
        let left = X + block * BLOCK + MARGIN;
        let mut sum = 0;
        for row in Y + MARGIN..Y + MARGIN + SIDE {
            let start = row * stride + left;
            sum += luma
                .get(start..start + SIDE)?
                .iter()
                .map(|&p| u32::from(p))
                .sum::<u32>();
        }
        let white = sum / (SIDE * SIDE) as u32 > THRESHOLD;
        bits = bits << 1 | u64::from(white);
    }
    let unix_ms = bits >> CHECK_BITS;
    (encode(unix_ms) == bits).then_some(unix_ms)
}

fn encode(unix_ms: u64) -> u64 {
    let time = unix_ms & ((1 << TIME_BITS) - 1);
    let check = time
        .to_be_bytes()
        .iter()
        .fold(CHECK_SEED, |check, byte| check ^ byte);
    time << CHECK_BITS | u64::from(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIDE: usize = 1280;

    #[test]
    fn a_drawn_time_reads_back() {
        let mut luma = vec![90; STRIDE * 48];
        for unix_ms in [0, 1, 1_795_000_000_123, (1 << TIME_BITS) - 1] {
            draw(&mut luma, STRIDE, unix_ms);
            assert_eq!(read(&luma, STRIDE), Some(unix_ms));
        }
    }

    #[test]
    fn a_picture_without_timecode_has_none() {
        for grey in [0, 16, 128, 255] {
            assert_eq!(read(&vec![grey; STRIDE * 48], STRIDE), None);
        }
        assert_eq!(read(&[], STRIDE), None);
    }

    #[test]
    fn a_wrong_block_is_noticed() {
        let mut luma = vec![16; STRIDE * 48];
        draw(&mut luma, STRIDE, 1_795_000_000_123);
        for row in luma.chunks_exact_mut(STRIDE) {
            row[X + BLOCK * 20..X + BLOCK * 21]
                .iter_mut()
                .for_each(|pixel| *pixel = 255 - *pixel);
        }
        assert_eq!(read(&luma, STRIDE), None);
    }
}
