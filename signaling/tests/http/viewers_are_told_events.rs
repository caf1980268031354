//! Server-sent events (draft-ietf-wish-whep, the server-sent events extension).

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use spillway_signaling::{Activity, VideoLayer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::{Reply, get, request},
    server::{Server, start, whep},
};

const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing shall come.
const QUIET: Duration = Duration::from_millis(200);
const ALL: [&str; 5] = ["active", "inactive", "layers", "reconnect", "viewercount"];

/// A server, a viewer's session, and the URL that makes event streams of it.
async fn viewer() -> (Server, String, String) {
    let server = start().await;
    let reply = server.send(whep("demo")).await;
    let link = reply
        .all("link")
        .into_iter()
        .find(|link| link.contains("server-sent-events"))
        .unwrap();
    let url = link[1..].split_once('>').unwrap().0.to_owned();
    let session = reply.get("location").to_owned();
    (server, session, url)
}

async fn open(server: &Server, url: &str, names: &Value) -> Reply {
    server.send(request("POST", url).json(names)).await
}

/// An event stream that's followed.
struct Following {
    stream: TcpStream,
    text: String,
}

impl Following {
    async fn begin(server: &Server, location: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request =
            format!("GET {location} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut following = Self {
            stream,
            text: String::new(),
        };
        let head = following.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        assert!(head.contains("access-control-allow-origin: *"), "{head}");
        following
    }

    /// A stream of all events, followed from its beginning.
    async fn of_all(server: &Server, url: &str) -> (Self, String) {
        let location = open(server, url, &json!(ALL))
            .await
            .get("location")
            .to_owned();
        (Self::begin(server, &location).await, location)
    }

    /// What came up to and with that.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(place) = self.text.find(end) {
                let rest = self.text.split_off(place + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            assert!(self.read().await > 0, "ended after {:?}", self.text);
        }
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        let count = read.expect("nothing came").unwrap();
        self.text
            .push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        count
    }

    /// The next event: its name and data.
    async fn event(&mut self) -> (String, Value) {
        // A chunk's size and the event.
        let text = self.until("\n\n").await;
        let line = |field: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(field));
            let value = values
                .next()
                .unwrap_or_else(|| panic!("no {field} in {text:?}"));
            assert_eq!(values.next(), None, "one {field} line");
            value.trim().to_owned()
        };
        (
            line("event:"),
            serde_json::from_str(&line("data:")).unwrap(),
        )
    }

    async fn stays_quiet(&mut self) {
        self.text.retain(|c| !"\r\n".contains(c));
        let mut bytes = [0; 4096];
        let read = timeout(QUIET, self.stream.read(&mut bytes)).await;
        assert!(read.is_err(), "{:?}", String::from_utf8_lossy(&bytes));
    }

    /// Whether the response ends as a whole one does: with a chunk of no bytes.
    async fn ends(&mut self) {
        self.until("0\r\n\r\n").await;
    }
}

fn layer(rid: &str, height: u16) -> VideoLayer {
    VideoLayer {
        rid: Some(rid.into()),
        bitrate: Some(500_000),
        width: Some(640),
        height: Some(height),
        ..VideoLayer::default()
    }
}

#[tokio::test]
async fn a_stream_is_made_for_the_events_that_are_named() {
    let (server, session, url) = viewer().await;
    let reply = open(&server, &url, &json!(["viewercount", "active"])).await;
    assert_eq!(reply.status, 201);
    assert!(reply.body.is_empty());
    let location = reply.get("location");
    assert!(
        location.starts_with(&format!("{session}/events/")),
        "{location}"
    );
    server.events.tell(|news| news.activity = Activity::Active);
    let mut following = Following::begin(&server, location).await;
    assert_eq!(following.event().await, ("active".into(), json!({})));
    let count = ("viewercount".to_owned(), json!({"viewercount": 0}));
    assert_eq!(following.event().await, count);
    server.events.tell(|news| news.activity = Activity::Idle);
    server
        .events
        .tell(|news| news.layers = Arc::new([layer("f", 720)]));
    following.stays_quiet().await;
}

#[tokio::test]
async fn without_a_body_it_is_for_all_events() {
    let (server, _, url) = viewer().await;
    let reply = server.send(request("POST", &url)).await;
    assert_eq!(reply.status, 201);
    server.events.tell(|news| news.activity = Activity::Active);
    server
        .events
        .tell(|news| news.layers = Arc::new([layer("f", 720)]));
    let mut following = Following::begin(&server, reply.get("location")).await;
    for name in ["active", "layers", "viewercount"] {
        assert_eq!(following.event().await.0, name);
    }
}

#[tokio::test]
async fn an_unknown_name_is_400_and_so_is_what_is_no_list_of_names() {
    let (server, _, url) = viewer().await;
    for (body, clue) in [
        (json!(["active", "scte35"]), "scte35"),
        (json!("active"), "sequence"),
        (json!([1]), "1"),
        (json!({}), "sequence"),
        (json!([]), "at least one"),
    ] {
        let detail = open(&server, &url, &body).await.problem(400);
        assert!(detail.contains(clue), "{detail}");
    }
    let text = request("POST", &url).body("text/plain", "active");
    server.send(text).await.problem(415);
}

