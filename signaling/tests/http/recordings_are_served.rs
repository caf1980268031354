//! `/vod/{broadcast}/…`: from the storage, in parts, for those who may.

use spillway_signaling::{RecordingState, Refusal, api::model::ChannelSettings};

use crate::{
    client::{Reply, Request, get, request},
    fake::channel,
    fake_recordings::SIGNATURE,
    server::{Server, start},
};

const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const VIDEO: &str = "/vod/b1/video.mp4";

/// A recording that is ready, with some objects.
async fn with_recording() -> Server {
    let server = start().await;
    server.recordings.report(RecordingState::Ready);
    for (path, text) in [
        ("index.m3u8", "#EXTM3U\n"),
        ("720p/index.m3u8", "#EXTM3U\n"),
        ("720p/7.m4s", "segment"),
        ("video.mp4", "0123456789"),
        ("recording.json", "{}"),
    ] {
        server.recordings.put(path, text.as_bytes());
    }
    server
}

fn restrict(server: &Server) {
    let mut demo = channel("demo");
    demo.settings = ChannelSettings {
        restricted_viewing: true,
        ..ChannelSettings::default()
    };
    server.add(demo);
}

async fn ask(server: &Server, headers: &[(&str, &str)]) -> Reply {
    let asking = |asking: Request, (name, value): &(&str, &str)| asking.header(name, value);
    let asking = headers.iter().fold(get(VIDEO), asking);
    server.send(asking).await
}

#[tokio::test]
async fn an_object_comes_with_its_type_and_its_tag() {
    let server = with_recording().await;
    for (path, content_type, body) in [
        ("index.m3u8", "application/vnd.apple.mpegurl", "#EXTM3U\n"),
        ("720p/7.m4s", "video/iso.segment", "segment"),
        ("video.mp4", "video/mp4", "0123456789"),
    ] {
        let asking = get(format!("/vod/b1/{path}")).header("Origin", "https://x.example");
        let reply = server.send(asking).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, body), "{path}");
        assert_eq!(reply.get("content-type"), content_type);
        assert_eq!(reply.get("content-length"), body.len().to_string());
        assert_eq!(reply.get("etag"), "\"v1\"");
        assert_eq!(reply.get("last-modified"), MODIFIED);
        assert_eq!(reply.get("accept-ranges"), "bytes");
        assert_eq!(reply.get("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn media_is_kept_for_good_and_what_grows_is_not() {
    let server = with_recording().await;
    let cached = async |path: &str| {
        let reply = server.send(get(format!("/vod/b1/{path}"))).await;
        reply.get("cache-control").to_owned()
    };
    let for_good = "public, max-age=31536000, immutable";
    assert_eq!(cached("720p/7.m4s").await, for_good);
    assert_eq!(cached("720p/index.m3u8").await, "public, max-age=3600");
    server.recordings.report(RecordingState::Recording);
    assert_eq!(cached("720p/7.m4s").await, for_good);
    assert_eq!(cached("720p/index.m3u8").await, "no-cache");
}

#[tokio::test]
async fn a_look_gets_the_head_alone() {
    let server = with_recording().await;
    let look = request("HEAD", VIDEO).header("Range", "bytes=0-1");
    let reply = server.send(look).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.get("content-length"), "10");
    assert_eq!(reply.get("etag"), "\"v1\"");
}

#[tokio::test]
async fn parts_are_sent_as_parts() {
    let server = with_recording().await;
    for (range, there, body) in [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=8-", "bytes 8-9/10", "89"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=0-", "bytes 0-9/10", "0123456789"),
    ] {
        let reply = ask(&server, &[("Range", range)]).await;
        assert_eq!((reply.status, reply.body.as_str()), (206, body), "{range}");
        assert_eq!(reply.get("content-range"), there);
        assert_eq!(reply.get("content-length"), body.len().to_string());
    }
    for several in ["bytes=0-1,4-5", "lines=1-2", "bytes=5-1"] {
        let reply = ask(&server, &[("Range", several)]).await;
        assert_eq!(reply.status, 200, "{several}");
    }
    for beyond in ["bytes=10-", "bytes=99-100"] {
        let reply = ask(&server, &[("Range", beyond)]).await;
        reply.problem(416);
        assert_eq!(reply.get("content-range"), "bytes */10");
    }
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let server = with_recording().await;
    for known in [
        ("If-None-Match", "\"v1\""),
        ("If-None-Match", "W/\"v1\", \"x\""),
        ("If-Modified-Since", MODIFIED),
    ] {
        let reply = ask(&server, &[known]).await;
        assert_eq!((reply.status, reply.body.as_str()), (304, ""), "{known:?}");
        assert_eq!(reply.get("etag"), "\"v1\"");
        assert_eq!(reply.get("cache-control"), "public, max-age=3600");
    }
    let reply = ask(&server, &[("If-None-Match", "\"v0\"")]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_part_of_what_has_changed_is_the_whole() {
    let server = with_recording().await;
    let part = |tag| [("Range", "bytes=0-3"), ("If-Range", tag)];
    assert_eq!(ask(&server, &part("\"v1\"")).await.status, 206);
    server.recordings.put("video.mp4", b"abcdefghijkl");
    let reply = ask(&server, &part("\"v1\"")).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "abcdefghijkl"));
    assert_eq!(reply.get("etag"), "\"v2\"");
    let reply = ask(&server, &[("If-Match", "\"v1\"")]).await;
    reply.problem(412);
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be() {
    let server = with_recording().await;
    for path in [
        "/vod/b2/index.m3u8",
        "/vod/b1/poster.jpg",
        "/vod/b1/recording.json",
        "/vod/b1/720p/8.m4s",
        "/vod/b1/../b1/index.m3u8",
        "/vod/b1/%2e%2e/b1/index.m3u8",
        "/vod/b1/720p%2f7.m4s",
        "/vod/a%20b/index.m3u8",
    ] {
        let reply = server.send(get(path)).await;
        reply.problem(404);
        assert_eq!(reply.get("cache-control"), "no-store", "{path}");
    }
    server.send(request("PUT", VIDEO)).await.problem(405);
}

#[tokio::test]
async fn a_storage_that_fails_is_told_of() {
    let server = with_recording().await;
    let broken = Refusal::Broken("the storage failed".into());
    server.recordings.refuse_reading(broken);
    let reply = server.send(get(VIDEO)).await;
    assert!(reply.problem(502).contains("storage"));
    assert_eq!(reply.get("retry-after"), "5");
    assert_eq!(reply.get("cache-control"), "no-store");
}

#[tokio::test]
async fn a_token_for_a_restricted_channel_is_exchanged_for_a_signed_address() {
    let server = with_recording().await;
    restrict(&server);
    server.send(get(VIDEO)).await.problem(401);
    let other = get(VIDEO).token("view:other");
    server.send(other).await.problem(403);
    for asking in [
        get(VIDEO).token("view:demo"),
        get(format!("{VIDEO}?token=view%3Ademo")),
    ] {
        let reply = server.send(asking).await;
        assert_eq!(reply.status, 307);
        assert_eq!(reply.get("location"), format!("/signed/{SIGNATURE}{VIDEO}"));
        assert_eq!(reply.get("cache-control"), "no-store");
        let signed = server.send(get(reply.get("location"))).await;
        assert_eq!((signed.status, signed.body.as_str()), (200, "0123456789"));
        assert_eq!(signed.get("cache-control"), "public, max-age=3600");
    }
    for forged in ["1-forged", "1", "x-sound", "1-s%6Fund"] {
        let reply = server.send(get(format!("/signed/{forged}{VIDEO}"))).await;
        reply.problem(403);
    }
}
