//! A node that is told of recordings, and broadcasts that are recorded.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path as Named, State as Held},
    http::StatusCode,
    routing::{get, put},
};
use serde_json::{Value, json};
use spillway_hls::{
    media::Moment,
    origin::{Presentation, RenditionInfo, RenditionKind, RenditionWriter, Settings as Presented},
    record::{Recorder, Recording, Reserve, Session, Settings, State, Status, Storage},
    sidecar::Node,
    whep::Token,
};
use tokio::sync::watch;

use crate::film::{self, FPS, Film, RATE, SOUND_RATE, TIMESCALE};

/// 2026-01-01T00:00:00Z
pub(crate) const EPOCH: Moment = Moment(1_767_225_600_000_000);
/// Pictures of a segment: two seconds.
pub(crate) const SEGMENT: u64 = 2 * FPS;

/// A node's half of the contract.
#[derive(Clone, Default)]
pub(crate) struct FakeNode {
    told: Arc<Mutex<Vec<Value>>>,
    markers: Arc<Mutex<Vec<Value>>>,
}

impl FakeNode {
    /// Serves; what it is told can be asked here.
    pub(crate) async fn start(&self) -> Node {
        let router = Router::new()
            .route("/api/v1/broadcasts/{broadcast}/recording", put(tell))
            .route("/api/v1/broadcasts/{broadcast}/markers", get(markers))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = format!("http://{address}").parse().unwrap();
        Node::new(url, Token::new("t")).unwrap()
    }

    pub(crate) fn mark(&self, seconds: i64, title: &str) {
        let at = std::time::UNIX_EPOCH + Duration::from_micros(EPOCH.0 as u64);
        let at = at + Duration::from_secs(seconds as u64);
        let at = humantime::format_rfc3339_millis(at).to_string();
        let marker = json!({"id": "m", "at": at, "title": title});
        self.markers.lock().unwrap().push(marker);
    }

    /// The states that it was told, each once.
    pub(crate) fn states(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let states = told.iter().map(|t| t["state"].as_str().unwrap().to_owned());
        let mut states: Vec<_> = states.collect();
        states.dedup();
        states
    }

    pub(crate) fn last(&self) -> Value {
        self.told
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

async fn tell(
    Held(node): Held<FakeNode>,
    Named(broadcast): Named<String>,
    Json(told): Json<Value>,
) -> StatusCode {
    if broadcast != "b1" {
        return StatusCode::NOT_FOUND;
    }
    node.told.lock().unwrap().push(told);
    StatusCode::NO_CONTENT
}

async fn markers(Held(node): Held<FakeNode>) -> Json<Value> {
    Json(json!({"items": *node.markers.lock().unwrap()}))
}

pub(crate) fn recorder(storage: Storage, spool: &Path, limit: u64, node: Node) -> Recorder {
    reserving(0, storage, spool, limit, node)
}

/// One that leaves so much of the disk free.
pub(crate) fn reserving(
    reserve: u64,
    storage: Storage,
    spool: &Path,
    limit: u64,
    node: Node,
) -> Recorder {
    let settings = Settings {
        storage,
        spool: spool.to_owned(),
        spool_limit: limit,
        reserve: Reserve::Bytes(reserve),
    };
    Recorder::open(settings, node).unwrap()
}

/// A transcoder's life: so many seconds of these renditions, and sound.
pub(crate) struct Take<'a> {
    /// When it begins, after [`EPOCH`].
    pub(crate) seconds_in: i64,
    pub(crate) first_segment: u64,
    pub(crate) seconds: u64,
    pub(crate) renditions: &'a [(&'a str, Film)],
    pub(crate) sound: &'a Film,
}

impl Take<'_> {
    /// Has it recorded, as fast as it can be. It breaks off without an end if it isn't to be finished.
    pub(crate) fn record(&self, recording: &Recording, finish: bool) {
        let epoch = EPOCH.plus(self.seconds_in * 1_000_000);
        let presentation = Presentation::new(Presented {
            grid: RATE,
            part_frames: 5,
            target_duration: 2,
            audio_rate: SOUND_RATE,
            opus: false,
            epoch,
            window: Duration::from_mins(1),
        })
        .unwrap();
        let session = recording.session(epoch, 2);
        let mut writers = Vec::new();
        for (name, film) in self.renditions {
            let info = RenditionInfo {
                name: (*name).to_owned(),
                kind: RenditionKind::Video { rate: RATE },
                timescale: TIMESCALE,
            };
            writers.push((writer(&presentation, &session, info, film), film.clone()));
        }
        let info = RenditionInfo {
            name: "audio".to_owned(),
            kind: RenditionKind::Audio,
            timescale: SOUND_RATE,
        };
        let sound = writer(&presentation, &session, info, self.sound);
        writers.push((sound, self.sound.clone()));
        for second in 0..self.seconds {
            for (writer, film) in &mut writers {
                self.push(writer, film, second);
            }
        }
        if finish {
            for (writer, _) in writers {
                writer.finish().unwrap();
            }
        }
    }

    fn push(&self, writer: &mut RenditionWriter, film: &Film, second: u64) {
        let timescale = if film.samples[0].duration == film::TICKS {
            TIMESCALE
        } else {
            SOUND_RATE
        };
        if (second * FPS).is_multiple_of(SEGMENT) {
            let number = self.first_segment + second * FPS / SEGMENT;
            let begins = |writer: &mut RenditionWriter, number, start| {
                writer.begin_segment(number, start).unwrap();
            };
            if second == 0 {
                begins(writer, number, 0);
            }
            begins(writer, number + 1, second * FPS + SEGMENT);
        }
        let of_second = film
            .samples
            .iter()
            .filter(|sample| sample.time / u64::from(timescale) == second);
        for sample in of_second {
            writer.push(sample.clone()).unwrap();
        }
    }
}

fn writer(
    presentation: &Presentation,
    session: &Session,
    info: RenditionInfo,
    film: &Film,
) -> RenditionWriter {
    let mut writer = presentation.add_rendition(info.clone()).unwrap();
    writer.tee(session.rendition(info));
    writer.start(film.config.clone()).unwrap();
    writer
}

/// Keyframes where segments begin.
pub(crate) fn film(width: u16, height: u16, seconds: u64) -> Film {
    let count = seconds * FPS;
    let keyframes: Vec<u64> = (0..count).step_by(SEGMENT as usize).collect();
    film::pictures(width, height, count, &keyframes)
}

/// Waits until the recording is as it should be.
pub(crate) async fn until(
    status: &mut watch::Receiver<Status>,
    what: &str,
    is: impl Fn(&Status) -> bool,
) -> Status {
    let waiting = status.wait_for(|status| is(status));
    match tokio::time::timeout(Duration::from_mins(1), waiting).await {
        Ok(Ok(status)) => status.clone(),
        other => panic!("{what}: {other:?}"),
    }
}

pub(crate) async fn until_over(status: &mut watch::Receiver<Status>) -> Status {
    until(status, "it is over", |status| {
        matches!(status.state, State::Ready | State::Failed)
    })
    .await
}

/// Waits for something that nobody tells of.
pub(crate) async fn eventually(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Nothing is in the folder any more, but for a spool's lock.
pub(crate) fn is_empty(folder: &Path) -> bool {
    let mut names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names.all(|name| name == ".lock")
}
