use spillway_hls::record::{State, Storage};
use url::Url;

use crate::{
    film,
    player::play,
    studio::{FakeNode, Take, eventually, film, is_empty, recorder, until_over},
};

const ROOM: u64 = 1 << 30;

/// A source of one size that breaks off and comes back as another: all that there is to a recording.
#[tokio::test(flavor = "multi_thread")]
async fn with_playlists_a_file_chapters_and_pictures() {
    // To be looked at with other players, if somebody wants to.
    let keep = std::env::var_os("SPILLWAY_KEEP_RECORDING").is_some();
    let folder = tempfile::Builder::new()
        .disable_cleanup(keep)
        .tempdir()
        .unwrap();
    let (media, spool) = (folder.path().join("media"), folder.path().join("spool"));
    let fake = FakeNode::default();
    fake.mark(4, "Act <two>");
    fake.mark(30, "Back");
    let node = fake.start().await;
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let mut recorder = recorder(storage, &spool, ROOM, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    let sound = film::sound(6);
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 6,
        renditions: &[("360p", film(640, 360, 6)), ("180p", film(320, 180, 6))],
        sound: &sound,
    }
    .record(&recording, true);
    Take {
        seconds_in: 30,
        first_segment: 150,
        seconds: 4,
        renditions: &[("360p", film(360, 640, 4)), ("180p", film(180, 320, 4))],
        sound: &sound,
    }
    .record(&recording, true);
    let folder = media.join("vod/b1");
    eventually("an event playlist", || {
        let list = std::fs::read_to_string(folder.join("180p/index.m3u8")).unwrap_or_default();
        list.contains("EVENT") && list.contains("100.m4s") && !list.contains("ENDLIST")
    })
    .await;
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!((over.state, &over.problem), (State::Ready, &None));
    assert!((9_900..10_100).contains(&over.duration_ms), "{over:?}");
    eventually("the spool is empty", || is_empty(&spool)).await;
    assert_eq!(fake.states(), ["recording", "finishing", "ready"]);
    let stored: u64 = fake.last()["bytes"].as_u64().unwrap();
    assert!(stored > 10_000);

    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let list = read("360p/index.m3u8");
    assert!(list.contains("#EXT-X-PLAYLIST-TYPE:VOD") && list.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(list.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert!(
        list.contains("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z")
            && list.contains("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:30.000Z"),
        "{list}"
    );
    let master = read("index.m3u8");
    assert!(
        master.contains("360p/index.m3u8") && master.contains("AUDIO=\"audio\""),
        "{master}"
    );
    assert_eq!(
        read("chapters.vtt"),
        "WEBVTT

00:00:00.000 --> 00:00:04.000
Start

00:00:04.000 --> 00:00:06.000
Act &lt;two&gt;

00:00:06.000 --> 00:00:10.000
Back
"
    );
    assert!(read("recording.json").contains("\"state\":\"ready\""));
    check_movie(&folder.join("video.mp4"));
    for rendition in ["180p", "360p"] {
        check_playlist(&folder, rendition, &[150, 100]);
    }
    check_pictures(&folder);
}

/// `FFmpeg` goes on with the first initialization segment whatever a playlist says, so each part is played by itself.
fn check_playlist(folder: &std::path::Path, rendition: &str, expected: &[usize]) {
    let folder = folder.join(rendition);
    let list = std::fs::read_to_string(folder.join("index.m3u8")).unwrap();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for line in list.lines() {
        if let Some(init) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            parts.push(std::fs::read(folder.join(init.trim_end_matches('"'))).unwrap());
        } else if !line.starts_with('#') {
            let segment = std::fs::read(folder.join(line)).unwrap();
            parts.last_mut().unwrap().extend(segment);
        }
    }
    let file = folder.join("part.mp4");
    let pictures = parts.iter().map(|part| {
        std::fs::write(&file, part).unwrap();
        play(&file).pictures.len()
    });
    assert_eq!(pictures.collect::<Vec<_>>(), expected);
}

fn check_movie(path: &std::path::Path) {
    let data = std::fs::read(path).unwrap();
    let at = |name: &[u8]| data.windows(4).position(|four| four == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"), "tables first");
    let played = play(path);
    assert!((played.duration - 10.0).abs() < 0.05, "{}", played.duration);
    assert_eq!(played.pictures.len(), 250, "every picture");
    assert_eq!(played.sizes, [(640, 360), (360, 640)]);
    played.check_even();
    played.check_sync(10);
    let titles: Vec<_> = played
        .chapters
        .iter()
        .map(|(_, title)| title.as_str())
        .collect();
    assert_eq!(titles, ["Start", "Act <two>", "Back"]);
    let starts: Vec<_> = played.chapters.iter().map(|(start, _)| *start).collect();
    for (start, expected) in starts.iter().zip([0.0, 4.0, 6.0]) {
        assert!((start - expected).abs() < 0.001, "{starts:?}");
    }
}

fn check_pictures(folder: &std::path::Path) {
    let sizes = |name: &str| play(&folder.join(name)).sizes;
    assert_eq!(sizes("poster.jpg"), [(640, 360)]);
    // Five pictures, two seconds apart, beside each other.
    assert_eq!(sizes("storyboard-0.jpg"), [(800, 90)]);
    let list = std::fs::read_to_string(folder.join("storyboard.vtt")).unwrap();
    assert!(
        list.contains("00:00:08.000 --> 00:00:10.000\nstoryboard-0.jpg#xywh=640,0,160,90"),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_of_sound_alone_has_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let node = fake.start().await;
    let media = folder.path().join("media");
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let mut recorder = recorder(storage, &folder.path().join("spool"), ROOM, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 4,
        renditions: &[],
        sound: &film::sound(4),
    }
    .record(&recording, true);
    drop(recording);
    recorder.end("b1");
    assert_eq!(until_over(&mut status).await.state, State::Ready);
    let played = play(&media.join("vod/b1/video.mp4"));
    assert_eq!((played.beeps.len(), played.pictures.len()), (4, 0));
    assert_eq!(played.chapters.len(), 1);
    assert!(!media.join("vod/b1/poster.jpg").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_of_nothing_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeNode::default();
    let node = fake.start().await;
    let media = folder.path().join("media");
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let mut recorder = recorder(storage, &folder.path().join("spool"), ROOM, node);
    let mut status = recorder.begin("b1", "demo").unwrap().status();
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!(over.state, State::Failed);
    assert_eq!(over.problem.as_deref(), Some("nothing was recorded"));
    eventually("the node knows", || fake.last()["state"] == "failed").await;
}
