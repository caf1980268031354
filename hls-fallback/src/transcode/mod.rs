//! Frames in, samples of each rendition out: decoding, the grid, scaling, encoding.
//!
//! One thread conducts a broadcast: it decodes, puts pictures and sound in their places, and encodes the sound. Each video
//! rendition has a thread of its own, which scales and encodes; a slow one leaves pictures out, and holds nobody up.

mod cadence;
mod conductor;
mod decoder;
mod encoder;
mod grid;
mod h264;
mod ladder;
mod lateness;
mod layout;
mod rate;
mod rendition;
mod scaler;
mod sound;
mod sound_grid;
mod timeline;

use std::time::Duration;

pub use cadence::Cadence;
pub use conductor::{Pushed, Transcoder};
pub use decoder::DecodeError;
pub use encoder::{EncodeError, EncoderKind, probe};
pub use ladder::{Ladder, LadderError, Rung};
pub use sound::SoundError;
pub use sound_grid::SAMPLE_RATE;

use crate::media::{Moment, Sample, TrackConfig};

/// How a broadcast is encoded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its renditions.
    pub ladder: Ladder,
    /// What encodes them.
    pub encoder: EncoderKind,
    /// The length of parts aimed at.
    pub part: Duration,
    /// The length of segments aimed at.
    pub segment: Duration,
}

/// A rendition, as players are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// Video without sound.
    Video {
        /// `720p`
        name: String,
    },
    /// Sound alone.
    Audio {
        /// `audio`
        name: String,
        /// Ticks a second of its samples.
        timescale: u32,
    },
}

/// Where a broadcast's renditions go.
pub trait Presenter: Send {
    /// The number that the first segment of a broadcast with this epoch has.
    fn first_segment(&self, epoch: Moment) -> u64;
    /// The broadcast begins. Called once, before [`Self::rendition`].
    fn begin(&mut self, cadence: Cadence);
    /// What comes from this segment on doesn't continue what was before it, in all renditions.
    fn discontinuity(&mut self, segment: u64);
    /// A rendition is added.
    fn rendition(&mut self, description: Description) -> Box<dyn Sink>;
}

/// Where a rendition's samples go.
pub trait Sink: Send {
    /// What comes is encoded like this. Also called when that changes: what follows doesn't continue what was before.
    fn start(&mut self, config: TrackConfig);
    /// A segment begins with the first sample that isn't before this slot of the grid. Said of each a segment ahead, and of the
    /// first before its first sample.
    fn begin_segment(&mut self, number: u64, slot: u64);
    /// The next sample.
    fn push(&mut self, sample: Sample);
    /// There are no more.
    fn finish(&mut self);
}

/// Has libav and the encoders below it say errors only: what they have to say besides isn't for operators.
pub fn quieten() {
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Error);
}
