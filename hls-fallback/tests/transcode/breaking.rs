//! What breaks off.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use spillway_hls::{
    media::VideoCodec,
    transcode::{Pushed, Transcoder},
};

use crate::{
    passing::passing,
    support::{Camera, OFTEN, Recorder, now},
};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_broadcast_whose_best_rendition_breaks_off_ends_so_that_it_is_begun_anew() {
    let recorder = Recorder::default();
    let presenter = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", passing(), presenter, Box::new(|_| {})).unwrap();
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let began = Instant::now();
    let has_begun = || {
        let told = recorder.told.lock().unwrap();
        told.get("source")
            .is_some_and(|told| !told.samples.is_empty())
    };
    while transcoder.push(camera.shoot(now())) != Pushed::Ended {
        assert!(began.elapsed() < PATIENCE, "it goes on without pictures");
        sleep(Duration::from_millis(33));
        if has_begun() {
            *recorder.breaks.lock().unwrap() = Some("source".to_owned());
        }
    }
    assert!(
        recorder.breaks.lock().unwrap().is_some(),
        "not before it broke"
    );
}