#[tokio::test]
async fn changes_are_told_as_they_come() {
    let (server, _, url) = viewer().await;
    let (mut following, _) = Following::of_all(&server, &url).await;
    assert_eq!(following.event().await.1, json!({"viewercount": 0}));
    following.stays_quiet().await;
    server.events.tell(|news| news.activity = Activity::Active);
    assert_eq!(following.event().await, ("active".into(), json!({})));
    let layers = Arc::new([layer("f", 720), layer("h", 360)]);
    server.events.tell(|news| news.layers = layers);
    let (name, data) = following.event().await;
    assert_eq!(name, "layers");
    assert_eq!(
        data,
        json!({"0": [
            {"rid": "f", "bitrate": 500_000, "width": 640, "height": 720},
            {"rid": "h", "bitrate": 500_000, "width": 640, "height": 360},
        ]})
    );
    server.events.tell(|news| news.viewers = 3);
    assert_eq!(following.event().await.1, json!({"viewercount": 3}));
    server.events.tell(|news| news.activity = Activity::Idle);
    assert_eq!(
        following.event().await,
        ("inactive".into(), json!({"ended": true}))
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_the_latest_state_and_not_a_queue() {
    let (server, _, url) = viewer().await;
    let (mut following, _) = Following::of_all(&server, &url).await;
    following.event().await;
    for viewers in 1..=10_000 {
        server.events.tell(|news| news.viewers = viewers);
    }
    let mut told = 0;
    while following.event().await.1 != json!({"viewercount": 10_000}) {
        told += 1;
    }
    assert!(told < 100, "{told} stale events");
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_all_anew_and_what_ended_meanwhile() {
    let (server, _, url) = viewer().await;
    server.events.tell(|news| news.activity = Activity::Active);
    let (mut first, location) = Following::of_all(&server, &url).await;
    assert_eq!(first.event().await.0, "active");
    let mut second = Following::begin(&server, &location).await;
    first.ends().await;
    assert_eq!(second.event().await.0, "active");
    assert_eq!(second.event().await.0, "viewercount");
    drop(second);
    server.events.tell(|news| news.activity = Activity::Idle);
    let mut third = Following::begin(&server, &location).await;
    assert_eq!(third.event().await.0, "inactive");
}

#[tokio::test]
async fn reconnect_says_where_to_and_is_the_end() {
    let (server, _, url) = viewer().await;
    let (mut following, _) = Following::of_all(&server, &url).await;
    following.event().await;
    server
        .events
        .tell(|news| news.reconnect = Some("/whep/demo".into()));
    let reconnect = ("reconnect".to_owned(), json!({"url": "/whep/demo"}));
    assert_eq!(following.event().await, reconnect);
    following.ends().await;
}

#[tokio::test]
async fn what_is_known_before_the_session_ends_is_told_first() {
    let (server, session, url) = viewer().await;
    let (mut following, _) = Following::of_all(&server, &url).await;
    following.event().await;
    server
        .events
        .tell(|news| news.reconnect = Some("/whep/demo".into()));
    server.send(request("DELETE", session)).await;
    assert_eq!(following.event().await.0, "reconnect");
    following.ends().await;
}

#[tokio::test]
async fn delete_ends_it() {
    let (server, _, url) = viewer().await;
    let (mut following, location) = Following::of_all(&server, &url).await;
    let reply = server.send(request("DELETE", &location)).await;
    assert_eq!(reply.status, 200);
    following.ends().await;
    server.send(request("DELETE", &location)).await.problem(404);
    server.send(get(&location)).await.problem(404);
}

#[tokio::test]
async fn it_ends_with_its_session() {
    let (server, session, url) = viewer().await;
    let (mut following, location) = Following::of_all(&server, &url).await;
    assert_eq!(server.send(request("DELETE", session)).await.status, 200);
    following.ends().await;
    server.send(get(location)).await.problem(404);
    open(&server, &url, &json!(["active"])).await.problem(404);
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing_behind() {
    let (server, _, url) = viewer().await;
    let (following, _) = Following::of_all(&server, &url).await;
    assert_eq!(server.events.followers(), 1);
    drop(following);
    let gone = async {
        while server.events.followers() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_third_stream_of_a_session_is_429() {
    let (server, _, url) = viewer().await;
    for _ in 0..2 {
        assert_eq!(open(&server, &url, &json!(["active"])).await.status, 201);
    }
    let reply = open(&server, &url, &json!(["active"])).await;
    reply.problem(429);
    assert_eq!(reply.get("retry-after"), "5");
}

#[tokio::test]
async fn a_publisher_has_none() {
    let server = start().await;
    let session = server.publish().await;
    let below = format!("{}/events", session.replace("whip", "whep"));
    open(&server, &below, &json!(["active"])).await.problem(404);
    open(&server, &format!("{session}/events"), &json!(["active"]))
        .await
        .problem(404);
}

#[tokio::test]
async fn options_say_what_is_taken() {
    let (server, _, url) = viewer().await;
    let reply = server.send(request("OPTIONS", url)).await;
    assert_eq!(reply.get("accept-post"), "application/json");
}
