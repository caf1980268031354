//! The manifest of DASH.

use std::time::{Duration, SystemTime};

use spillway_hls::media::Rate;

use crate::{
    broadcast::{Broadcast, aac, h264, settings, video_info},
    ffmpeg::{decoded, ffmpeg},
    players::{AUDIO_FRAMES, present},
    server::{Server, header},
};

/// The values of an attribute, in order.
fn values<'a>(manifest: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    let after = manifest.split(start.as_str()).skip(1);
    after.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn the_manifest_lists_the_segments_of_the_playlists_with_the_one_that_is_made() {
    let mut broadcast = Broadcast::new();
    broadcast.push(60 + 6);
    let server = Server::with(&broadcast.presentation).await;
    let response = server.get("manifest.mpd").await;
    assert_eq!(
        header(&response, "content-type"),
        Some("application/dash+xml")
    );
    assert_eq!(header(&response, "cache-control"), Some("no-cache"));
    let manifest = response.text().await.unwrap();
    assert_eq!(
        values(&manifest, "availabilityStartTime"),
        ["2026-01-01T00:00:00.000Z"]
    );
    assert_eq!(
        values(&manifest, "initialization"),
        ["720p/init-1000.mp4", "audio/init-1000.mp4"]
    );
    assert_eq!(values(&manifest, "startNumber"), ["1000", "1000"]);
    assert_eq!(values(&manifest, "presentationTimeOffset"), ["0", "0"]);
    assert_eq!(values(&manifest, "codecs"), ["avc1.64001F", "mp4a.40.2"]);
    assert_eq!(values(&manifest, "availabilityTimeComplete"), ["false"; 2]);
    // A second less a fifth.
    assert_eq!(values(&manifest, "availabilityTimeOffset"), ["0.800000"; 2]);
    // Of pictures all three are a second; the third isn't whole, but where it ends was announced.
    assert!(
        manifest.contains("<SegmentTimeline><S t=\"0\" d=\"90000\" r=\"2\"/></SegmentTimeline>"),
        "{manifest}"
    );
    for name in ["720p", "audio"] {
        for file in ["init-1000.mp4", "1000.m4s", "1001.m4s", "1002.m4s"] {
            assert_eq!(server.status(&format!("{name}/{file}")).await, 200);
        }
    }
}

#[tokio::test]
async fn a_discontinuity_begins_a_period_that_keeps_its_beginning() {
    let mut short = settings();
    short.window = Duration::from_secs(6);
    let mut broadcast = Broadcast::with(short, 1000);
    broadcast.push_seconds(1);
    // Segment 1002 is announced, and begins a new encoding.
    broadcast.push(6);
    broadcast.video.start(h264(640, 360)).unwrap();
    broadcast.audio.start(aac()).unwrap();
    broadcast.push(24);
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    let manifest = server.text("manifest.mpd").await;
    assert_eq!(
        values(&manifest, "start"),
        ["PT0.000000S", "PT2.000000S"],
        "{manifest}"
    );
    assert_eq!(
        values(&manifest, "presentationTimeOffset"),
        ["0", "0", "180000", "96000"]
    );
    assert_eq!(values(&manifest, "height"), ["720", "360"]);
    assert_eq!(values(&manifest, "initialization")[2], "720p/init-1002.mp4");
    broadcast.push_seconds(12);
    let manifest = server.text("manifest.mpd").await;
    assert_eq!(values(&manifest, "start"), ["PT2.000000S"], "{manifest}");
    assert_eq!(
        values(&manifest, "presentationTimeOffset"),
        ["180000", "96000"]
    );
    let first: u64 = values(&manifest, "startNumber")[0].parse().unwrap();
    assert!(first > 1002, "{first}");
    let time: u64 = values(&manifest, "t")[0].parse().unwrap();
    assert_eq!(time, (first - 1000) * 90_000);
}

#[tokio::test]
async fn what_is_made_on_demand_isnt_in_it() {
    let mut broadcast = Broadcast::new();
    let info = video_info("360p");
    let mut small = broadcast.presentation.add_rendition(info).unwrap();
    small.expect(h264(640, 360), 800_000);
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    let manifest = server.text("manifest.mpd").await;
    assert_eq!(
        values(&manifest, "bandwidth").len(),
        2,
        "sound and the best pictures: {manifest}"
    );
    assert!(!manifest.contains("360p"));
}

#[tokio::test]
async fn an_ended_manifest_has_a_duration_and_isnt_updated() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(3);
    let server = Server::with(&broadcast.presentation).await;
    let live = server.text("manifest.mpd").await;
    assert_eq!(values(&live, "type"), ["dynamic"]);
    assert_eq!(values(&live, "minimumUpdatePeriod"), ["PT0.500000S"]);
    assert!(values(&live, "mediaPresentationDuration").is_empty());
    broadcast.finish();
    let ended = server.text("manifest.mpd").await;
    assert_eq!(values(&ended, "type"), ["static"]);
    assert!(values(&ended, "minimumUpdatePeriod").is_empty());
    // Sound ends with its last frame.
    assert_eq!(
        values(&ended, "mediaPresentationDuration"),
        ["PT3.008000S"],
        "{ended}"
    );
}

#[tokio::test]
async fn it_is_waited_for_until_there_is_a_segment_of_each() {
    let mut broadcast = Broadcast::new();
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("manifest.mpd");
    broadcast.push_seconds(2);
    let (status, manifest) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(values(&manifest, "bandwidth").len(), 2);
    assert_eq!(server.status("../other/manifest.mpd").await, 404);
}

#[tokio::test]
async fn what_time_it_is_can_be_asked_for() {
    let broadcast = Broadcast::new();
    let server = Server::with(&broadcast.presentation).await;
    let response = server.get("time").await;
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    let told = humantime::parse_rfc3339(&response.text().await.unwrap()).unwrap();
    assert!(told.elapsed().unwrap() < Duration::from_secs(10));
    assert!(told <= SystemTime::now());
    assert_eq!(server.status("../other/time").await, 404);
}

#[tokio::test]
async fn ffmpeg_decodes_every_frame_of_it() {
    let ffmpeg = ffmpeg();
    let rate = Rate {
        numerator: 30,
        denominator: 1,
    };
    let (presentation, pictures) = present(&ffmpeg, rate);
    let server = Server::with(&presentation).await;
    let url = server.url("manifest.mpd");
    assert_eq!(decoded(ffmpeg, url).await, pictures + AUDIO_FRAMES as usize);
}
