//! Frames in, samples of each rendition out: decoding, the grid, scaling, encoding.
//!
//! One thread conducts a broadcast: it decodes, puts pictures and sound in their places, and encodes the sound. Each video
//! rendition has a thread of its own, which scales and encodes; a slow one leaves pictures out, and holds nobody up. The best one
//! is the source itself while that can be: then its pictures are put in their places as they came, and decoded only if somebody
//! watches another.

mod asking;
mod cadence;
mod conductor;
mod decoder;
mod decoding;
mod encoder;
mod fitness;
mod grid;
mod history;
mod home;
mod inspector;
mod ladder;
mod lateness;
mod layout;
#[cfg(test)]
mod on_gpu_tests;
mod passing;
mod rate;
mod rendition;
mod renditions;
mod retimer;
mod running;
mod scaler;
mod segments;
mod shedding;
mod sound;
mod sound_encoder;
mod sound_grid;
mod sound_track;
mod timeline;
mod transcoder;
mod waiting;
mod work;

use std::time::Duration;

pub use cadence::Cadence;
pub use decoder::DecodeError;
pub(crate) use encoder::black;
pub use encoder::{EncodeError, EncoderKind, choose, probe};
pub use ladder::{Ladder, LadderError, Rung};
pub use sound::SoundError;
pub use sound_grid::SAMPLE_RATE;
pub use transcoder::{Pushed, Transcoder};

use crate::media::{Demand, Moment, Sample, TrackConfig, VideoCodec};

/// Which sources are passed through as they came, while that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PassThrough {
    /// Those of all codecs that players know.
    True,
    /// Those that every player decodes.
    H264,
    /// None.
    False,
}

impl PassThrough {
    fn takes(self, codec: VideoCodec) -> bool {
        match self {
            Self::True => true,
            Self::H264 => codec == VideoCodec::H264,
            Self::False => false,
        }
    }
}

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
    /// When the best rendition, which is called `source` unless that's never, is the source itself.
    pub pass_through: PassThrough,
    /// Whether the renditions below the best one are made only while somebody asks for them.
    pub on_demand: bool,
    /// Whether a source that is passed through in another codec than H.264 is encoded in that as long as the broadcast lasts, too: in its
    /// own size, or the largest below it with a shorter side of 720 pixels at most. So all players can play its recording.
    pub keeps_h264: bool,
    /// Whether the sound is there in Opus, too, beside that in AAC.
    pub opus: bool,
}

/// A rendition, as players are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// Video without sound.
    Video {
        /// `source`, `720p`
        name: String,
        /// It is made as long as the broadcast lasts, not only while somebody asks for it.
        permanent: bool,
    },
    /// Sound alone, which is always made.
    Audio {
        /// `audio`
        name: String,
        /// Ticks a second of its samples.
        timescale: u32,
        /// It isn't the same as another one that is, encoded differently.
        recorded: bool,
    },
}

impl Description {
    fn sound(name: &str, recorded: bool) -> Self {
        Self::Audio {
            name: name.to_owned(),
            timescale: SAMPLE_RATE,
            recorded,
        }
    }

    /// Whether it belongs into a recording: it has no holes, as what is made for those who watch, and nothing else holds the same.
    pub fn is_recorded(&self) -> bool {
        match self {
            Self::Video { permanent, .. } => *permanent,
            Self::Audio { recorded, .. } => *recorded,
        }
    }
}

/// Why a rendition isn't made for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Nobody asks for it: who does gets it.
    Unasked,
    /// The machine can't make it: players are to choose another.
    Shed,
}

/// Where a broadcast's renditions go.
pub trait Presenter: Send {
    /// The number that the first segment of a broadcast with this epoch has.
    fn first_segment(&self, epoch: Moment) -> u64;
    /// What was before this is recorded already, so that the broadcast doesn't begin with it.
    fn recorded_until(&self) -> Option<Moment> {
        None
    }
    /// The broadcast begins. Called once, before [`Self::rendition`].
    fn begin(&mut self, cadence: Cadence);
    /// The publisher's pictures and sound have come to this moment. What goes on beyond it is the last picture, and silence.
    fn heard(&mut self, _until: Moment) {}
    /// What comes from this segment on doesn't continue what was before it, in all renditions.
    fn discontinuity(&mut self, segment: u64);
    /// A rendition is added. It isn't made before it is started.
    fn rendition(&mut self, description: Description) -> Box<dyn Sink>;
    /// Who asks for a rendition that was added.
    fn demand(&self, rendition: &str) -> Demand;
    /// Who listens to the sound, if anybody does. Asked once, after [`Self::begin`].
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        None
    }
}

/// Hears the sound of a broadcast, on its time line and without gaps.
pub trait Listener: Send {
    /// Samples of [`SAMPLE_RATE`], left and right in turn, of which the first is number `first` since the epoch. It mustn't wait.
    fn hear(&mut self, first: u64, samples: &[f32]);
}

/// Where a rendition's samples go.
pub trait Sink: Send {
    /// It isn't made yet, and would be encoded like this, with so many bits per second.
    fn expect(&mut self, config: TrackConfig, bitrate: u32);
    /// What comes may be encoded like any of these, now or later: players are told that they need decoders for all of them. It holds
    /// until it is said again.
    fn may_be(&mut self, configs: Vec<TrackConfig>);
    /// What comes is encoded like this. Also called when that changes: what follows doesn't continue what was before.
    fn start(&mut self, config: TrackConfig);
    /// A segment begins with the first sample that isn't before this slot of the grid. Said of each before its first sample, and
    /// ahead where it is known; said again of one that hasn't begun, it holds instead.
    fn begin_segment(&mut self, number: u64, slot: u64);
    /// The next sample.
    fn push(&mut self, sample: Sample);
    /// None come until it is started again, with a later segment. Said again, the other reason holds instead.
    fn rest(&mut self, pause: Pause);
    /// There are no more.
    fn finish(&mut self);
}

/// Has libav and the encoders below it say errors only: what they have to say besides isn't for operators.
pub fn quieten() {
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Error);
}
