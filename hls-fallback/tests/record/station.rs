//! A broadcast as a sidecar makes and records it, of frames as its WHEP client gives them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use spillway_hls::{
    media::{Content, Frame, Moment},
    origin::Origin,
    record::{Recorder, Recording, Status, Storage},
    sidecar::Making,
    transcode::{EncoderKind, PassThrough, Pushed, SAMPLE_RATE, Settings, Transcoder},
    whep,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use url::Url;

use crate::studio::{FakeNode, recorder, until_over};

pub(crate) struct Station {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) making: Making,
    recorder: Recorder,
    pub(crate) status: watch::Receiver<Status>,
}

impl Station {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let media = Url::from_directory_path(folder.path().join("media")).unwrap();
        let spool = folder.path().join("spool");
        let storage = Storage::open(&media).unwrap();
        let mut recorder = recorder(storage, &spool, 1 << 30, FakeNode::default().start().await);
        let recording = recorder.begin("b1", "demo").unwrap();
        Self {
            folder,
            status: recording.status(),
            making: making(recording),
            recorder,
        }
    }

    pub(crate) fn media(&self) -> std::path::PathBuf {
        self.folder.path().join("media/vod/b1")
    }

    /// Has so many seconds come, and gives the longest time for which nothing new was published of this rendition.
    pub(crate) async fn air(
        &self,
        seconds: i64,
        rendition: &str,
        now: impl FnMut(i64) -> Now + Send + 'static,
    ) -> Duration {
        let watch = EdgeWatch::start(&self.making.origin, rendition).await;
        let making = self.making.clone();
        let airing = tokio::task::spawn_blocking(move || air(&making, seconds, now));
        airing.await.unwrap();
        watch.longest().await
    }

    /// The broadcast is over: how its recording became.
    pub(crate) async fn close(&mut self) -> Status {
        self.making.recording = None;
        self.recorder.end("b1");
        until_over(&mut self.status).await
    }
}

fn making(recording: Recording) -> Making {
    Making {
        options: whep::Options {
            node: Url::parse("http://127.0.0.1:1").unwrap(),
            channel: "demo".to_owned(),
            token: None,
        },
        origin: Origin::default(),
        settings: Settings {
            ladder: "180,90".parse().unwrap(),
            encoder: EncoderKind::X264,
            part: Duration::from_millis(200),
            segment: Duration::from_secs(2),
            pass_through: PassThrough::True,
            on_demand: true,
            keeps_h264: true,
            opus: true,
        },
        window: Duration::from_mins(1),
        recording: Some(recording),
        captions: None,
        prompter: None,
        changed: Arc::new(Notify::new()),
    }
}

/// What comes at a moment of a broadcast, a thirtieth of a second long.
#[derive(Default)]
pub(crate) struct Now {
    /// A picture, if there's one. Its time is set when it comes.
    pub(crate) picture: Option<Frame>,
    pub(crate) sound: bool,
    /// How far the publisher's clock is off, in microseconds.
    pub(crate) off: i64,
}

/// Has so many seconds come in real time, and made into LL-HLS and a recording.
fn air(making: &Making, seconds: i64, mut now: impl FnMut(i64) -> Now) {
    let settings = making.settings.clone();
    let mut transcoder =
        Transcoder::start("demo", settings, making.presenter(), Box::new(|_| {})).unwrap();
    let mut microphone = opus::Encoder::new(
        SAMPLE_RATE,
        opus::Channels::Stereo,
        opus::Application::Audio,
    )
    .unwrap();
    let (began, epoch) = (Instant::now(), wall_clock());
    let mut sounds = 0;
    for i in 0..seconds * 30 {
        let micros = i * 100_000 / 3;
        // Made beforehand: encoding takes its time.
        let Now {
            picture,
            sound,
            off,
        } = now(i);
        let at = began + Duration::from_micros(micros as u64);
        sleep(at.saturating_duration_since(Instant::now()));
        if let Some(frame) = picture {
            let time = epoch.plus(micros + off);
            let _: Pushed = transcoder.push(Frame {
                time,
                arrived: time,
                ..frame
            });
        }
        while sounds * 20_000 <= micros {
            if sound {
                let data = microphone.encode_vec(&tone(sounds), 1_500).unwrap();
                let time = epoch.plus(sounds * 20_000 + off);
                let _: Pushed = transcoder.push(Frame {
                    content: Content::Audio,
                    time,
                    arrived: time,
                    data: data.into(),
                    lost_before: false,
                });
            }
            sounds += 1;
        }
    }
}

/// 20 ms of a hum.
fn tone(packet: i64) -> Vec<i16> {
    let sample = |i: i64| {
        let at = (packet * 960 + i) as f64 / f64::from(SAMPLE_RATE);
        ((at * 220.0 * std::f64::consts::TAU).sin() * 3_000.0) as i16
    };
    (0..960).flat_map(|i| [sample(i); 2]).collect()
}

fn wall_clock() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Moment(since.as_micros() as i64)
}

/// Watches the end of a rendition's live playlist, as players do.
struct EdgeWatch {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<Duration>,
}

impl EdgeWatch {
    async fn start(origin: &Origin, rendition: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = origin.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let is_over = Arc::new(AtomicBool::new(false));
        let url = format!("http://{address}/hls/demo/{rendition}/index.m3u8");
        let task = tokio::spawn(watch_edge(url, is_over.clone()));
        Self { is_over, task }
    }

    /// The longest time for which nothing new was there, from the first part on.
    async fn longest(self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn watch_edge(url: String, is_over: Arc<AtomicBool>) -> Duration {
    let client = reqwest::Client::new();
    let mut last: Option<(String, Instant)> = None;
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = client.get(&url).send().await.unwrap();
        if !answer.status().is_success() {
            assert!(last.is_none(), "{}", answer.status());
            continue;
        }
        let text = answer.text().await.unwrap();
        let mut parts = text.lines().filter(|l| l.starts_with("#EXT-X-PART:"));
        let Some(edge) = parts.next_back().map(str::to_owned) else {
            continue;
        };
        if let Some((before, at)) = &last {
            longest = longest.max(at.elapsed());
            if *before == edge {
                continue;
            }
        }
        last = Some((edge, Instant::now()));
    }
    assert!(last.is_some(), "nothing was published");
    longest
}

/// How many media segments a playlist lists, and how many discontinuities.
pub(crate) fn count(playlist: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(playlist).unwrap();
    let count = |what: fn(&&str) -> bool| text.lines().filter(what).count();
    (
        count(|line| line.starts_with("#EXTINF:")),
        count(|line| *line == "#EXT-X-DISCONTINUITY"),
    )
}
