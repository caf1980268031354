//! `DELETE` on a session (RFC 9725 §4.2).

use crate::{
    client::{get, request},
    server::{start, whep},
};

#[tokio::test]
async fn delete_is_200_and_the_second_404() {
    let server = start().await;
    let viewer = server.send(whep("demo")).await.get("location").to_owned();
    for session in [server.publish().await, viewer] {
        let reply = server.send(request("DELETE", &session)).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.is_empty());
        server.send(request("DELETE", &session)).await.problem(404);
        server.send(get(&session)).await.problem(404);
    }
}

#[tokio::test]
async fn if_match_is_ignored() {
    let server = start().await;
    let session = server.publish().await;
    let delete = request("DELETE", session).header("If-Match", "\"stale\"");
    assert_eq!(server.send(delete).await.status, 200);
}

#[tokio::test]
async fn a_session_answers_only_under_its_own_url() {
    let server = start().await;
    let session = server.publish().await;
    for other in [
        session.replace("whip", "whep"),
        session.replace("demo", "other"),
    ] {
        server.send(request("DELETE", other)).await.problem(404);
    }
    assert_eq!(server.send(request("DELETE", session)).await.status, 200);
}
