//! The source as the best rendition.

use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use spillway_hls::{
    media::{Frame, KeyframeWish, Moment, TrackConfig, VideoCodec},
    transcode::{PassThrough, Pushed, SAMPLE_RATE, Settings, Transcoder},
};

use crate::support::{
    Camera, Habits, OFTEN, RARE, Recorder, Told, broadcast, broadcast_live, now, settings, time_of,
};

pub(crate) fn passing() -> Settings {
    Settings {
        ladder: "180,90".parse().unwrap(),
        segment: Duration::from_secs(2),
        pass_through: PassThrough::True,
        on_demand: true,
        ..settings()
    }
}

fn start(recorder: &Recorder) -> Transcoder {
    let presenter = Box::new(recorder.clone());
    Transcoder::start("test", passing(), presenter, Box::new(|_| {})).unwrap()
}

/// As ISO BMFF has it: each NAL unit with its length, without parameter sets and delimiters.
fn with_lengths(annex_b: &[u8]) -> Vec<u8> {
    let starts: Vec<_> = (0..annex_b.len() - 3)
        .filter(|&at| annex_b[at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([annex_b.len()]);
    let mut out = BytesMut::new();
    for (start, end) in starts.iter().zip(ends) {
        let unit = &annex_b[start + 3..end];
        let unit = &unit[..=unit.iter().rposition(|&byte| byte != 0).unwrap()];
        if !matches!(unit[0] & 31, 7..=9) {
            out.put_u32(unit.len() as u32);
            out.put_slice(unit);
        }
    }
    out.to_vec()
}

fn width(config: &TrackConfig) -> u16 {
    config.size().map_or(0, |(width, _)| width)
}

/// Segments begin with a keyframe of the source rendition, and at the same instants in sound; parts never without a sample.
pub(crate) fn check_segments(recorder: &Recorder) {
    let cadence = recorder.cadence();
    let (source, audio) = (recorder.told("source"), recorder.told("audio"));
    source.check_even();
    audio.check_even();
    let slot = u64::from(cadence.ticks_per_slot());
    let keyframes = source.keyframes();
    let end = source.samples.last().unwrap().time;
    let begun: Vec<_> = source
        .segments
        .iter()
        .filter(|(_, start)| start * slot <= end)
        .collect();
    for (number, start) in &begun {
        assert!(keyframes.contains(&(start * slot)), "segment {number}");
        assert!(audio.segments.contains(&(*number, *start)), "{number}");
    }
    let starts: Vec<u64> = source.samples.iter().map(|s| s.time).collect();
    for pair in begun.windows(2) {
        let slots = pair[1].1 - pair[0].1;
        assert!(slots <= u64::from(cadence.longest), "{slots} slots");
        for part in (pair[0].1..pair[1].1).step_by(cadence.part as usize) {
            assert!(starts.contains(&(part * slot)), "the part at slot {part}");
        }
    }
}

/// Sound has no hole, and goes on to the end.
fn check_sound(told: &Told, seconds: f64) {
    told.check_even();
    let end = told.samples.last().map(|s| s.time).unwrap();
    let lasts = end as f64 / f64::from(SAMPLE_RATE);
    assert!(lasts >= seconds, "{lasts} s");
}

#[test]
fn what_is_passed_through_is_what_came() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let mut sent = Vec::new();
    broadcast(&mut transcoder, 6, |_, time| {
        let frame = camera.shoot(time);
        sent.push(with_lengths(&frame.data));
        Some(frame)
    });
    drop(transcoder);
    recorder.wait_for_end();

    assert!(recorder.discontinuities().is_empty());
    let source = recorder.told("source");
    assert_eq!(source.configs.len(), 1);
    assert!(source.permanent && recorder.told("audio").permanent);
    let passed: Vec<_> = source.samples.iter().map(|s| s.data.to_vec()).collect();
    assert!(passed.len() >= 175, "{}", passed.len());
    assert_eq!(passed[..], sent[..passed.len()], "byte for byte");
    assert_eq!(source.samples[0].time, 0);
    check_segments(&recorder);
    check_sound(&recorder.told("audio"), 4.0);
    check_sound(&recorder.told("opus"), 4.0);
    // Nobody asked for it: it is known how it would be, and that's all.
    let below = recorder.told("90p");
    assert!(below.expected.is_some() && below.samples.is_empty() && !below.permanent);
}

/// A sidecar that comes back sooner than a keyframe gets pictures that it had.
#[test]
fn what_is_recorded_already_is_not_presented_again() {
    let recorded = now().plus(250_000);
    let recorder = Recorder {
        recorded_until: Some(recorded),
        ..Recorder::default()
    };
    let mut transcoder = start(&recorder);
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    broadcast_live(&mut transcoder, 4, |_, time| Some(camera.shoot(time)));
    drop(transcoder);
    recorder.wait_for_end();
    let epoch = recorder.cadence().epoch;
    assert!(epoch >= recorded, "{} µs", recorded.since(epoch));
    check_segments(&recorder);
}

#[test]
fn another_size_has_the_encoder_take_over_until_that_lasts() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let mut large = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let mut small = Camera::new(VideoCodec::H264, (256, 144), OFTEN);
    broadcast(&mut transcoder, 16, |i, time| {
        let camera = if i < 75 { &mut large } else { &mut small };
        Some(camera.shoot(time))
    });
    drop(transcoder);
    recorder.wait_for_end();

    let source = recorder.told("source");
    let widths: Vec<u16> = source.configs.iter().map(width).collect();
    assert_eq!(
        widths,
        [320, 320, 256],
        "the size stays while it is encoded"
    );
    let discontinuities = recorder.discontinuities();
    assert_eq!(discontinuities.len(), 2, "{discontinuities:?}");
    check_segments(&recorder);
    check_sound(&recorder.told("audio"), 14.0);
    // Each begins with the segment that the discontinuity is before.
    let slot = u64::from(recorder.cadence().ticks_per_slot());
    for (number, start) in discontinuities.iter().zip(&source.starts[1..]) {
        let begins = source.segments.iter().find(|(n, _)| n == number).unwrap();
        assert_eq!(source.samples[*start].time, begins.1 * slot);
    }
}

