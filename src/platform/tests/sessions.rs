#![allow(clippy::unwrap_used)]

use super::*;

const FRAGMENT: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";

#[tokio::test]
async fn a_session_lives_until_it_is_ended_once() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let watched = fixture.watch(None).await.unwrap();
    let named = session(Role::Viewer, &watched);
    assert_eq!(fixture.node.ice_tag(&named).await.unwrap(), "ufrag0");
    fixture.node.end(&named).await.unwrap();
    assert!(matches!(
        fixture.node.end(&named).await,
        Err(Refusal::NotFound(_))
    ));
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn a_session_that_ended_by_itself_can_be_ended_once_more() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let watched = fixture.watch(None).await.unwrap();
    let named = session(Role::Viewer, &watched);
    fixture.ended(0).await;
    fixture.node.end(&named).await.unwrap();
    assert!(matches!(
        fixture.node.end(&named).await,
        Err(Refusal::NotFound(_))
    ));
}

#[tokio::test]
async fn a_session_is_found_only_under_its_role_and_channel() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let watched = fixture.watch(None).await.unwrap();
    let named = session(Role::Viewer, &watched);
    let wrong_role = SessionRef {
        role: Role::Publisher,
        ..named.clone()
    };
    let wrong_channel = SessionRef {
        channel: "other".parse().unwrap(),
        ..named
    };
    for wrong in [wrong_role, wrong_channel] {
        assert!(matches!(
            fixture.node.end(&wrong).await,
            Err(Refusal::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn restarting_ice_changes_the_tag() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let named = session(Role::Viewer, &fixture.watch(None).await.unwrap());
    let restarted = fixture
        .node
        .restart_ice(&named, FRAGMENT.into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(restarted.sdpfrag, "for abcd");
    assert_eq!(
        fixture.node.ice_tag(&named).await.unwrap(),
        restarted.ice_tag
    );
    let without = fixture
        .node
        .restart_ice(
            &named,
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n".into(),
        )
        .await;
    assert!(matches!(without, Err(Refusal::Malformed(_))));
    assert_eq!(fixture.node.ice_tag(&named).await.unwrap(), "renewed");
}

#[tokio::test]
async fn the_clients_present_credentials_restart_nothing() {
    const OFFER: &str = include_str!("../../../sfu/tests/fixtures/sdp/chromium_viewer.sdp");
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let call = WatchCall {
        channel: demo(),
        offer: OFFER.into(),
        caller: caller(None),
        layer: None,
        wait: true,
    };
    let named = session(Role::Viewer, &fixture.node.watch(call).await.unwrap());
    let first: Vec<_> = OFFER
        .lines()
        .filter(|line| line.starts_with("a=ice-ufrag:") || line.starts_with("a=ice-pwd:"))
        .take(2)
        .collect();
    let first = format!("{}\r\n{}\r\n", first[0], first[1]);
    let restart = async |fragment: &str| {
        let restarted = fixture.node.restart_ice(&named, fragment.into()).await;
        restarted.unwrap().is_some()
    };
    assert!(!restart(&first).await, "those of the offer");
    assert_eq!(fixture.node.ice_tag(&named).await.unwrap(), "ufrag0");
    assert!(restart(FRAGMENT).await);
    assert!(!restart(FRAGMENT).await, "those of the last restart");
    assert!(restart(&first).await);
}

#[tokio::test]
async fn a_restart_at_a_time() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let named = session(Role::Viewer, &fixture.watch(None).await.unwrap());
    let restart = || fixture.node.restart_ice(&named, FRAGMENT.into());
    let opened = fixture.media.take_time();
    let (first, ()) = tokio::join!(restart(), async {
        let second = restart().await;
        assert!(matches!(second, Err(Refusal::Conflict { .. })));
        drop(opened);
    });
    assert!(first.unwrap().is_some());
    // One that its client doesn't wait for leaves no mark.
    let other = FRAGMENT.replace("abcd", "efgh");
    let _never = fixture.media.take_time();
    let given_up = fixture.node.restart_ice(&named, other.clone());
    assert!(
        tokio::time::timeout(Duration::from_millis(20), given_up)
            .await
            .is_err()
    );
    assert!(fixture.node.restart_ice(&named, other).await.is_ok());
}

#[tokio::test]
async fn candidates_are_taken_in_sound_form_only() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let named = session(Role::Viewer, &fixture.watch(None).await.unwrap());
    fixture.node.trickle(&named, FRAGMENT.into()).await.unwrap();
    assert!(matches!(
        fixture.node.trickle(&named, "nonsense".into()).await,
        Err(Refusal::Malformed(_))
    ));
}

#[tokio::test]
async fn the_same_key_takes_over_and_another_one_does_not() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    let other = fixture.token(TokenKind::Publish, Some("demo")).await;
    for token in [&key, &key, &other] {
        fixture.publish(Some(token)).await.unwrap();
    }
    let published = fixture.media.published.lock().unwrap();
    let take_over: Vec<_> = published.iter().map(|request| request.take_over).collect();
    assert_eq!(take_over, [false, true, false]);
}

#[tokio::test]
async fn no_key_takes_over_where_the_channel_forbids_it() {
    let mut config = Config::default();
    config.channels.take_over = false;
    let fixture = fixture_with(&config).await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    *fixture.media.refuse_with.lock().unwrap() = Some(Reject::AlreadyLive);
    let second = fixture.publish(Some(&key)).await;
    assert!(matches!(second, Err(Refusal::Conflict { .. })));
    assert!(!fixture.media.published.lock().unwrap()[1].take_over);
}

#[tokio::test]
async fn bounds_refuse_new_sessions_until_one_ends() {
    let mut config = Config::default();
    config.limits.viewers = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    let full = fixture.watch(None).await;
    assert!(matches!(full, Err(Refusal::Overloaded { .. })));
    fixture.ended(0).await;
    assert!(fixture.watch(None).await.is_ok());
}

#[tokio::test]
async fn a_sidecar_is_let_in_where_there_is_no_room_for_viewers() {
    let mut config = Config::default();
    config.limits.viewers = 1;
    config.limits.sessions_per_address = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    let service = fixture.token(TokenKind::Service, None).await;
    fixture.watch(Some(&service)).await.unwrap();
    let full = fixture.watch(None).await;
    assert!(matches!(full, Err(Refusal::Overloaded { .. })), "{full:?}");
}

#[tokio::test]
async fn an_address_with_too_many_sessions_is_told_so() {
    let mut config = Config::default();
    config.limits.sessions_per_address = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::TooMany { .. })
    ));
}

