//! A source in VP9 is recorded as it came, and in H.264 all the time, so that it plays everywhere.

use std::path::Path;

use spillway_hls::{
    media::{Frame, Moment, VideoCodec},
    record::State,
};

use crate::{
    camera::{Camera, OFTEN},
    player::{Played, play},
    station::{Now, Station, count},
};

const SECONDS: i64 = 12;
/// The pictures in which it is silent: longer than a part, so that the encoder takes over, for the rest of the broadcast nearly.
const PAUSE: std::ops::Range<i64> = 120..135;

/// A broadcast in VP9, without these pictures.
fn film(without: std::ops::Range<i64>) -> impl FnMut(i64) -> Now + Send + 'static {
    let mut camera = Camera::new(VideoCodec::Vp9, (320, 180), OFTEN);
    let shoot = |i| (!without.contains(&i)).then(|| camera.shoot(Moment(0)));
    let mut film: Vec<Option<Frame>> = (0..SECONDS * 30).map(shoot).collect();
    move |i| Now {
        picture: film[i as usize].take(),
        sound: true,
        off: 0,
    }
}

fn check_gaps(played: &Played) {
    let least = SECONDS as f64 - 2.5;
    assert!(played.duration > least, "{} s", played.duration);
    for pair in played.pictures.windows(2) {
        assert!(
            pair[1] - pair[0] < 0.25,
            "the picture stands from {} to {}",
            pair[0],
            pair[1]
        );
    }
    let (last, end) = (played.pictures.last().unwrap(), played.duration);
    assert!(end - last < 0.25, "it stands from {last} to {end}");
}

async fn recorded(mut station: Station, without: std::ops::Range<i64>) -> Station {
    station.air(SECONDS, "source", film(without)).await;
    let over = station.close().await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
    station
}

/// It is in H.264 from beginning to end, at the size of the source.
fn check_h264(media: &Path) {
    let list = std::fs::read_to_string(media.join("index.m3u8")).unwrap();
    assert!(list.contains("\n180p/index.m3u8"), "{list}");
    let [source, kept] = ["source", "180p"].map(|name| media.join(name).join("index.m3u8"));
    let text = std::fs::read_to_string(&kept).unwrap();
    assert!(!text.contains("#EXT-X-GAP"), "{text}");
    assert_eq!(count(&kept).0, count(&source).0);
    let played = play(&kept);
    assert_eq!(played.codec, "h264");
    assert_eq!(played.sizes, [(320, 180)]);
    check_gaps(&played);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_encoder_took_over_its_film_is_in_h264() {
    let station = recorded(Station::open().await, PAUSE).await;
    let media = station.media();
    let source = std::fs::read_to_string(media.join("source/index.m3u8")).unwrap();
    assert!(source.matches("#EXT-X-MAP").count() >= 2, "{source}");
    check_h264(&media);
    let movie = play(&media.join("video.mp4"));
    assert_eq!(movie.codec, "h264");
    check_gaps(&movie);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_was_passed_through_all_the_time_its_film_is_the_source() {
    let station = recorded(Station::open().await, 0..0).await;
    let media = station.media();
    check_h264(&media);
    let movie = play(&media.join("video.mp4"));
    assert_eq!(movie.codec, "vp9");
    check_gaps(&movie);
}

#[tokio::test(flavor = "multi_thread")]
async fn and_without_that_it_is_recorded_as_it_came_alone() {
    let mut station = Station::open().await;
    station.making.settings.keeps_h264 = false;
    let station = recorded(station, 0..0).await;
    let list = std::fs::read_to_string(station.media().join("index.m3u8")).unwrap();
    assert!(!list.contains("180p"), "{list}");
}
