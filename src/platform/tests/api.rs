#![allow(clippy::unwrap_used)]

use spillway_signaling::api::model::{ChannelEdit, SettingsEdit, TokenRequest};

use super::*;

#[tokio::test]
async fn channels_are_made_changed_and_deleted() {
    let fixture = fixture().await;
    let node = &fixture.node;
    let profile = ChannelProfile {
        title: "First".into(),
        tags: vec!["a".into()],
        ..ChannelProfile::default()
    };
    node.create_channel(demo(), profile.clone()).await.unwrap();
    assert!(matches!(
        node.create_channel(demo(), profile).await,
        Err(Refusal::Conflict { .. })
    ));
    let settings = Some(SettingsEdit {
        restricted_viewing: Some(true),
        takeover: None,
    });
    let edit = ChannelEdit {
        title: Some("Second".into()),
        settings,
        ..ChannelEdit::default()
    };
    let changed = node.edit_channel(&demo(), edit).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.tags.len()), ("Second", 1));
    assert!(changed.settings.restricted_viewing && changed.settings.takeover);
    let put = node
        .put_channel(&demo(), ChannelProfile::default())
        .await
        .unwrap();
    assert!(!put.created && put.channel.title.is_empty());
    node.delete_channel(&demo()).await.unwrap();
    assert!(matches!(
        node.delete_channel(&demo()).await,
        Err(Refusal::NotFound(_))
    ));
    assert!(matches!(
        node.edit_channel(&demo(), ChannelEdit::default()).await,
        Err(Refusal::NotFound(_))
    ));
    assert!(
        node.put_channel(&demo(), ChannelProfile::default())
            .await
            .unwrap()
            .created
    );
}

#[tokio::test]
async fn deleting_a_channel_ends_its_sessions_and_its_broadcast() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.watch(None).await.unwrap();
    fixture.node.delete_channel(&demo()).await.unwrap();
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0), id(1)]);
    let broadcasts = fixture
        .node
        .broadcasts(Some(&demo()), first_page())
        .await
        .unwrap()
        .items;
    assert!(broadcasts[0].ended_at.is_some());
    let again = fixture.publish(Some(&key)).await;
    assert!(
        matches!(again, Err(Refusal::Unauthorized(_) | Refusal::Forbidden(_))),
        "its keys are gone with it"
    );
}

#[tokio::test]
async fn restricting_a_channel_ends_viewers_without_a_token() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    let edit = ChannelEdit {
        settings: Some(SettingsEdit {
            restricted_viewing: Some(true),
            ..SettingsEdit::default()
        }),
        ..ChannelEdit::default()
    };
    fixture.node.edit_channel(&demo(), edit).await.unwrap();
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn channels_are_limited_in_number() {
    let mut config = Config::default();
    config.limits.channels = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let second = fixture
        .node
        .create_channel("other".parse().unwrap(), ChannelProfile::default())
        .await;
    assert!(matches!(second, Err(Refusal::Conflict { .. })));
}

#[tokio::test]
async fn sessions_are_listed_in_pages_described_and_kicked() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    for _ in 0..3 {
        fixture.watch(None).await.unwrap();
    }
    let page = PageRequest {
        limit: 2,
        after: None,
    };
    let first = fixture.node.sessions(None, page).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let rest = fixture
        .node
        .sessions(
            Some(&demo()),
            PageRequest {
                limit: 2,
                after: first.next,
            },
        )
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let described = fixture.node.session(&rest.items[0].id).await.unwrap();
    assert_eq!(
        (described.user_agent.as_deref(), described.connected),
        (Some("test"), false)
    );
    fixture.node.kick(&described.id).await.unwrap();
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(2)]);
    for id in [described.id.as_str(), "x", "0-99", "0-+1", ""] {
        assert!(
            matches!(fixture.node.kick(id).await, Err(Refusal::NotFound(_))),
            "{id}"
        );
    }
    let nobody = fixture
        .node
        .sessions(Some(&"other".parse().unwrap()), first_page())
        .await
        .unwrap();
    assert!(nobody.items.is_empty());
    let bad = PageRequest {
        limit: 2,
        after: Some("nonsense".into()),
    };
    assert!(matches!(
        fixture.node.sessions(None, bad).await,
        Err(Refusal::Malformed(_))
    ));
}

#[tokio::test]
async fn tokens_are_issued_listed_and_revoked() {
    let fixture = fixture().await;
    let request = TokenRequest {
        kind: TokenKind::Publish,
        channel: demo(),
        expires_in_s: Some(60),
        note: "OBS".into(),
    };
    let issued = fixture.node.issue_token(request).await.unwrap();
    assert!(fixture.publish(Some(&issued.token)).await.is_ok());
    let listed = fixture.node.tokens(first_page()).await.unwrap().items;
    assert_eq!(listed, std::slice::from_ref(&issued.details));
    fixture.node.revoke_token(&issued.details.id).await.unwrap();
    assert!(
        fixture.node.tokens(first_page()).await.unwrap().items[0]
            .revoked_at
            .is_some()
    );
    assert!(matches!(
        fixture.node.revoke_token("nobody").await,
        Err(Refusal::NotFound(_))
    ));
}

#[tokio::test]
async fn tokens_are_limited_in_number() {
    let mut config = Config::default();
    config.limits.tokens = 1;
    let fixture = fixture_with(&config).await;
    let issue = || {
        fixture.node.issue_token(TokenRequest {
            kind: TokenKind::View,
            channel: demo(),
            expires_in_s: None,
            note: String::new(),
        })
    };
    assert!(issue().await.is_ok());
    assert!(matches!(issue().await, Err(Refusal::Conflict { .. })));
}

#[tokio::test]
async fn the_node_tells_its_load_and_its_bounds() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    let node = fixture.node.node().await.unwrap();
    assert_eq!(
        (node.viewers, node.publishers, node.live_channels),
        (1, 0, 0)
    );
    assert_eq!((node.max_viewers, node.draining), (10_000, false));
    assert!(matches!(
        fixture.node.broadcast("none").await,
        Err(Refusal::NotFound(_))
    ));
}
