//! Bearer tokens (RFC 6750) on WHIP and WHEP.

use spillway_signaling::api::model::ChannelSettings;

use crate::{
    client::request,
    fake::channel,
    server::{OFFER, SDP, Server, start, whep},
};

async fn start_restricted() -> Server {
    let server = start().await;
    let mut restricted = channel("club");
    restricted.settings = ChannelSettings {
        restricted_viewing: true,
        takeover: true,
    };
    server.add(restricted);
    server
}

#[tokio::test]
async fn publishing_without_a_token_is_401() {
    let server = start().await;
    let reply = server
        .send(request("POST", "/whip/demo").body(SDP, OFFER))
        .await;
    reply.problem(401);
    assert_eq!(reply.get("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn another_scheme_is_no_token() {
    let server = start().await;
    let basic = request("POST", "/whip/demo").header("Authorization", "Basic cHVibGlzaDpkZW1v");
    server.send(basic.body(SDP, OFFER)).await.problem(401);
}

#[tokio::test]
async fn publishing_with_another_channels_token_is_403() {
    let server = start().await;
    let offer = request("POST", "/whip/demo")
        .token("publish:other")
        .body(SDP, OFFER);
    server.send(offer).await.problem(403);
}

#[tokio::test]
async fn a_publishers_token_is_not_taken_from_the_query() {
    let server = start().await;
    let offer = request("POST", "/whip/demo?token=publish:demo").body(SDP, OFFER);
    server.send(offer).await.problem(401);
}

#[tokio::test]
async fn an_open_channel_is_watched_without_a_token() {
    let server = start().await;
    assert_eq!(server.send(whep("demo")).await.status, 201);
}

#[tokio::test]
async fn a_restricted_channel_needs_a_token_in_header_or_query() {
    let server = start_restricted().await;
    let reply = server.send(whep("club")).await;
    reply.problem(401);
    assert_eq!(reply.get("www-authenticate"), "Bearer");
    server
        .send(whep("club").token("view:demo"))
        .await
        .problem(403);
    assert_eq!(
        server.send(whep("club").token("view:club")).await.status,
        201
    );
    assert_eq!(
        server.send(whep("club?token=view%3Aclub")).await.status,
        201
    );
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let server = start_restricted().await;
    server
        .send(whep("club?token=view:club").token("view:demo"))
        .await
        .problem(403);
}