#[test]
fn what_players_do_not_decode_is_encoded() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let mut before = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let mut after = Camera::new(VideoCodec::Vp8, (320, 180), OFTEN);
    broadcast(&mut transcoder, 6, |i, time| {
        let camera = if i < 80 { &mut before } else { &mut after };
        Some(camera.shoot(time))
    });
    drop(transcoder);
    recorder.wait_for_end();
    assert_eq!(recorder.discontinuities().len(), 1);
    assert_eq!(recorder.told("source").configs.len(), 2);
    check_segments(&recorder);
    check_sound(&recorder.told("audio"), 4.0);
}

#[test]
fn a_keyframe_that_does_not_come_has_the_encoder_take_over_in_time() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), RARE);
    broadcast(&mut transcoder, 6, |_, time| Some(camera.shoot(time)));
    drop(transcoder);
    recorder.wait_for_end();
    assert_eq!(recorder.discontinuities().len(), 1);
    let source = recorder.told("source");
    let first = source.segments[1].1 - source.segments[0].1;
    assert_eq!(first, u64::from(recorder.cadence().longest));
    check_segments(&recorder);
}

#[test]
fn a_pause_and_a_loss_cost_a_discontinuity_and_no_hole() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    broadcast(&mut transcoder, 6, |i, time| match i {
        // As the receiver has it: nothing comes between a loss and the next keyframe.
        80..100 => {
            camera.shoot(time);
            None
        }
        100 => {
            camera.keyframe = true;
            let lost_before = true;
            Some(Frame {
                lost_before,
                ..camera.shoot(time)
            })
        }
        _ => Some(camera.shoot(time)),
    });
    drop(transcoder);
    recorder.wait_for_end();
    assert_eq!(recorder.discontinuities().len(), 1);
    check_segments(&recorder);
    check_sound(&recorder.told("audio"), 4.0);
}

