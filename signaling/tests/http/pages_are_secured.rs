//! The web client's pages and their security headers.

use spillway_signaling::Config;

use crate::{
    client::get,
    server::{start, start_with, whip},
};

#[tokio::test]
async fn pages_come_with_their_policies() {
    let server = start().await;
    for (path, body) in [("/", "front"), ("/watch/demo", "watch")] {
        let reply = server.send(get(path)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, body);
        assert!(
            reply
                .get("content-security-policy")
                .contains("default-src 'self'")
        );
        assert!(
            reply
                .get("permissions-policy")
                .contains("display-capture=(self)")
        );
        assert_eq!(reply.get("referrer-policy"), "same-origin");
        assert_eq!(reply.get("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn pages_connect_to_their_own_node_and_to_those_that_are_named() {
    let server = start().await;
    let reply = server.send(get("/watch/demo")).await;
    let alone = reply.get("content-security-policy");
    assert!(!alone.contains("connect-src"), "{alone}");
    let config = Config {
        other_nodes: vec!["https://b.example.org:8443".parse().unwrap()],
        ..Config::default()
    };
    let server = start_with(config).await;
    let reply = server.send(get("/watch/demo")).await;
    let policy = reply.get("content-security-policy");
    assert!(
        policy.ends_with("; connect-src 'self' https://b.example.org:8443"),
        "{policy}"
    );
}

#[tokio::test]
async fn nothing_is_sniffed_anywhere() {
    let server = start().await;
    assert_eq!(
        server
            .send(whip("demo"))
            .await
            .get("x-content-type-options"),
        "nosniff"
    );
    assert_eq!(
        server
            .send(get("/nothing"))
            .await
            .get("x-content-type-options"),
        "nosniff"
    );
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_take_it() {
    let server = start().await;
    let reply = server
        .send(get("/long").header("Accept-Encoding", "gzip"))
        .await;
    assert_eq!(reply.get("content-encoding"), "gzip");
    let reply = server.send(get("/long")).await;
    assert!(reply.all("content-encoding").is_empty());
}
