//! `GET /api/v1/events`: which broadcasts are under way.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::{get, request},
    server::{Server, start},
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Following {
    stream: TcpStream,
    text: String,
}

impl Following {
    async fn begin(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head =
            "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer service\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let text = String::new();
        let mut following = Self { stream, text };
        let head = following.until("\r\n\r\n").await;
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        following
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(place) = self.text.find(end) {
                let rest = self.text.split_off(place + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let mut bytes = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
            let count = read.expect("nothing came").unwrap();
            assert!(count > 0, "ended after {:?}", self.text);
            let text = std::str::from_utf8(&bytes[..count]).unwrap();
            self.text.push_str(text);
        }
    }

    async fn event(&mut self) -> (String, Value) {
        let text = self.until("\n\n").await;
        let line = |field: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(field));
            values.next().unwrap().trim().to_owned()
        };
        (
            line("event:"),
            serde_json::from_str(&line("data:")).unwrap(),
        )
    }
}

fn broadcast(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "broadcast": id, "started_at": "2026-01-01T00:00:00.000Z"})
}

#[tokio::test]
async fn first_comes_everything_and_then_what_changes() {
    let server = start().await;
    server.sidecars.go_on_air("demo", "b1");
    let mut following = Following::begin(&server).await;
    let all = json!({"channels": [broadcast("demo", "b1")]});
    assert_eq!(following.event().await, ("snapshot".into(), all));
    server.sidecars.go_on_air("other", "b2");
    let live = ("live".to_owned(), broadcast("other", "b2"));
    assert_eq!(following.event().await, live);
    server.sidecars.go_off_air();
    for ended in [broadcast("demo", "b1"), broadcast("other", "b2")] {
        assert_eq!(following.event().await, ("ended".into(), ended));
    }
}

#[tokio::test]
async fn a_sidecar_that_does_not_read_gets_the_latest_state_and_not_a_queue() {
    let server = start().await;
    let mut following = Following::begin(&server).await;
    following.event().await;
    for number in 0..20_000 {
        server.sidecars.go_on_air("demo", &format!("b{number}"));
    }
    let mut told = 0;
    loop {
        let (name, data) = following.event().await;
        if name == "live" && data["broadcast"] == "b19999" {
            break;
        }
        told += 1;
    }
    assert!(told < 2000, "{told} stale events");
}

#[tokio::test]
async fn it_stays_open_while_nothing_happens() {
    let server = start().await;
    let mut following = Following::begin(&server).await;
    following.event().await;
    let comment = following.until("\n\n").await;
    assert!(
        comment.lines().any(|line| line.starts_with(':')),
        "{comment}"
    );
}

#[tokio::test]
async fn it_ends_as_a_whole_when_the_platform_ends_it() {
    let server = start().await;
    let mut following = Following::begin(&server).await;
    following.event().await;
    server.sidecars.end_following();
    following.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn it_is_for_sidecars_alone() {
    let server = start().await;
    server.send(get("/api/v1/events")).await.problem(401);
    let viewer = get("/api/v1/events").token("view:demo");
    server.send(viewer).await.problem(403);
    let look = request("HEAD", "/api/v1/events").token("service");
    let reply = server.send(look).await;
    assert_eq!(reply.get("content-type"), "text/event-stream");
}