#[test]
fn pictures_that_are_reordered_are_encoded() {
    let recorder = Recorder::default();
    let mut transcoder = start(&recorder);
    let habits = Habits {
        group: 30,
        b_pictures: 2,
    };
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), habits);
    broadcast(&mut transcoder, 5, |_, time| camera.try_shoot(time));
    drop(transcoder);
    recorder.wait_for_end();
    let source = recorder.told("source");
    assert_eq!(
        (source.configs.len(), recorder.discontinuities().len()),
        (1, 0)
    );
    check_segments(&recorder);
    let slot = recorder.cadence().ticks_per_slot();
    assert!(
        source.samples.iter().all(|s| s.duration == slot),
        "it is encoded"
    );
}

#[test]
fn a_publisher_that_listens_is_asked_for_keyframes() {
    let recorder = Recorder::default();
    let presenter = Box::new(recorder.clone());
    let (asked, requests) = std::sync::mpsc::channel();
    let request = Box::new(move |wish| asked.send(wish).unwrap());
    let mut transcoder = Transcoder::start("test", passing(), presenter, request).unwrap();
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), RARE);
    let mut wishes = Vec::new();
    broadcast_live(&mut transcoder, 10, |_, time| {
        let before = wishes.len();
        wishes.extend(requests.try_iter());
        camera.keyframe |= wishes.len() > before;
        Some(camera.shoot(time))
    });
    drop(transcoder);
    recorder.wait_for_end();
    // It is passed through from its first keyframe on, and stays so.
    let source = recorder.told("source");
    assert!(recorder.discontinuities().is_empty());
    assert_eq!(source.configs.len(), 1);
    assert!(source.samples.len() >= 260, "{}", source.samples.len());
    check_segments(&recorder);
    assert!((4..=7).contains(&wishes.len()), "{wishes:?}");
    let due = |wish: &KeyframeWish| *wish == KeyframeWish::Due;
    assert!(wishes.iter().all(due), "{wishes:?}");
}

/// What a node has kept of a publisher that nobody asked for keyframes is too old to begin with.
#[test]
fn who_comes_late_asks_at_once_and_encodes_until_keyframes_come() {
    const PAST: i64 = 100;
    let recorder = Recorder::default();
    let presenter = Box::new(recorder.clone());
    let (asked, requests) = std::sync::mpsc::channel();
    let request = Box::new(move |wish| asked.send(wish).unwrap());
    let mut transcoder = Transcoder::start("test", passing(), presenter, request).unwrap();
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), RARE);
    let past: Vec<_> = (0..PAST).map(|_| camera.shoot(Moment(0))).collect();
    let present = now();
    for (i, frame) in (0..).zip(past) {
        let time = present.plus(time_of(i - PAST));
        assert_eq!(transcoder.push(Frame { time, ..frame }), Pushed::Taken);
    }
    let (mut asked_at, mut answers) = (None, None);
    broadcast_live(&mut transcoder, 12, |i, time| {
        if requests.try_iter().last() == Some(KeyframeWish::Due) {
            asked_at.get_or_insert(i);
            // The first answer is late.
            answers.get_or_insert(i.max(30));
        }
        camera.keyframe |= answers.take_if(|at| *at <= i).is_some();
        Some(camera.shoot(time))
    });
    drop(transcoder);
    recorder.wait_for_end();
    let asked_at = asked_at.unwrap();
    assert!(asked_at < 45, "asked when {asked_at} pictures had come");
    let source = recorder.told("source");
    assert_eq!(recorder.discontinuities().len(), 1, "encoded, then passed");
    assert_eq!(source.configs.len(), 2);
    let passed = source.samples.len() - source.starts[1];
    assert!(passed >= 60, "{passed} pictures were passed through");
    check_segments(&recorder);
}
