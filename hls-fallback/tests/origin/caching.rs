//! Caching, compression, CORS.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;

use crate::{
    broadcast::Broadcast,
    server::{Server, header},
};

async fn live() -> (Broadcast, Server) {
    let mut broadcast = Broadcast::new();
    broadcast.push(60 + 6);
    let server = Server::with(&broadcast.presentation).await;
    (broadcast, server)
}

#[tokio::test]
async fn each_kind_of_answer_says_how_long_it_may_be_kept() {
    let (broadcast, server) = live().await;
    for (path, kind, caching) in [
        ("index.m3u8", "application/vnd.apple.mpegurl", "no-cache"),
        (
            "720p/index.m3u8",
            "application/vnd.apple.mpegurl",
            "no-cache",
        ),
        (
            "720p/index.m3u8?_HLS_msn=1001",
            "application/vnd.apple.mpegurl",
            "public, max-age=6",
        ),
        (
            "720p/init-1000.mp4",
            "video/mp4",
            "public, max-age=31536000, immutable",
        ),
        (
            "720p/1000.m4s",
            "video/mp4",
            "public, max-age=31536000, immutable",
        ),
        (
            "720p/1002.0.m4s",
            "video/mp4",
            "public, max-age=31536000, immutable",
        ),
        (
            "audio/1000.m4s",
            "audio/mp4",
            "public, max-age=31536000, immutable",
        ),
        ("720p/2000.m4s", "text/plain; charset=utf-8", "no-cache"),
    ] {
        let response = server.get(path).await;
        assert_eq!(header(&response, "content-type"), Some(kind), "{path}");
        assert_eq!(header(&response, "cache-control"), Some(caching), "{path}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
    }
    broadcast.finish();
    for path in [
        "index.m3u8",
        "720p/index.m3u8",
        "720p/index.m3u8?_HLS_msn=1001",
    ] {
        let response = server.get(path).await;
        assert_eq!(
            header(&response, "cache-control"),
            Some("public, max-age=10"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn playlists_are_compressed_for_those_who_accept_it() {
    let (_broadcast, server) = live().await;
    let plain = server.get("720p/index.m3u8").await;
    assert_eq!(header(&plain, "vary"), Some("accept-encoding"));
    assert_eq!(header(&plain, "content-encoding"), None);
    let text = plain.text().await.unwrap();
    let response = server
        .request("720p/index.m3u8")
        .header("accept-encoding", "gzip, br")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-encoding"), Some("gzip"));
    assert_eq!(header(&response, "vary"), Some("accept-encoding"));
    let body = response.bytes().await.unwrap();
    let mut unpacked = String::new();
    GzDecoder::new(&body[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, text);
    assert!(body.len() * 2 < text.len());
}

#[tokio::test]
async fn who_has_the_playlist_already_gets_304_until_it_changes() {
    let (mut broadcast, server) = live().await;
    let first = server.get("720p/index.m3u8").await;
    let tag = header(&first, "etag").unwrap().to_owned();
    let again = || {
        server
            .request("720p/index.m3u8")
            .header("if-none-match", &tag)
            .send()
    };
    let second = again().await.unwrap();
    assert_eq!(second.status(), 304);
    assert_eq!(header(&second, "etag"), Some(tag.as_str()));
    broadcast.push(6);
    assert_eq!(again().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_delta_has_another_entity_tag_than_the_whole() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(10);
    let server = Server::with(&broadcast.presentation).await;
    let full = server.get("720p/index.m3u8").await;
    let delta = server.get("720p/index.m3u8?_HLS_skip=YES").await;
    assert_ne!(header(&full, "etag"), header(&delta, "etag"));
}

#[tokio::test]
async fn head_says_what_get_would_and_sends_nothing() {
    let (_broadcast, server) = live().await;
    for path in ["720p/index.m3u8", "720p/1000.m4s", "720p/init-1000.mp4"] {
        let whole = server.bytes(path).await.len();
        let response = server.client.head(server.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            header(&response, "content-length"),
            Some(whole.to_string().as_str()),
            "{path}"
        );
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn media_is_sent_in_ranges_on_demand() {
    let (_broadcast, server) = live().await;
    let whole = server.bytes("720p/1000.m4s").await;
    let ranged = |range: &str| {
        server
            .request("720p/1000.m4s")
            .header("range", range)
            .send()
    };
    let response = ranged("bytes=10-19").await.unwrap();
    assert_eq!(response.status(), 206);
    let range = format!("bytes 10-19/{}", whole.len());
    assert_eq!(header(&response, "content-range"), Some(range.as_str()));
    assert_eq!(response.bytes().await.unwrap(), whole[10..20]);
    let response = ranged("bytes=99999999-").await.unwrap();
    assert_eq!(response.status(), 416);
}

#[tokio::test]
async fn pages_of_other_origins_may_ask() {
    let (_broadcast, server) = live().await;
    let response = server
        .client
        .request(Method::OPTIONS, server.url("720p/1000.m4s"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(
        header(&response, "access-control-allow-methods"),
        Some("GET, HEAD, OPTIONS")
    );
    let response = server
        .client
        .post(server.url("720p/1000.m4s"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let (_broadcast, server) = live().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let response = client
        .get(server.url("720p/1000.m4s"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, reqwest::Version::HTTP_2)
    );
}
