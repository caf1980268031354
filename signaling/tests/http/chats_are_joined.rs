//! The way into a chat by WebSocket, what payment providers tell, and what was said.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use spillway_chat::protocol::MAX_CLIENT_FRAME;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};

use crate::{
    client::{Request, get, request},
    fake::BARRED,
    server::start,
};

const CHAT: &str = "/api/v1/channels/demo/chat";

#[tokio::test]
async fn frames_go_both_ways() {
    let server = start().await;
    let address = format!("ws://{}{CHAT}", server.address);
    let (mut socket, answer) = connect_async(address).await.unwrap();
    assert_eq!(answer.status(), 101);
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("hello")
    );
    let long = "x".repeat(MAX_CLIENT_FRAME + 1);
    socket.send(Message::text(long)).await.unwrap();
    let end = socket.next().await;
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}

#[tokio::test]
async fn what_is_no_websocket_or_no_channel_is_told() {
    let server = start().await;
    server.send(get(CHAT)).await.problem(400);
    let other = format!("ws://{}/api/v1/channels/other/chat", server.address);
    let Err(Error::Http(answer)) = connect_async(other).await else {
        panic!("there's no such channel");
    };
    assert_eq!(answer.status(), 404);
}

fn event(body: &str) -> Request {
    request("POST", "/api/v1/channels/demo/events").body("application/json", body)
}

#[tokio::test]
async fn an_event_is_acknowledged_with_its_place() {
    let server = start().await;
    server.send(event("{}")).await.problem(401);
    let signed = |body| event(body).header("Spillway-Signature", "good");
    let new = server
        .send(signed("{}").header("Idempotency-Key", "k"))
        .await;
    assert_eq!(
        (new.status, new.json()),
        (201, json!({"seq": 2, "known": false}))
    );
    let known = server.send(signed("{}")).await;
    assert_eq!(
        (known.status, known.json()),
        (200, json!({"seq": 2, "known": true}))
    );
    let long = "x".repeat(2 << 20);
    server.send(signed(&long)).await.problem(413);
}

#[tokio::test]
async fn what_was_said_comes_in_pages() {
    let server = start().await;
    let said = server.send(get("/api/v1/broadcasts/b1/chat?after=7")).await;
    assert_eq!(
        said.json(),
        json!({"items": [{"after": "7"}], "next": null})
    );
    let none = get("/api/v1/broadcasts/none/chat");
    server.send(none).await.problem(404);
}

#[tokio::test]
async fn what_was_said_is_for_those_who_may_watch() {
    let server = start().await;
    let barred = get("/api/v1/broadcasts/b1/chat").token(BARRED);
    server.send(barred).await.problem(403);
}

#[tokio::test]
async fn what_moderators_did_comes_in_pages_to_those_who_moderate() {
    let server = start().await;
    let actions = || get("/api/v1/channels/demo/actions?after=7");
    for token in ["publish:demo", "admin"] {
        let listed = server.send(actions().token(token)).await;
        assert_eq!(
            listed.json(),
            json!({"items": [{"after": "7"}], "next": null})
        );
    }
    server.send(actions()).await.problem(401);
    for other in ["view:demo", "publish:other", "service"] {
        server.send(actions().token(other)).await.problem(403);
    }
    let none = get("/api/v1/channels/none/actions").token("admin");
    server.send(none).await.problem(404);
}
