//! `/api/v1/sidecars`: where a sidecar says that it is.

use serde_json::{Value, json};
use spillway_signaling::Config;

use crate::{
    client::{Request, get, request},
    server::{start, start_with},
};

fn put(id: &str, body: &Value) -> Request {
    request("PUT", format!("/api/v1/sidecars/{id}"))
        .token("service")
        .json(body)
}

fn sound() -> Value {
    json!({"url": "http://127.0.0.1:45123", "channels": ["demo", "other"]})
}

#[tokio::test]
async fn a_sidecar_is_listed_until_it_says_that_it_goes() {
    let server = start().await;
    assert_eq!(server.send(put("local", &sound())).await.status, 204);
    assert_eq!(server.send(put("local", &sound())).await.status, 204);
    let list = || get("/api/v1/sidecars").token("admin");
    let listed = server.send(list()).await.json();
    assert_eq!(listed[0]["id"], "local");
    assert_eq!(listed[0]["url"], "http://127.0.0.1:45123");
    assert_eq!(listed[0]["channels"], json!(["demo", "other"]));
    let delete = || request("DELETE", "/api/v1/sidecars/local").token("service");
    assert_eq!(server.send(delete()).await.status, 204);
    assert_eq!(server.send(list()).await.json(), json!([]));
    server.send(delete()).await.problem(404);
}

#[tokio::test]
async fn only_a_sidecar_or_an_administrator_registers_and_only_the_latter_lists() {
    let server = start().await;
    let anonymous = request("PUT", "/api/v1/sidecars/local").json(&sound());
    server.send(anonymous).await.problem(401);
    let viewer = request("PUT", "/api/v1/sidecars/local").token("view:demo");
    server.send(viewer.json(&sound())).await.problem(403);
    let admin = request("PUT", "/api/v1/sidecars/local").token("admin");
    assert_eq!(server.send(admin.json(&sound())).await.status, 204);
    let list = get("/api/v1/sidecars").token("service");
    server.send(list).await.problem(403);
}

#[tokio::test]
async fn what_is_no_registration_is_told_so() {
    let server = start().await;
    for (body, clue) in [
        (json!({}), "url"),
        (json!({"url": "127.0.0.1:1", "channels": []}), "scheme"),
        (
            json!({"url": "https://127.0.0.1:1", "channels": []}),
            "http://",
        ),
        (
            json!({"url": "http://a@10.0.0.1", "channels": []}),
            "scheme",
        ),
        // They end as they should, and have something before that.
        (
            json!({"url": "http://10.0.0.1/10.0.0.1", "channels": []}),
            "scheme",
        ),
        (
            json!({"url": "http://127.0.0.1:8080/a?b=127.0.0.1:8080", "channels": []}),
            "scheme",
        ),
        (
            json!({"url": "http://10.0.0.1", "channels": ["a b"]}),
            "channel name",
        ),
        (
            json!({"url": "http://10.0.0.1", "channels": [], "more": 1}),
            "more",
        ),
    ] {
        let detail = server.send(put("local", &body)).await.problem(400);
        assert!(detail.contains(clue), "{detail}");
    }
    let long = "x".repeat(65);
    for id in ["a%20b", &long] {
        let detail = server.send(put(id, &sound())).await.problem(400);
        assert!(detail.contains("1 to 64"), "{detail}");
    }
    let text = request("PUT", "/api/v1/sidecars/local").token("service");
    server.send(text.body("text/plain", "x")).await.problem(415);
}

#[tokio::test]
async fn loopback_is_only_for_who_is_there() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let server = start_with(config).await;
    let elsewhere = put("local", &sound()).header("x-forwarded-for", "192.0.2.7");
    let detail = server.send(elsewhere).await.problem(422);
    assert!(detail.contains("--advertise"), "{detail}");
    assert_eq!(server.send(put("local", &sound())).await.status, 204);
}

#[tokio::test]
async fn a_sidecar_may_have_ten_thousand_channels_and_no_more() {
    let server = start().await;
    let with = |count: usize| {
        let channels: Vec<_> = (0..count).map(|number| format!("{number:064}")).collect();
        json!({"url": "http://127.0.0.1:1", "channels": channels})
    };
    assert_eq!(server.send(put("local", &with(10_000))).await.status, 204);
    server.send(put("local", &with(10_001))).await.problem(422);
    server.send(put("local", &with(20_000))).await.problem(413);
}
