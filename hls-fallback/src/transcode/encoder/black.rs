//! A picture that shows nothing, for the time in which there were none.

use bytes::Bytes;
use ffmpeg_next::{format, frame};

use super::{EncodeError, EncoderKind, Size, choice, open_as, sample};
use crate::{media::TrackConfig, transcode::rate};

/// What is spent on it, in bits a second: more than it takes.
const BITRATE: u32 = 200_000;
/// Luma and chroma of black, where the range is limited (ITU-T H.273 §8.3).
const BLACK: [u8; 3] = [16, 128, 128];

/// A black keyframe of H.264 of this size, as a sample and with what it is. A processor encodes it.
///
/// # Errors
/// No encoder takes that size.
pub(crate) fn black(size: (u16, u16)) -> Result<(TrackConfig, Bytes), EncodeError> {
    let mut last = EncodeError::NoParameterSets(EncoderKind::Openh264);
    for kind in choice::SOFTWARE {
        match encode(kind, size) {
            Ok(encoded) => return Ok(encoded),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn encode(
    kind: EncoderKind,
    (width, height): (u16, u16),
) -> Result<(TrackConfig, Bytes), EncodeError> {
    let rendition = sample(width.into(), height.into(), BITRATE);
    let mut encoder = open_as(kind, &rendition, rate::DEFAULT, None)?;
    let mut picture = picture(rendition.size);
    for slot in 0..4 {
        if let Some(encoded) = encoder.encode(&mut picture, slot, slot == 0)? {
            let config = choice::track_config(kind, &rendition, &encoded.unit)?;
            return Ok((config, encoded.unit.data));
        }
    }
    Err(EncodeError::NoParameterSets(kind))
}

/// A black picture in memory.
pub(in crate::transcode) fn picture(size: Size) -> frame::Video {
    let mut picture = frame::Video::new(format::Pixel::YUV420P, size.width, size.height);
    for (plane, value) in BLACK.into_iter().enumerate() {
        picture.data_mut(plane).fill(value);
    }
    picture
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_of_the_size_asked_for() {
        for size in [(640, 360), (360, 640), (1_920, 1_080), (426, 240), (16, 16)] {
            let (config, data) = black(size).unwrap();
            assert_eq!(config.size(), Some(size));
            assert!(data.len() < 8_192, "{} bytes of {size:?}", data.len());
        }
    }
}
