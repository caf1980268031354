//! `/healthz`, `/readyz`, `/metrics`, `/api/v1/node`.

use crate::{client::get, server::start};

#[tokio::test]
async fn it_lives() {
    let server = start().await;
    assert_eq!(server.send(get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn it_is_ready_until_it_drains() {
    let server = start().await;
    assert_eq!(server.send(get("/readyz")).await.status, 200);
    server.set_not_ready("draining");
    let reply = server.send(get("/readyz")).await;
    assert_eq!(reply.problem(503), "draining");
    assert_eq!(server.send(get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn metrics_are_open_metrics_for_admins() {
    let server = start().await;
    server.send(get("/metrics")).await.problem(401);
    let reply = server.send(get("/metrics").token("admin")).await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .get("content-type")
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert_eq!(reply.body, "# EOF\n");
}

#[tokio::test]
async fn the_node_shows_load_and_bounds() {
    let server = start().await;
    let node = server.send(get("/api/v1/node").token("admin")).await.json();
    assert_eq!(node["max_viewers"], 1000);
    let webhooks = server
        .send(get("/api/v1/webhooks").token("admin"))
        .await
        .json();
    assert_eq!(webhooks, serde_json::json!([]));
}
