//! A page of another site may publish and watch.

use crate::{
    client::{get, request},
    server::{start, whep, whip},
};

#[tokio::test]
async fn a_preflight_allows_what_clients_need() {
    let server = start().await;
    for path in [
        "/whip/demo",
        "/whep/demo",
        "/whep/demo/x",
        "/api/v1/channels",
    ] {
        let preflight = request("OPTIONS", path)
            .header("Origin", "https://player.example.net")
            .header("Access-Control-Request-Method", "PATCH")
            .header(
                "Access-Control-Request-Headers",
                "authorization,content-type,if-match",
            );
        let reply = server.send(preflight).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.get("access-control-allow-origin"), "*");
        for method in ["POST", "PATCH", "DELETE"] {
            assert!(
                reply.get("access-control-allow-methods").contains(method),
                "{method}"
            );
        }
        for header in ["authorization", "content-type", "if-match"] {
            assert!(
                reply.get("access-control-allow-headers").contains(header),
                "{header}"
            );
        }
    }
}

#[tokio::test]
async fn scripts_may_read_the_headers_they_need() {
    let server = start().await;
    let reply = server
        .send(whip("demo").header("Origin", "https://x.example"))
        .await;
    assert_eq!(reply.get("access-control-allow-origin"), "*");
    for header in ["location", "link", "etag", "retry-after"] {
        assert!(
            reply.get("access-control-expose-headers").contains(header),
            "{header}"
        );
    }
}

#[tokio::test]
async fn errors_can_be_read_too() {
    let server = start().await;
    // `problem` asserts Access-Control-Allow-Origin.
    server.send(whep("unknown")).await.problem(404);
    server.send(request("PUT", "/whip/demo")).await.problem(405);
    server.send(get("/api/v1/nothing")).await.problem(404);
    server.send(get("/api/v1/channels")).await.problem(401);
}
