//! The machine-readable clock in the picture: unix milliseconds as a row of black and white blocks.
//!
//! It is the studio's test picture's (`web-client/src/whip/timecode.ts`), so that one reader does for
//! both: [`BLOCKS`] blocks side by side along the bottom edge, together as wide as the picture and an
//! eighteenth of its height high, white for 1. The first 42 are the time, most significant bit first
//! (good until the year 2109), the last two count its ones, modulo 4. As all is relative to the
//! picture's size, a scaled picture reads as well.

use std::ops::Range;

/// Time bits and check bits together.
pub const BLOCKS: usize = TIME_BITS + CHECK_BITS;

const TIME_BITS: usize = 42;
const CHECK_BITS: usize = 2;
/// The blocks' height is this part of the picture's.
const HEIGHT_PART: usize = 18;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
const THRESHOLD: u32 = 126;

/// Draws `unix_ms` into a luma plane of `width` pixels a row.
pub fn draw(luma: &mut [u8], width: usize, unix_ms: u64) {
    let bits = encode(unix_ms);
    let rows = rows(luma.len() / width);
    for row in luma.chunks_exact_mut(width).skip(rows.start) {
        for (x, pixel) in row.iter_mut().enumerate() {
            let bit = BLOCKS - 1 - x * BLOCKS / width;
            *pixel = if bits >> bit & 1 == 1 { WHITE } else { BLACK };
        }
    }
}

/// Reads the time back from a luma plane with rows of `width` pixels at distance `stride`; `None` if
/// the picture has no timecode, or a damaged one.
pub fn read(luma: &[u8], stride: usize, width: usize) -> Option<u64> {
    let rows = middle(&rows(luma.len().checked_div(stride)?));
    let mut bits = 0;
    for block in 0..BLOCKS {
        let columns = middle(&(block * width / BLOCKS..(block + 1) * width / BLOCKS));
        let mut sum = 0;
        for row in rows.clone() {
            let pixels = luma.get(row * stride + columns.start..row * stride + columns.end)?;
            sum += pixels.iter().map(|&luma| u32::from(luma)).sum::<u32>();
        }
        let white = sum.checked_div((rows.len() * columns.len()) as u32)? > THRESHOLD;
        bits = bits << 1 | u64::from(white);
    }
    let unix_ms = bits >> CHECK_BITS;
    // A black picture would spell 1970.
    (unix_ms != 0 && encode(unix_ms) == bits).then_some(unix_ms)
}

fn encode(unix_ms: u64) -> u64 {
    let time = unix_ms & ((1 << TIME_BITS) - 1);
    time << CHECK_BITS | u64::from(time.count_ones() % 4)
}

/// The rows of the blocks in a picture of this height.
fn rows(height: usize) -> Range<usize> {
    height - height / HEIGHT_PART..height
}

/// The middle half of a range: a codec blurs the edges.
fn middle(range: &Range<usize>) -> Range<usize> {
    let margin = range.len() / 4;
    range.start + margin..range.end - margin
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 1280;
    const HEIGHT: usize = 720;
    const TIME: u64 = 1_795_000_000_123;

    #[test]
    fn a_drawn_time_reads_back() {
        for (width, height) in [(WIDTH, HEIGHT), (640, 360), (320, 180)] {
            let mut luma = vec![90; width * height];
            for unix_ms in [1, TIME, (1 << TIME_BITS) - 1] {
                draw(&mut luma, width, unix_ms);
                assert_eq!(read(&luma, width, width), Some(unix_ms));
            }
        }
    }

    #[test]
    fn a_picture_without_timecode_has_none() {
        for grey in [0, 16, 128, 255] {
            assert_eq!(read(&vec![grey; WIDTH * HEIGHT], WIDTH, WIDTH), None);
        }
        assert_eq!(read(&[], WIDTH, WIDTH), None);
        assert_eq!(read(&[0; 9], 0, 0), None);
    }

    #[test]
    fn a_wrong_block_is_noticed() {
        let mut luma = vec![16; WIDTH * HEIGHT];
        draw(&mut luma, WIDTH, TIME);
        let block = WIDTH / BLOCKS;
        for row in luma.chunks_exact_mut(WIDTH) {
            row[block * 20..block * 21]
                .iter_mut()
                .for_each(|luma| *luma = 255 - *luma);
        }
        assert_eq!(read(&luma, WIDTH, WIDTH), None);
    }
}
