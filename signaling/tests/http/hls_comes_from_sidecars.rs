//! `/hls/{channel}/…`: passed on to a sidecar on this machine, sent to one elsewhere.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request as Asked, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::json;
use spillway_signaling::{Config, Refusal, api::model::ChannelSettings};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{
    client::{get, request},
    fake::channel,
    fake_recordings::SIGNATURE,
    server::{Server, start, start_with, whep},
};

/// How long the sidecar takes for what is said to block.
const BLOCKS: Duration = Duration::from_millis(1500);

/// A sidecar on this machine, which notes what it's asked.
struct Sidecar {
    url: String,
    asked: Arc<Mutex<Vec<axum::http::request::Parts>>>,
    given_up: mpsc::UnboundedReceiver<()>,
}

#[derive(Clone)]
struct Noted {
    asked: Arc<Mutex<Vec<axum::http::request::Parts>>>,
    gave_up: mpsc::UnboundedSender<()>,
}

/// Says when it goes.
struct Going(mpsc::UnboundedSender<()>);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn answer(State(noted): State<Noted>, asked: Asked) -> Response {
    let path = asked.uri().path().to_owned();
    let (parts, _) = asked.into_parts();
    let has_known = parts.headers.contains_key(header::IF_NONE_MATCH);
    noted.asked.lock().unwrap().push(parts);
    let _going = Going(noted.gave_up.clone());
    if path.ends_with("blocks.m3u8") {
        tokio::time::sleep(BLOCKS).await;
    }
    if path.ends_with("never.m3u8") {
        std::future::pending::<()>().await;
    }
    if has_known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, "\"1\"")]).into_response();
    }
    let headers = [
        ("content-type", "application/vnd.apple.mpegurl"),
        ("cache-control", "public, max-age=36, s-maxage=60"),
        ("etag", "\"1\""),
        ("set-cookie", "a=b"),
        ("access-control-allow-origin", "https://only.example"),
        ("connection", "x-private"),
        ("x-private", "1"),
    ];
    (headers, Body::from("#EXTM3U\n")).into_response()
}

async fn sidecar() -> Sidecar {
    let (gave_up, given_up) = mpsc::unbounded_channel();
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let noted = Noted {
        asked: asked.clone(),
        gave_up,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/{*path}", any(answer))
        .with_state(noted);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Sidecar {
        url,
        asked,
        given_up,
    }
}

async fn register(server: &Server, url: &str) {
    let registration = json!({"url": url, "channels": ["demo"]});
    let put = request("PUT", "/api/v1/sidecars/local").token("service");
    assert_eq!(server.send(put.json(&registration)).await.status, 204);
}

async fn with_sidecar() -> (Server, Sidecar) {
    let server = start().await;
    let sidecar = sidecar().await;
    register(&server, &sidecar.url).await;
    (server, sidecar)
}

fn restrict(server: &Server) {
    let mut demo = channel("demo");
    demo.settings = ChannelSettings {
        restricted_viewing: true,
        ..ChannelSettings::default()
    };
    server.add(demo);
}

#[tokio::test]
async fn a_playlist_comes_through_with_its_headers() {
    let (server, sidecar) = with_sidecar().await;
    let reply = server
        .send(
            get("/hls/demo/720p/v.m3u8?_HLS_msn=7&_HLS_part=2")
                .header("Origin", "https://x.example"),
        )
        .await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "#EXTM3U\n"));
    assert_eq!(reply.get("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(
        reply.get("cache-control"),
        "public, max-age=36, s-maxage=60"
    );
    assert_eq!(reply.get("content-length"), "8");
    assert_eq!(reply.get("access-control-allow-origin"), "*");
    for name in ["set-cookie", "x-private"] {
        assert!(reply.all(name).is_empty(), "{name}");
    }
    let asked = sidecar.asked.lock().unwrap();
    let asked = asked[0].uri.to_string();
    assert_eq!(asked, "/hls/demo/720p/v.m3u8?_HLS_msn=7&_HLS_part=2");
}

