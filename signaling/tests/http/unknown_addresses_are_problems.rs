//! 404 and 405.

use crate::{
    client::{get, request},
    server::start,
};

#[tokio::test]
async fn what_is_nowhere_is_404() {
    let server = start().await;
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/api/v2/channels",
        "/whip",
        "/whep/",
        "/whep/a/b/c",
    ] {
        server.send(get(path)).await.problem(404);
    }
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_405_with_allow() {
    let server = start().await;
    let cases = [
        ("PUT", "/whip/demo", vec!["POST", "GET"]),
        ("DELETE", "/whep/demo", vec!["POST", "GET", "HEAD"]),
        ("POST", "/whep/demo/x", vec!["PATCH", "DELETE", "GET"]),
        ("POST", "/api/v1/live", vec!["GET"]),
        ("DELETE", "/healthz", vec!["GET"]),
        ("POST", "/watch/demo", vec!["GET"]),
    ];
    for (method, path, allowed) in cases {
        let reply = server.send(request(method, path)).await;
        reply.problem(405);
        let allow: Vec<&str> = reply.get("allow").split(',').map(str::trim).collect();
        for one in allowed {
            assert!(allow.contains(&one), "{method} {path}: {allow:?}");
        }
    }
}
