use std::{fs, io::Write as _, path::Path};

use spillway_hls::record::{Recorder, State, Storage};
use url::Url;

use crate::{
    film,
    player::play,
    studio::{EPOCH, FakeNode, Take, eventually, film, is_empty, recorder, until, until_over},
};

const ROOM: u64 = 1 << 30;

fn open(folder: &Path, node: spillway_hls::sidecar::Node) -> Recorder {
    let media = folder.join("media");
    let storage = Storage::open(&Url::from_directory_path(media).unwrap()).unwrap();
    recorder(storage, &folder.join("spool"), ROOM, node)
}

/// Five seconds of a broadcast in a process of its own, so to say: its tasks end with the runtime, nothing is finished.
fn first_life(folder: &Path, fake: &FakeNode) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut recorder = open(folder, fake.start().await);
        let recording = recorder.begin("b1", "demo").unwrap();
        let mut status = recording.status();
        Take {
            seconds_in: 0,
            first_segment: 100,
            seconds: 5,
            renditions: &[("180p", film(320, 180, 5))],
            sound: &film::sound(5),
        }
        .record(&recording, false);
        // Two whole segments; a second of the third.
        until(&mut status, "two segments", |s| s.duration_ms >= 4_000).await;
        let spool = folder.join("spool/b1");
        eventually("five parts of the third", || {
            let parts = |rendition: &str| {
                let data = fs::read(spool.join(rendition).join("102.m4s")).unwrap_or_default();
                data.windows(4).filter(|four| four == b"mdat").count()
            };
            parts("180p") == 5 && parts("audio") >= 4
        })
        .await;
    });
    drop(runtime);
    // The last of its threads ends a moment later, as it wouldn't if it were killed.
    let lock = fs::File::open(folder.join("spool/.lock")).unwrap();
    lock.lock().unwrap();
}

/// What a write that was cut off leaves behind a file's last whole part.
fn cut_off(path: &Path) -> u64 {
    let length = fs::metadata(path).unwrap().len();
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"\0\0\x01\x00moof\0\0").unwrap();
    length
}

#[tokio::test(flavor = "multi_thread")]
async fn and_the_broadcast_goes_on_in_the_same_recording() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let (path, node) = (folder.path().to_owned(), fake.clone());
    tokio::task::spawn_blocking(move || first_life(&path, &node))
        .await
        .unwrap();
    let spool = folder.path().join("spool");
    let whole = cut_off(&spool.join("b1/180p/102.m4s"));

    let mut recorder = open(folder.path(), fake.start().await);
    recorder.end_all_but(|broadcast| broadcast == "b1");
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    until(&mut status, "the third segment", |s| s.duration_ms >= 5_000).await;
    assert!(recording.next_number() > 102);
    Take {
        seconds_in: 10,
        first_segment: 110,
        seconds: 4,
        renditions: &[("180p", film(320, 180, 4))],
        sound: &film::sound(4),
    }
    .record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
    let media = folder.path().join("media/vod/b1");
    assert_eq!(
        fs::metadata(media.join("180p/102.m4s")).unwrap().len(),
        whole
    );
    let list = fs::read_to_string(media.join("180p/index.m3u8")).unwrap();
    assert!(
        list.contains("#EXTINF:1.000000,\n102.m4s\n#EXT-X-DISCONTINUITY\n"),
        "{list}"
    );
    let played = play(&media.join("video.mp4"));
    assert_eq!(played.pictures.len(), 9 * 25, "all that was given in");
    played.check_even();
    played.check_sync(9);
    eventually("the spool is empty", || is_empty(&spool)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_broadcast_that_ended_meanwhile_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let (path, node) = (folder.path().to_owned(), fake.clone());
    tokio::task::spawn_blocking(move || first_life(&path, &node))
        .await
        .unwrap();
    let mut recorder = open(folder.path(), fake.start().await);
    recorder.end_all_but(|_| false);
    eventually("it's ready", || fake.last()["state"] == "ready").await;
    let media = folder.path().join("media/vod/b1");
    assert_eq!(play(&media.join("video.mp4")).pictures.len(), 5 * 25);
    assert_eq!(play(&media.join("180p/index.m3u8")).pictures.len(), 5 * 25);
}

/// Its publisher had left before, and didn't come back.
#[tokio::test(flavor = "multi_thread")]
async fn and_what_nobody_sent_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let (path, node) = (folder.path().to_owned(), fake.clone());
    tokio::task::spawn_blocking(move || {
        first_life(&path, &node);
        // A tenth of the second segment.
        note(
            &path,
            &format!(r#"{{"heard":{}}}"#, EPOCH.plus(2_200_000).0),
        );
    })
    .await
    .unwrap();
    let mut recorder = open(folder.path(), fake.start().await);
    recorder.end_all_but(|_| false);
    eventually("it's ready", || fake.last()["state"] == "ready").await;
    let duration = fake.last()["duration_ms"].as_u64().unwrap();
    assert!((2_000..2_030).contains(&duration), "{duration} ms");
    let media = folder.path().join("media/vod/b1");
    assert_eq!(play(&media.join("video.mp4")).pictures.len(), 2 * 25);
    assert!(!media.join("180p/101.m4s").exists() && !media.join("180p/102.m4s").exists());
}

fn note(folder: &Path, line: &str) {
    let journal = folder.join("spool/b1/recording.jsonl");
    let mut journal = fs::OpenOptions::new().append(true).open(journal).unwrap();
    writeln!(journal, "{line}").unwrap();
}

/// Killed while the file was made: it is made again.
#[tokio::test(flavor = "multi_thread")]
async fn and_a_recording_that_was_being_finished_is_finished_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let (path, node) = (folder.path().to_owned(), fake.clone());
    tokio::task::spawn_blocking(move || {
        first_life(&path, &node);
        let line = r#"{"state":{"state":"finishing","failure":null,"made_bytes":0}}"#;
        note(&path, line);
    })
    .await
    .unwrap();
    let mut recorder = open(folder.path(), fake.start().await);
    eventually("it's ready", || fake.last()["state"] == "ready").await;
    assert!(folder.path().join("media/vod/b1/video.mp4").exists());
    eventually("the spool is empty", || {
        is_empty(&folder.path().join("spool"))
    })
    .await;
    assert!(recorder.begin("b1", "demo").is_ok());
}
