//! S3 that fails, refuses, is slow or silent, over the client that a sidecar has. Those who encode never wait for it, and in the end it has
//! everything.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use spillway_hls::record::{State, Status};

use crate::{
    bucket::{Bucket, Fault},
    film,
    player::play,
    studio::{FakeNode, Take, eventually, film, is_empty, recorder, until, until_over},
};

const SECONDS: u64 = 4;

/// Records a broadcast while the bucket misbehaves, until the recording's problem is told; then it behaves. Gives what was told, and how it
/// was in the end.
async fn record(fault: Fault) -> (String, Status) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Bucket::start(&folder.path().join("s3")).await;
    bucket.misbehave(fault);
    let spool = folder.path().join("spool");
    let fake = FakeNode::default();
    let mut recorder = recorder(bucket.storage(), &spool, 1 << 30, fake.start().await);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    let (pictures, sound) = (film(320, 180, SECONDS), film::sound(SECONDS));
    let began = Instant::now();
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: SECONDS,
        renditions: &[("180p", pictures)],
        sound: &sound,
    }
    .record(&recording, true);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "those who encode wait"
    );
    drop(recording);
    recorder.end("b1");
    let troubled = until(&mut status, "it says so", |s| s.problem.is_some()).await;
    let problem = troubled.problem.unwrap();
    assert_ne!(troubled.state, State::Failed, "{problem}");
    eventually("the node knows", || {
        // What S3 says differs from try to try.
        let told = fake.last()["problem"].as_str().map(str::to_owned);
        told.is_some_and(|told| told.starts_with("the storage "))
    })
    .await;
    assert!(bucket.faulty.load(Ordering::Relaxed) > 0);
    bucket.misbehave(Fault::None);
    let over = until_over(&mut status).await;
    check(&folder.path().join("s3/recordings/below/vod/b1"));
    eventually("the spool is empty", || is_empty(&spool)).await;
    (problem, over)
}

/// Everything is there, and plays.
fn check(media: &Path) {
    for name in [
        "index.m3u8",
        "180p/index.m3u8",
        "180p/101.m4s",
        "poster.jpg",
    ] {
        assert!(media.join(name).exists(), "{name}");
    }
    let list = std::fs::read_to_string(media.join("180p/index.m3u8")).unwrap();
    assert!(
        list.contains("#EXT-X-ENDLIST") && !list.contains("GAP"),
        "{list}"
    );
    let played = play(&media.join("video.mp4"));
    assert_eq!(played.pictures.len() as u64, SECONDS * film::FPS);
    played.check_sync(SECONDS as usize);
}

fn is_well(over: &Status) {
    assert_eq!((over.state, over.problem.as_deref()), (State::Ready, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails() {
    let (problem, over) = record(Fault::Status(500)).await;
    assert!(problem.contains("the storage doesn't take it"), "{problem}");
    assert!(problem.contains("500"), "{problem}");
    is_well(&over);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses() {
    let (problem, over) = record(Fault::Status(403)).await;
    assert!(problem.contains("the storage doesn't take it"), "{problem}");
    assert!(problem.contains("Access Denied"), "{problem}");
    is_well(&over);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_ten_seconds_for_each_answer() {
    let (problem, over) = record(Fault::Slow(Duration::from_secs(10))).await;
    assert_eq!(problem, "the storage is slow: segments wait for it");
    is_well(&over);
}
