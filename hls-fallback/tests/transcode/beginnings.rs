//! How broadcasts begin.

use std::{
    thread,
    time::{Duration, Instant},
};

use spillway_hls::{
    media::{Frame, Moment, Rate, VideoCodec},
    transcode::Transcoder,
};

use crate::{
    passing::{check_segments, passing},
    support::{Camera, Habits, Recorder, now},
};

const SECONDS: f64 = 6.0;
/// What comes at once when the broadcast begins, in microseconds.
const AT_ONCE: i64 = 700_000;

/// A publisher like `FFmpeg`'s WHIP muxer, which reads a file: what it sends is ahead of what its reports say by as much as it sent
/// at once when it began.
fn publish(rate: Rate, group: u32) -> (Recorder, Moment) {
    let recorder = Recorder::default();
    let presenter = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", passing(), presenter, Box::new(|_| {})).unwrap();
    let habits = Habits {
        group,
        b_pictures: 0,
    };
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), habits);
    let per_second = f64::from(rate.numerator) / f64::from(rate.denominator);
    let offset = |picture: u32| (f64::from(picture) * 1e6 / per_second) as i64;
    let pictures = (SECONDS * per_second) as u32;
    let frames: Vec<Frame> = (0..pictures)
        .map(|i| camera.shoot(Moment(offset(i))))
        .collect();
    let (began, epoch) = (Instant::now(), now());
    for (i, frame) in (0..).zip(frames) {
        let due = Duration::from_micros((offset(i) - AT_ONCE).max(0) as u64);
        thread::sleep(due.saturating_sub(began.elapsed()));
        transcoder.push(Frame {
            time: epoch.plus(offset(i)),
            arrived: epoch.plus(began.elapsed().as_micros() as i64),
            ..frame
        });
    }
    drop(transcoder);
    recorder.wait_for_end();
    (recorder, epoch)
}

#[test]
fn what_comes_at_once_at_the_beginning_is_passed_through_at_the_rate_that_it_has() {
    let sources = [
        // Pictures a second, and from one keyframe to the next: two seconds, but once.
        (24, 1, 48),
        (25, 1, 50),
        (25, 1, 60),
        (30_000, 1_001, 60),
        (30, 1, 60),
        (50, 1, 100),
        (60, 1, 120),
    ];
    let check = |(numerator, denominator, group): (u32, u32, u32)| {
        let rate = Rate {
            numerator,
            denominator,
        };
        let (recorder, epoch) = publish(rate, group);
        let cadence = recorder.cadence();
        assert_eq!(cadence.rate, rate);
        let source = recorder.told("source");
        assert_eq!(source.configs.len(), 1, "{rate:?}, {group}");
        assert_eq!(recorder.discontinuities(), [0_u64; 0], "{rate:?}, {group}");
        check_segments(&recorder);
        let slot = u64::from(cadence.ticks_per_slot());
        let last = source.samples.last().unwrap().time;
        let every = u64::from(group) * slot;
        let expected: Vec<u64> = (0..=last / every).map(|i| i * every).collect();
        assert_eq!(source.keyframes(), expected, "{rate:?}, {group}");
        let early = cadence.epoch.since(epoch);
        assert!(
            (-AT_ONCE - 100_000..-AT_ONCE / 2).contains(&early),
            "{early} µs"
        );
    };
    thread::scope(|scope| {
        for source in sources {
            scope.spawn(move || check(source));
        }
    });
}
