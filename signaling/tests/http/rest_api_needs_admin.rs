//! Nothing that writes or reveals is open without a token.

use spillway_signaling::Config;

use crate::{
    client::{Request, get, request},
    server::{Server, start, start_with},
};

const GUARDED: [(&str, &str); 17] = [
    ("GET", "/metrics"),
    ("GET", "/api/v1/channels"),
    ("POST", "/api/v1/channels"),
    ("PUT", "/api/v1/channels/demo"),
    ("PATCH", "/api/v1/channels/demo"),
    ("DELETE", "/api/v1/channels/demo"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/sessions/s0"),
    ("DELETE", "/api/v1/sessions/s0"),
    ("GET", "/api/v1/broadcasts"),
    ("GET", "/api/v1/broadcasts/b1"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/t0"),
    ("GET", "/api/v1/node"),
    ("GET", "/api/v1/webhooks"),
    ("HEAD", "/api/v1/sessions"),
];

#[tokio::test]
async fn without_a_token_it_is_401_with_another_403() {
    let server = start().await;
    for (method, path) in GUARDED {
        let reply = server.send(request(method, path)).await;
        assert_eq!(reply.status, 401, "{method} {path}");
        assert_eq!(reply.get("www-authenticate"), "Bearer");
        let reply = server
            .send(request(method, path).token("publish:demo"))
            .await;
        assert_eq!(reply.status, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_on_air_is_public() {
    let server = start().await;
    assert_eq!(server.send(get("/api/v1/live")).await.status, 200);
    assert_eq!(server.send(get("/api/v1/channels/demo")).await.status, 200);
}

async fn start_exempting_loopback() -> Server {
    start_with(Config {
        admin_from_loopback: true,
        ..Config::default()
    })
    .await
}

fn node() -> Request {
    get("/api/v1/node")
}

#[tokio::test]
async fn loopback_is_exempt_when_configured() {
    let server = start_exempting_loopback().await;
    assert_eq!(server.send(node()).await.status, 200);
    let own_page = node().header("Origin", &format!("http://{}", server.address));
    assert_eq!(server.send(own_page).await.status, 200);
    let by_name = node().header("Host", "localhost:8080");
    assert_eq!(server.send(by_name).await.status, 200);
}

#[tokio::test]
async fn a_proxy_on_loopback_is_not_exempt() {
    let server = start_exempting_loopback().await;
    server
        .send(node().header("X-Forwarded-For", "127.0.0.1"))
        .await
        .problem(401);
    server
        .send(node().header("Forwarded", "for=127.0.0.1"))
        .await
        .problem(401);
}

#[tokio::test]
async fn another_sites_page_in_a_local_browser_is_not_exempt() {
    let server = start_exempting_loopback().await;
    server
        .send(node().header("Origin", "https://evil.example"))
        .await
        .problem(401);
    server
        .send(node().header("Origin", "null"))
        .await
        .problem(401);
    let rebound = node().header("Host", "evil.example:8080");
    server.send(rebound).await.problem(401);
}
