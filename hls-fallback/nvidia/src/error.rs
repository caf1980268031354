//! What can go wrong.

use nvidia_video_codec_sdk::EncodeError;

/// Why NVIDIA's encoder isn't used, or ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A library of the driver isn't there, or doesn't contain what it should.
    #[error("NVIDIA's driver isn't there, or without its encoder: {0}")]
    Library(libloading::Error),
    /// The driver is older than what this was written for.
    #[error(
        "NVIDIA's driver is too old: it has {interface} {found}, and {needed} is needed: install driver 535 or newer"
    )]
    TooOld {
        /// CUDA or NVENC.
        interface: &'static str,
        /// What it has.
        found: Version,
        /// What is needed.
        needed: Version,
    },
    /// The driver doesn't say which version it is, or begins.
    #[error("NVIDIA's driver fails at {call}: {status}")]
    Driver {
        /// What was called.
        call: &'static str,
        /// The status it gave back, of CUDA or of NVENC.
        status: u32,
    },
    /// There is a driver, and no GPU.
    #[error("NVIDIA's driver finds no GPU")]
    NoGpu,
    /// CUDA doesn't begin on a GPU.
    #[error("GPU {gpu}: {said}")]
    Cuda {
        /// Its number.
        gpu: usize,
        /// What CUDA said.
        said: String,
    },
    /// The encoder doesn't begin, or it failed.
    #[error("NVIDIA's encoder: {0}")]
    Nvenc(#[from] EncodeError),
    /// The driver's buffers don't hold such pictures.
    #[error("{width}×{height} doesn't fit rows of {pitch} bytes: both sides have to be even")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Bytes of a row.
        pitch: u32,
    },
    /// A picture is smaller than what it is said to be.
    #[error("a picture's plane {plane} has too few bytes")]
    Picture {
        /// From 0 on: Y, U, V.
        plane: usize,
    },
    /// The system gives no thread.
    #[error("no thread for NVIDIA's encoder: {0}")]
    Thread(#[source] std::io::Error),
    /// Its thread ended, by a failure that was reported or by a panic in the bindings.
    #[error("NVIDIA's encoder has ended")]
    Ended,
}

/// Of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// What changes where programs have to.
    pub major: u32,
    /// What changes else.
    pub minor: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
