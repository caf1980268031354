//! The multivariant playlist.

use std::time::{Duration, Instant};

use bytes::Bytes;
use spillway_hls::{
    media::{Sample, TrackConfig},
    origin::{Limits, Presentation, RenditionInfo, RenditionKind},
};

use crate::{
    broadcast::{Broadcast, FIRST, h264, picture, settings, video_info},
    server::{Server, attribute, lines},
};

#[tokio::test]
async fn it_lists_video_with_the_sound_beside_it_and_sound_alone() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(3);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("index.m3u8").await;
    assert!(playlist.contains("#EXT-X-INDEPENDENT-SEGMENTS\n"));
    assert_eq!(
        lines(&playlist, "#EXT-X-MEDIA:"),
        [
            "TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio/index.m3u8\""
        ]
    );
    let streams = lines(&playlist, "#EXT-X-STREAM-INF:");
    let [video, audio] = streams[..] else {
        panic!("{playlist}")
    };
    assert_eq!(attribute(video, "CODECS"), Some("avc1.64001F,mp4a.40.2"));
    assert_eq!(attribute(video, "RESOLUTION"), Some("1280x720"));
    assert_eq!(attribute(video, "FRAME-RATE"), Some("30.000"));
    for stream in [video, audio] {
        assert_eq!(attribute(stream, "CLOSED-CAPTIONS"), Some("NONE"));
    }
    assert_eq!(attribute(video, "AUDIO"), Some("audio"));
    assert_eq!(attribute(audio, "CODECS"), Some("mp4a.40.2"));
    assert_eq!(attribute(audio, "AUDIO"), Some("audio"));
    assert!(attribute(audio, "RESOLUTION").is_none());
    assert!(playlist.contains("\n720p/index.m3u8\n") && playlist.contains("\naudio/index.m3u8\n"));
}

#[tokio::test]
async fn sound_in_opus_is_a_group_of_its_own_behind_that_in_aac() {
    let mut broadcast = Broadcast::new();
    let mut opus = broadcast
        .presentation
        .add_rendition(RenditionInfo {
            name: "opus".into(),
            kind: RenditionKind::Audio,
            timescale: 48_000,
        })
        .unwrap();
    opus.start(TrackConfig::Opus {
        sample_rate: 48_000,
        channels: 2,
    })
    .unwrap();
    broadcast.push_seconds(3);
    for number in 0..3 {
        opus.begin_segment(FIRST + number, number * 30).unwrap();
    }
    for packet in 0..150 {
        opus.push(Sample {
            data: Bytes::from_static(&[0xfc, 0xff, 0xfe]),
            time: packet * 960,
            duration: 960,
            keyframe: true,
        })
        .unwrap();
    }
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("index.m3u8").await;
    let groups: Vec<_> = lines(&playlist, "#EXT-X-MEDIA:")
        .into_iter()
        .map(|line| (attribute(line, "GROUP-ID"), attribute(line, "DEFAULT")))
        .collect();
    let expected = [(Some("audio"), Some("YES")), (Some("opus"), Some("YES"))];
    assert_eq!(groups, expected);
    let streams: Vec<_> = lines(&playlist, "#EXT-X-STREAM-INF:")
        .into_iter()
        .map(|line| (attribute(line, "CODECS"), attribute(line, "AUDIO")))
        .collect();
    assert_eq!(
        streams,
        [
            (Some("avc1.64001F,mp4a.40.2"), Some("audio")),
            (Some("avc1.64001F,opus"), Some("opus")),
            (Some("mp4a.40.2"), Some("audio")),
            (Some("opus"), Some("opus")),
        ]
    );
    let manifest = server.text("manifest.mpd").await;
    let sets = manifest.matches("<AdaptationSet").count();
    assert_eq!(sets, 3, "{manifest}");
    assert!(manifest.contains("codecs=\"opus\" audioSamplingRate=\"48000\""));
    let media = server.text("opus/index.m3u8").await;
    assert!(
        media.contains("#EXT-X-PART-INF:PART-TARGET=0.200000\n"),
        "{media}"
    );
}

