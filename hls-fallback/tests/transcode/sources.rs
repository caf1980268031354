//! What is encoded of a source, whatever it does.

use std::{sync::mpsc, thread::sleep, time::Duration};

use spillway_hls::{
    media::VideoCodec,
    transcode::{Cadence, SAMPLE_RATE, Transcoder},
};

use crate::support::{Camera, RARE, Recorder, Told, broadcast, settings};

/// Samples without gaps from 0 on, or from the first that Opus can begin with, and segments that begin where the cadence has them.
fn check_even(told: &Told, cadence: &Cadence, timescale: u32, is_video: bool) {
    let mut next = told.samples[0].time;
    assert!(next == 0 || !is_video && next < 960, "{next}");
    for sample in &told.samples {
        assert_eq!(sample.time, next);
        next += u64::from(sample.duration);
    }
    for (i, (number, slot)) in told.segments.iter().enumerate() {
        assert_eq!(
            (*number, *slot),
            (7 + i as u64, i as u64 * u64::from(cadence.segment))
        );
    }
    if is_video {
        let starts: Vec<u64> = told
            .samples
            .iter()
            .filter(|s| s.keyframe)
            .map(|s| s.time)
            .collect();
        let segment = cadence.ticks_at(u64::from(cadence.segment), timescale);
        assert_eq!(
            starts,
            (0..starts.len() as u64)
                .map(|i| i * segment)
                .collect::<Vec<_>>()
        );
        // One more is announced than was begun.
        assert_eq!(told.segments.len(), starts.len() + 1);
    }
}

#[test]
fn what_a_source_does_leaves_the_renditions_even() {
    let recorder = Recorder::default();
    let (asked, keyframes) = mpsc::channel();
    let request = Box::new(move |wish| asked.send(wish).unwrap());
    let mut transcoder =
        Transcoder::start("test", settings(), Box::new(recorder.clone()), request).unwrap();
    let mut large = Camera::new(VideoCodec::H264, (640, 360), RARE);
    let mut small = Camera::new(VideoCodec::Vp8, (320, 180), RARE);
    let mut large_again = Camera::new(VideoCodec::H264, (640, 360), RARE);
    broadcast(&mut transcoder, 5, |i, time| match i {
        0..60 => Some(large.shoot(time)),
        // Nothing for half a second, then another codec and size, and at last pictures that lack their keyframe.
        60..75 => None,
        75..110 => Some(small.shoot(time)),
        110 => {
            large_again.shoot(time);
            None
        }
        _ => Some(large_again.shoot(time)),
    });
    sleep(Duration::from_millis(300));
    drop(transcoder);
    recorder.wait_for_end();

    assert!(
        keyframes.try_iter().count() >= 1,
        "a keyframe was asked for"
    );
    assert!(recorder.discontinuities.lock().unwrap().is_empty());
    let cadence = recorder.cadence.lock().unwrap().unwrap();
    assert_eq!(
        (cadence.rate.numerator, cadence.part, cadence.segment),
        (30, 6, 30)
    );
    let told = recorder.told.lock().unwrap();
    let mut names: Vec<&str> = told.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["144p", "360p", "audio", "opus"]);
    for (name, told) in told.iter() {
        assert_eq!(told.configs.len(), 1, "{name} goes on as it began");
        assert!(told.finished, "{name}");
        let is_sound = ["audio", "opus"].contains(&name.as_str());
        let timescale = if is_sound {
            SAMPLE_RATE
        } else {
            cadence.video_timescale()
        };
        check_even(told, &cadence, timescale, !is_sound);
        let end = told
            .samples
            .last()
            .map(|s| s.time + u64::from(s.duration))
            .unwrap();
        let seconds = end as f64 / f64::from(timescale);
        // It begins once the rate is known, half a second late, and goes on to the end, whatever comes.
        assert!((4.0..5.6).contains(&seconds), "{name}: {seconds} s");
    }
}

#[test]
fn a_source_that_grows_gets_more_renditions_and_one_discontinuity() {
    let recorder = Recorder::default();
    let mut transcoder = Transcoder::start(
        "test",
        settings(),
        Box::new(recorder.clone()),
        Box::new(|_| {}),
    )
    .unwrap();
    let mut small = Camera::new(VideoCodec::H264, (320, 180), RARE);
    let mut large = Camera::new(VideoCodec::H264, (640, 360), RARE);
    broadcast(&mut transcoder, 7, |i, time| {
        Some(if i < 45 {
            small.shoot(time)
        } else {
            large.shoot(time)
        })
    });
    drop(transcoder);
    recorder.wait_for_end();

    let discontinuities = recorder.discontinuities.lock().unwrap().clone();
    assert_eq!(discontinuities.len(), 1, "{discontinuities:?}");
    let told = recorder.told.lock().unwrap();
    assert_eq!(told["144p"].configs.len(), 2, "all begin anew there");
    assert_eq!(told["144p"].samples[0].time, 0);
    let cadence = recorder.cadence.lock().unwrap().unwrap();
    let slot = u64::from(cadence.segment) * (discontinuities[0] - 7);
    let first = &told["360p"].samples[0];
    assert_eq!(
        first.time,
        cadence.ticks_at(slot, cadence.video_timescale())
    );
    assert!(first.keyframe);
}
