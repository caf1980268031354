//! Renditions that are made while somebody asks for them.

use std::time::Duration;

use spillway_hls::origin::{Limits, RenditionWriter};

use crate::{
    broadcast::{Broadcast, FIRST, h264, picture, video_info},
    server::{Server, attribute, lines},
};

/// A broadcast of three segments, and a rendition that isn't made.
async fn broadcast() -> (Broadcast, RenditionWriter, Server) {
    let mut broadcast = Broadcast::new();
    let presentation = broadcast.presentation.clone();
    let mut below = presentation.add_rendition(video_info("360p")).unwrap();
    below.expect(h264(640, 360), 700_000);
    broadcast.push_seconds(3);
    let limits = Limits {
        start_wait: Duration::from_millis(800),
        ..Limits::default()
    };
    let server = Server::limited(limits).await;
    server.origin.publish("demo", &presentation).unwrap();
    (broadcast, below, server)
}

/// The rendition's pictures of a segment.
fn make(below: &mut RenditionWriter, segment: u64) {
    let first = (segment - FIRST) * 30;
    below.begin_segment(segment + 1, first + 30).unwrap();
    for frame in first..first + 30 {
        below.push(picture(frame, frame == first)).unwrap();
    }
}

#[tokio::test]
async fn they_are_listed_before_they_are_made() {
    let (broadcast, below, server) = broadcast().await;
    let playlist = server.text("index.m3u8").await;
    let streams = lines(&playlist, "#EXT-X-STREAM-INF:");
    assert_eq!(streams.len(), 3, "{playlist}");
    assert_eq!(attribute(streams[1], "RESOLUTION"), Some("640x360"));
    assert_eq!(
        attribute(streams[1], "CODECS"),
        Some("avc1.64001F,mp4a.40.2")
    );
    let average = attribute(streams[1], "AVERAGE-BANDWIDTH").unwrap();
    let average: u64 = average.parse().unwrap();
    assert!((700_000..900_000).contains(&average), "{average}");
    // What is over has only what there is.
    drop(broadcast.finish());
    below.finish().unwrap();
    let playlist = server.text("index.m3u8").await;
    assert!(!playlist.contains("360p"), "{playlist}");
}

#[tokio::test]
async fn who_asks_waits_until_there_is_a_whole_segment() {
    let (broadcast, mut below, server) = broadcast().await;
    let demand = || broadcast.presentation.demand("360p");
    assert_eq!(demand().idle, None);
    assert_eq!(server.status("360p/index.m3u8").await, 503);
    assert_eq!(demand().requests, 1);
    assert!(demand().idle.unwrap() >= Duration::from_millis(700));
    assert_eq!(broadcast.presentation.demand("720p").requests, 0);

    let waiting = server.start("360p/index.m3u8");
    tokio::time::sleep(Duration::from_millis(100)).await;
    below.start(h264(640, 360)).unwrap();
    below.begin_segment(FIRST + 1, 30).unwrap();
    make(&mut below, FIRST + 1);
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(lines(&playlist, "#EXT-X-MEDIA-SEQUENCE:"), ["1001"]);
    assert!(!playlist.contains("DISCONTINUITY\n"), "{playlist}");
}

/// Its first segment is several of the others: players that know no LL-HLS don't ask again.
#[tokio::test]
async fn who_asks_for_the_plain_one_waits_until_there_is_a_row() {
    let (_broadcast, mut below, server) = broadcast().await;
    let waiting = server.start("360p/plain.m3u8");
    below.start(h264(640, 360)).unwrap();
    below.begin_segment(FIRST, 0).unwrap();
    make(&mut below, FIRST);
    // Longer than for the other playlist.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for segment in FIRST + 1..FIRST + 6 {
        make(&mut below, segment);
    }
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(status, 200, "{playlist}");
    assert!(playlist.contains(".m4s"), "{playlist}");
}

#[tokio::test]
async fn one_that_rests_begins_anew_and_one_that_is_withheld_is_unknown() {
    let (_broadcast, mut below, server) = broadcast().await;
    below.start(h264(640, 360)).unwrap();
    below.begin_segment(FIRST, 0).unwrap();
    make(&mut below, FIRST);
    below.rest(true);
    let playlist = server.text("index.m3u8").await;
    assert!(playlist.contains("\n360p/index.m3u8\n"));
    assert_eq!(server.status("360p/index.m3u8").await, 503);
    assert_eq!(server.status("360p/1000.m4s").await, 404);

    below.start(h264(640, 360)).unwrap();
    below.begin_segment(FIRST + 2, 60).unwrap();
    make(&mut below, FIRST + 2);
    let playlist = server.text("360p/index.m3u8").await;
    assert_eq!(lines(&playlist, "#EXT-X-MEDIA-SEQUENCE:"), ["1002"]);
    assert_eq!(lines(&playlist, "#EXT-X-MAP:"), ["URI=\"init-1002.mp4\""]);

    let waiting = server.start("360p/index.m3u8?_HLS_msn=1003&_HLS_part=0");
    tokio::time::sleep(Duration::from_millis(100)).await;
    below.rest(false);
    assert_eq!(waiting.await.unwrap().0, 404);
    assert_eq!(server.status("360p/index.m3u8").await, 404);
    assert!(!server.text("index.m3u8").await.contains("360p"));
    below.rest(true);
    assert!(server.text("index.m3u8").await.contains("360p"));
}
