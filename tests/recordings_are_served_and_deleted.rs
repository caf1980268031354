//! A recording in a real server's storage: served at its address, by a signed one, and deleted.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::{Client, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use support::{Server, output_of, spillway};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose demo is on air and said to be recorded.
struct Recorded {
    server: Server,
    admin: String,
    broadcast: String,
}

impl Recorded {
    async fn start() -> Self {
        let server = Server::start(&["--demo"]);
        let admin = server.token(&["admin"]);
        let mut recorded = Self {
            server,
            admin,
            broadcast: String::new(),
        };
        let deadline = Instant::now() + PATIENCE;
        while recorded.broadcast.is_empty() {
            assert!(Instant::now() < deadline, "the demo isn't on air");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let listed = recorded.get("/api/v1/broadcasts").await;
            let listed: Value = listed.json().await.unwrap();
            let id = listed["items"][0]["id"].as_str();
            id.unwrap_or_default().clone_into(&mut recorded.broadcast);
        }
        recorded
    }

    fn client() -> Client {
        Client::builder().redirect(Policy::none()).build().unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        let request = Self::client().get(self.server.url(path));
        request.bearer_auth(&self.admin).send().await.unwrap()
    }

    async fn get_as_nobody(&self, path: &str) -> Response {
        let request = Self::client().get(self.server.url(path));
        request.send().await.unwrap()
    }

    async fn report(&self, state: &str) -> StatusCode {
        let path = format!("/api/v1/broadcasts/{}/recording", self.broadcast);
        let report = json!({"state": state, "duration_ms": 1000, "bytes": 10});
        let request = Self::client().put(self.server.url(&path));
        let request = request.bearer_auth(&self.admin).json(&report);
        request.send().await.unwrap().status()
    }

    fn media(&self) -> PathBuf {
        self.server.data_dir.join("media/vod").join(&self.broadcast)
    }

    fn write(&self, object: &str, text: &str) {
        let path = self.media().join(object);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[tokio::test]
async fn it_is_served_in_parts_and_by_a_signed_address_until_it_is_deleted() {
    let recorded = Recorded::start().await;
    let broadcast = &recorded.broadcast;
    recorded.write("index.m3u8", "#EXTM3U\n");
    recorded.write("video.mp4", "0123456789");
    let playlist = format!("/vod/{broadcast}/index.m3u8");
    let unknown = recorded.get_as_nobody(&playlist).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(recorded.report("ready").await, StatusCode::NO_CONTENT);

    let served = recorded.get_as_nobody(&playlist).await;
    assert_eq!(served.status(), StatusCode::OK);
    assert_eq!(served.text().await.unwrap(), "#EXTM3U\n");
    let video = recorded.server.url(&format!("/vod/{broadcast}/video.mp4"));
    let part = Client::new().get(&video).header("Range", "bytes=2-4");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await.unwrap(), "234");

    let restrict = Recorded::client()
        .patch(recorded.server.url("/api/v1/channels/demo"))
        .bearer_auth(&recorded.admin)
        .json(&json!({"settings": {"restricted_viewing": true}}));
    assert!(restrict.send().await.unwrap().status().is_success());
    let stranger = recorded.get_as_nobody(&playlist).await;
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let token = recorded.server.token(&["view", "demo"]);
    let moved = recorded
        .get_as_nobody(&format!("{playlist}?token={token}"))
        .await;
    assert_eq!(moved.status(), StatusCode::TEMPORARY_REDIRECT);
    let signed = moved.headers()["location"].to_str().unwrap().to_owned();
    assert!(signed.starts_with("/signed/") && signed.ends_with(&playlist));
    assert_eq!(
        recorded.get_as_nobody(&signed).await.status(),
        StatusCode::OK
    );
    let beside = signed.replace("index.m3u8", "video.mp4");
    assert_eq!(
        recorded.get_as_nobody(&beside).await.status(),
        StatusCode::OK
    );
    let elsewhere = signed.replace(broadcast.as_str(), "0123456789abcdef");
    assert_ne!(
        recorded.get_as_nobody(&elsewhere).await.status(),
        StatusCode::OK
    );

    let metrics = recorded.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("spillway_recordings{state=\"ready\"} 1"));
    assert!(
        metrics.contains("spillway_recordings_bytes 10"),
        "{metrics}"
    );

    let path = format!("/api/v1/broadcasts/{broadcast}/recording");
    let delete = Recorded::client().delete(recorded.server.url(&path));
    let deleted = delete.bearer_auth(&recorded.admin).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        recorded.get_as_nobody(&signed).await.status(),
        StatusCode::NOT_FOUND
    );
    let deadline = Instant::now() + PATIENCE;
    while recorded.media().exists() {
        assert!(Instant::now() < deadline, "its objects are still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_storage_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = support::error_of(
        spillway(directory.path())
            .env("SPILLWAY_VOD_STORAGE", "ftp://example.org")
            .arg("check-config"),
    );
    assert!(
        error.contains("vod.storage") && error.contains("s3://bucket"),
        "{error}"
    );
    let doctor = || {
        let mut command = spillway(directory.path());
        command.args(["doctor", "--http", "127.0.0.1:0", "--media-port", "0"]);
        command
    };
    let said = output_of(&mut doctor());
    assert!(said.contains("ok    recordings: file://"), "{said}");
    let broken = support::finish(doctor().env("SPILLWAY_VOD_STORAGE", "file:///proc/nowhere"));
    let said = String::from_utf8(broken.stdout).unwrap();
    assert!(said.contains("FAIL  recordings: "), "{said}");
}