#[tokio::test]
async fn a_refused_offer_takes_no_place() {
    let mut config = Config::default();
    config.limits.viewers = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let cases = [
        (Reject::Malformed("line 3".into()), "malformed"),
        (
            Reject::Unacceptable("no common codec".into()),
            "unprocessable",
        ),
        (Reject::NotLive, "conflict"),
        (Reject::Overloaded("full".into()), "overloaded"),
    ];
    for (reject, reason) in cases {
        *fixture.media.refuse_with.lock().unwrap() = Some(reject);
        let refusal = fixture.watch(None).await.unwrap_err();
        assert_eq!(refusals::reason(&refusal), reason);
    }
    assert!(fixture.watch(None).await.is_ok());
}

#[tokio::test]
async fn a_draining_node_refuses_newcomers_and_ends_the_others() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    assert!(fixture.node.readiness().await.is_ok());
    fixture.node.drain().await;
    assert!(fixture.node.readiness().await.is_err());
    assert!(matches!(
        fixture.watch(None).await,
        Err(Refusal::Overloaded { .. })
    ));
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn a_session_that_is_made_while_the_node_begins_to_drain_ends() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let opened = fixture.media.take_time();
    let (watched, ()) = tokio::join!(fixture.watch(None), async {
        fixture.node.drain().await;
        drop(opened);
    });
    assert!(matches!(watched, Err(Refusal::Overloaded { .. })));
    assert_eq!(*fixture.media.closed.lock().unwrap(), [id(0)]);
}

#[tokio::test]
async fn sessions_end_with_their_worker() {
    let fixture = fixture().await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture.watch(None).await.unwrap();
    fixture.node.on_tick().await;
    assert_eq!(fixture.node.node().await.unwrap().viewers, 1);
    fixture
        .media
        .is_gone
        .store(true, std::sync::atomic::Ordering::Relaxed);
    fixture.node.on_tick().await;
    let node = fixture.node.node().await.unwrap();
    assert_eq!(
        (node.viewers, node.publishers, node.live_channels),
        (0, 0, 0)
    );
    assert!(fixture.node.readiness().await.is_err());
    let metrics = fixture.node.metrics().await;
    let line = "spillway_ends_total{role=\"publisher\",reason=\"worker_gone\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn joins_refusals_and_ends_are_counted() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    fixture.watch(None).await.unwrap();
    fixture.publish(None).await.unwrap_err();
    fixture.ended(0).await;
    let metrics = fixture.node.metrics().await;
    for line in [
        "spillway_joins_total{role=\"viewer\"} 1",
        "spillway_refusals_total{role=\"publisher\",reason=\"unauthorized\"} 1",
        "spillway_ends_total{role=\"viewer\",reason=\"by_peer\"} 1",
        "spillway_sessions{role=\"viewer\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} isn't in\n{metrics}");
    }
}
