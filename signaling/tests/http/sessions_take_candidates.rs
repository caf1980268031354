//! `PATCH` on a session (RFC 9725 §4.3).

use crate::{
    client::{Request, request},
    server::{SDPFRAG, start, whep},
};

const CANDIDATE: &str = "a=ice-ufrag:abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
const NEW_ICE: &str = "a=ice-ufrag:efgh\r\na=ice-pwd:0123456789012345678901\r\n";

fn patch(session: &str, body: &str) -> Request {
    request("PATCH", session).body(SDPFRAG, body)
}

#[tokio::test]
async fn the_current_tag_adds_candidates() {
    let server = start().await;
    let session = server.publish().await;
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await;
    assert_eq!(reply.status, 204);
    assert!(reply.body.is_empty());
    assert!(reply.all("etag").is_empty());
    assert_eq!(server.candidates(), [CANDIDATE]);
}

#[tokio::test]
async fn viewers_trickle_as_well() {
    let server = start().await;
    let session = server.send(whep("demo")).await.get("location").to_owned();
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn no_tag_is_428() {
    let server = start().await;
    let session = server.publish().await;
    server.send(patch(&session, CANDIDATE)).await.problem(428);
    assert!(server.candidates().is_empty());
}

#[tokio::test]
async fn a_stale_or_weak_tag_is_412() {
    let server = start().await;
    let session = server.publish().await;
    for tag in ["\"old\"", "W/\"ice-0\""] {
        server
            .send(patch(&session, CANDIDATE).header("If-Match", tag))
            .await
            .problem(412);
    }
    assert!(server.candidates().is_empty());
}

#[tokio::test]
async fn a_tag_without_quotes_is_400() {
    let server = start().await;
    let session = server.publish().await;
    server
        .send(patch(&session, CANDIDATE).header("If-Match", "ice-0"))
        .await
        .problem(400);
}

#[tokio::test]
async fn a_star_with_new_credentials_restarts_ice() {
    let server = start().await;
    let session = server.publish().await;
    let reply = server
        .send(patch(&session, NEW_ICE).header("If-Match", "*"))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.get("content-type"), SDPFRAG);
    assert_eq!(reply.get("etag"), "\"ice-1\"");
    assert!(reply.body.contains("a=ice-ufrag:new"));
    server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await
        .problem(412);
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-1\""))
        .await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn a_star_with_the_present_credentials_restarts_nothing() {
    let server = start().await;
    let session = server.publish().await;
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "*"))
        .await;
    assert_eq!(reply.status, 204);
    assert!(reply.all("etag").is_empty());
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await;
    assert_eq!(reply.status, 204, "the tag is still the first");
}

#[tokio::test]
async fn a_restart_that_fails_leaves_the_old_ice_session() {
    let server = start().await;
    let session = server.publish().await;
    server
        .send(patch(&session, CANDIDATE.split_at(18).1).header("If-Match", "*"))
        .await
        .problem(400);
    let reply = server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn another_content_type_is_415() {
    let server = start().await;
    let session = server.publish().await;
    let sdp = request("PATCH", &session).body("application/sdp", CANDIDATE);
    let reply = server.send(sdp.header("If-Match", "\"ice-0\"")).await;
    reply.problem(415);
    assert_eq!(reply.get("accept-patch"), SDPFRAG);
}

#[tokio::test]
async fn a_malformed_sdpfrag_is_400() {
    let server = start().await;
    let session = server.publish().await;
    server
        .send(patch(&session, "hello").header("If-Match", "\"ice-0\""))
        .await
        .problem(400);
}

#[tokio::test]
async fn a_large_sdpfrag_is_413() {
    let server = start().await;
    let session = server.publish().await;
    let large = patch(&session, &"a".repeat(65_537));
    server
        .send(large.header("If-Match", "\"ice-0\""))
        .await
        .problem(413);
}

#[tokio::test]
async fn an_unknown_session_is_404() {
    let server = start().await;
    let session = format!("/whip/demo/{}", "0".repeat(32));
    server
        .send(patch(&session, CANDIDATE).header("If-Match", "\"ice-0\""))
        .await
        .problem(404);
    server
        .send(patch("/whep/demo/nonsense", CANDIDATE).header("If-Match", "*"))
        .await
        .problem(404);
}
