//! LL-HLS goes on and the recording is whole, whatever the publisher does. All of it at once: it takes its time, but little else.

use std::time::Duration;

use spillway_hls::{
    media::{Frame, Moment, VideoCodec},
    record::State,
};

use crate::{
    camera::{Camera, OFTEN},
    player::{Played, play},
    station::{Now, Station, count},
};

/// How soon LL-HLS is there again. Most of it isn't seen: what is played is older than that.
const RESUMES: Duration = Duration::from_secs(5);
/// A publisher that is off by an hour, in microseconds.
const HOUR: i64 = 3_600_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn ll_hls_goes_on_and_the_recording_is_whole() {
    let scenes = [
        tokio::spawn(its_size_and_its_codec_change_while_it_is_on()),
        tokio::spawn(its_video_pauses_and_its_sound_goes_on()),
        tokio::spawn(it_has_no_video_at_all()),
        tokio::spawn(its_first_picture_comes_after_its_sound()),
        tokio::spawn(it_is_silent_for_thirty_seconds_and_comes_back()),
        tokio::spawn(its_clock_is_set_by_an_hour()),
    ];
    // Each says by itself what is wrong.
    for scene in scenes {
        scene.await.unwrap();
    }
}

/// Pictures that are made beforehand, since encoding takes its time; `None` where the camera has a pause.
fn film(seconds: i64, mut shoot: impl FnMut(i64) -> Option<Frame>) -> Vec<Option<Frame>> {
    (0..seconds * 30).map(&mut shoot).collect()
}

fn shoot(camera: &mut Camera) -> Frame {
    camera.shoot(Moment(0))
}

fn with_sound(mut film: Vec<Option<Frame>>) -> impl FnMut(i64) -> Now + Send {
    move |i| Now {
        picture: film[i as usize].take(),
        sound: true,
        off: 0,
    }
}

/// The recording is well, and its file lasts about so long: a source's first second and its last picture may be missing.
async fn close(station: &mut Station, seconds: i64) -> Played {
    let over = station.close().await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
    let played = play(&station.media().join("video.mp4"));
    let least = seconds as f64 - 2.5;
    assert!(
        (least..seconds as f64 + 0.5).contains(&played.duration),
        "{} s of {seconds}",
        played.duration
    );
    played
}

/// No picture stands, and no sound is missing, for longer than a part.
fn check_gaps(played: &Played) {
    for (what, times) in [("pictures", &played.pictures), ("sound", &played.sounds)] {
        for pair in times.windows(2) {
            assert!(
                pair[1] - pair[0] < 0.25,
                "{what} between {} and {}",
                pair[0],
                pair[1]
            );
        }
    }
}

async fn its_size_and_its_codec_change_while_it_is_on() {
    let mut station = Station::open().await;
    let mut small = Camera::new(VideoCodec::Vp8, (320, 180), OFTEN);
    let mut large = Camera::new(VideoCodec::Vp8, (640, 360), OFTEN);
    let mut other = Camera::new(VideoCodec::H264, (640, 360), OFTEN);
    let mut other_small = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let film = film(16, |i| {
        Some(shoot(match i / 90 {
            0 => &mut large,
            1 => &mut small,
            3 => &mut other_small,
            _ => &mut other,
        }))
    });
    // Each begins with a keyframe, as publishers do it.
    let longest = station.air(16, "source", with_sound(film)).await;
    assert!(longest < RESUMES, "{longest:?}");
    let played = close(&mut station, 16).await;
    check_gaps(&played);
    // Encoded, passed through, encoded again: not one for each change.
    let (segments, discontinuities) = count(&station.media().join("source/index.m3u8"));
    assert!(
        segments >= 7 && discontinuities <= 3,
        "{segments}, {discontinuities}"
    );
}

async fn its_video_pauses_and_its_sound_goes_on() {
    let mut station = Station::open().await;
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let film = film(14, |i| {
        if (90..270).contains(&i) {
            return None;
        }
        camera.keyframe |= i == 270;
        Some(shoot(&mut camera))
    });
    let longest = station.air(14, "source", with_sound(film)).await;
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let played = close(&mut station, 14).await;
    check_gaps(&played);
}

async fn it_has_no_video_at_all() {
    let mut station = Station::open().await;
    let now = |_| Now {
        sound: true,
        ..Now::default()
    };
    let longest = station.air(8, "audio", now).await;
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let played = close(&mut station, 8).await;
    assert!(played.pictures.is_empty());
    check_gaps(&played);
    assert!(!station.media().join("poster.jpg").exists());
}

/// A camera that is switched on later: players begin where the pictures' playlist does, so it has black ones first.
async fn its_first_picture_comes_after_its_sound() {
    let mut station = Station::open().await;
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let film = film(12, |i| (i >= 150).then(|| shoot(&mut camera)));
    station.air(12, "audio", with_sound(film)).await;
    let played = close(&mut station, 12).await;
    assert!(played.pictures.len() > 150, "its own alone");
    let media = station.media();
    let list = std::fs::read_to_string(media.join("source/index.m3u8")).unwrap();
    assert!(!list.contains("#EXT-X-GAP"), "{list}");
    let counts = ["source", "audio"].map(|of| count(&media.join(of).join("index.m3u8")));
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0].1 >= 1, "the encoding changes: {list}");
    // Up to its own pictures: one for each segment, one behind the other.
    let (black, _) = list.split_once("#EXT-X-DISCONTINUITY").unwrap();
    let mut file = Vec::new();
    for line in black.lines() {
        let name = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
            Some(init) => init.trim_end_matches('"'),
            None if !line.starts_with('#') => line,
            None => continue,
        };
        file.extend(std::fs::read(media.join("source").join(name)).unwrap());
    }
    let path = station.folder.path().join("black.mp4");
    std::fs::write(&path, file).unwrap();
    let shown = play(&path);
    assert_eq!(shown.sizes, [(320, 180)]);
    // What comes in the middle of a segment is shown with the next.
    assert!((2..=5).contains(&shown.pictures.len()), "{shown:?}");
    assert!((4.0..8.5).contains(&shown.duration), "{}", shown.duration);
}

/// Nothing comes for a while, of picture nor sound: the network is gone, and comes back.
async fn it_is_silent_for_thirty_seconds_and_comes_back() {
    let mut station = Station::open().await;
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let silence = 90..990;
    let away = silence.clone();
    let mut film = film(38, |i| {
        if away.contains(&i) {
            return None;
        }
        camera.keyframe |= i == away.end;
        Some(shoot(&mut camera))
    });
    let now = move |i: i64| Now {
        picture: film[i as usize].take(),
        sound: !silence.contains(&i),
        off: 0,
    };
    let longest = station.air(38, "source", now).await;
    assert!(longest < RESUMES, "{longest:?}");
    let played = close(&mut station, 38).await;
    check_gaps(&played);
}

/// The clock by which frames tell their time is set, forward and back, and was wrong when it began.
async fn its_clock_is_set_by_an_hour() {
    let mut station = Station::open().await;
    let mut camera = Camera::new(VideoCodec::H264, (320, 180), OFTEN);
    let mut film = film(24, |_| Some(shoot(&mut camera)));
    let now = move |i: i64| Now {
        picture: film[i as usize].take(),
        sound: true,
        off: match i / 30 {
            6..12 => 0,
            12..18 => -HOUR,
            _ => HOUR,
        },
    };
    let longest = station.air(24, "source", now).await;
    assert!(longest < RESUMES, "{longest:?}");
    let played = close(&mut station, 24).await;
    check_gaps(&played);
}
