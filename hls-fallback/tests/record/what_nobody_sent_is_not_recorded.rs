//! A broadcast goes on for a while when its publisher has left, since that may come back: with the last picture, and silence. Of a
//! publisher that doesn't, the recording ends with what it sent.

use std::{fs, path::Path, time::Duration};

use spillway_hls::{
    media::{Moment, VideoCodec},
    record::State,
};

use crate::{
    camera::{Camera, OFTEN},
    player::play,
    station::{Now, Station},
};

/// A publisher sends for so many seconds, and is waited for as long again and more.
const SENT: i64 = 4;
const WAITED: i64 = 6;

/// The segments that a playlist lists.
fn listed(playlist: &Path) -> Vec<String> {
    let text = fs::read_to_string(playlist).unwrap_or_default();
    let names = text.lines().filter(|line| !line.starts_with('#'));
    names.map(str::to_owned).collect()
}

/// Those that the storage has of a rendition.
fn stored(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let segments = files.filter(|file| file.path().extension().is_some_and(|e| e == "m4s"));
    let mut names: Vec<_> = segments
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

async fn leaves(codec: VideoCodec) {
    let mut station = Station::open().await;
    let mut camera = Camera::new(codec, (320, 180), OFTEN);
    let mut film: Vec<_> = (0..SENT * 30)
        .map(|_| Some(camera.shoot(Moment(0))))
        .collect();
    film.resize_with(((SENT + WAITED) * 30) as usize, || None);
    let source = station.media().join("source");
    let last = station.air(SENT + WAITED, "source", move |i| Now {
        picture: film[i as usize].take(),
        sound: i < SENT * 30,
        off: 0,
    });
    let longest = last.await;
    assert!(
        longest < Duration::from_secs(5),
        "LL-HLS goes on: {longest:?}"
    );
    let while_it_ran = listed(&source.join("index.m3u8"));
    let over = station.close().await;
    assert_eq!((over.state, &over.problem), (State::Ready, &None));
    // The last segment that has something of the publisher stays whole.
    let most = SENT as f64 + 2.3;
    let seconds = over.duration_ms as f64 / 1e3;
    assert!(
        (SENT as f64 - 1.0..most).contains(&seconds),
        "{codec}: {seconds} s"
    );
    let played = play(&station.media().join("video.mp4"));
    assert!(
        (played.duration - seconds).abs() < 0.3,
        "{codec}: {} s of {seconds}",
        played.duration
    );
    let names = listed(&source.join("index.m3u8"));
    assert!(
        names.starts_with(&while_it_ran),
        "a playlist only grows: {while_it_ran:?}, {names:?}"
    );
    for rendition in ["source", "audio"] {
        let folder = station.media().join(rendition);
        assert_eq!(
            stored(&folder),
            listed(&folder.join("index.m3u8")),
            "{codec}: {rendition}"
        );
    }
    let chapters = fs::read_to_string(station.media().join("chapters.vtt")).unwrap();
    let end = chapters.rsplit_once("--> 00:00:").unwrap().1;
    let end: f64 = end.lines().next().unwrap().parse().unwrap();
    assert!((end - seconds).abs() < 0.1, "{codec}: {chapters}");
}

/// Passed through, and encoded.
#[tokio::test(flavor = "multi_thread")]
async fn when_its_publisher_has_left() {
    let scenes = [VideoCodec::H264, VideoCodec::Vp8].map(|codec| tokio::spawn(leaves(codec)));
    for scene in scenes {
        scene.await.unwrap();
    }
}
