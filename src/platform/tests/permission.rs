#![allow(clippy::unwrap_used)]

use spillway_signaling::platform::Action;

use super::*;

#[tokio::test]
async fn publishing_needs_the_channels_key() {
    let fixture = fixture().await;
    assert!(matches!(
        fixture.publish(None).await,
        Err(Refusal::Unauthorized(_))
    ));
    assert!(matches!(
        fixture.publish(Some("nonsense")).await,
        Err(Refusal::Unauthorized(_))
    ));
    let other = fixture.token(TokenKind::Publish, Some("other")).await;
    let view = fixture.token(TokenKind::View, Some("demo")).await;
    for token in [other, view] {
        assert!(matches!(
            fixture.publish(Some(&token)).await,
            Err(Refusal::Forbidden(_))
        ));
    }
    assert!(fixture.media.published.lock().unwrap().is_empty());
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    assert!(fixture.publish(Some(&key)).await.is_ok());
}

#[tokio::test]
async fn the_first_use_of_a_key_makes_its_channel() {
    let fixture = fixture().await;
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::NotFound(_))
    ));
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    assert!(fixture.store.channel(&demo()).await.unwrap().is_some());
    assert!(fixture.watch(None).await.is_ok());
}

#[tokio::test]
async fn a_revoked_key_ends_its_session_and_makes_no_other() {
    let fixture = fixture().await;
    let (key, key_id) = fixture
        .token_with_id(TokenKind::Publish, Some("demo"))
        .await;
    let published = fixture.publish(Some(&key)).await.unwrap();
    fixture.node.revoke_token(&key_id).await.unwrap();
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
    let gone = fixture
        .node
        .ice_tag(&session(Role::Publisher, &published))
        .await;
    assert!(matches!(gone, Err(Refusal::NotFound(_))));
    assert!(matches!(
        fixture.publish(Some(&key)).await,
        Err(Refusal::Unauthorized(_))
    ));
}

#[tokio::test]
async fn a_key_that_another_process_revokes_ends_its_session() {
    let fixture = fixture().await;
    let (key, key_id) = fixture
        .token_with_id(TokenKind::Publish, Some("demo"))
        .await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.node.end_revoked().await;
    assert!(fixture.media.closed.lock().unwrap().is_empty());
    assert!(
        fixture
            .store
            .revoke_token(&key_id, time::now())
            .await
            .unwrap()
    );
    fixture.node.end_revoked().await;
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_its_session_is_made_leaves_none() {
    let fixture = fixture().await;
    let (key, key_id) = fixture
        .token_with_id(TokenKind::Publish, Some("demo"))
        .await;
    let opened = fixture.media.take_time();
    let (published, ()) = tokio::join!(fixture.publish(Some(&key)), async {
        fixture.node.revoke_token(&key_id).await.unwrap();
        assert!(fixture.media.closed.lock().unwrap().is_empty());
        drop(opened);
    });
    assert!(matches!(published, Err(Refusal::Unauthorized(_))));
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
    let left = fixture.node.sessions(None, first_page()).await.unwrap();
    assert!(left.items.is_empty());
}

#[tokio::test]
async fn a_channel_that_is_restricted_while_a_stranger_joins_has_none() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let opened = fixture.media.take_time();
    let (watched, ()) = tokio::join!(fixture.watch(None), async {
        let mut profile = ChannelProfile::default();
        profile.settings.restricted_viewing = true;
        fixture.node.put_channel(&demo(), profile).await.unwrap();
        drop(opened);
    });
    assert!(matches!(watched, Err(Refusal::Unauthorized(_))));
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn restricted_viewing_needs_a_token_for_the_channel() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::Unauthorized(_))
    ));
    let other = fixture.token(TokenKind::View, Some("other")).await;
    assert!(matches!(
        fixture.watch(Some(&other)).await,
        Err(Refusal::Forbidden(_))
    ));
    for kind in [TokenKind::View, TokenKind::Publish, TokenKind::Moderate] {
        let token = fixture.token(kind, Some("demo")).await;
        assert!(fixture.watch(Some(&token)).await.is_ok(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_broken_token_is_told_even_where_none_is_needed() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    assert!(matches!(
        fixture.watch(Some("nonsense")).await,
        Err(Refusal::Unauthorized(_))
    ));
    assert!(fixture.watch(None).await.is_ok());
}

#[tokio::test]
async fn only_administrators_administer() {
    let fixture = fixture().await;
    let may = async |token: Option<&str>| {
        fixture
            .node
            .authorize(&caller(token), Action::Administer)
            .await
    };
    assert!(matches!(may(None).await, Err(Refusal::Unauthorized(_))));
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    assert!(matches!(may(Some(&key)).await, Err(Refusal::Forbidden(_))));
    let admin = fixture.token(TokenKind::Admin, None).await;
    assert!(may(Some(&admin)).await.is_ok());
}

#[tokio::test]
async fn a_sidecar_watches_every_channel_registers_and_nothing_else() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    let service = fixture.token(TokenKind::Service, None).await;
    let may = async |action: Action<'_>| {
        fixture
            .node
            .authorize(&caller(Some(&service)), action)
            .await
    };
    assert!(fixture.watch(Some(&service)).await.is_ok());
    assert!(may(Action::View(&demo())).await.is_ok());
    assert!(may(Action::Serve).await.is_ok());
    let administers = may(Action::Administer).await;
    assert!(matches!(administers, Err(Refusal::Forbidden(_))));
    let publishes = fixture.publish(Some(&service)).await;
    assert!(matches!(publishes, Err(Refusal::Forbidden(_))));
}

