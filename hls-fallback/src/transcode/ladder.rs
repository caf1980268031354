//! The ladder: which renditions a picture of some size gets.

use std::{fmt, str::FromStr};

/// A rendition of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Pixels of the shorter side: 720 for 1280 × 720 and for 720 × 1280.
    pub side: u32,
    /// Bits per second aimed at.
    pub bitrate: u32,
}

impl Rung {
    /// What is usual for a side of that length.
    const fn usual(side: u32) -> Self {
        let bitrate = match side {
            0..=180 => 160_000,
            181..=300 => 350_000,
            301..=420 => 700_000,
            421..=600 => 1_300_000,
            601..=900 => 2_800_000,
            901..=1_200 => 5_000_000,
            _ => 9_000_000,
        };
        Self { side, bitrate }
    }
}

/// The renditions that are asked for, best first, at most [`Ladder::MOST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder(Vec<Rung>);

impl Ladder {
    /// Renditions at most.
    pub const MOST: usize = 8;
    /// Lengths of the shorter side that are taken.
    const SIDES: std::ops::RangeInclusive<u32> = 90..=2_160;
    /// Bitrates that are taken.
    const BITRATES: std::ops::RangeInclusive<u32> = 50_000..=50_000_000;

    /// The renditions of a source of this size, none larger than it. The first one is what takes the source's place: of its own
    /// size, up to that of the largest rung. The others are the rungs below, but for those that are nearly of its size.
    pub(super) fn renditions(&self, source: Size) -> Vec<Rendition> {
        let short = source.short();
        let rung = |rung: &Rung| Rendition::of(source, *rung);
        let is_rung = |side| self.0.iter().any(|rung| rung.side == side);
        match self.0.first() {
            Some(largest) if largest.side <= short => self.0.iter().map(rung).collect(),
            _ if is_rung(short) => {
                let fitting = self.0.iter().filter(|rung| rung.side <= short);
                fitting.map(rung).collect()
            }
            _ => {
                let size = source.even();
                let own = Rendition {
                    name: name(size.short()),
                    rung: Rung {
                        side: size.short(),
                        bitrate: self.bitrate(short),
                    },
                    size,
                    is_on_ladder: is_rung(size.short()),
                };
                let smaller = self.0.iter().filter(|rung| is_smaller(rung.side, short));
                [own].into_iter().chain(smaller.map(rung)).collect()
            }
        }
    }

    /// For a shorter side of that length: between those of the rungs above and below, by pixels.
    fn bitrate(&self, side: u32) -> u32 {
        let above = self.0.iter().rev().find(|rung| rung.side >= side);
        let below = self.0.iter().find(|rung| rung.side <= side);
        match (above, below) {
            (Some(above), Some(below)) if above.side > below.side => {
                // Of one shape, pixels grow with the square of a side.
                let square = |side: u32| u64::from(side).pow(2);
                let part = square(side) - square(below.side);
                let whole = square(above.side) - square(below.side);
                let (from, to) = (i64::from(below.bitrate), i64::from(above.bitrate));
                let more = (to - from) * part as i64 / whole as i64;
                (from + more) as u32
            }
            (Some(rung), _) | (None, Some(rung)) => rung.bitrate,
            (None, None) => Rung::usual(side).bitrate,
        }
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self([1_080, 720, 480, 360, 144].map(Rung::usual).to_vec())
    }
}

/// Why a ladder can't be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LadderError {
    /// Not as it is written.
    #[error(
        "\"{0}\" is no rendition: write its shorter side in pixels from 90 to 2160, with its bitrate after a colon if you like, \
         as in 720:2800k"
    )]
    Rung(String),
    /// None, or too many.
    #[error(
        "name from 1 to {} renditions, with commas between them, as in 720,480,360",
        Ladder::MOST
    )]
    Count,
    /// Two of the same name.
    #[error("{0} stands there twice")]
    Twice(u32),
}

impl FromStr for Ladder {
    type Err = LadderError;

    fn from_str(text: &str) -> Result<Self, LadderError> {
        let mut rungs = Vec::new();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let rung = parse_rung(word).ok_or_else(|| LadderError::Rung(word.to_owned()))?;
            if rungs.iter().any(|r: &Rung| r.side == rung.side) {
                return Err(LadderError::Twice(rung.side));
            }
            rungs.push(rung);
        }
        if rungs.is_empty() || rungs.len() > Self::MOST {
            return Err(LadderError::Count);
        }
        rungs.sort_by_key(|rung| std::cmp::Reverse(rung.side));
        Ok(Self(rungs))
    }
}

