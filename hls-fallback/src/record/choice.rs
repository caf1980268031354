//! Which rendition stands for a recording where only one can.

use super::{
    model::{Init, Recording, Rendition},
    spine::Place,
};
use crate::{
    media::TrackConfig,
    origin::{self, FAMILIAR, codec_name},
};

fn pixels(config: &TrackConfig) -> Option<u64> {
    config
        .size()
        .map(|(width, height)| u64::from(width) * u64::from(height))
}

/// Which decoder it takes.
fn family(config: &TrackConfig) -> Option<String> {
    Some(origin::family(&codec_name(config)?).to_owned())
}

/// Chooses among the renditions of a recording.
pub(super) struct Choice<'a> {
    recording: &'a Recording,
    /// Of pictures: a track can't change its decoder.
    family: Option<String>,
}

impl<'a> Choice<'a> {
    /// Pictures of the codec that covers most of the recording.
    pub(super) fn new(recording: &'a Recording, places: &[Place]) -> Self {
        let inits = recording.renditions.iter().flat_map(|r| &r.inits);
        let videos = inits.filter(|init| pixels(&init.config).is_some());
        let mut families: Vec<String> = videos.filter_map(|init| family(&init.config)).collect();
        families.sort_unstable();
        families.dedup();
        let coverage = |of: &String| {
            let choice = Self {
                recording,
                family: Some(of.clone()),
            };
            let covered = places.iter().filter(|p| choice.best(p.number).is_some());
            let covered: u64 = covered.map(|place| place.duration).sum();
            (covered, of == FAMILIAR)
        };
        let family = families.into_iter().max_by_key(coverage);
        Self { recording, family }
    }

    /// The largest pictures.
    pub(super) fn best(&self, number: u64) -> Option<(&'a Rendition, &'a Init)> {
        // The first of those that are as large.
        self.videos(number)
            .rev()
            .max_by_key(|(_, init)| pixels(&init.config))
    }

    /// The smallest, which are decoded soonest.
    pub(super) fn smallest(&self, number: u64) -> Option<(&'a Rendition, &'a Init)> {
        self.videos(number)
            .min_by_key(|(_, init)| pixels(&init.config))
    }

    /// Sound.
    pub(super) fn sound(&self, number: u64) -> Option<(&'a Rendition, &'a Init)> {
        with_segment(self.recording, number).find(|(rendition, _)| rendition.is_audio())
    }

    fn videos(
        &self,
        number: u64,
    ) -> impl DoubleEndedIterator<Item = (&'a Rendition, &'a Init)> + '_ {
        with_segment(self.recording, number).filter(|(_, init)| {
            pixels(&init.config).is_some() && family(&init.config) == self.family
        })
    }
}

fn with_segment(
    recording: &Recording,
    number: u64,
) -> impl DoubleEndedIterator<Item = (&Rendition, &Init)> {
    recording
        .renditions
        .iter()
        .filter(move |rendition| rendition.get(number).is_some_and(|s| s.stored))
        .filter_map(move |rendition| Some((rendition, rendition.init_of(number)?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::spine::{
        places,
        tests::{add, session},
    };

    #[test]
    fn the_largest_that_is_there_stands_for_the_recording() {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        add(&mut recording, "360p", 10, &[10, 11]);
        add(&mut recording, "720p", 10, &[11, 12]);
        add(&mut recording, "audio", 10, &[10, 11, 12]);
        let init = &mut recording.renditions[1].inits[0];
        init.config = TrackConfig::H264 {
            avcc: bytes::Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]),
            width: 1280,
            height: 720,
        };
        let places = places(&recording);
        let choice = Choice::new(&recording, &places);
        let names = |of: Option<(&Rendition, &Init)>| of.map(|(r, _)| r.name.clone()).unwrap();
        assert_eq!(names(choice.best(10)), "360p");
        assert_eq!(names(choice.best(11)), "720p");
        assert_eq!(names(choice.smallest(11)), "360p");
        assert_eq!(names(choice.sound(12)), "audio");
        assert!(choice.sound(13).is_none());
    }
}