#[tokio::test]
async fn what_says_who_asks_stays_here() {
    let (server, sidecar) = with_sidecar().await;
    let asking = get("/hls/demo/index.m3u8?token=view:demo")
        .token("view:demo")
        .header("Cookie", "a=b")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("Range", "bytes=0-3")
        .header("Accept-Encoding", "gzip");
    server.send(asking).await;
    let asked = sidecar.asked.lock().unwrap();
    let (uri, headers) = (&asked[0].uri, &asked[0].headers);
    assert_eq!(uri.query(), None);
    for name in ["authorization", "cookie", "x-forwarded-for"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["range"], "bytes=0-3");
    assert_eq!(headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let (server, _sidecar) = with_sidecar().await;
    let asking = get("/hls/demo/index.m3u8").header("If-None-Match", "\"1\"");
    let reply = server.send(asking).await;
    assert_eq!((reply.status, reply.body.as_str()), (304, ""));
    assert_eq!(reply.get("etag"), "\"1\"");
}

#[tokio::test]
async fn a_look_gets_the_head_alone() {
    let (server, sidecar) = with_sidecar().await;
    let reply = server.send(request("HEAD", "/hls/demo/index.m3u8")).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.get("content-length"), "8");
    assert_eq!(sidecar.asked.lock().unwrap()[0].method, "HEAD");
}

#[tokio::test]
async fn a_reload_that_blocks_is_waited_for() {
    let (server, _sidecar) = with_sidecar().await;
    let began = Instant::now();
    let reply = server.send(get("/hls/demo/blocks.m3u8")).await;
    assert_eq!(reply.status, 200);
    assert!(began.elapsed() >= BLOCKS);
}

#[tokio::test]
async fn a_client_that_goes_ends_the_request_to_the_sidecar() {
    let (server, mut sidecar) = with_sidecar().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "GET /hls/demo/never.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    while sidecar.asked.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stream);
    let gone = tokio::time::timeout(Duration::from_secs(5), sidecar.given_up.recv());
    assert_eq!(gone.await.unwrap(), Some(()));
}

#[tokio::test]
async fn one_request_too_many_is_503_until_another_is_answered() {
    let config = Config {
        max_hls_requests: 1,
        ..Config::default()
    };
    let server = start_with(config).await;
    let sidecar = sidecar().await;
    register(&server, &sidecar.url).await;
    let (first, second) = tokio::join!(server.send(get("/hls/demo/blocks.m3u8")), async {
        while sidecar.asked.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.send(get("/hls/demo/index.m3u8")).await
    });
    assert_eq!(first.status, 200);
    assert!(second.problem(503).contains("limits.hls_requests"));
    assert_eq!(second.get("retry-after"), "1");
    let third = server.send(get("/hls/demo/index.m3u8")).await;
    assert_eq!(third.status, 200);
}

#[tokio::test]
async fn a_sidecar_elsewhere_is_where_viewers_are_sent() {
    let server = start().await;
    register(&server, "https://hls1.example.org").await;
    let reply = server
        .send(get("/hls/demo/v.m3u8?_HLS_msn=7&token=secret"))
        .await;
    assert_eq!(reply.status, 307);
    let location = reply.get("location");
    assert_eq!(
        location,
        "https://hls1.example.org/hls/demo/v.m3u8?_HLS_msn=7"
    );
    assert_eq!(reply.get("cache-control"), "no-store");
    assert_eq!(reply.get("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn viewers_there_is_no_room_for_are_told_of_it() {
    let full = || Refusal::Overloaded {
        detail: "the node has all its viewers".into(),
        retry_after: Duration::from_secs(5),
    };
    let server = start().await;
    server.refuse(full());
    let reply = server.send(whep("demo")).await;
    reply.problem(503);
    assert!(reply.all("link").is_empty(), "nobody has it");

    let (server, _sidecar) = with_sidecar().await;
    server.refuse(full());
    let reply = server.send(whep("demo")).await;
    reply.problem(503);
    assert_eq!(
        reply.get("link"),
        "</hls/demo/index.m3u8>; rel=\"alternate\"; type=\"application/vnd.apple.mpegurl\""
    );
    assert!(reply.get("access-control-expose-headers").contains("link"));

    restrict(&server);
    server.refuse(full());
    let reply = server.send(whep("demo")).await;
    assert!(reply.all("link").is_empty(), "it isn't for them");
}

#[tokio::test]
async fn a_sidecar_that_is_gone_is_503() {
    let server = start().await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr();
    register(&server, &format!("http://{}", address.unwrap())).await;
    let reply = server.send(get("/hls/demo/index.m3u8")).await;
    reply.problem(503);
    assert_eq!(reply.get("retry-after"), "1");
    assert_eq!(reply.get("cache-control"), "no-store");
}

#[tokio::test]
async fn a_sidecar_that_breaks_off_is_502() {
    let server = start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
        }
    });
    register(&server, &url).await;
    server.send(get("/hls/demo/index.m3u8")).await.problem(502);
}

