//! An origin with made-up media, for `scripts/origin-bench.sh`: prints its address and serves until it is killed.
//!
//! Nothing is encoded, so that all its CPU goes into answers. 40 s of 720p30 at 2.4 Mbit/s with sound, in parts of 200 ms and
//! segments of 2 s.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use spillway_hls::{
    media::{Moment, Rate, Sample, TrackConfig},
    origin::{Limits, Origin, Presentation, RenditionInfo, RenditionKind, Settings},
};
use tokio::net::TcpListener;

const FPS: u64 = 30;
const PICTURE: usize = 10_000;
const KEYFRAME: usize = 60_000;
const AUDIO_RATE: u32 = 48_000;
const AUDIO_FRAME: usize = 256;
const SEGMENT: u64 = 2;
const SECONDS: u64 = 40;
const FIRST: u64 = 1_000;

fn main() {
    // `cargo bench` and `cargo test --benches` pass flags and want to come to an end.
    if std::env::args().nth(1).as_deref() != Some("serve") {
        println!("to be run by scripts/origin-bench.sh");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let origin = Origin::new(Limits::default());
        origin.publish("bench", &presentation()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        axum::serve(listener, origin.router()).await.unwrap();
    });
}

fn presentation() -> Presentation {
    let grid = Rate {
        numerator: FPS as u32,
        denominator: 1,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let presentation = Presentation::new(Settings {
        grid,
        part_frames: 6,
        target_duration: SEGMENT as u32,
        audio_rate: AUDIO_RATE,
        opus: false,
        epoch: Moment(now.as_micros() as i64),
        window: Duration::from_secs(30),
    })
    .unwrap();
    let rendition = |name: &str, kind, timescale| {
        let info = RenditionInfo {
            name: name.into(),
            kind,
            timescale,
        };
        presentation.add_rendition(info).unwrap()
    };
    let mut video = rendition("720p", RenditionKind::Video { rate: grid }, 90_000);
    let mut audio = rendition("audio", RenditionKind::Audio, AUDIO_RATE);
    video.start(h264()).unwrap();
    audio.start(aac()).unwrap();
    let per_segment = SEGMENT * FPS;
    let mut sounds = 0;
    for frame in 0..SECONDS * FPS {
        if frame.is_multiple_of(per_segment) {
            let number = FIRST + frame / per_segment;
            video.begin_segment(number, frame).unwrap();
            audio.begin_segment(number, frame).unwrap();
        }
        video
            .push(picture(frame, frame.is_multiple_of(per_segment)))
            .unwrap();
        while sounds * 1024 * FPS < (frame + 1) * u64::from(AUDIO_RATE) {
            audio.push(sound(sounds)).unwrap();
            sounds += 1;
        }
    }
    // A rendition that is dropped leaves; these stay until the process ends.
    std::mem::forget((video, audio));
    presentation
}

fn picture(frame: u64, keyframe: bool) -> Sample {
    Sample {
        data: vec![frame as u8; if keyframe { KEYFRAME } else { PICTURE }].into(),
        time: frame * 3_000,
        duration: 3_000,
        keyframe,
    }
}

fn sound(index: u64) -> Sample {
    Sample {
        data: vec![index as u8; AUDIO_FRAME].into(),
        time: index * 1_024,
        duration: 1_024,
        keyframe: true,
    }
}

fn h264() -> TrackConfig {
    let avcc = [
        &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f][..],
        &[1, 0, 4, 0x68, 0xee, 0x3c, 0x80],
    ];
    TrackConfig::H264 {
        avcc: avcc.concat().into(),
        width: 1280,
        height: 720,
    }
}

fn aac() -> TrackConfig {
    TrackConfig::Aac {
        config: vec![0x11, 0x90].into(),
        sample_rate: AUDIO_RATE,
        channels: 2,
    }
}
