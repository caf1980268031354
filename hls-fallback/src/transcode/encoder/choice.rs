//! Which encoder is used: the one that was asked for, or the first that works here.

use ffmpeg_next::{format, frame};

use super::{EncodeError, EncoderKind, VideoEncoder, gpus, open, open_as, sample};
use crate::{
    bitstream::h264::{self, AccessUnit},
    media::{Rate, TrackConfig},
    transcode::{
        ladder::{Rendition, Size},
        rate,
    },
};

/// Those on a GPU, best first: the same hardware, and libav comes with the system's own updates.
const HARDWARE: [EncoderKind; 2] = [EncoderKind::Nvenc, EncoderKind::NvidiaSdk];
/// Those on the processor, best first.
pub(super) const SOFTWARE: [EncoderKind; 2] = [EncoderKind::X264, EncoderKind::Openh264];

/// The encoder that was asked for, if it works here. Without one the first that does: on a GPU, else x264, else openh264. The log
/// says which, and why not those before it.
pub fn choose(asked: Option<EncoderKind>) -> Result<EncoderKind, EncodeError> {
    if let Some(kind) = asked {
        probe(kind)?;
        tracing::info!(encoder = %kind, "encoding as asked");
        return Ok(kind);
    }
    let kind = first_that_works(HARDWARE.into_iter().chain(SOFTWARE), probe)?;
    let place = if kind.is_hardware() {
        "on a GPU"
    } else {
        "on the processor"
    };
    tracing::info!(encoder = %kind, place, "encoding with the first that works");
    Ok(kind)
}

/// What the last one said, where none works.
fn first_that_works(
    kinds: impl Iterator<Item = EncoderKind>,
    mut probe: impl FnMut(EncoderKind) -> Result<(), EncodeError>,
) -> Result<EncoderKind, EncodeError> {
    let mut last = EncodeError::NoGpu;
    for kind in kinds {
        match probe(kind) {
            Ok(()) => return Ok(kind),
            Err(reason) => {
                tracing::info!(encoder = %kind, %reason, "not used");
                last = reason;
            }
        }
    }
    Err(last)
}

/// Finds out whether an encoder works here, by encoding a grey picture.
pub fn probe(kind: EncoderKind) -> Result<(), EncodeError> {
    // libav would say so too, but to standard error and in its own words.
    if kind == EncoderKind::Nvenc && gpus::count() == 0 {
        return Err(EncodeError::NoGpu);
    }
    let encoder = open_as(kind, &sample(256, 144, 200_000), rate::DEFAULT, None)?;
    config_of(encoder, &sample(256, 144, 200_000)).map(|_| ())
}

/// How the samples of a rendition will be encoded: found by encoding a grey picture.
pub(in crate::transcode) fn sample_config(
    kind: EncoderKind,
    rendition: &Rendition,
    rate: Rate,
) -> Result<TrackConfig, EncodeError> {
    config_of(open(kind, rendition, rate, None)?, rendition)
}

/// The same of an encoder that was opened for nothing else.
pub(in crate::transcode) fn config_of(
    mut encoder: Box<dyn VideoEncoder>,
    rendition: &Rendition,
) -> Result<TrackConfig, EncodeError> {
    let kind = encoder.kind();
    let Size { width, height } = rendition.size;
    let mut grey = frame::Video::new(format::Pixel::YUV420P, width, height);
    for plane in 0..3 {
        grey.data_mut(plane).fill(128);
    }
    for slot in 0..4 {
        if let Some(encoded) = encoder.encode(&mut grey, slot, slot == 0)? {
            return track_config(kind, rendition, &encoded.unit);
        }
    }
    Err(EncodeError::NoParameterSets(kind))
}

/// How the samples of a rendition are encoded that begin with this one.
pub(in crate::transcode) fn track_config(
    kind: EncoderKind,
    rendition: &Rendition,
    unit: &AccessUnit,
) -> Result<TrackConfig, EncodeError> {
    let size = (rendition.size.width as u16, rendition.size.height as u16);
    h264::track_config(&unit.sps, &unit.pps, size).ok_or(EncodeError::NoParameterSets(kind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn chosen_of(working: &[EncoderKind]) -> Result<EncoderKind, EncodeError> {
        first_that_works(HARDWARE.into_iter().chain(SOFTWARE), |kind| {
            let works = working.contains(&kind).then_some(());
            works.ok_or(EncodeError::NoParameterSets(kind))
        })
    }

    #[test]
    fn the_best_that_works_is_chosen() {
        use EncoderKind::{Nvenc, NvidiaSdk, Openh264, X264};
        assert_eq!(
            chosen_of(&[Openh264, X264, NvidiaSdk, Nvenc]).unwrap(),
            Nvenc
        );
        assert_eq!(chosen_of(&[Openh264, X264, NvidiaSdk]).unwrap(), NvidiaSdk);
        assert_eq!(chosen_of(&[Openh264, X264]).unwrap(), X264);
        assert_eq!(chosen_of(&[Openh264]).unwrap(), Openh264);
        let none = chosen_of(&[]);
        assert!(matches!(none, Err(EncodeError::NoParameterSets(Openh264))));
    }

    #[test]
    fn software_works_here() {
        for kind in SOFTWARE {
            probe(kind).unwrap();
            assert_eq!(choose(Some(kind)).unwrap(), kind);
        }
    }

    #[test]
    fn nvenc_works_or_says_why_not() {
        if let Err(error) = probe(EncoderKind::Nvenc) {
            assert!(error.to_string().len() > 10, "{error}");
        }
    }

    #[test]
    #[cfg(not(feature = "nvidia-sdk"))]
    fn the_sdk_is_not_there_unless_it_is_compiled_in() {
        let error = probe(EncoderKind::NvidiaSdk).unwrap_err();
        assert!(
            error.to_string().contains("--features nvidia-sdk"),
            "{error}"
        );
    }

    /// Where a GPU has an encoder, which not all have, and a driver new enough, it works; else it says what is missing.
    #[test]
    #[cfg(feature = "nvidia-sdk")]
    fn the_sdk_works_where_there_is_a_gpu_and_says_what_is_missing_elsewhere() {
        let probed = probe(EncoderKind::NvidiaSdk);
        if gpus::count() == 0 {
            let said = probed.unwrap_err().to_string();
            assert!(said.contains("driver isn't there"), "{said}");
        } else if let Err(error) = probed {
            let said = error.to_string();
            assert!(said.contains("NVIDIA") || said.contains("GPU"), "{said}");
        }
    }
}