#[tokio::test]
async fn a_restricted_channel_needs_a_token_and_is_kept_by_no_shared_cache() {
    let (server, sidecar) = with_sidecar().await;
    restrict(&server);
    server.send(get("/hls/demo/index.m3u8")).await.problem(401);
    let other = get("/hls/demo/index.m3u8").token("view:other");
    server.send(other).await.problem(403);
    assert!(sidecar.asked.lock().unwrap().is_empty());
    let media = get("/hls/demo/720p/index.m3u8");
    let reply = server.send(media.token("view:demo")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.get("cache-control"), "private, max-age=36");
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_signed_address_where_players_begin() {
    let (server, sidecar) = with_sidecar().await;
    restrict(&server);
    for (asking, there) in [
        (
            get("/hls/demo/index.m3u8").token("view:demo"),
            "/hls/demo/index.m3u8",
        ),
        (
            get("/hls/demo/plain.m3u8?token=view%3Ademo&_HLS_msn=3"),
            "/hls/demo/plain.m3u8?_HLS_msn=3",
        ),
        (
            request("HEAD", "/hls/demo/index.m3u8").token("view:demo"),
            "/hls/demo/index.m3u8",
        ),
    ] {
        let reply = server.send(asking).await;
        assert_eq!(reply.status, 307);
        let location = format!("/signed/{SIGNATURE}{there}");
        assert_eq!(reply.get("location"), location);
        assert_eq!(reply.get("cache-control"), "no-store");
    }
    assert!(sidecar.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_signed_address_needs_no_token_and_may_be_kept() {
    let (server, sidecar) = with_sidecar().await;
    restrict(&server);
    let signed = |path: &str| get(format!("/signed/{SIGNATURE}{path}"));
    let reply = server
        .send(signed("/hls/demo/720p/v.m3u8?_HLS_msn=7").token("view:other"))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.get("cache-control"),
        "public, max-age=36, s-maxage=60"
    );
    let reply = server.send(signed("/hls/demo/index.m3u8")).await;
    assert_eq!(reply.status, 200);
    let asked: Vec<_> = sidecar.asked.lock().unwrap().drain(..).collect();
    let asked: Vec<_> = asked.iter().map(|asked| asked.uri.to_string()).collect();
    assert_eq!(
        asked,
        ["/hls/demo/720p/v.m3u8?_HLS_msn=7", "/hls/demo/index.m3u8"]
    );
    for forged in [
        "/signed/1-forged/hls/demo/index.m3u8",
        "/signed/1/hls/demo/index.m3u8",
    ] {
        server.send(get(forged)).await.problem(403);
    }
    for elsewhere in ["/hls/demo/../b/x", "/api/v1/live", "/"] {
        server.send(signed(elsewhere)).await.problem(404);
    }
    assert!(sidecar.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_sidecar_that_cannot_be_reached_is_passed_over() {
    let (server, sidecar) = with_sidecar().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr();
    let registration = json!({"url": format!("http://{}", nobody.unwrap()), "channels": ["demo"]});
    // Before the other by its name.
    let put = request("PUT", "/api/v1/sidecars/gone").token("service");
    assert_eq!(server.send(put.json(&registration)).await.status, 204);
    let reply = server.send(get("/hls/demo/index.m3u8")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(sidecar.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be() {
    let (server, sidecar) = with_sidecar().await;
    let unknown = server.send(get("/hls/unknown/index.m3u8")).await;
    unknown.problem(404);
    assert!(unknown.all("retry-after").is_empty());
    server.send(get("/hls/a%20b/index.m3u8")).await.problem(404);
    server.add(channel("idle"));
    let idle = server.send(get("/hls/idle/index.m3u8")).await;
    assert!(idle.problem(404).contains("isn't live"));
    assert_eq!(
        idle.get("retry-after"),
        "5",
        "unlike one that doesn't exist"
    );
    for path in ["/hls/demo/../other/index.m3u8", "/hls/demo/%2e%2e/x"] {
        server.send(get(path)).await.problem(404);
    }
    assert!(sidecar.asked.lock().unwrap().is_empty());
    server
        .send(request("POST", "/hls/demo/index.m3u8"))
        .await
        .problem(405);
}

#[tokio::test]
async fn pages_elsewhere_may_play_it() {
    let server = start().await;
    let preflight = request("OPTIONS", "/hls/demo/index.m3u8")
        .header("Origin", "https://player.example.net")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization,range");
    let reply = server.send(preflight).await;
    assert_eq!(reply.status, 200);
    for name in ["authorization", "range"] {
        assert!(
            reply.get("access-control-allow-headers").contains(name),
            "{name}"
        );
    }
}