fn parse_rung(word: &str) -> Option<Rung> {
    let (side, bitrate) = word
        .split_once(':')
        .map_or((word, None), |(s, b)| (s, Some(b)));
    let side = side.trim_end_matches('p').parse().ok()?;
    let mut rung = Rung::usual(side);
    if let Some(bitrate) = bitrate {
        let (digits, unit) = match bitrate.as_bytes().last()? {
            b'k' => (&bitrate[..bitrate.len() - 1], 1_000),
            b'M' => (&bitrate[..bitrate.len() - 1], 1_000_000),
            _ => (bitrate, 1),
        };
        rung.bitrate = digits.parse::<u32>().ok()?.checked_mul(unit)?;
    }
    let fits = Ladder::SIDES.contains(&side) && Ladder::BITRATES.contains(&rung.bitrate);
    fits.then_some(rung)
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rung) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}k", rung.side, rung.bitrate / 1_000)?;
        }
        Ok(())
    }
}

/// Whether it is by 15 % at least, so that there's a use in both.
fn is_smaller(side: u32, than: u32) -> bool {
    u64::from(side) * 100 <= u64::from(than) * 85
}

fn name(side: u32) -> String {
    format!("{side}p")
}

/// Pixels of a rendition's longer side at most: NVENC takes no more of H.264.
const LONGEST_SIDE: u32 = 4_096;

/// Of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    fn short(self) -> u32 {
        self.width.min(self.height)
    }

    /// The same, or a pixel less where it isn't even; scaled down, where it is more than encoders take.
    fn even(self) -> Self {
        if self.width.max(self.height) > LONGEST_SIDE {
            return self.scaled_to(self.short());
        }
        let even = |pixels: u32| (pixels & !1).max(2);
        Self {
            width: even(self.width),
            height: even(self.height),
        }
    }

    /// With `side` pixels on the shorter side, the other in proportion; both even, as 4:2:0 wants them. Less, where the longer
    /// one would be more than encoders take.
    fn scaled_to(self, side: u32) -> Self {
        let long = u64::from(self.width.max(self.height));
        let most = u64::from(LONGEST_SIDE) * u64::from(self.short()) / long.max(1);
        let side = u64::from(side).min(most) as u32;
        let scale = |pixels: u32| {
            let exact = u64::from(pixels) * u64::from(side);
            // To the nearest even number.
            let half = (exact + u64::from(self.short())) / (2 * u64::from(self.short()).max(1));
            (half * 2).max(2) as u32
        };
        Self {
            width: scale(self.width),
            height: scale(self.height),
        }
    }

    pub(super) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Whether a picture of the other size can take this one's place without being distorted visibly.
    pub(super) fn is_like(self, other: Self) -> bool {
        let (a, b) = (
            f64::from(self.width) * f64::from(other.height),
            f64::from(other.width) * f64::from(self.height),
        );
        (a / b).ln().abs() < 0.03
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// One video rendition of a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendition {
    /// `720p`
    pub(super) name: String,
    pub(super) rung: Rung,
    pub(super) size: Size,
    /// The configuration has a rung of that name.
    pub(super) is_on_ladder: bool,
}

