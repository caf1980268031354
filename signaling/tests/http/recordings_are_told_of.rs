//! The API of recordings and markers.

use serde_json::json;
use spillway_signaling::{RecordingState, api::model::Timestamp};

use crate::{
    client::{get, request},
    fake::channel,
    server::{Server, start},
};

const RECORDING: &str = "/api/v1/broadcasts/b1/recording";
const MARKERS: &str = "/api/v1/channels/demo/markers";

async fn live() -> Server {
    let server = start().await;
    let mut demo = channel("demo");
    demo.live_since = Some(Timestamp(1000));
    server.add(demo);
    server
}

#[tokio::test]
async fn a_sidecar_says_how_a_recording_goes() {
    let server = start().await;
    let report = json!({"state": "failed", "duration_ms": 1, "bytes": 2, "problem": "no space"});
    let put = |token: &str| request("PUT", RECORDING).token(token).json(&report);
    server.send(put("publish:demo")).await.problem(403);
    assert_eq!(server.send(put("service")).await.status, 204);
    let reported = server.recordings.reported();
    assert_eq!(reported.state, RecordingState::Failed);
    assert_eq!(reported.problem.as_deref(), Some("no space"));
    let elsewhere = request("PUT", "/api/v1/broadcasts/b2/recording").token("service");
    server.send(elsewhere.json(&report)).await.problem(404);
    for (bad, status) in [
        (json!({"state": "gone", "duration_ms": 1, "bytes": 2}), 422),
        (
            json!({"state": "ready", "duration_ms": -1, "bytes": 2}),
            422,
        ),
        (
            json!({"state": "ready", "duration_ms": 1, "bytes": 1_u64 << 60}),
            422,
        ),
        (
            json!({"state": "ready", "duration_ms": 1, "bytes": 2, "problem": "x".repeat(501)}),
            422,
        ),
    ] {
        let put = request("PUT", RECORDING).token("service");
        server.send(put.json(&bad)).await.problem(status);
    }
}

#[tokio::test]
async fn a_recording_is_described_with_its_addresses_once_it_is_ready() {
    let server = start().await;
    let shown = async || server.send(get("/api/v1/recordings/b1")).await;
    shown().await.problem(404);
    server.recordings.report(RecordingState::Recording);
    assert_eq!(
        shown().await.json(),
        json!({
            "broadcast": "b1", "channel": "demo", "title": "The first", "state": "recording",
            "started_at": "1970-01-01T00:00:01.000Z", "ended_at": "1970-01-01T00:00:02.000Z",
            "duration_ms": 1000, "bytes": 5000, "playlist": "/vod/b1/index.m3u8", "video": null,
            "poster": null, "storyboard": null, "chapters": null, "problem": null
        })
    );
    server.recordings.report(RecordingState::Ready);
    let ready = shown().await.json();
    assert_eq!(ready["video"], "/vod/b1/video.mp4");
    assert_eq!(ready["poster"], "/vod/b1/poster.jpg");
    assert_eq!(ready["storyboard"], "/vod/b1/storyboard.vtt");
    assert_eq!(ready["chapters"], "/vod/b1/chapters.vtt");
    let listed = server.send(get("/api/v1/channels/demo/recordings")).await;
    assert_eq!(listed.json(), json!({"items": [ready], "next": null}));
}

#[tokio::test]
async fn who_may_not_watch_a_channel_sees_no_recording_of_it() {
    let server = start().await;
    server.recordings.report(RecordingState::Ready);
    let mut demo = channel("demo");
    demo.settings.restricted_viewing = true;
    server.add(demo);
    for path in ["/api/v1/recordings/b1", "/api/v1/channels/demo/recordings"] {
        server.send(get(path)).await.problem(401);
        let viewer = get(path).token("view:demo");
        assert_eq!(server.send(viewer).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_went_wrong_is_told_to_the_owner() {
    let server = start().await;
    let report = json!({"state": "failed", "duration_ms": 1, "bytes": 2, "problem": "no space"});
    let put = request("PUT", RECORDING).token("service");
    server.send(put.json(&report)).await;
    let problem = async |token: &str| {
        let shown = get("/api/v1/recordings/b1").token(token);
        server.send(shown).await.json()["problem"].clone()
    };
    assert_eq!(problem("view:demo").await, json!(null));
    assert_eq!(problem("publish:demo").await, "no space");
}

#[tokio::test]
async fn an_administrator_deletes_a_recording_that_is_made() {
    let server = start().await;
    let delete = |token: &str| request("DELETE", RECORDING).token(token);
    server.send(delete("service")).await.problem(403);
    server.send(delete("admin")).await.problem(404);
    server.recordings.report(RecordingState::Finishing);
    server.send(delete("admin")).await.problem(409);
    server.recordings.report(RecordingState::Failed);
    assert_eq!(server.send(delete("admin")).await.status, 204);
    server.send(delete("admin")).await.problem(404);
}

#[tokio::test]
async fn markers_are_set_while_the_channel_is_live() {
    let server = live().await;
    let set = |token: &str, body| request("POST", MARKERS).token(token).json(&body);
    let at = "2026-01-01T00:00:01.500Z";
    let reply = server
        .send(set("publish:demo", json!({"title": "Song", "at": at})))
        .await;
    let marker = json!({"id": "m0", "at": at, "title": "Song"});
    assert_eq!((reply.status, reply.json()), (201, marker.clone()));
    let listed = get("/api/v1/broadcasts/b1/markers").token("service");
    assert_eq!(server.send(listed).await.json(), json!({"items": [marker]}));

    let viewer = set("view:demo", json!({"title": "Song"}));
    server.send(viewer).await.problem(403);
    for bad in [
        json!({"title": ""}),
        json!({"title": " "}),
        json!({"title": "two\nlines"}),
        json!({"title": "x".repeat(201)}),
        json!({"title": "Song", "at": "yesterday"}),
        json!({"title": "Song", "when": at}),
        json!({}),
    ] {
        server.send(set("admin", bad)).await.problem(422);
    }
    server.add(channel("demo"));
    let late = set("admin", json!({"title": "Song"}));
    server.send(late).await.problem(409);
}

#[tokio::test]
async fn markers_are_taken_out() {
    let server = live().await;
    let set = request("POST", MARKERS).token("publish:demo");
    server.send(set.json(&json!({"title": "Song"}))).await;
    let delete = |path: &str, token: &str| request("DELETE", path.to_owned()).token(token);
    let path = "/api/v1/broadcasts/b1/markers/m0";
    server.send(delete(path, "service")).await.problem(403);
    assert_eq!(server.send(delete(path, "publish:demo")).await.status, 204);
    server.send(delete(path, "publish:demo")).await.problem(404);
    let elsewhere = "/api/v1/broadcasts/b2/markers/m0";
    server.send(delete(elsewhere, "admin")).await.problem(404);
}
