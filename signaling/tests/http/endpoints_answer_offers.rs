//! `POST` on `/whip/{channel}` and `/whep/{channel}` (RFC 9725 §4.2).

use std::time::Duration;

use spillway_signaling::Refusal;

use crate::{
    client::{Reply, request},
    server::{OFFER, SDP, start, whep, whip},
};

fn assert_created(reply: &Reply, protocol: &str) {
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.get("content-type"), SDP);
    assert!(reply.body.starts_with("v=0"));
    assert_eq!(reply.get("etag"), "\"ice-0\"");
    let location = reply.get("location");
    let key = location
        .strip_prefix(&format!("/{protocol}/demo/"))
        .unwrap();
    assert_eq!(key.len(), 32, "128 bits in hexadecimal");
    let links = reply.all("link");
    assert_eq!(
        links[..2],
        [
            "<stun:stun.example.net:3478>; rel=\"ice-server\"",
            "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"user\"; credential=\"pass\"; \
             credential-type=\"password\"",
        ]
    );
    let extensions = [
        format!(
            "<{location}/events>; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"; \
             events=\"active,inactive,layers,reconnect,viewercount\""
        ),
        format!("<{location}/layer>; rel=\"urn:ietf:params:whep:ext:core:layer\""),
    ];
    let expected = if protocol == "whep" {
        &extensions[..]
    } else {
        &[]
    };
    assert_eq!(links[2..], *expected);
}

#[tokio::test]
async fn whip_answers_with_a_session() {
    let server = start().await;
    assert_created(&server.send(whip("demo")).await, "whip");
}

#[tokio::test]
async fn whep_answers_with_a_session() {
    let server = start().await;
    assert_created(&server.send(whep("demo")).await, "whep");
}

#[tokio::test]
async fn the_answer_has_a_length_and_is_not_chunked() {
    let server = start().await;
    let reply = server
        .send(whip("demo").header("Accept-Encoding", "gzip"))
        .await;
    assert_eq!(reply.get("content-length"), reply.body.len().to_string());
    assert!(reply.all("transfer-encoding").is_empty());
    assert!(reply.all("content-encoding").is_empty());
}

#[tokio::test]
async fn the_location_is_root_relative_behind_a_space() {
    let server = start().await;
    let reply = server.send(whip("demo")).await;
    let line = reply
        .head
        .lines()
        .find(|line| line.starts_with("location:"))
        .unwrap();
    assert!(line.starts_with("location: /whip/demo/"), "{line}");
}

#[tokio::test]
async fn every_session_has_another_key() {
    let server = start().await;
    assert_ne!(server.publish().await, server.publish().await);
}

#[tokio::test]
async fn parameters_and_case_of_the_content_type_do_not_matter() {
    let server = start().await;
    let offer = request("POST", "/whep/demo").body("Application/SDP; charset=utf-8", OFFER);
    assert_eq!(server.send(offer).await.status, 201);
}

#[tokio::test]
async fn another_content_type_is_415() {
    let server = start().await;
    for path in ["/whip/demo", "/whep/demo"] {
        let offer = request("POST", path).token("publish:demo");
        let detail = server
            .send(offer.body("application/json", OFFER))
            .await
            .problem(415);
        assert!(detail.contains(SDP), "{detail}");
        let untyped = request("POST", path).token("publish:demo");
        server.send(untyped).await.problem(415);
    }
}

#[tokio::test]
async fn malformed_sdp_is_400_and_names_the_line() {
    let server = start().await;
    for path in ["/whip/demo", "/whep/demo"] {
        let offer = request("POST", path)
            .token("publish:demo")
            .body(SDP, "hello");
        assert!(server.send(offer).await.problem(400).contains("line 1"));
    }
}

#[tokio::test]
async fn an_offer_that_is_not_utf_8_is_400() {
    let server = start().await;
    let offer = request("POST", "/whep/demo").body(SDP, vec![0xff, 0xfe, 0x00]);
    server.send(offer).await.problem(400);
}

#[tokio::test]
async fn sdp_that_cannot_be_served_is_422() {
    let server = start().await;
    for path in ["/whip/demo", "/whep/demo"] {
        let offer = request("POST", path).token("publish:demo");
        let reply = server.send(offer.body(SDP, "v=0 unserved")).await;
        assert!(reply.problem(422).contains("two video tracks"));
    }
}

#[tokio::test]
async fn an_offer_over_64_kib_is_413() {
    let server = start().await;
    let fits = request("POST", "/whep/demo")
        .body(SDP, format!("{OFFER}{}", "a".repeat(65_536 - OFFER.len())));
    assert_eq!(server.send(fits).await.status, 201);
    let large = request("POST", "/whep/demo")
        .body(SDP, format!("{OFFER}{}", "a".repeat(65_537 - OFFER.len())));
    server.send(large).await.problem(413);
}

#[tokio::test]
async fn a_channel_with_a_publisher_is_409() {
    let server = start().await;
    server.refuse(Refusal::conflict("the channel already has a publisher"));
    let reply = server.send(whip("demo")).await;
    reply.problem(409);
    assert!(reply.all("retry-after").is_empty());
}

#[tokio::test]
async fn overload_is_503_with_retry_after() {
    let server = start().await;
    server.refuse(Refusal::Overloaded {
        detail: "the node has all its viewers".into(),
        retry_after: Duration::from_millis(1500),
    });
    let reply = server.send(whep("demo")).await;
    reply.problem(503);
    assert_eq!(reply.get("retry-after"), "2");
}

#[tokio::test]
async fn too_many_sessions_of_an_address_are_429() {
    let server = start().await;
    server.refuse(Refusal::TooMany {
        detail: "your address has 100 sessions; end one".into(),
        retry_after: Duration::from_secs(10),
    });
    let reply = server.send(whep("demo")).await;
    reply.problem(429);
    assert_eq!(reply.get("retry-after"), "10");
}

#[tokio::test]
async fn another_node_is_307_and_the_query_goes_along() {
    let server = start().await;
    server.refuse(Refusal::Moved {
        location: "http://b.example.net/whep/demo".into(),
    });
    let reply = server.send(whep("demo?layer=hi")).await;
    assert_eq!(reply.status, 307);
    assert_eq!(
        reply.get("location"),
        "http://b.example.net/whep/demo?layer=hi"
    );
    assert_eq!(reply.get("access-control-allow-origin"), "*");
    let reply = server.send(whip("demo")).await;
    assert_eq!(reply.get("location"), "http://b.example.net/whep/demo");
}

#[tokio::test]
async fn what_broke_on_our_side_is_500_without_details() {
    let server = start().await;
    server.refuse(Refusal::Internal("disk /secret is full".into()));
    let detail = server.send(whep("demo")).await.problem(500);
    assert!(!detail.contains("secret"));
}
