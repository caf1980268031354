#![allow(clippy::unwrap_used)]

use spillway_signaling::{OnAirFeed, SidecarId, api::model::SidecarRegistration};

use super::*;

const URL: &str = "http://127.0.0.1:45123";

fn local() -> SidecarId {
    "local".parse().unwrap()
}

async fn register(fixture: &Fixture, channels: &[&str]) {
    let registration = SidecarRegistration {
        url: URL.parse().unwrap(),
        channels: channels.iter().map(|name| name.parse().unwrap()).collect(),
    };
    fixture
        .node
        .register_sidecar(local(), registration)
        .await
        .unwrap();
}

/// Where it is; nothing where it isn't.
async fn source(fixture: &Fixture, token: Option<&str>) -> Result<Option<String>, Refusal> {
    let found = fixture.node.find_hls(&demo(), &caller(token)).await;
    Ok(found?.map(|source| source.sidecar.as_str().to_owned()))
}

/// A channel on air.
async fn on_air() -> Fixture {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture
}

fn told(feed: &OnAirFeed) -> Vec<String> {
    feed.on_air
        .borrow()
        .keys()
        .map(ToString::to_string)
        .collect()
}

#[tokio::test]
async fn a_channel_is_unknown_then_idle_then_awaited_then_served() {
    let fixture = fixture().await;
    assert!(
        matches!(source(&fixture, None).await, Err(Refusal::NotFound(text)) if text.contains("no channel"))
    );
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    assert_eq!(source(&fixture, None).await.unwrap(), None);
    fixture.live(0).await;
    let awaited = source(&fixture, None).await;
    assert!(
        matches!(awaited, Err(Refusal::Overloaded { retry_after, .. }) if retry_after == Duration::from_secs(1))
    );
    register(&fixture, &["demo"]).await;
    assert_eq!(source(&fixture, None).await.unwrap().as_deref(), Some(URL));
}

#[tokio::test]
async fn what_a_sidecar_still_has_is_served_after_the_end() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    register(&fixture, &["demo"]).await;
    assert_eq!(source(&fixture, None).await.unwrap().as_deref(), Some(URL));
    register(&fixture, &[]).await;
    assert_eq!(source(&fixture, None).await.unwrap(), None);
    register(&fixture, &["demo"]).await;
    fixture.node.forget_sidecar(&local()).await.unwrap();
    assert_eq!(source(&fixture, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_restricted_channel_is_served_to_those_who_may_watch_it() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    register(&fixture, &["demo"]).await;
    assert!(matches!(
        source(&fixture, None).await,
        Err(Refusal::Unauthorized(_))
    ));
    let other = fixture.token(TokenKind::View, Some("other")).await;
    assert!(matches!(
        source(&fixture, Some(&other)).await,
        Err(Refusal::Forbidden(_))
    ));
    let view = fixture.token(TokenKind::View, Some("demo")).await;
    let found = fixture.node.find_hls(&demo(), &caller(Some(&view))).await;
    assert!(found.unwrap().unwrap().is_restricted);
}

#[tokio::test]
async fn who_was_let_in_is_out_once_the_token_is_revoked_or_the_channel_restricted() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    register(&fixture, &["demo"]).await;
    let (view, view_id) = fixture.token_with_id(TokenKind::View, Some("demo")).await;
    assert!(source(&fixture, Some(&view)).await.is_ok());
    fixture.node.revoke_token(&view_id).await.unwrap();
    assert!(source(&fixture, Some(&view)).await.is_err());

    let restrict = async |restricted: bool| {
        let mut profile = ChannelProfile::default();
        profile.settings.restricted_viewing = restricted;
        fixture.node.put_channel(&demo(), profile).await.unwrap();
    };
    restrict(false).await;
    assert!(source(&fixture, None).await.is_ok());
    restrict(true).await;
    assert!(source(&fixture, None).await.is_err());
}

#[tokio::test]
async fn sidecars_are_told_of_a_broadcast_until_its_end_through_its_interruptions() {
    let config = Config {
        channels: config::Channels {
            reconnect_grace: Duration::ZERO,
            ..config::Channels::default()
        },
        ..Config::default()
    };
    let fixture = fixture_with(&config).await;
    let feed = fixture.node.follow_broadcasts(&caller(None)).await.unwrap();
    assert!(told(&feed).is_empty());
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    assert_eq!(told(&feed), ["demo"]);
    fixture.ended(0).await;
    assert_eq!(told(&feed), ["demo"], "its publisher may return");
    fixture.node.on_tick().await;
    assert!(told(&feed).is_empty());
}

#[tokio::test]
async fn a_sidecar_that_comes_late_is_told_what_is_on_air() {
    let fixture = on_air().await;
    let feed = fixture.node.follow_broadcasts(&caller(None)).await.unwrap();
    assert_eq!(told(&feed), ["demo"]);
    fixture.node.delete_channel(&demo()).await.unwrap();
    assert!(told(&feed).is_empty());
}

#[tokio::test]
async fn a_sidecar_is_told_no_more_once_its_token_is_revoked_or_the_node_stops() {
    let fixture = on_air().await;
    let (token, id) = fixture.token_with_id(TokenKind::Service, None).await;
    let mut revoked = fixture
        .node
        .follow_broadcasts(&caller(Some(&token)))
        .await
        .unwrap();
    let mut other = fixture.node.follow_broadcasts(&caller(None)).await.unwrap();
    fixture.store.revoke_token(&id, time::now()).await.unwrap();
    fixture.node.end_revoked().await;
    assert!((&mut revoked.end).await.is_err());
    assert!(
        other
            .end
            .try_recv()
            .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
    );
    fixture.node.drain().await;
    assert!((&mut other.end).await.is_err());
    assert!(told(&other).is_empty());
}
