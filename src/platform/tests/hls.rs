#![allow(clippy::unwrap_used)]

use spillway_signaling::{
    OnAirFeed, SidecarId, Signature, Ticket, api::model::SidecarRegistration,
};

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
        .register_sidecar(local(), registration, &caller(None))
        .await
        .unwrap();
}

/// Where it is; nothing where it isn't.
async fn source(fixture: &Fixture, token: Option<&str>) -> Result<Option<String>, Refusal> {
    let found = fixture
        .node
        .find_hls(&demo(), Ticket::Caller(&caller(token)))
        .await;
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
    let sidecar = caller(None);
    fixture
        .node
        .forget_sidecar(&local(), &sidecar)
        .await
        .unwrap();
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
    let caller = caller(Some(&view));
    let ticket = Ticket::Caller(&caller);
    let found = fixture.node.find_hls(&demo(), ticket).await;
    assert!(found.unwrap().unwrap().signature.is_some());
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_signature_that_holds_for_the_channel_alone() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    register(&fixture, &["demo"]).await;
    let view = fixture.token(TokenKind::View, Some("demo")).await;
    let caller = caller(Some(&view));
    let ticket = Ticket::Caller(&caller);
    let found = fixture.node.find_hls(&demo(), ticket).await;
    let signature = found.unwrap().unwrap().signature.unwrap();
    let by = async |name: &str, signature: &Signature| {
        let name: ChannelName = name.parse().unwrap();
        let ticket = Ticket::Signature(signature);
        fixture.node.find_hls(&name, ticket).await
    };
    let source = by("demo", &signature).await.unwrap().unwrap();
    assert_eq!(source.signature, None, "shared caches may keep it");
    let other = by("other", &signature).await;
    assert!(matches!(other, Err(Refusal::Forbidden(_))));
    let forged = "99999999999-AAAA".parse().unwrap();
    let forged = by("demo", &forged).await;
    assert!(matches!(forged, Err(Refusal::Forbidden(_))));
}

#[tokio::test]
async fn a_node_that_has_no_sidecar_and_hears_of_none_makes_no_hls() {
    let fixture = on_air().await;
    assert!(matches!(
        source(&fixture, None).await,
        Err(Refusal::Overloaded { .. })
    ));
    fixture.node.runs_no_sidecar();
    let refused = source(&fixture, None).await;
    assert!(matches!(refused, Err(Refusal::NotFound(why)) if why.contains("no HLS")));
    register(&fixture, &[]).await;
    let awaited = source(&fixture, None).await;
    assert!(matches!(awaited, Err(Refusal::Overloaded { .. })));
}

#[tokio::test]
async fn a_sidecars_name_is_its_tokens() {
    let fixture = fixture().await;
    let (ours, theirs) = (
        fixture.token(TokenKind::Service, None).await,
        fixture.token(TokenKind::Service, None).await,
    );
    let admin = fixture.token(TokenKind::Admin, None).await;
    let register = async |token: &str| {
        let registration = SidecarRegistration {
            url: URL.parse().unwrap(),
            channels: Vec::new(),
        };
        let caller = caller(Some(token));
        fixture
            .node
            .register_sidecar(local(), registration, &caller)
            .await
    };
    let forget = async |token: &str| {
        let caller = caller(Some(token));
        fixture.node.forget_sidecar(&local(), &caller).await
    };
    register(&ours).await.unwrap();
    register(&ours).await.unwrap();
    let stolen = register(&theirs).await;
    assert!(matches!(stolen, Err(Refusal::Conflict { .. })));
    let ended = forget(&theirs).await;
    assert!(matches!(ended, Err(Refusal::Conflict { .. })));
    forget(&ours).await.unwrap();
    register(&theirs).await.unwrap();
    forget(&admin).await.unwrap();
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
