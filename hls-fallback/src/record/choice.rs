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
    /// The one rendition that has all of the recording in that.
    steady: Option<&'a Rendition>,
}

/// The largest of the renditions that have all of the recording's pictures, for one decoder; the source itself, if it's among those. Its
/// first and its last segment may be missing: renditions don't begin and end with the very same picture.
fn steady<'a>(recording: &'a Recording, places: &[Place]) -> Option<(&'a Rendition, String)> {
    let is_video = |(_, init): (&Rendition, &Init)| pixels(&init.config).is_some();
    let numbers = places.iter().map(|place| place.number);
    let seen: Vec<u64> = numbers
        .filter(|number| with_segment(recording, *number).any(is_video))
        .collect();
    let inner = seen.get(1..seen.len().saturating_sub(1))?;
    let largest = |rendition: &Rendition| {
        let inits = rendition.inits.iter();
        inits.filter_map(|init| pixels(&init.config)).max()
    };
    let videos = recording.renditions.iter().filter(|r| !r.is_audio());
    let steady = videos.filter_map(|rendition| {
        let whole = inner.iter().all(|number| is_stored(rendition, *number));
        let family = only_family(rendition).filter(|_| whole && !inner.is_empty())?;
        Some((rendition, family))
    });
    // The first of those that are as large: the source.
    steady.rev().max_by_key(|(rendition, _)| largest(rendition))
}

/// What decodes all of a rendition, if one does.
fn only_family(rendition: &Rendition) -> Option<String> {
    let mut families = rendition.inits.iter().map(|init| family(&init.config));
    let first = families.next()??;
    families
        .all(|other| other.as_ref() == Some(&first))
        .then_some(first)
}

fn is_stored(rendition: &Rendition, number: u64) -> bool {
    rendition.get(number).is_some_and(|segment| segment.stored)
}

impl<'a> Choice<'a> {
    /// Pictures of one rendition, if one has them all; else of the codec that covers most of the recording.
    pub(super) fn new(recording: &'a Recording, places: &[Place]) -> Self {
        if let Some((rendition, family)) = steady(recording, places) {
            return Self {
                recording,
                family: Some(family),
                steady: Some(rendition),
            };
        }
        let inits = recording.renditions.iter().flat_map(|r| &r.inits);
        let videos = inits.filter(|init| pixels(&init.config).is_some() && !init.blank);
        let mut families: Vec<String> = videos.filter_map(|init| family(&init.config)).collect();
        families.sort_unstable();
        families.dedup();
        let coverage = |of: &String| {
            let choice = Self {
                recording,
                family: Some(of.clone()),
                steady: None,
            };
            let covered = places.iter().filter(|p| choice.best(p.number).is_some());
            let covered: u64 = covered.map(|place| place.duration).sum();
            (covered, of == FAMILIAR)
        };
        let family = families.into_iter().max_by_key(coverage);
        Self {
            recording,
            family,
            steady: None,
        }
    }

    /// The one rendition that has them all, or else the largest pictures.
    pub(super) fn best(&self, number: u64) -> Option<(&'a Rendition, &'a Init)> {
        let mut videos = self.videos(number);
        let steady = self
            .steady
            .and_then(|steady| videos.find(|(rendition, _)| rendition.name == steady.name));
        steady.or_else(|| self.largest(number))
    }

    fn largest(&self, number: u64) -> Option<(&'a Rendition, &'a Init)> {
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
            // What shows nothing stands for nothing.
            let is_shown = pixels(&init.config).is_some() && !init.blank;
            is_shown && family(&init.config) == self.family
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
        .filter(move |rendition| is_stored(rendition, number))
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

    /// 720p in another codec, with these segments encoded, and 360p in H.264 with all but those.
    fn special(encoded: &[u64], missing: &[u64]) -> Recording {
        let mut recording = Recording::new("b", "demo");
        session(&mut recording, 1_000);
        let all: Vec<u64> = (10..20).collect();
        add(&mut recording, "source", 10, &all);
        let kept: Vec<u64> = all.into_iter().filter(|n| !missing.contains(n)).collect();
        add(&mut recording, "360p", 10, &kept);
        let mut like = recording.renditions[0].inits[0].clone();
        let large = |config: &mut TrackConfig| {
            if let TrackConfig::H264 { width, height, .. } = config {
                (*width, *height) = (1280, 720);
            }
        };
        large(&mut like.config);
        let inits = (10..20).map(|segment| {
            let mut init = like.clone();
            init.segment = segment;
            if !encoded.contains(&segment) {
                init.config = TrackConfig::Vp9 {
                    vpcc: bytes::Bytes::from_static(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]),
                    width: 1280,
                    height: 720,
                };
            }
            init
        });
        recording.renditions[0].inits = inits.collect();
        recording
    }

    /// The renditions of all segments.
    fn chosen(recording: &Recording) -> Vec<&str> {
        let places = places(recording);
        let choice = Choice::new(recording, &places);
        let mut names: Vec<_> = places
            .iter()
            .map(|place| choice.best(place.number).map_or("", |(r, _)| &r.name))
            .collect();
        names.dedup();
        names
    }

    #[test]
    fn the_source_stands_for_it_where_one_decoder_takes_all_of_it() {
        assert_eq!(chosen(&special(&[], &[])), ["source"]);
        assert_eq!(chosen(&special(&[], &[14, 15])), ["source"]);
    }

    #[test]
    fn one_that_has_all_of_it_stands_for_it_where_the_source_changed() {
        assert_eq!(chosen(&special(&[13, 14], &[])), ["360p"]);
        assert_eq!(chosen(&special(&[19], &[10])), ["", "360p"]);
    }

    #[test]
    fn what_most_is_encoded_in_stands_for_it_where_none_has_all() {
        assert_eq!(
            chosen(&special(&[13, 14], &[14])),
            ["360p", "source", "360p"]
        );
        assert_eq!(
            chosen(&special(&[13], &[14, 15, 16])),
            ["source", "", "source"]
        );
    }
}