#[tokio::test]
async fn who_may_only_watch_or_publish_is_no_sidecar() {
    let fixture = fixture().await;
    for kind in [TokenKind::View, TokenKind::Publish, TokenKind::Moderate] {
        let token = fixture.token(kind, Some("demo")).await;
        let serves = fixture
            .node
            .authorize(&caller(Some(&token)), Action::Serve)
            .await;
        assert!(matches!(serves, Err(Refusal::Forbidden(_))), "{kind:?}");
    }
    let stranger = fixture.node.authorize(&caller(None), Action::Serve).await;
    assert!(matches!(stranger, Err(Refusal::Unauthorized(_))));
}

#[tokio::test]
async fn a_sidecar_that_watches_is_not_counted_and_ends_with_its_token() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let (service, service_id) = fixture.token_with_id(TokenKind::Service, None).await;
    fixture.watch(Some(&service)).await.unwrap();
    fixture.event(Event::Connected { session: id(0) }).await;
    let channel = fixture.node.channel(&demo()).await.unwrap();
    assert_eq!(channel.viewers, 0);
    fixture.node.revoke_token(&service_id).await.unwrap();
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn an_outside_service_is_not_asked_about_sidecars() {
    let config = Config {
        webhooks: service().await,
        ..Config::default()
    };
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let token = fixture.token(TokenKind::Service, None).await;
    assert!(fixture.watch(Some(&token)).await.is_ok());
}

#[tokio::test]
async fn a_channel_is_seen_by_all_unless_its_viewing_is_restricted() {
    let fixture = fixture().await;
    let name = demo();
    let see = async |token: Option<&str>| {
        fixture
            .node
            .authorize(&caller(token), Action::View(&name))
            .await
    };
    assert!(matches!(see(None).await, Err(Refusal::NotFound(_))));
    fixture.add_channel(true).await;
    assert!(matches!(see(None).await, Err(Refusal::Unauthorized(_))));
    let token = fixture.token(TokenKind::View, Some("demo")).await;
    assert!(see(Some(&token)).await.is_ok());
}

#[tokio::test]
async fn what_was_said_is_for_those_whom_the_outside_service_lets_watch() {
    let config = Config {
        webhooks: service().await,
        ..Config::default()
    };
    let fixture = fixture_with(&config).await;
    let name = demo();
    let watch = async |token: Option<&str>| {
        fixture
            .node
            .authorize(&caller(token), Action::Watch(&name))
            .await
    };
    assert!(matches!(
        watch(Some("streamers-own-key")).await,
        Err(Refusal::NotFound(_))
    ));
    fixture.add_channel(false).await;
    assert!(matches!(watch(None).await, Err(Refusal::Forbidden(_))));
    assert!(watch(Some("streamers-own-key")).await.is_ok());
    let sidecar = fixture.token(TokenKind::Service, None).await;
    assert!(watch(Some(&sidecar)).await.is_ok());
}

/// A service that knows two keys of its own, and a streamer by its address.
async fn service() -> config::Webhooks {
    use axum::{Json, Router, http::StatusCode, routing::post};
    let judge = async |Json(question): Json<serde_json::Value>| {
        let known = ["streamers-own-key", "a-second-key"];
        let token = question["token"].as_str();
        if token.is_some_and(|token| known.contains(&token))
            || question["address"] == "198.51.100.1"
        {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/", post(judge)))
            .await
            .unwrap();
    });
    config::Webhooks {
        secret: "sixteen letters!".into(),
        authorize_publish: url.clone(),
        authorize_view: url,
        ..config::Webhooks::default()
    }
}

#[tokio::test]
async fn an_outside_service_admits_its_own_keys_and_vetoes_ours() {
    let config = Config {
        webhooks: service().await,
        ..Config::default()
    };
    let fixture = fixture_with(&config).await;
    assert!(fixture.publish(Some("streamers-own-key")).await.is_ok());
    assert!(matches!(
        fixture.publish(Some("another")).await,
        Err(Refusal::Forbidden(_))
    ));
    assert!(matches!(
        fixture.publish(None).await,
        Err(Refusal::Forbidden(_))
    ));
    let ours = fixture.token(TokenKind::Publish, Some("demo")).await;
    assert!(matches!(
        fixture.publish(Some(&ours)).await,
        Err(Refusal::Forbidden(_))
    ));
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::Forbidden(_))
    ));
    assert!(fixture.watch(Some("streamers-own-key")).await.is_ok());
}

#[tokio::test]
async fn a_publisher_of_an_outside_service_takes_over_with_the_same_key_alone() {
    let config = Config {
        webhooks: service().await,
        ..Config::default()
    };
    let fixture = fixture_with(&config).await;
    let publish = async |address: &str, token: Option<&str>| {
        let call = PublishCall {
            channel: demo(),
            offer: "offer".into(),
            caller: Caller {
                address: address.parse().unwrap(),
                ..caller(token)
            },
        };
        fixture.node.publish(call).await.unwrap();
        let published = fixture.media.published.lock().unwrap();
        published.last().unwrap().take_over
    };
    let (first, second) = (Some("streamers-own-key"), Some("a-second-key"));
    assert!(!publish("192.0.2.1", first).await);
    assert!(publish("192.0.2.9", first).await, "wherever it comes from");
    assert!(!publish("192.0.2.9", second).await, "another key");
    assert!(!publish("198.51.100.1", None).await);
    assert!(!publish("198.51.100.1", None).await, "no key at all");
}

#[tokio::test]
async fn a_service_that_is_down_lets_nobody_in() {
    let mut config = Config::default();
    config.webhooks.secret = "sixteen letters!".into();
    config.webhooks.authorize_view = "http://127.0.0.1:9/".into();
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::Overloaded { .. })
    ));
}
