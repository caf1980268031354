//! The test picture, drawn straight into an I420 buffer.

use openh264::formats::YUVSource;

use super::font;
use super::timecode;

/// Width in pixels.
pub(super) const WIDTH: usize = 1280;
/// Height in pixels.
pub(super) const HEIGHT: usize = 720;
/// How long the picture flashes (and the tone beeps) from each full second on.
pub(super) const FLASH_MS: u64 = 100;

const BLACK: u8 = 16;
const WHITE: u8 = 235;
const GREY: u8 = 128;

/// 75 % colour bars, BT.709 limited range: Y, Cb, Cr.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [168, 44, 136],
    [145, 147, 44],
    [133, 63, 52],
    [63, 193, 204],
    [51, 109, 212],
    [28, 212, 120],
    [16, 128, 128],
];

/// A rectangle of pixels; everything is placed on the macroblock grid.
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

const BARS_AREA: Area = Area {
    left: 0,
    top: 0,
    width: WIDTH,
    height: 384,
};
const FLASH_AREA: Area = Area {
    left: 480,
    top: 80,
    width: 320,
    height: 160,
};
const TRACK_TOP: usize = 304;
const BOX: usize = 64;
const GRADIENT_AREA: Area = Area {
    left: 0,
    top: 384,
    width: WIDTH,
    height: 144,
};
const CLOCK_LEFT: usize = 64;
const CLOCK_TOP: usize = 544;
const CLOCK_SCALE: usize = 16;

/// One I420 picture that is drawn over and over.
pub(super) struct Picture {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Picture {
    /// A picture with all that never changes already drawn.
    pub(super) fn new() -> Self {
        let mut picture = Self {
            y: vec![BLACK; WIDTH * HEIGHT],
            u: vec![GREY; WIDTH * HEIGHT / 4],
            v: vec![GREY; WIDTH * HEIGHT / 4],
        };
        picture.draw_bar_colours();
        picture
    }

    /// Draws everything that moves, as it is at `unix_ms`.
    pub(super) fn draw(&mut self, unix_ms: u64) {
        timecode::draw(&mut self.y, WIDTH, unix_ms);
        self.draw_bars();
        let flash = if unix_ms % 1000 < FLASH_MS {
            WHITE
        } else {
            BLACK
        };
        self.fill(&FLASH_AREA, flash);
        self.draw_moving_box(unix_ms);
        self.draw_gradient(unix_ms);
        self.draw_clock(unix_ms);
    }

    fn draw_bar_colours(&mut self) {
        let stride = WIDTH / 2;
        let rows = BARS_AREA.top / 2..BARS_AREA.top / 2 + BARS_AREA.height / 2;
        for row in rows {
            for x in 0..stride {
                let [_, u, v] = BARS[x * BARS.len() / stride];
                self.u[row * stride + x] = u;
                self.v[row * stride + x] = v;
            }
        }
    }

    fn draw_bars(&mut self) {
        let mut row = [0; WIDTH];
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = BARS[x * BARS.len() / WIDTH][0];
        }
        self.repeat_row(&BARS_AREA, &row);
    }

    /// A white box that crosses the picture and comes back every four seconds: judder shows at a glance.
    fn draw_moving_box(&mut self, unix_ms: u64) {
        const PERIOD_MS: u64 = 4000;
        let phase = unix_ms % PERIOD_MS;
        let there_and_back = phase.min(PERIOD_MS - phase) as usize;
        let left = (WIDTH - BOX) * 2 * there_and_back / PERIOD_MS as usize;
        self.fill(
            &Area {
                left,
                top: TRACK_TOP,
                width: BOX,
                height: BOX,
            },
            WHITE,
        );
    }

    /// A soft wave that scrolls by 240 pixels a second.
    fn draw_gradient(&mut self, unix_ms: u64) {
        const WAVE: usize = 320;
        let offset = (unix_ms * 240 / 1000) as usize;
        let mut row = [0; WIDTH];
        for (x, pixel) in row.iter_mut().enumerate() {
            let phase = (x + offset) % WAVE;
            *pixel = BLACK + phase.min(WAVE - phase) as u8;
        }
        self.repeat_row(&GRADIENT_AREA, &row);
    }

    /// The time of day in UTC, as `HH:MM:SS.mmm`.
    fn draw_clock(&mut self, unix_ms: u64) {
        let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
        let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let text = format!("{h:02}:{m:02}:{s:02}.{ms:03}");
        for (i, character) in text.bytes().enumerate() {
            let left = CLOCK_LEFT + i * (font::WIDTH + 1) * CLOCK_SCALE;
            for (row, bits) in font::glyph(character).into_iter().enumerate() {
                for column in 0..font::WIDTH {
                    let lit = bits >> (font::WIDTH - 1 - column) & 1 == 1;
                    let cell = Area {
                        left: left + column * CLOCK_SCALE,
                        top: CLOCK_TOP + row * CLOCK_SCALE,
                        width: CLOCK_SCALE,
                        height: CLOCK_SCALE,
                    };
                    self.fill(&cell, if lit { WHITE } else { BLACK });
                }
            }
        }
    }

    fn fill(&mut self, area: &Area, luma: u8) {
        for row in area.top..area.top + area.height {
            let start = row * WIDTH + area.left;
            self.y[start..start + area.width].fill(luma);
        }
    }

    fn repeat_row(&mut self, area: &Area, pixels: &[u8; WIDTH]) {
        for row in area.top..area.top + area.height {
            self.y[row * WIDTH..(row + 1) * WIDTH].copy_from_slice(pixels);
        }
    }
}

impl YUVSource for Picture {
    fn dimensions(&self) -> (usize, usize) {
        (WIDTH, HEIGHT)
    }
    fn strides(&self) -> (usize, usize, usize) {
        (WIDTH, WIDTH / 2, WIDTH / 2)
    }
    fn y(&self) -> &[u8] {
        &self.y
    }
    fn u(&self) -> &[u8] {
        &self.u
    }
    fn v(&self) -> &[u8] {
        &self.v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 1_795_003_200_000;

    #[test]
    fn a_picture_carries_its_time() {
        let mut picture = Picture::new();
        for unix_ms in [NOON_MS, NOON_MS + 33, NOON_MS + 999] {
            picture.draw(unix_ms);
            assert_eq!(timecode::read(picture.y(), WIDTH, WIDTH), Some(unix_ms));
        }
    }

    #[test]
    fn the_flash_lasts_from_the_full_second() {
        let centre = (FLASH_AREA.top + 80) * WIDTH + FLASH_AREA.left + 160;
        let mut picture = Picture::new();
        for (offset, luma) in [
            (0, WHITE),
            (FLASH_MS - 1, WHITE),
            (FLASH_MS, BLACK),
            (999, BLACK),
        ] {
            picture.draw(NOON_MS + offset);
            assert_eq!(picture.y()[centre], luma, "{offset} ms after the second");
        }
    }

    #[test]
    fn consecutive_pictures_differ_outside_the_clock() {
        let (mut first, mut second) = (Picture::new(), Picture::new());
        first.draw(NOON_MS);
        second.draw(NOON_MS + 33);
        let bars_and_gradient = BARS_AREA.top * WIDTH..CLOCK_TOP * WIDTH;
        assert_ne!(
            first.y()[bars_and_gradient.clone()],
            second.y()[bars_and_gradient]
        );
    }
}
