//! Layer selection (draft-ietf-wish-whep, the layer selection extension).

use serde_json::{Value, json};
use spillway_signaling::platform::LayerChoice;

use crate::{
    client::{Reply, request},
    server::{Server, start, whep},
};

/// A server and the URL that takes choices of a viewer's layers.
async fn viewer() -> (Server, String) {
    let server = start().await;
    let reply = server.send(whep("demo")).await;
    let link = reply
        .all("link")
        .into_iter()
        .find(|link| link.contains("ext:core:layer"))
        .unwrap();
    let url = link[1..].split_once('>').unwrap().0.to_owned();
    (server, url)
}

async fn choose(server: &Server, url: &str, choice: &Value) -> Reply {
    server.send(request("POST", url).json(choice)).await
}

#[tokio::test]
async fn a_layer_is_chosen_by_its_rid() {
    let (server, url) = viewer().await;
    for name in ["rid", "encodingId", "encoding"] {
        let reply = choose(&server, &url, &json!({"mediaId": "0", name: "hd"})).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.body.is_empty());
        let wanted = LayerChoice {
            media_line: Some(0),
            rid: Some("hd".into()),
            ..LayerChoice::default()
        };
        assert_eq!(server.last_choice(), wanted);
    }
}

#[tokio::test]
async fn every_bound_is_passed_on_and_the_lower_of_two_counts() {
    let (server, url) = viewer().await;
    let choice = json!({
        "spatialLayerId": 1, "maxSpatialLayerId": 2, "temporalLayerId": 2, "maxTemporalLayerId": 1,
        "maxWidth": 1280, "maxHeight": 100_000,
    });
    assert_eq!(choose(&server, &url, &choice).await.status, 200);
    let wanted = LayerChoice {
        max_spatial: Some(1),
        max_temporal: Some(1),
        max_width: Some(1280),
        max_height: Some(u16::MAX),
        ..LayerChoice::default()
    };
    assert_eq!(server.last_choice(), wanted);
}

#[tokio::test]
async fn nothing_named_returns_to_automatic() {
    let (server, url) = viewer().await;
    for choice in [json!({}), json!({"rid": null})] {
        choose(&server, &url, &json!({"rid": "hd"})).await;
        assert_eq!(choose(&server, &url, &choice).await.status, 200);
        assert_eq!(server.last_choice(), LayerChoice::default());
    }
}

#[tokio::test]
async fn what_is_no_choice_is_400_and_says_why() {
    let (server, url) = viewer().await;
    for (choice, clue) in [
        (json!({"rid": 1}), "string"),
        (json!({"rid": ""}), "rid"),
        (json!({"rid": "x".repeat(65)}), "64"),
        (json!({"quality": "hd"}), "quality"),
        (json!({"spatialLayerId": -1}), "-1"),
        (json!({"temporalLayerId": 1.5}), "1.5"),
        (json!({"maxSpatialLayerId": "1"}), "string"),
        (json!({"maxWidth": 0}), "nonzero"),
        (json!({"mediaId": "video"}), "m-line"),
        (json!({"mediaId": "1"}), "m-line 0"),
        (json!({"rid": "a", "encodingId": "b"}), "duplicate"),
        (json!([]), "object"),
        (
            json!([null, null, null, null, null, null, null, null]),
            "object",
        ),
        (json!("hd"), "string"),
    ] {
        let detail = choose(&server, &url, &choice).await.problem(400);
        assert!(detail.contains(clue), "{choice}: {detail}");
    }
    let broken = request("POST", &url).body("application/json", "{\"rid\":");
    server.send(broken).await.problem(400);
}

#[tokio::test]
async fn a_long_mistake_is_not_repeated_in_full() {
    let (server, url) = viewer().await;
    let detail = choose(&server, &url, &json!({"x".repeat(5000): 1}))
        .await
        .problem(400);
    assert!(detail.len() <= 300, "{}", detail.len());
}

#[tokio::test]
async fn another_content_type_is_415() {
    let (server, url) = viewer().await;
    let reply = server
        .send(request("POST", &url).body("text/plain", "{}"))
        .await;
    assert!(reply.problem(415).contains("application/json"));
    server.send(request("POST", &url)).await.problem(415);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let (server, url) = viewer().await;
    let large = format!("{{{}}}", " ".repeat(65_536));
    let reply = server
        .send(request("POST", &url).body("application/json", large))
        .await;
    reply.problem(413);
}

#[tokio::test]
async fn an_unknown_session_is_404_and_so_is_a_publishers() {
    let (server, url) = viewer().await;
    let session = url.trim_end_matches("/layer").to_owned();
    let publisher = format!("{}/layer", server.publish().await.replace("whip", "whep"));
    server.send(request("DELETE", session)).await;
    for unknown in [url.as_str(), &publisher, "/whep/demo/x/layer"] {
        choose(&server, unknown, &json!({})).await.problem(404);
    }
}
