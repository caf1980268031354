use std::path::Path;

use spillway_hls::record::{State, Storage};
use url::Url;

use crate::{
    film::{self, Film},
    other_films::{self, AV1, H265, Kind, VP9},
    player::play,
    studio::{self, FakeNode, Take, recorder, until_over},
};

const ROOM: u64 = 1 << 30;

/// Records takes of `source`, so many seconds each; gives the folder with what came of it.
async fn record(root: &Path, takes: &[(Film, u64)]) -> std::path::PathBuf {
    let media = root.join("media");
    let node = FakeNode::default().start().await;
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let mut recorder = recorder(storage, &root.join("spool"), ROOM, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    for ((film, seconds), at) in takes.iter().zip(0..) {
        Take {
            seconds_in: at * 10,
            first_segment: 100 + at as u64 * 10,
            seconds: *seconds,
            renditions: &[("source", film.clone())],
            sound: &film::sound(*seconds),
        }
        .record(&recording, true);
    }
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!((over.state, &over.problem), (State::Ready, &None));
    media.join("vod/b1")
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_sample_entry_in_segments_and_in_the_film() {
    for (kind, family) in [(&H265, "hvc1"), (&VP9, "vp09"), (&AV1, "av01")] {
        let kind: &Kind = kind;
        let root = tempfile::tempdir().unwrap();
        let film = other_films::film(kind, (320, 180), 4);
        let folder = record(root.path(), &[(film, 4)]).await;
        let list = std::fs::read_to_string(folder.join("index.m3u8")).unwrap();
        assert!(list.contains(&format!("CODECS=\"{family}.")), "{list}");
        assert!(list.contains("RESOLUTION=320x180"), "{list}");
        let movie = folder.join("video.mp4");
        let data = std::fs::read(&movie).unwrap();
        let at = |name: &[u8]| data.windows(4).position(|four| four == name);
        assert!(at(b"moov") < at(b"mdat") && at(family.as_bytes()) < at(b"mdat"));
        let played = play(&movie);
        assert_eq!(played.pictures.len(), 100, "{family}: every picture");
        assert_eq!(played.sizes, [(320, 180)], "{family}");
        played.check_even();
        played.check_sync(4);
        let segments = ["source/init-100.mp4", "source/100.m4s", "source/101.m4s"];
        let parts = segments.map(|name| std::fs::read(folder.join(name)).unwrap());
        let whole = folder.join("whole.mp4");
        std::fs::write(&whole, parts.concat()).unwrap();
        assert_eq!(play(&whole).pictures.len(), 100, "{family}");
        assert_eq!(
            play(&folder.join("poster.jpg")).sizes,
            [(320, 180)],
            "{family}"
        );
    }
}

/// The encoder took over for a while: the playlists have all of it, and say so; a track of a film has one decoder.
#[tokio::test(flavor = "multi_thread")]
async fn with_both_codecs_in_the_playlists_where_it_was_encoded_at_times() {
    let root = tempfile::tempdir().unwrap();
    let passed = other_films::film(&VP9, (320, 180), 4);
    let folder = record(root.path(), &[(studio::film(320, 180, 2), 2), (passed, 4)]).await;
    let list = std::fs::read_to_string(folder.join("index.m3u8")).unwrap();
    let stream = list
        .lines()
        .find(|line| line.contains("RESOLUTION"))
        .unwrap();
    let codecs = stream.split("CODECS=\"").nth(1).unwrap();
    let families: Vec<&str> = codecs
        .split('"')
        .next()
        .unwrap()
        .split(',')
        .map(|name| &name[..4])
        .collect();
    assert_eq!(families, ["avc1", "vp09", "mp4a"]);
    let media = std::fs::read_to_string(folder.join("source/index.m3u8")).unwrap();
    assert_eq!(media.matches("#EXT-X-MAP").count(), 2, "{media}");
    let played = play(&folder.join("video.mp4"));
    assert_eq!(
        played.pictures.len(),
        100,
        "those of the codec that most is in"
    );
    assert!((played.duration - 6.0).abs() < 0.1, "{}", played.duration);
}
