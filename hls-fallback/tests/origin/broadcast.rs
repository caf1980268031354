//! A broadcast of made-up samples.

use std::time::Duration;

use bytes::Bytes;
use spillway_hls::{
    media::{Moment, Rate, Sample, TrackConfig},
    origin::{Presentation, RenditionInfo, RenditionKind, RenditionWriter, Settings},
};

/// 2026-01-01T00:00:00Z.
pub(crate) const EPOCH: Moment = Moment(1_767_225_600_000_000);
pub(crate) const FIRST: u64 = 1000;
pub(crate) const PART_FRAMES: u32 = 6;
pub(crate) const FPS: u64 = 30;
const GRID: Rate = Rate {
    numerator: 30,
    denominator: 1,
};
const VIDEO_SCALE: u32 = 90_000;
const AUDIO_RATE: u32 = 48_000;

pub(crate) fn settings() -> Settings {
    Settings {
        grid: GRID,
        part_frames: PART_FRAMES,
        target_duration: 1,
        audio_rate: AUDIO_RATE,
        opus: true,
        epoch: EPOCH,
        window: Duration::from_mins(1),
    }
}

pub(crate) fn video_info(name: &str) -> RenditionInfo {
    let kind = RenditionKind::Video { rate: GRID };
    RenditionInfo {
        name: name.into(),
        kind,
        timescale: VIDEO_SCALE,
    }
}

pub(crate) fn audio_info() -> RenditionInfo {
    RenditionInfo {
        name: "audio".into(),
        kind: RenditionKind::Audio,
        timescale: AUDIO_RATE,
    }
}

pub(crate) fn h264(width: u16, height: u16) -> TrackConfig {
    let avcc = [
        &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f][..],
        &[1, 0, 4, 0x68, 0xee, 0x3c, 0x80],
    ];
    TrackConfig::H264 {
        avcc: avcc.concat().into(),
        width,
        height,
    }
}

pub(crate) fn aac() -> TrackConfig {
    let config = Bytes::from_static(&[0x11, 0x90]);
    TrackConfig::Aac {
        config,
        sample_rate: AUDIO_RATE,
        channels: 2,
    }
}

pub(crate) fn picture(frame: u64, keyframe: bool) -> Sample {
    Sample {
        data: vec![frame as u8; if keyframe { 5000 } else { 1000 }].into(),
        time: frame * 3000,
        duration: 3000,
        keyframe,
    }
}

pub(crate) fn sound(index: u64) -> Sample {
    Sample {
        data: vec![index as u8; 300].into(),
        time: index * 1024,
        duration: 1024,
        keyframe: true,
    }
}

/// A video rendition `720p` and `audio`, with segments of the same length, each announced when the one before it begins.
pub(crate) struct Broadcast {
    pub(crate) presentation: Presentation,
    pub(crate) video: RenditionWriter,
    pub(crate) audio: RenditionWriter,
    pub(crate) first: u64,
    pub(crate) segment_frames: u64,
    pub(crate) frame: u64,
    sounds: u64,
}

impl Broadcast {
    pub(crate) fn new() -> Self {
        Self::with(settings(), FIRST)
    }

    pub(crate) fn with(settings: Settings, first: u64) -> Self {
        let segment_frames = u64::from(settings.target_duration) * FPS;
        let presentation = Presentation::new(settings).unwrap();
        let mut video = presentation.add_rendition(video_info("720p")).unwrap();
        let mut audio = presentation.add_rendition(audio_info()).unwrap();
        video.start(h264(1280, 720)).unwrap();
        audio.start(aac()).unwrap();
        Self {
            presentation,
            video,
            audio,
            first,
            segment_frames,
            frame: 0,
            sounds: 0,
        }
    }

    /// The next pictures, and the sound that begins before they end.
    pub(crate) fn push(&mut self, frames: u64) {
        for _ in 0..frames {
            self.announce();
            self.video
                .push(picture(
                    self.frame,
                    self.frame.is_multiple_of(self.segment_frames),
                ))
                .unwrap();
            self.frame += 1;
            while self.sounds * 1024 * FPS < self.frame * u64::from(AUDIO_RATE) {
                self.audio.push(sound(self.sounds)).unwrap();
                self.sounds += 1;
            }
        }
    }

    pub(crate) fn push_seconds(&mut self, seconds: u64) {
        self.push(seconds * FPS);
    }

    fn announce(&mut self) {
        if !self.frame.is_multiple_of(self.segment_frames) {
            return;
        }
        let number = self.first + self.frame / self.segment_frames;
        if self.frame == 0 {
            self.begin(number, 0);
        }
        self.begin(number + 1, self.frame + self.segment_frames);
    }

    fn begin(&mut self, number: u64, start: u64) {
        self.video.begin_segment(number, start).unwrap();
        self.audio.begin_segment(number, start).unwrap();
    }

    pub(crate) fn finish(self) -> Presentation {
        self.video.finish().unwrap();
        self.audio.finish().unwrap();
        self.presentation
    }
}
