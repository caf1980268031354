//! What sidecars hear.

use serde_json::{Value, json};
use spillway_signaling::NewCue;

use crate::{
    client::{Request, request},
    server::start,
};

fn tell(token: &str, body: &Value) -> Request {
    request("POST", "/api/v1/broadcasts/b1/captions")
        .token(token)
        .json(body)
}

fn one(from: u64, to: u64, text: &str) -> Value {
    json!({"language": "en", "cues": [{"from": from, "to": to, "text": text}]})
}

#[tokio::test]
async fn a_sidecar_tells_what_was_said() {
    let server = start().await;
    let said = one(93_000, 95_000, "going to\nthe park");
    assert_eq!(server.send(tell("service", &said)).await.status, 204);
    assert_eq!(server.send(tell("admin", &said)).await.status, 204);
    let told = server.platform.chat.captions();
    assert_eq!((told.len(), &*told[0].language), (2, "en"));
    let cue = NewCue {
        from: 93_000,
        to: 95_000,
        text: "going to\nthe park".into(),
    };
    assert_eq!(told[0].cues, [cue]);
}

#[tokio::test]
async fn nobody_else_does_and_not_of_a_broadcast_that_there_is_not() {
    let server = start().await;
    let said = one(0, 1, "x");
    let anonymous = request("POST", "/api/v1/broadcasts/b1/captions").json(&said);
    server.send(anonymous).await.problem(401);
    server.send(tell("publish:demo", &said)).await.problem(403);
    let other = request("POST", "/api/v1/broadcasts/b2/captions").token("service");
    server.send(other.json(&said)).await.problem(404);
    assert!(server.platform.chat.captions().is_empty());
}

#[tokio::test]
async fn what_is_beyond_a_bound_is_told_so() {
    let server = start().await;
    let longest = one(1, 30_001, &"𝄞".repeat(500));
    assert_eq!(server.send(tell("service", &longest)).await.status, 204);
    let cue = json!({"from": 0, "to": 1, "text": "x"});
    let many = |count: usize| json!({"language": "en", "cues": vec![&cue; count]});
    assert_eq!(server.send(tell("service", &many(16))).await.status, 204);
    let spoken = |language: &str| json!({"language": language, "cues": [&cue]});
    for (body, clue) in [
        (one(2, 1, "x"), "ends"),
        (one(1, 30_002, "x"), "30000"),
        (one(u64::MAX, 0, "x"), "ends"),
        (one(0, 1, &"x".repeat(501)), "500"),
        (one(0, 1, " \n"), "1 to 500"),
        (one(0, 1, "a\u{7}"), "control"),
        (many(0), "1 to 16"),
        (many(17), "1 to 16"),
        (spoken(""), "tag"),
        (spoken("en\"US"), "tag"),
        (spoken(&"x".repeat(36)), "tag"),
        (json!({"language": "en"}), "cues"),
        (json!({"language": "en", "cues": [], "more": 1}), "more"),
    ] {
        let detail = server.send(tell("service", &body)).await.problem(422);
        assert!(detail.contains(clue), "{detail}");
    }
    let huge = one(0, 1, &"x".repeat(1 << 20));
    server.send(tell("service", &huge)).await.problem(413);
}
