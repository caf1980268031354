//! `/api/v1/channels` and `/api/v1/live`.

use serde_json::json;
use spillway_signaling::api::model::{ChannelSettings, Timestamp};

use crate::{
    client::{Request, get, request},
    fake::channel,
    server::start,
};

fn admin(method: &'static str, path: &str) -> Request {
    request(method, path).token("admin")
}

#[tokio::test]
async fn a_channel_is_made_once() {
    let server = start().await;
    let new = json!({"name": "talk", "title": "Talk", "tags": ["a"], "settings": {"restricted_viewing": true}});
    let reply = server
        .send(admin("POST", "/api/v1/channels").json(&new))
        .await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.get("location"), "/api/v1/channels/talk");
    assert_eq!(
        reply.json()["settings"],
        json!({"restricted_viewing": true, "takeover": true})
    );
    server
        .send(admin("POST", "/api/v1/channels").json(&new))
        .await
        .problem(409);
}

#[tokio::test]
async fn put_makes_or_replaces() {
    let server = start().await;
    let put = |body| admin("PUT", "/api/v1/channels/talk").json(&body);
    let reply = server
        .send(put(json!({"title": "One", "tags": ["a"]})))
        .await;
    assert_eq!(reply.status, 201);
    let reply = server.send(put(json!({"title": "Two"}))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["title"], "Two");
    assert_eq!(reply.json()["tags"], json!([]));
}

#[tokio::test]
async fn patch_changes_what_it_names() {
    let server = start().await;
    let patch = |body| admin("PATCH", "/api/v1/channels/demo").json(&body);
    server
        .send(patch(json!({"title": "Demo", "tags": ["x"]})))
        .await;
    let reply = server
        .send(patch(json!({"settings": {"restricted_viewing": true}})))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["title"], "Demo");
    assert_eq!(reply.json()["settings"]["restricted_viewing"], true);
    server
        .send(admin("PATCH", "/api/v1/channels/unknown").json(&json!({})))
        .await
        .problem(404);
}

#[tokio::test]
async fn delete_is_204_then_404() {
    let server = start().await;
    assert_eq!(
        server
            .send(admin("DELETE", "/api/v1/channels/demo"))
            .await
            .status,
        204
    );
    server
        .send(admin("DELETE", "/api/v1/channels/demo"))
        .await
        .problem(404);
    server.send(get("/api/v1/channels/demo")).await.problem(404);
}

#[tokio::test]
async fn values_out_of_bounds_are_422() {
    let server = start().await;
    for body in [
        json!({"title": "x".repeat(201)}),
        json!({"title": "two\nlines"}),
        json!({"tags": vec!["a"; 17]}),
        json!({"tags": [""]}),
        json!({"tags": ["x".repeat(41)]}),
        json!({"titel": "a typing error"}),
        json!({"tags": "not a list"}),
    ] {
        for method in ["PUT", "PATCH"] {
            server
                .send(admin(method, "/api/v1/channels/demo").json(&body))
                .await
                .problem(422);
        }
    }
    let name = json!({"name": "no name"});
    server
        .send(admin("POST", "/api/v1/channels").json(&name))
        .await
        .problem(422);
}

#[tokio::test]
async fn bodies_are_json_within_64_kib() {
    let server = start().await;
    let put = || admin("PUT", "/api/v1/channels/demo");
    server
        .send(put().body("application/json", "{"))
        .await
        .problem(400);
    server
        .send(put().body("text/plain", "{}"))
        .await
        .problem(415);
    server
        .send(put().json(&json!({"title": "x".repeat(65_536)})))
        .await
        .problem(413);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = start().await;
    for n in 0..4 {
        server.add(channel(&format!("c{n}")));
    }
    let list = |query: &str| admin("GET", &format!("/api/v1/channels{query}"));
    let first = server.send(list("?limit=3")).await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let after = first["next"].as_str().unwrap();
    let second = server
        .send(list(&format!("?limit=3&after={after}")))
        .await
        .json();
    assert_eq!(second["items"].as_array().unwrap().len(), 2);
    assert!(second["next"].is_null());
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        &format!("?after={}", "x".repeat(257)),
    ] {
        server.send(list(query)).await.problem(400);
    }
}

#[tokio::test]
async fn the_front_page_lists_open_channels_on_air() {
    let server = start().await;
    let mut live = channel("live");
    live.live_since = Some(Timestamp(5));
    live.viewers = 3;
    server.add(live.clone());
    live.name = "club".parse().unwrap();
    live.settings = ChannelSettings {
        restricted_viewing: true,
        takeover: true,
    };
    server.add(live);
    let list = server.send(get("/api/v1/live")).await.json();
    assert_eq!(
        list["items"],
        json!([{"name": "live", "title": "", "tags": [], "viewers": 3, "since": 5}])
    );
}

#[tokio::test]
async fn a_restricted_channel_is_shown_to_its_viewers_only() {
    let server = start().await;
    server
        .send(
            admin("PATCH", "/api/v1/channels/demo")
                .json(&json!({"settings": {"restricted_viewing": true}})),
        )
        .await;
    server.send(get("/api/v1/channels/demo")).await.problem(401);
    server
        .send(get("/api/v1/channels/demo").token("view:other"))
        .await
        .problem(403);
    assert_eq!(
        server
            .send(get("/api/v1/channels/demo").token("view:demo"))
            .await
            .status,
        200
    );
}
