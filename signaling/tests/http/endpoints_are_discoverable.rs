//! `GET`, `HEAD` and `OPTIONS`.

use crate::{
    client::{get, request},
    server::{SDP, SDPFRAG, start},
};

#[tokio::test]
async fn get_has_no_content() {
    let server = start().await;
    let session = server.publish().await;
    for path in ["/whip/demo", "/whep/demo", &session] {
        let reply = server.send(get(path)).await;
        assert_eq!(reply.status, 204, "{path}");
        assert!(reply.body.is_empty());
    }
}

#[tokio::test]
async fn head_on_whep_tells_the_type() {
    let server = start().await;
    let reply = server.send(request("HEAD", "/whep/demo")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.get("content-type"), SDP);
}

#[tokio::test]
async fn options_on_an_endpoint_says_what_to_post() {
    let server = start().await;
    for path in ["/whip/demo", "/whep/demo"] {
        let reply = server.send(request("OPTIONS", path)).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.get("accept-post"), SDP);
        assert!(reply.body.is_empty());
    }
}

#[tokio::test]
async fn options_on_a_session_says_what_to_patch() {
    let server = start().await;
    let session = server.publish().await;
    let reply = server.send(request("OPTIONS", session)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.get("accept-patch"), SDPFRAG);
}
