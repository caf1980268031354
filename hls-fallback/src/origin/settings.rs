//! What holds for a whole presentation, and the durations that follow from it.

use std::time::Duration;

use crate::media::{Moment, Rate, TrackConfig};

use super::{
    grid::{self, Grid},
    shelf::seconds,
};

/// Samples of an AAC-LC frame.
const AAC_FRAME: u64 = 1024;
/// Samples of a packet of Opus.
const OPUS_FRAME: u64 = 960;
/// 2020-01-01 in seconds since 1970.
const NUMBERS_BEGAN: i64 = 1_577_836_800;
/// Plain segments last at least so long: microseconds.
const PLAIN_SEGMENT: u64 = 4_000_000;

/// How a broadcast is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The grid that all renditions' instants are on.
    pub grid: Rate,
    /// How long a part lasts: frames of the grid.
    pub part_frames: u32,
    /// How long a segment lasts at most: whole seconds, 1 to 10. It becomes `EXT-X-TARGETDURATION`.
    pub target_duration: u32,
    /// The rate of all audio renditions: hertz. With it goes how long their parts may be.
    pub audio_rate: u32,
    /// Whether there is sound in Opus, beside that in AAC: of some rates of pictures its parts are longer.
    pub opus: bool,
    /// The wall time of time 0.
    pub epoch: Moment,
    /// How much of the past stays listed. Below six target durations, which a delta update needs, it is that.
    pub window: Duration,
}

/// Why [`Settings`] can't be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A rate is 0.
    #[error("the grid's rate and the audio rate must be above 0")]
    Rate,
    /// The target duration is none of 1 to 10 s.
    #[error("the target duration is {0} s: make it 1 to 10")]
    TargetDuration(u32),
    /// Parts of sound, which are a whole number of AAC frames, would break the 85 % rule, or a part is longer than a segment.
    #[error(
        "a part would last {0:?}: make it at least seven AAC frames (0.15 s at 48 kHz) and at most half the target duration"
    )]
    Part(Duration),
}

impl Settings {
    pub(super) fn timing(&self) -> Result<Timing, SettingsError> {
        if self.grid.numerator == 0 || self.grid.denominator == 0 || self.audio_rate == 0 {
            return Err(SettingsError::Rate);
        }
        if !(1..=10).contains(&self.target_duration) {
            return Err(SettingsError::TargetDuration(self.target_duration));
        }
        let target = u64::from(self.target_duration) * 1_000_000;
        let grid = Grid(self.grid);
        let part = grid.micros(u64::from(self.part_frames));
        let audio_frame = AAC_FRAME * 1_000_000 / u64::from(self.audio_rate);
        if part < audio_frame * 7 || part > target / 2 {
            return Err(SettingsError::Part(Duration::from_micros(part)));
        }
        let rate = u64::from(self.audio_rate);
        let sound_part = |frame: u64| {
            let frames = (part * rate).div_ceil(frame * 1_000_000);
            (frames * frame * 1_000_000).div_ceil(rate)
        };
        let window = u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX);
        Ok(Timing {
            grid,
            part_frames: u64::from(self.part_frames),
            target,
            part,
            audio_part: sound_part(AAC_FRAME),
            opus_part: self.opus.then(|| sound_part(OPUS_FRAME)),
            epoch: self.epoch,
            window: window.max(6 * target),
        })
    }
}

/// [`Settings`] that were found sound, and what follows from them. Durations are microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) grid: Grid,
    pub(super) part_frames: u64,
    /// `EXT-X-TARGETDURATION`.
    pub(super) target: u64,
    /// The part target of video, rounded up.
    pub(super) part: u64,
    /// The part target of sound: as many AAC frames as can begin within a part of video.
    pub(super) audio_part: u64,
    /// The same of Opus, where there is some.
    pub(super) opus_part: Option<u64>,
    pub(super) epoch: Moment,
    pub(super) window: u64,
}

impl Timing {
    /// When what has this time was captured.
    pub(super) fn wall(&self, ticks: u64, timescale: u32) -> Moment {
        self.epoch
            .plus(i64::try_from(grid::micros(ticks, timescale)).unwrap_or(i64::MAX))
    }

    /// `PART-TARGET` of a rendition that is encoded like this.
    pub(super) fn part_target(&self, config: Option<&TrackConfig>) -> u64 {
        match config {
            Some(TrackConfig::Aac { .. }) => self.audio_part,
            Some(TrackConfig::Opus { .. }) => self.opus_part.unwrap_or(self.audio_part),
            _ => self.part,
        }
    }

    /// `PART-HOLD-BACK`: the same for all playlists, so it goes by the longest part of any; whole milliseconds.
    pub(super) fn part_hold_back(&self) -> u64 {
        let longest = self
            .part
            .max(self.audio_part)
            .max(self.opus_part.unwrap_or(0));
        (3 * longest).div_ceil(1000) * 1000
    }

    /// `HOLD-BACK`.
    pub(super) fn hold_back(&self) -> u64 {
        3 * self.target
    }

    /// `CAN-SKIP-UNTIL`.
    pub(super) fn skip_until(&self) -> u64 {
        6 * self.target
    }

    /// The same in all playlists with low latency (RFC 8216bis §4.4.3.8).
    pub(super) fn server_control(&self) -> String {
        format!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={},HOLD-BACK={},PART-HOLD-BACK={}\n",
            seconds(self.skip_until()),
            seconds(self.hold_back()),
            seconds(self.part_hold_back())
        )
    }

    /// For how long parts are listed, how much longer than it is listed media is kept, and how long a request may be
    /// blocked.
    pub(super) fn three_targets(&self) -> u64 {
        3 * self.target
    }

    /// A plain segment is a row of segments that lasts at least so long.
    pub(super) fn plain_segment(&self) -> u64 {
        PLAIN_SEGMENT.max(self.target)
    }

    /// `EXT-X-TARGETDURATION` of plain playlists: a row is as long as its last segment more than it needs at most.
    pub(super) fn plain_target(&self) -> u64 {
        if self.plain_segment() == self.target {
            self.target
        } else {
            PLAIN_SEGMENT + self.target
        }
    }

    /// By how many parts a request may run ahead (RFC 8216bis §6.2.5.2, the Advance Part Limit).
    pub(super) fn advance_part_limit(&self) -> u64 {
        if self.part >= 1_000_000 {
            3
        } else {
            3_000_000_u64.div_ceil(self.part.max(1))
        }
    }
}

/// The number of a presentation's first segment: the seconds since 2020 at `now`.
///
/// A segment lasts a second or more, so numbers never overtake the clock, and a process that begins anew goes on above those
/// of the one before it, though it knows nothing of them. So a URL means one piece of media for ever, as caches are told, and
/// players never see numbers go back.
pub fn first_segment_number(now: Moment) -> u64 {
    u64::try_from(now.0 / 1_000_000 - NUMBERS_BEGAN).unwrap_or(0)
}

/// How many frames of `grid` come nearest to `part`; at least one.
pub fn frames_per_part(grid: Rate, part: Duration) -> u32 {
    (part.as_secs_f64() * grid.per_second()).round().max(1.0) as u32
}
