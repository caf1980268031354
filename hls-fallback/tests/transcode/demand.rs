//! Renditions that are made while somebody asks for them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use spillway_hls::{
    media::VideoCodec,
    transcode::{PassThrough, Pause, Settings, Transcoder},
};

use crate::{
    passing::passing,
    support::{Camera, OFTEN, Recorder, broadcast, broadcast_beside},
};

/// Long enough for nobody to watch.
const GONE: Duration = Duration::from_mins(1);

/// Seven seconds: 90p is asked for from picture 75 on until picture 150. When it was.
fn watched_in_between(recorder: &Recorder, settings: Settings) -> Instant {
    let presenter = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", settings, presenter, Box::new(|_| {})).unwrap();
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let mut asked = None;
    let shoot = |_, time| Some(camera.shoot(time));
    broadcast_beside(&mut transcoder, 8, shoot, |i| match i {
        75 => {
            asked = Some(Instant::now());
            recorder.ask("90p", Duration::ZERO);
        }
        150 => recorder.ask("90p", GONE),
        _ => {}
    });
    drop(transcoder);
    recorder.wait_for_end();
    asked.unwrap()
}

/// The rendition's segments are those of the source, from a whole one on that is there in time, until it rests.
fn check(recorder: &Recorder, asked: Instant, within: Duration) {
    let (source, below) = (recorder.told("source"), recorder.told("90p"));
    assert_eq!(below.configs.len(), 1);
    assert_eq!(below.configs[0], below.expected.clone().unwrap());
    assert_eq!(below.rests, [Pause::Unasked]);
    below.check_even();
    let slot = u64::from(recorder.cadence().ticks_per_slot());
    let slots: HashMap<u64, u64> = source.segments.iter().copied().collect();
    let mut keyframes = Vec::new();
    for (number, start) in &below.segments {
        assert_eq!(slots.get(number), Some(start), "segment {number}");
        keyframes.push(start * slot);
    }
    let end = below.samples.last().unwrap();
    let end = end.time + u64::from(end.duration);
    keyframes.retain(|time| *time < end);
    assert_eq!(below.keyframes(), keyframes);
    assert!(
        below.segments.iter().any(|(_, start)| start * slot == end),
        "it rests with the beginning of a segment"
    );
    assert!(end < source.samples.last().unwrap().time, "it rests");
    let whole = below.samples.iter().position(|s| s.time == keyframes[1]);
    let took = below.came[whole.unwrap() - 1].duration_since(asked);
    assert!(took < within, "the first segment took {took:?}");
}

#[test]
fn while_the_source_is_passed_through_they_begin_with_what_there_was() {
    let recorder = Recorder::default();
    let asked = watched_in_between(&recorder, passing());
    assert!(recorder.discontinuities().is_empty());
    check(&recorder, asked, Duration::from_millis(1_200));
}

#[test]
fn while_it_is_encoded_segments_are_shortened_for_them() {
    let recorder = Recorder::default();
    let settings = Settings {
        pass_through: PassThrough::False,
        ..passing()
    };
    let asked = watched_in_between(&recorder, settings);
    // Without pass-through the best one is called by its size.
    let source = recorder.told("180p");
    let told = recorder.told.clone();
    told.lock().unwrap().insert("source".to_owned(), source);
    check(&recorder, asked, Duration::from_millis(2_900));
}

#[test]
fn all_are_made_where_they_are_not_on_demand() {
    let recorder = Recorder::default();
    let settings = Settings {
        on_demand: false,
        ..passing()
    };
    let presenter = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", settings, presenter, Box::new(|_| {})).unwrap();
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    broadcast(&mut transcoder, 5, |_, time| Some(camera.shoot(time)));
    drop(transcoder);
    recorder.wait_for_end();
    let (source, below) = (recorder.told("source"), recorder.told("90p"));
    assert!(below.permanent && below.rests.is_empty());
    assert_eq!(below.samples[0].time, 0, "from the first picture on");
    assert_eq!(below.keyframes(), source.keyframes());
    below.check_even();
}