impl Rendition {
    /// The rung's rendition of a source of this size.
    pub(super) fn of(source: Size, rung: Rung) -> Self {
        Self {
            name: name(rung.side),
            rung,
            size: source.scaled_to(rung.side),
            is_on_ladder: true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn sizes(width: u32, height: u32) -> Vec<String> {
        let renditions = Ladder::default().renditions(Size { width, height });
        renditions
            .iter()
            .map(|r| format!("{} {}", r.name, r.size))
            .collect()
    }

    #[test]
    fn nothing_is_scaled_up() {
        assert_eq!(
            sizes(1_280, 720),
            [
                "720p 1280×720",
                "480p 854×480",
                "360p 640×360",
                "144p 256×144"
            ]
        );
        assert_eq!(sizes(160, 90), ["90p 160×90"]);
        assert_eq!(sizes(3_840, 2_160)[0], "1080p 1920×1080");
    }

    #[test]
    fn a_source_between_two_rungs_keeps_its_size() {
        let below = ["480p 854×480", "360p 640×360", "144p 256×144"];
        let best_and_below = |width, height| {
            let mut all = sizes(width, height);
            (all.remove(0), all)
        };
        for (width, height, best) in [
            (1_280, 718, "718p 1280×718"),
            (1_278, 718, "718p 1278×718"),
            (1_280, 722, "722p 1280×722"),
            (1_279, 719, "718p 1278×718"),
        ] {
            let (first, rest) = best_and_below(width, height);
            assert_eq!(first, best);
            let lines: Vec<_> = rest.iter().map(|r| r.split(' ').next().unwrap()).collect();
            assert_eq!(lines, ["480p", "360p", "144p"], "{best}");
        }
        assert_eq!(sizes(1_067, 600)[0], "600p 1066×600");
        assert_eq!(sizes(1_067, 600)[1..], below);
        assert_eq!(sizes(426, 240), ["240p 426×240", "144p 256×144"]);
        // 480 lines are nearly 540.
        assert_eq!(
            sizes(960, 540),
            ["540p 960×540", "360p 640×360", "144p 256×144"]
        );
        assert_eq!(sizes(540, 960)[0], "540p 540×960");
        assert_eq!(sizes(1_920, 1_079)[0], "1078p 1920×1078");
        assert_eq!(sizes(160, 120), ["120p 160×120"]);
    }

    #[test]
    fn its_bitrate_is_between_those_of_the_rungs() {
        let bitrate = |width, height| {
            let renditions = Ladder::default().renditions(Size { width, height });
            renditions[0].rung.bitrate
        };
        assert_eq!(bitrate(1_280, 720), 2_800_000);
        assert_eq!(bitrate(854, 480), 1_300_000);
        assert_eq!(bitrate(160, 90), 160_000);
        assert_eq!(bitrate(3_840, 2_160), 5_000_000);
        assert!((2_780_000..2_800_000).contains(&bitrate(1_280, 718)));
        // Of the way from 144² to 360², a third.
        assert!((340_000..345_000).contains(&bitrate(426, 240)));
        let sides = (90..=1_200).step_by(2);
        let all: Vec<u32> = sides.map(|side| bitrate(side * 16 / 9, side)).collect();
        assert!(all.is_sorted(), "{all:?}");
    }

    #[test]
    fn rungs_that_are_close_to_each_other_stay_where_the_source_is_one() {
        let ladder: Ladder = "720,700,360".parse().unwrap();
        let names = |side| {
            let size = Size {
                width: side * 16 / 9,
                height: side,
            };
            let renditions = ladder.renditions(size);
            renditions.into_iter().map(|r| r.name).collect::<Vec<_>>()
        };
        assert_eq!(names(720), ["720p", "700p", "360p"]);
        assert_eq!(names(1_080), ["720p", "700p", "360p"]);
        assert_eq!(names(700), ["700p", "360p"]);
        assert_eq!(names(400), ["400p"]);
        assert_eq!(names(300), ["300p"]);
    }

    #[test]
    fn portrait_and_odd_sizes_keep_their_shape() {
        assert_eq!(sizes(720, 1_280)[1], "480p 480×854");
        assert_eq!(sizes(641, 361), ["360p 640×360", "144p 256×144"]);
        assert_eq!(
            sizes(1_920, 800),
            [
                "800p 1920×800",
                "480p 1152×480",
                "360p 864×360",
                "144p 346×144"
            ]
        );
        assert_eq!(sizes(3, 2), ["2p 2×2"]);
        assert_eq!(sizes(16_000, 1_600)[0], "1080p 4090×410");
    }

    #[test]
    fn a_ladder_is_read_as_it_is_written() {
        let ladder: Ladder = "360, 720p:3M,480:900k".parse().unwrap();
        assert_eq!(ladder.to_string(), "720:3000k,480:900k,360:700k");
        assert_eq!(ladder.to_string().parse(), Ok(ladder));
        for bad in [
            "8",
            "4000",
            "720:1",
            "720:",
            ":",
            "720:3G",
            "720:99999M",
            "-1",
            "72O",
            "720:é",
        ] {
            assert_eq!(
                bad.parse::<Ladder>(),
                Err(LadderError::Rung(bad.to_owned())),
                "{bad}"
            );
        }
        assert_eq!("".parse::<Ladder>(), Err(LadderError::Count));
        assert_eq!("720,720p".parse::<Ladder>(), Err(LadderError::Twice(720)));
        assert_eq!(
            "100,101,102,103,104,105,106,107,108".parse::<Ladder>(),
            Err(LadderError::Count)
        );
    }

    #[test]
    fn sizes_of_one_shape_are_alike() {
        let size = |width, height| Size { width, height };
        assert!(size(1_280, 720).is_like(size(640, 360)));
        assert!(size(1_280, 720).is_like(size(320, 180)));
        assert!(size(854, 480).is_like(size(1_280, 720)));
        assert!(!size(1_280, 720).is_like(size(720, 1_280)));
        assert!(!size(640, 480).is_like(size(640, 360)));
    }
}
