//! H.264 encoders behind one trait, and which of them is used.

mod black;
mod choice;
mod gpus;
mod libav;
mod nvenc;
#[cfg(feature = "nvidia-sdk")]
mod nvidia_sdk;
mod openh264;
mod placement;

use std::{fmt, sync::Arc};

use ffmpeg_next::{self as ffmpeg, frame};
use spillway_cuda::Device;

pub(crate) use black::black;
pub(super) use black::picture as black_picture;
pub use choice::{choose, probe};
pub(super) use choice::{config_of, sample_config, track_config};
pub(super) use gpus::best as best_gpu;

use super::ladder::{Rendition, Size};
use crate::{bitstream::h264::AccessUnit, media::Rate};

/// Which encoder is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EncoderKind {
    /// NVIDIA's, on a GPU, through libav.
    Nvenc,
    /// The same, through NVIDIA's SDK.
    NvidiaSdk,
    /// x264 on the processor, through libav.
    X264,
    /// Cisco's, on the processor: nothing of it is under the GPL.
    Openh264,
}

impl EncoderKind {
    /// Whether it encodes on a GPU.
    pub(super) fn is_hardware(self) -> bool {
        matches!(self, Self::Nvenc | Self::NvidiaSdk)
    }
}

impl fmt::Display for EncoderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nvenc => "nvenc",
            Self::NvidiaSdk => "nvidia-sdk",
            Self::X264 => "x264",
            Self::Openh264 => "openh264",
        })
    }
}

/// Why nothing is encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// libav was built without it.
    #[error(
        "libavcodec on this machine has no {0}: install Debian's libavcodec, or one built with it"
    )]
    Missing(&'static str),
    /// It doesn't begin, or it failed.
    #[error("{encoder}: {source}")]
    Library {
        /// Which one.
        encoder: EncoderKind,
        /// What libav said.
        source: ffmpeg::Error,
    },
    /// openh264 doesn't begin, or it failed.
    #[error("openh264: {0}")]
    Openh264(#[from] ::openh264::Error),
    /// openh264 takes no such pictures.
    #[error(
        "openh264 encodes pictures of 3840×2160 at most, and not {0}: leave out the rendition, or use x264"
    )]
    TooLarge(String),
    /// It needs a GPU.
    #[error("there's no NVIDIA GPU: neither /dev/nvidiactl nor /dev/dxg is there")]
    NoGpu,
    /// Those that there are have no room.
    #[error("the encoders of all NVIDIA GPUs are busy, or refused a rendition of late")]
    Full,
    /// It doesn't begin, or what is done there fails.
    #[error("an NVIDIA GPU: {0}")]
    Gpu(#[source] ffmpeg::Error),
    /// libav was built without it.
    #[error(
        "libavfilter on this machine has no {0}: install Debian's libavfilter, or one built with it"
    )]
    MissingFilter(&'static str),
    /// The feature is off.
    #[cfg(not(feature = "nvidia-sdk"))]
    #[error(
        "this spillway-hls was built without NVIDIA's SDK: build it with --features nvidia-sdk"
    )]
    NotCompiledIn,
    /// NVIDIA's libraries aren't there, or they failed.
    #[cfg(feature = "nvidia-sdk")]
    #[error(transparent)]
    Nvidia(#[from] spillway_nvidia::Error),
    /// A picture can't be brought to the rendition's size.
    #[error("scaling: {0}")]
    Scale(#[source] ffmpeg::Error),
    /// The system gives no thread.
    #[error("no thread for a rendition: {0}")]
    Thread(#[source] std::io::Error),
    /// Its output is no H.264.
    #[error("{0} gave no parameter sets with a keyframe")]
    NoParameterSets(EncoderKind),
}

/// What came of one picture.
#[derive(Debug)]
pub(super) struct Encoded {
    /// The number it was given in with.
    pub(super) slot: u64,
    pub(super) unit: AccessUnit,
    pub(super) keyframe: bool,
}

/// An encoder of one rendition.
pub(super) trait VideoEncoder: Send {
    /// Which one it is.
    fn kind(&self) -> EncoderKind;

    /// The GPU whose pictures it takes, besides those in memory.
    fn device(&self) -> Option<&Arc<Device>> {
        None
    }

    /// Encodes the picture of a slot: 4:2:0 of the rendition's size. What it gives back may be of an earlier slot; none, while it
    /// holds them all back.
    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError>;
}

/// Begins to encode a rendition: on the GPU that is `near` if it is to be a GPU, and where none takes it on the processor.
pub(super) fn open(
    kind: EncoderKind,
    rendition: &Rendition,
    rate: Rate,
    near: Option<usize>,
) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    let error = match open_as(kind, rendition, rate, near) {
        Err(error) if kind.is_hardware() => error,
        opened => return opened,
    };
    let Some(encoder) = open_on_processor(rendition, rate) else {
        return Err(error);
    };
    tracing::warn!(
        rendition = rendition.name,
        reason = %error,
        encoder = %encoder.kind(),
        "no GPU takes another rendition: the processor encodes it"
    );
    Ok(encoder)
}

/// Begins to encode a rendition on the processor.
pub(super) fn open_on_processor(
    rendition: &Rendition,
    rate: Rate,
) -> Option<Box<dyn VideoEncoder>> {
    let mut kinds = choice::SOFTWARE.into_iter();
    kinds.find_map(|kind| open_as(kind, rendition, rate, None).ok())
}

/// Begins to encode a rendition with this encoder and no other.
fn open_as(
    kind: EncoderKind,
    rendition: &Rendition,
    rate: Rate,
    near: Option<usize>,
) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(match kind {
        EncoderKind::X264 => Box::new(libav::x264(rendition, rate)?),
        EncoderKind::Nvenc => Box::new(nvenc::Nvenc::open(rendition, rate, near)?),
        EncoderKind::Openh264 => Box::new(openh264::Openh264::open(rendition, rate)?),
        #[cfg(feature = "nvidia-sdk")]
        EncoderKind::NvidiaSdk => Box::new(nvidia_sdk::NvidiaSdk::open(rendition, rate)?),
        #[cfg(not(feature = "nvidia-sdk"))]
        EncoderKind::NvidiaSdk => return Err(EncodeError::NotCompiledIn),
    })
}

/// Bits per second over a moment, and the bits that may be ahead of them: a fifth more than the bitrate, and half a second of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peak {
    bitrate: u32,
    buffer: u32,
}

impl Peak {
    fn of(bitrate: u32) -> Self {
        Self {
            bitrate: bitrate + bitrate / 5,
            buffer: bitrate / 2,
        }
    }
}

/// A rendition that encoders are tried with.
fn sample(width: u32, height: u32, bitrate: u32) -> Rendition {
    Rendition {
        name: "sample".to_owned(),
        rung: super::ladder::Rung {
            side: height,
            bitrate,
        },
        size: Size { width, height },
        is_on_ladder: true,
    }
}

#[cfg(test)]
pub(super) mod tests;
