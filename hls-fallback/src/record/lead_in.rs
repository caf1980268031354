//! What is shown of a broadcast whose sound came before its first picture. Players begin where the playlist of pictures does, and
//! hls.js doesn't get past gaps there: so the time until then has black pictures.

use bytes::Bytes;

use super::model::{Init, Recording, Rendition, Segment};
use crate::{
    media::{Moment, Sample},
    origin::{CmafError, init_segment, segment_head, write_chunk},
    transcode::{EncodeError, black},
};

/// Why a recording begins with gaps.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeadInError {
    /// No picture.
    #[error("a black picture can't be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// No segment.
    #[error("a black picture can't be written: {0}")]
    Write(#[from] CmafError),
}

/// Whether sound was recorded before the first picture, if that comes with segment `number` or came before.
pub(super) fn is_needed(recording: &Recording, number: u64) -> bool {
    let first = first_picture(recording).map_or(number, |first| first.number.min(number));
    let sound = recording.renditions.iter().filter(|r| r.is_audio());
    sound
        .filter_map(|sound| sound.segments.first())
        .any(|segment| segment.number < first)
}

/// The sound has come as far as the first picture: what is before that is known.
pub(super) fn is_known(recording: &Recording) -> bool {
    let Some(first) = first_picture(recording) else {
        return false;
    };
    let sound = recording.renditions.iter().find(|r| r.is_audio());
    sound
        .and_then(|sound| sound.segments.last())
        .is_none_or(|last| last.number + 1 >= first.number)
}

/// The segments that this rendition lacks before the recording's first picture, as they are to be; their `bytes` aren't known.
pub(super) fn missing(recording: &Recording, rendition: &Rendition) -> Vec<Segment> {
    let sound = recording.renditions.iter().find(|r| r.is_audio());
    let (Some(first), Some(sound)) = (first_picture(recording), sound) else {
        return Vec::new();
    };
    let before = sound
        .segments
        .partition_point(|segment| segment.number < first.number);
    let sounds = &sound.segments[..before];
    let nexts = sounds.iter().skip(1).chain([first]);
    sounds
        .iter()
        .zip(nexts)
        .filter(|(sound, _)| rendition.get(sound.number).is_none())
        .map(|(sound, next)| {
            let goes_on = next.session == sound.session && next.number == sound.number + 1;
            // Sound doesn't begin exactly where pictures do: up to the next one, lest they overlap.
            let duration = next.start.checked_sub(sound.start).filter(|_| goes_on);
            Segment {
                duration: duration.unwrap_or(sound.duration),
                bytes: 0,
                discontinuous: false,
                stored: false,
                ..*sound
            }
        })
        .filter(|segment| segment.duration > 0)
        .collect()
}

/// The first segment of pictures of the broadcast's own.
fn first_picture(recording: &Recording) -> Option<&Segment> {
    let pictures = recording.renditions.iter().filter(|r| !r.is_audio());
    let firsts = pictures.filter_map(|rendition| {
        let is_own = |segment: &&Segment| {
            let init = rendition.init_of(segment.number);
            init.is_some_and(|init| !init.blank)
        };
        rendition.segments.iter().find(is_own)
    });
    firsts.min_by_key(|segment| segment.number)
}

/// A black picture that lasts for as long as it has to.
pub(super) struct Black {
    /// What is needed from segment `segment` of it on.
    pub(super) init: Init,
    /// The initialization segment.
    pub(super) data: Bytes,
    picture: Bytes,
}

impl Black {
    /// As large as the rendition's own pictures; first shown in segment `number`. Nothing, if it has none.
    pub(super) fn new(rendition: &Rendition, number: u64) -> Result<Option<Self>, LeadInError> {
        let own = rendition.inits.iter().find(|init| !init.blank);
        let Some((own, size)) = own.and_then(|own| Some((own, own.config.size()?))) else {
            return Ok(None);
        };
        let (config, picture) = black(size)?;
        Ok(Some(Self {
            data: init_segment(&config, own.timescale)?,
            init: Init {
                segment: number,
                config,
                blank: true,
                stored: false,
                ..own.clone()
            },
            picture,
        }))
    }

    /// A segment that begins at `wall`.
    pub(super) fn segment(&self, segment: &Segment, wall: Moment) -> Result<Vec<u8>, LeadInError> {
        let ticks = |micros| ticks(micros, self.init.timescale);
        let time = ticks(segment.start);
        let duration = ticks(segment.start + segment.duration).saturating_sub(time);
        let sample = Sample {
            data: self.picture.clone(),
            time,
            duration: u32::try_from(duration).unwrap_or(u32::MAX),
            keyframe: true,
        };
        let mut out = segment_head(time, wall)?;
        write_chunk(&mut out, segment.number as u32, &[sample])?;
        Ok(out)
    }
}

fn ticks(micros: u64, timescale: u32) -> u64 {
    let ticks = (u128::from(micros) * u128::from(timescale) + 500_000) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::{
        fragments,
        spine::tests::{add, session},
    };

    fn late_picture() -> Recording {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "audio", 10, &[10, 11]);
        session(&mut recording, 1_030);
        add(&mut recording, "audio", 20, &[20, 21, 22]);
        add(&mut recording, "360p", 20, &[22]);
        recording
    }

    #[test]
    fn what_was_before_the_first_picture_is_missing_and_nothing_else() {
        let mut recording = late_picture();
        recording.renditions[1].segments[0].start += 20_000;
        assert!(is_needed(&recording, 22) && is_known(&recording));
        let of = |recording: &Recording, name: &str| {
            missing(recording, recording.rendition(name).unwrap())
        };
        let missing = of(&recording, "360p");
        let seen: Vec<_> = missing
            .iter()
            .map(|s| (s.number, s.session, s.start / 1_000, s.duration / 1_000))
            .collect();
        let expected = [
            (10, 0, 0, 2_000),
            (11, 0, 2_000, 2_000),
            (20, 1, 0, 2_000),
            // Up to the picture.
            (21, 1, 2_000, 2_020),
        ];
        assert_eq!(seen, expected);
        // One that is made from later on: no black where there's a picture.
        add(&mut recording, "180p", 20, &[24]);
        assert_eq!(of(&recording, "180p").len(), 4);
    }

    #[test]
    fn a_recording_that_begins_with_pictures_needs_none() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        assert!(!is_needed(&recording, 10));
        add(&mut recording, "audio", 10, &[10, 11]);
        add(&mut recording, "360p", 10, &[10, 11]);
        assert!(!is_needed(&recording, 10));
        assert_eq!(missing(&recording, &recording.renditions[1]), []);
    }

    #[test]
    fn a_segment_is_one_picture_that_lasts() {
        let recording = late_picture();
        let rendition = recording.rendition("360p").unwrap();
        let black = Black::new(rendition, 10).unwrap().unwrap();
        assert!(black.init.blank && black.init.segment == 10);
        assert_eq!(black.init.config.size(), Some((640, 360)));
        let missing = missing(&recording, rendition);
        let data = black.segment(&missing[1], Moment(0)).unwrap();
        let contents = fragments::read(&data).unwrap();
        assert_eq!(contents.samples.len(), 1);
        assert!(contents.samples[0].sync);
        // 30,000 a second.
        assert_eq!(contents.span(), Some((60_000, 60_000)));
    }
}
