//! A real player of what is passed through: `FFmpeg`.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use spillway_hls::{
    media::{Demand, Moment, Sample, TrackConfig, VideoCodec},
    origin::{
        Origin, Presentation, RenditionInfo, RenditionKind, RenditionWriter, Settings as Presented,
    },
    transcode::{Cadence, Description, Pause, Presenter, SAMPLE_RATE, Sink, Transcoder},
};
use tokio::net::TcpListener;

use crate::{
    ffmpeg::{decoded, ffmpeg, run},
    passing::passing,
    support::{Camera, Habits, broadcast},
};

/// Presents on an origin, and counts samples.
#[derive(Clone, Default)]
pub(crate) struct OnOrigin {
    presented: Arc<Mutex<Option<(Presentation, Cadence)>>>,
    pub(crate) counts: Arc<Mutex<HashMap<String, usize>>>,
}

impl OnOrigin {
    /// Waits until the broadcast is over, and serves it.
    pub(crate) async fn serve(&self, ffmpeg: PathBuf) -> Server {
        let (presentation, _) = self.presented.lock().unwrap().clone().unwrap();
        while !presentation.has_ended() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let origin = Origin::default();
        origin.publish("demo", &presentation).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, origin.router()).await.unwrap() });
        Server {
            ffmpeg,
            root: format!("http://{address}/hls/demo"),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Presenter for OnOrigin {
    fn first_segment(&self, _: Moment) -> u64 {
        1_000
    }

    fn begin(&mut self, cadence: Cadence) {
        let settings = Presented {
            grid: cadence.rate,
            part_frames: cadence.part,
            target_duration: cadence.segment_seconds(),
            audio_rate: SAMPLE_RATE,
            opus: true,
            epoch: cadence.epoch,
            window: Duration::from_mins(1),
        };
        let presentation = Presentation::new(settings).unwrap();
        *self.presented.lock().unwrap() = Some((presentation, cadence));
    }

    fn discontinuity(&mut self, segment: u64) {
        let presented = self.presented.lock().unwrap();
        presented.as_ref().unwrap().0.discontinuity(segment);
    }

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        let presented = self.presented.lock().unwrap();
        let (presentation, cadence) = presented.as_ref().unwrap();
        let info = match description {
            Description::Video { name, .. } => RenditionInfo {
                name,
                kind: RenditionKind::Video { rate: cadence.rate },
                timescale: cadence.video_timescale(),
            },
            Description::Audio {
                name, timescale, ..
            } => RenditionInfo {
                name,
                kind: RenditionKind::Audio,
                timescale,
            },
        };
        Box::new(Writing {
            name: info.name.clone(),
            writer: Some(presentation.add_rendition(info).unwrap()),
            counts: self.counts.clone(),
        })
    }

    fn demand(&self, rendition: &str) -> Demand {
        Demand {
            idle: matches!(rendition, "90p" | "180p").then_some(Duration::ZERO),
            requests: 1,
        }
    }
}

struct Writing {
    name: String,
    writer: Option<RenditionWriter>,
    counts: Arc<Mutex<HashMap<String, usize>>>,
}

impl Writing {
    fn writer(&mut self) -> &mut RenditionWriter {
        self.writer.as_mut().unwrap()
    }
}

impl Sink for Writing {
    fn expect(&mut self, config: TrackConfig, bitrate: u32) {
        self.writer().expect(config, bitrate);
    }

    fn may_be(&mut self, configs: Vec<TrackConfig>) {
        self.writer().may_be(configs);
    }

    fn start(&mut self, config: TrackConfig) {
        self.writer().start(config).unwrap();
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.writer().begin_segment(number, slot).unwrap();
    }

    fn push(&mut self, sample: Sample) {
        *self
            .counts
            .lock()
            .unwrap()
            .entry(self.name.clone())
            .or_default() += 1;
        self.writer().push(sample).unwrap();
    }

    fn rest(&mut self, pause: Pause) {
        self.writer().rest(pause == Pause::Unasked);
    }

