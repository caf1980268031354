#![allow(clippy::unwrap_used)]

use super::*;

async fn broadcasts(fixture: &Fixture) -> Vec<spillway_signaling::api::model::Broadcast> {
    fixture
        .node
        .broadcasts(None, first_page())
        .await
        .unwrap()
        .items
}

#[tokio::test]
async fn a_broadcast_begins_with_media_and_ends_after_the_grace() {
    let mut config = Config::default();
    config.channels.reconnect_grace = Duration::ZERO;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    assert!(broadcasts(&fixture).await.is_empty());
    fixture.live(0).await;
    let begun = broadcasts(&fixture).await;
    assert_eq!(
        (begun.len(), begun[0].ended_at, begun[0].title.as_str()),
        (1, None, "Demo")
    );
    assert!(
        fixture
            .node
            .channel(&demo())
            .await
            .unwrap()
            .live_since
            .is_some()
    );
    fixture.ended(0).await;
    assert!(
        fixture
            .node
            .channel(&demo())
            .await
            .unwrap()
            .live_since
            .is_none()
    );
    fixture.node.on_tick().await;
    assert!(broadcasts(&fixture).await[0].ended_at.is_some());
}

#[tokio::test]
async fn a_reconnect_continues_the_broadcast() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    for serial in [0, 1] {
        fixture.publish(Some(&key)).await.unwrap();
        fixture.live(serial).await;
        fixture.ended(serial).await;
        fixture.node.on_tick().await;
    }
    let all = broadcasts(&fixture).await;
    assert_eq!((all.len(), all[0].ended_at), (1, None));
}

#[tokio::test]
async fn a_takeover_continues_the_broadcast_although_the_old_session_ends_late() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(1).await;
    fixture.ended(0).await;
    assert!(
        fixture
            .node
            .channel(&demo())
            .await
            .unwrap()
            .live_since
            .is_some()
    );
    assert_eq!(broadcasts(&fixture).await.len(), 1);
}

#[tokio::test]
async fn live_channels_come_by_viewers_without_restricted_ones() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.watch(None).await.unwrap();
    fixture.event(Event::Connected { session: id(1) }).await;
    let live = fixture.node.live(first_page()).await.unwrap().items;
    assert_eq!((live.len(), live[0].viewers), (1, 1));
    let mut profile = ChannelProfile::default();
    profile.settings.restricted_viewing = true;
    fixture.node.put_channel(&demo(), profile).await.unwrap();
    assert!(
        fixture
            .node
            .live(first_page())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn a_shutdown_ends_the_broadcasts_and_keeps_their_peak() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.watch(None).await.unwrap();
    fixture.event(Event::Connected { session: id(1) }).await;
    fixture.node.drain().await;
    let ended = fixture
        .store
        .broadcasts(
            None,
            &crate::store::Page {
                after: None,
                limit: 9,
            },
        )
        .await
        .unwrap();
    assert!(ended[0].ended_at.is_some());
    assert_eq!(ended[0].peak_viewers, 1);
}

#[tokio::test]
async fn outside_services_hear_of_publishers_and_viewers() {
    use axum::{Json, Router, extract::State, routing::post};
    type Heard = Arc<Mutex<Vec<String>>>;
    let heard = Heard::default();
    let hear = async |State(heard): State<Heard>, Json(notice): Json<serde_json::Value>| {
        heard.lock().unwrap().push(format!(
            "{} {}",
            notice["event"].as_str().unwrap(),
            notice["viewers"]
        ));
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = Config::default();
    config.webhooks.secret = "sixteen letters!".into();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    config.webhooks.endpoints = vec![config::Endpoint {
        url,
        events: vec![],
    }];
    let router = Router::new()
        .route("/", post(hear))
        .with_state(heard.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let fixture = fixture_with(&config).await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.watch(None).await.unwrap();
    fixture.event(Event::Connected { session: id(1) }).await;
    fixture.ended(1).await;
    fixture
        .event(Event::Offline {
            channel: "demo".parse().unwrap(),
            session: id(0),
        })
        .await;
    fixture.ended(0).await;
    fixture.node.webhooks().stop(Duration::from_secs(5)).await;
    let heard = heard.lock().unwrap();
    assert_eq!(
        *heard,
        [
            "on-publish 0",
            "on-viewer-join 1",
            "on-viewer-leave 0",
            "on-unpublish 0"
        ]
    );
}

#[tokio::test]
async fn what_is_old_or_too_many_is_forgotten() {
    let mut config = Config::default();
    config.channels.reconnect_grace = Duration::ZERO;
    config.limits.broadcasts_per_channel = 2;
    config.auth.keep_revoked = Duration::ZERO;
    let fixture = fixture_with(&config).await;
    let (_, id) = fixture
        .token_with_id(TokenKind::Publish, Some("demo"))
        .await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    for serial in 0..3 {
        fixture.publish(Some(&key)).await.unwrap();
        fixture.live(serial).await;
        fixture.ended(serial).await;
        fixture.node.on_tick().await;
    }
    fixture.node.revoke_token(&id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    fixture.node.tidy().await;
    assert_eq!(broadcasts(&fixture).await.len(), 2);
    assert_eq!(fixture.store.token(&id).await.unwrap(), None);
    assert!(fixture.publish(Some(&key)).await.is_ok());
}
