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

    /// The rungs for a source of this size: none larger than it, and one of its own size where it is smaller than all.
    pub(super) fn renditions(&self, source: Size) -> Vec<Rendition> {
        let short = source.short();
        let fitting: Vec<Rung> = self.0.iter().copied().filter(|r| r.side <= short).collect();
        let rungs = match (fitting.is_empty(), self.0.last()) {
            (true, Some(smallest)) => vec![Rung {
                side: short,
                bitrate: smallest.bitrate,
            }],
            _ => fitting,
        };
        rungs
            .into_iter()
            .map(|rung| Rendition::of(source, rung))
            .collect()
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
}

impl Rendition {
    /// The rung's rendition of a source of this size.
    pub(super) fn of(source: Size, rung: Rung) -> Self {
        Self {
            name: format!("{}p", rung.side),
            rung,
            size: source.scaled_to(rung.side),
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
    }

    #[test]
    fn portrait_and_odd_sizes_keep_their_shape() {
        assert_eq!(sizes(720, 1_280)[1], "480p 480×854");
        assert_eq!(sizes(641, 361), ["360p 640×360", "144p 256×144"]);
        assert_eq!(
            sizes(1_920, 800),
            [
                "720p 1728×720",
                "480p 1152×480",
                "360p 864×360",
                "144p 346×144"
            ]
        );
        assert_eq!(sizes(3, 2), ["2p 4×2"]);
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
