//! `/api/v1/tokens`.

use serde_json::json;

use crate::{
    client::{Request, get, request},
    server::start,
};

fn issue(body: &serde_json::Value) -> Request {
    request("POST", "/api/v1/tokens").token("admin").json(body)
}

#[tokio::test]
async fn a_token_is_shown_once() {
    let server = start().await;
    let reply = server
        .send(issue(
            &json!({"kind": "publish", "channel": "demo", "expires_in_s": 60, "note": "OBS"}),
        ))
        .await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.get("cache-control"), "no-store");
    assert_eq!(reply.json()["token"], "publish:demo");
    assert_eq!(reply.json()["details"]["expires_at"], 60_000);
    let list = server.send(get("/api/v1/tokens").token("admin")).await;
    assert_eq!(list.json()["items"][0], reply.json()["details"]);
    assert!(!list.body.contains("publish:demo"));
}

#[tokio::test]
async fn a_token_is_revoked() {
    let server = start().await;
    server
        .send(issue(&json!({"kind": "view", "channel": "demo"})))
        .await;
    let revoke = |id: &str| request("DELETE", format!("/api/v1/tokens/{id}")).token("admin");
    assert_eq!(server.send(revoke("t0")).await.status, 204);
    server.send(revoke("t1")).await.problem(404);
    let list = server
        .send(get("/api/v1/tokens").token("admin"))
        .await
        .json();
    assert_eq!(list["items"][0]["revoked_at"], 3);
}

#[tokio::test]
async fn admin_tokens_are_not_issued_over_http() {
    let server = start().await;
    let reply = server
        .send(issue(&json!({"kind": "admin", "channel": "demo"})))
        .await;
    assert!(reply.problem(422).contains("spillway token admin"));
}

#[tokio::test]
async fn wishes_out_of_bounds_are_422() {
    let server = start().await;
    for body in [
        json!({"kind": "publish"}),
        json!({"kind": "owner", "channel": "demo"}),
        json!({"kind": "view", "channel": "demo", "expires_in_s": 0}),
        json!({"kind": "view", "channel": "demo", "expires_in_s": 315_360_001_u64}),
        json!({"kind": "view", "channel": "demo", "note": "x".repeat(201)}),
    ] {
        server.send(issue(&body)).await.problem(422);
    }
}
