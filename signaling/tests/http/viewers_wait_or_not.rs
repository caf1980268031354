//! WHEP and channels that aren't live; the query of a viewer.

use crate::server::{start, whep};

#[tokio::test]
async fn a_channel_that_is_not_live_is_waited_for() {
    let server = start().await;
    assert_eq!(server.send(whep("demo")).await.status, 201);
    assert!(server.last_watch().wait);
}

#[tokio::test]
async fn wait_0_is_409_with_retry_after() {
    let server = start().await;
    let reply = server.send(whep("demo?wait=0")).await;
    reply.problem(409);
    assert_eq!(reply.get("retry-after"), "5");
}

#[tokio::test]
async fn an_unknown_channel_is_404() {
    let server = start().await;
    server.send(whep("unknown")).await.problem(404);
    server.send(whep("no%20name")).await.problem(404);
}

#[tokio::test]
async fn the_layer_is_passed_on() {
    let server = start().await;
    assert_eq!(server.send(whep("demo?layer=hi")).await.status, 201);
    assert_eq!(server.last_watch().layer.as_deref(), Some("hi"));
}

#[tokio::test]
async fn a_bad_query_is_400() {
    let server = start().await;
    server.send(whep("demo?wait=maybe")).await.problem(400);
    server
        .send(whep(&format!("demo?layer={}", "x".repeat(65))))
        .await
        .problem(400);
}