#[tokio::test]
async fn bandwidth_is_measured_with_the_sound_added() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(10);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("index.m3u8").await;
    let streams = lines(&playlist, "#EXT-X-STREAM-INF:");
    let measured =
        |name: &'static str| attribute(streams[0], name).unwrap().parse::<u64>().unwrap();
    let (mut peak, mut average) = (0, 0);
    for rendition in ["720p", "audio"] {
        let mut sizes = Vec::new();
        for segment in FIRST..FIRST + 10 {
            sizes.push(
                server
                    .bytes(&format!("{rendition}/{segment}.m4s"))
                    .await
                    .len() as u64,
            );
        }
        peak += sizes.iter().max().unwrap() * 8;
        average += sizes.iter().sum::<u64>() * 8 / 10;
    }
    // A segment of sound is up to a frame of 21 ms longer or shorter than a second.
    for (name, expected) in [("BANDWIDTH", peak), ("AVERAGE-BANDWIDTH", average)] {
        let ratio = measured(name) as f64 / expected as f64;
        assert!((ratio - 1.0).abs() < 0.03, "{name}: {ratio}");
    }
    assert!(measured("BANDWIDTH") > measured("AVERAGE-BANDWIDTH"));
}

#[tokio::test]
async fn renditions_come_and_go_while_live() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    let mut small = broadcast
        .presentation
        .add_rendition(video_info("360p"))
        .unwrap();
    small.start(h264(640, 360)).unwrap();
    small.begin_segment(FIRST + 2, 60).unwrap();
    small.begin_segment(FIRST + 3, 90).unwrap();
    assert!(
        !server.text("index.m3u8").await.contains("360p"),
        "it has no segment yet"
    );
    for frame in 55..90 {
        small.push(picture(frame, frame == 60)).unwrap();
    }
    assert!(
        server
            .text("index.m3u8")
            .await
            .contains("\n360p/index.m3u8\n")
    );
    let playlist = server.text("360p/index.m3u8").await;
    assert_eq!(lines(&playlist, "#EXT-X-MEDIA-SEQUENCE:"), ["1002"]);
    let waiting = server.start("360p/index.m3u8?_HLS_msn=1003&_HLS_part=0");
    tokio::time::sleep(Duration::from_millis(100)).await;
    small.remove();
    assert_eq!(waiting.await.unwrap().0, 404);
    assert!(!server.text("index.m3u8").await.contains("360p"));
    for path in ["360p/index.m3u8", "360p/1002.m4s", "360p/init-1002.mp4"] {
        assert_eq!(server.status(path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn a_channel_that_has_just_begun_is_waited_for() {
    let mut broadcast = Broadcast::new();
    broadcast.push(20);
    let server = Server::with(&broadcast.presentation).await;
    let waiting =
        ["index.m3u8", "720p/index.m3u8", "audio/index.m3u8"].map(|path| server.start(path));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(waiting.iter().all(|request| !request.is_finished()));
    broadcast.push(10);
    for request in waiting {
        let (status, playlist) = request.await.unwrap();
        assert_eq!(status, 200);
        assert!(playlist.contains("#EXT-X"));
    }
}

#[tokio::test]
async fn a_channel_that_doesnt_get_going_is_503_and_never_an_empty_playlist() {
    let presentation = Presentation::new(settings()).unwrap();
    let limits = Limits {
        start_wait: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::limited(limits).await;
    server.origin.publish("demo", &presentation).unwrap();
    let _writer = presentation.add_rendition(video_info("720p")).unwrap();
    for path in [
        "index.m3u8",
        "plain.m3u8",
        "720p/index.m3u8",
        "720p/plain.m3u8",
    ] {
        let began = Instant::now();
        assert_eq!(server.status(path).await, 503, "{path}");
        assert!(began.elapsed() >= Duration::from_millis(300));
    }
}

#[tokio::test]
async fn what_is_unknown_is_404() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    for path in [
        "nothing",
        "480p/index.m3u8",
        "720p/init-1001.mp4",
        "720p/5.m4s",
        "720p/1000-1000.m4s",
        "720p/x",
    ] {
        assert_eq!(server.status(path).await, 404, "{path}");
    }
    let other = format!("http://{}/hls/other/index.m3u8", server.address);
    assert_eq!(server.client.get(other).send().await.unwrap().status(), 404);
}
