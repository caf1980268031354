//! `/api/v1/sessions` and `/api/v1/broadcasts`.

use crate::{
    client::{get, request},
    server::{start, whep},
};

#[tokio::test]
async fn sessions_are_listed_without_their_keys() {
    let server = start().await;
    let session = server.publish().await;
    let reply = server.send(get("/api/v1/sessions").token("admin")).await;
    let items = reply.json()["items"].clone();
    assert_eq!(items[0]["role"], "publisher");
    assert_eq!(items[0]["channel"], "demo");
    assert_eq!(items[0]["address"], "127.0.0.1");
    let key = session.rsplit('/').next().unwrap();
    assert!(!reply.body.contains(key));
    let one = server.send(get("/api/v1/sessions/s0").token("admin")).await;
    assert_eq!(one.json(), items[0]);
}

#[tokio::test]
async fn sessions_are_narrowed_to_a_channel() {
    let server = start().await;
    server.send(whep("demo")).await;
    let list = |query: &str| get(format!("/api/v1/sessions?{query}")).token("admin");
    assert_eq!(
        server.send(list("channel=demo")).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        server.send(list("channel=other")).await.json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    server.send(list("channel=no%20name")).await.problem(400);
}

#[tokio::test]
async fn a_kick_ends_the_session() {
    let server = start().await;
    let session = server.publish().await;
    let kick = || request("DELETE", "/api/v1/sessions/s0").token("admin");
    assert_eq!(server.send(kick()).await.status, 204);
    server.send(kick()).await.problem(404);
    server.send(get(session)).await.problem(404);
}

#[tokio::test]
async fn broadcasts_are_listed_and_shown() {
    let server = start().await;
    let list = server
        .send(get("/api/v1/broadcasts?channel=demo").token("admin"))
        .await
        .json();
    assert_eq!(list["items"][0]["id"], "b1");
    let one = server
        .send(get("/api/v1/broadcasts/b1").token("admin"))
        .await
        .json();
    assert_eq!(one, list["items"][0]);
    server
        .send(get("/api/v1/broadcasts/b2").token("admin"))
        .await
        .problem(404);
}