    fn finish(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.finish().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_decodes_every_frame_that_is_passed_through_and_after_it() {
    let ffmpeg = ffmpeg();
    let presenter = OnOrigin::default();
    let boxed = Box::new(presenter.clone());
    tokio::task::spawn_blocking(move || {
        let mut transcoder = Transcoder::start("test", passing(), boxed, Box::new(|_| {})).unwrap();
        let habits = Habits {
            group: 45,
            b_pictures: 0,
        };
        let mut before = Camera::new(VideoCodec::H264, (320, 180), habits);
        let mut after = Camera::new(VideoCodec::Vp8, (320, 180), habits);
        broadcast(&mut transcoder, 8, |i, time| {
            let camera = if i < 150 { &mut before } else { &mut after };
            // With a hole, and pictures that come unevenly.
            let shaken = time.plus(if i % 3 == 0 { 12_000 } else { -9_000 });
            (i % 50 != 7).then(|| camera.shoot(shaken))
        });
    })
    .await
    .unwrap();
    let server = presenter.serve(ffmpeg).await;
    let counts = presenter.counts.lock().unwrap().clone();
    assert!(counts["source"] >= 220, "{counts:?}");
    for rendition in ["source", "90p"] {
        let frames = server.decoded(rendition).await;
        let count: usize = frames.iter().sum();
        assert_eq!(count, counts[rendition], "{rendition}: {frames:?}");
        let ranges = if rendition == "source" { 2 } else { 1 };
        assert_eq!(frames.len(), ranges, "what is encoded alike");
    }
    for rendition in ["audio", "opus"] {
        let seconds = server.sound(rendition).await;
        assert!((7.0..8.2).contains(&seconds), "{rendition}: {seconds} s");
    }
}

pub(crate) struct Server {
    pub(crate) ffmpeg: PathBuf,
    root: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Server {
    /// How many seconds of sound `FFmpeg` decodes.
    async fn sound(&self, rendition: &str) -> f64 {
        let (ffmpeg, input) = (
            self.ffmpeg.clone(),
            format!("{}/{rendition}/index.m3u8", self.root),
        );
        let path = self.folder.path().join("sound.pcm");
        let output = path.to_string_lossy().into_owned();
        let arguments = [
            "-y", "-i", &input, "-f", "s16le", "-ac", "1", "-ar", "48000", &output,
        ]
        .map(str::to_owned);
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&ffmpeg, &arguments);
        })
        .await
        .unwrap();
        std::fs::metadata(path).unwrap().len() as f64 / 2.0 / 48_000.0
    }

    /// How many frames `FFmpeg` decodes of each initialization segment with the segments that need it. It can't follow playlists
    /// that have several.
    pub(crate) async fn decoded(&self, rendition: &str) -> Vec<usize> {
        let playlist = self.get(&format!("{rendition}/index.m3u8")).await;
        let playlist = String::from_utf8(playlist).unwrap();
        let mut files: Vec<Vec<u8>> = Vec::new();
        for line in playlist.lines() {
            let init = line.strip_prefix("#EXT-X-MAP:URI=");
            if let Some(init) = init.map(|init| init.trim_matches('"')) {
                files.push(self.get(&format!("{rendition}/{init}")).await);
            } else if !line.is_empty() && !line.starts_with('#') {
                let segment = self.get(&format!("{rendition}/{line}")).await;
                files.last_mut().unwrap().extend(segment);
            }
        }
        let mut counts = Vec::new();
        for (i, file) in files.iter().enumerate() {
            let path = self.folder.path().join(format!("{rendition}-{i}.mp4"));
            std::fs::write(&path, file).unwrap();
            let path = path.to_string_lossy().into_owned();
            counts.push(decoded(self.ffmpeg.clone(), path).await);
        }
        counts
    }

    pub(crate) async fn get(&self, path: &str) -> Vec<u8> {
        self.try_get(path).await.unwrap_or_else(|| panic!("{path}"))
    }

    /// None of what isn't there.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Vec<u8>> {
        let response = reqwest::get(format!("{}/{path}", self.root)).await.unwrap();
        let found = response.status().is_success();
        found.then_some(response.bytes().await.unwrap().to_vec())
    }
}
