use std::time::Duration;

use spillway_sfu::MediaKind;
use spillway_signaling::{Activity, EventFeed, EventSet, platform::LayerChoice};

use super::*;

/// A browser's offer to watch, sound first: its video is m-line 1.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v\r\n\
a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n\
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n";

fn layer(rid: &str, bitrate: u64) -> LayerStatistics {
    LayerStatistics {
        kind: MediaKind::Video,
        rid: rid.into(),
        codec: None,
        width: 1280,
        height: 720,
        bitrate,
        flowing: true,
        sub_layers: Vec::new(),
    }
}

/// A node with a viewer of a channel that isn't live, and the viewer's event stream.
async fn viewer() -> (Fixture, SessionRef, EventFeed) {
    viewer_of(fixture().await).await
}

async fn viewer_of(fixture: Fixture) -> (Fixture, SessionRef, EventFeed) {
    fixture.add_channel(false).await;
    let watched = fixture.watch_by(OFFER, None).await.unwrap();
    let viewer = session(Role::Viewer, &watched);
    let feed = follow(&fixture, &viewer).await;
    (fixture, viewer, feed)
}

async fn follow(fixture: &Fixture, viewer: &SessionRef) -> EventFeed {
    let node = &fixture.node;
    let number = node.open_events(viewer, EventSet::all()).await.unwrap();
    node.follow_events(viewer, number).await.unwrap()
}

async fn go_live(fixture: &Fixture) -> u64 {
    let token = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&token)).await.unwrap();
    fixture.live(1).await;
    1
}

#[tokio::test]
async fn a_viewer_is_told_of_going_live_and_of_the_end_at_once() {
    let (fixture, _, mut feed) = viewer().await;
    assert_eq!(feed.news.borrow_and_update().activity, Activity::Idle);
    let publisher = go_live(&fixture).await;
    assert!(feed.news.has_changed().unwrap());
    assert_eq!(feed.news.borrow_and_update().activity, Activity::Active);
    fixture.ended(publisher).await;
    assert!(feed.news.has_changed().unwrap());
    let activity = feed.news.borrow_and_update().activity;
    assert_eq!(activity, Activity::Interrupted);
    fixture.node.on_tick().await;
    assert!(!feed.news.has_changed().unwrap(), "the grace isn't over");
}

#[tokio::test]
async fn a_viewer_is_told_when_nobody_is_waited_for_any_more() {
    let mut config = Config::default();
    config.channels.reconnect_grace = Duration::ZERO;
    let (fixture, _, mut feed) = viewer_of(fixture_with(&config).await).await;
    let publisher = go_live(&fixture).await;
    fixture.ended(publisher).await;
    assert_eq!(
        feed.news.borrow_and_update().activity,
        Activity::Interrupted
    );
    fixture.node.on_tick().await;
    assert_eq!(feed.news.borrow_and_update().activity, Activity::Idle);
}

#[tokio::test]
async fn layers_and_viewers_are_told_when_they_change_notably() {
    let (fixture, _, mut feed) = viewer().await;
    assert_eq!(feed.video_line, Some(1));
    go_live(&fixture).await;
    let layers = |bitrate| {
        *fixture.media.layers.lock().unwrap() = vec![layer("f", bitrate)];
    };
    layers(1000);
    fixture.node.refresh_news().await;
    assert_eq!(feed.news.borrow_and_update().layers[0].bitrate, Some(1000));
    layers(1100);
    fixture.node.refresh_news().await;
    assert!(
        !feed.news.has_changed().unwrap(),
        "encoders never keep to one bitrate"
    );
    layers(2000);
    fixture.event(Event::Connected { session: id(0) }).await;
    fixture.node.refresh_news().await;
    let news = feed.news.borrow_and_update();
    assert_eq!((news.viewers, news.layers[0].bitrate), (1, Some(2000)));
}

#[tokio::test]
async fn a_channel_off_air_has_no_layers() {
    let (fixture, _, mut feed) = viewer().await;
    let publisher = go_live(&fixture).await;
    *fixture.media.layers.lock().unwrap() = vec![layer("f", 1000)];
    fixture.node.refresh_news().await;
    assert_eq!(feed.news.borrow_and_update().layers.len(), 1);
    fixture.ended(publisher).await;
    fixture.node.refresh_news().await;
    assert!(feed.news.borrow().layers.is_empty());
}

#[tokio::test]
async fn workers_are_asked_once_for_all_followers_and_not_without_any() {
    let (fixture, viewer, feed) = viewer().await;
    go_live(&fixture).await;
    let second = follow(&fixture, &viewer).await;
    fixture.node.refresh_news().await;
    assert_eq!(fixture.media.asked.load(Ordering::Relaxed), 1);
    drop((feed, second));
    fixture.node.refresh_news().await;
    assert_eq!(fixture.media.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_draining_node_sends_viewers_away_before_it_ends_their_sessions() {
    let (fixture, _, mut feed) = viewer().await;
    fixture.node.drain().await;
    let url = feed.news.borrow().reconnect.clone();
    assert_eq!(url.as_deref(), Some("/whep/demo"));
    assert!(feed.end.try_recv().is_err(), "it has ended");
}

#[tokio::test]
async fn event_streams_end_with_their_session_and_have_a_bound() {
    let (fixture, viewer, mut feed) = viewer().await;
    let node = &fixture.node;
    node.open_events(&viewer, EventSet::all()).await.unwrap();
    let third = node.open_events(&viewer, EventSet::all()).await;
    assert!(matches!(third, Err(Refusal::TooMany { .. })));
    node.end_events(&viewer, 1).await.unwrap();
    assert!((&mut feed.end).await.is_err(), "it has ended");
    for gone in [
        node.end_events(&viewer, 1).await.err(),
        node.follow_events(&viewer, 1).await.err(),
    ] {
        assert!(matches!(gone, Some(Refusal::NotFound(_))));
    }
    let mut second = node.follow_events(&viewer, 2).await.unwrap();
    fixture.ended(0).await;
    assert!((&mut second.end).await.is_err(), "it has ended");
    let gone = node.open_events(&viewer, EventSet::all()).await;
    assert!(matches!(gone, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn the_nodes_event_streams_have_a_bound_that_leaves_room_for_requests() {
    let mut config = Config::default();
    (config.limits.event_streams, config.limits.connections) = (100, 4);
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let mut opened = Vec::new();
    for _ in 0..4 {
        let watched = fixture.watch(None).await.unwrap();
        let viewer = session(Role::Viewer, &watched);
        opened.push(fixture.node.open_events(&viewer, EventSet::all()).await);
    }
    let refused = opened.pop().unwrap();
    assert!(opened.iter().all(Result::is_ok));
    assert!(matches!(refused, Err(Refusal::Overloaded { .. })));
}

#[tokio::test]
async fn a_choice_of_layers_reaches_the_media_plane() {
    let (fixture, viewer, _) = viewer().await;
    let choice = LayerChoice {
        media_line: Some(1),
        rid: Some("h".into()),
        max_spatial: Some(1),
        max_temporal: Some(2),
        max_width: Some(1280),
        max_height: Some(720),
    };
    fixture.node.select_layers(&viewer, choice).await.unwrap();
    let selection = LayerSelection {
        rid: Some("h".into()),
        max_spatial: Some(1),
        max_temporal: Some(2),
        max_width: Some(1280),
        max_height: Some(720),
    };
    assert_eq!(
        *fixture.media.selected.lock().unwrap(),
        [(id(0), selection)]
    );
}

#[tokio::test]
async fn a_choice_for_another_m_line_is_refused() {
    let (fixture, viewer, _) = viewer().await;
    let choice = LayerChoice {
        media_line: Some(0),
        ..LayerChoice::default()
    };
    let refused = fixture.node.select_layers(&viewer, choice).await;
    assert!(matches!(refused, Err(Refusal::Malformed(why)) if why.contains("\"1\"")));
}

fn rid(name: &str) -> LayerChoice {
    LayerChoice {
        rid: Some(name.into()),
        ..LayerChoice::default()
    }
}

#[tokio::test]
async fn a_rid_that_the_broadcast_does_not_have_is_refused_with_those_it_has() {
    let (fixture, viewer, _) = viewer().await;
    let node = &fixture.node;
    go_live(&fixture).await;
    let mut stopped = layer("h", 0);
    stopped.flowing = false;
    *fixture.media.layers.lock().unwrap() = vec![layer("f", 1000), stopped];
    let refused = node.select_layers(&viewer, rid("x")).await;
    assert!(
        matches!(&refused, Err(Refusal::Unprocessable(why)) if why.contains("\"f\", \"h\"")),
        "{refused:?}"
    );
    assert!(fixture.media.selected.lock().unwrap().is_empty());
    for known in ["f", "h"] {
        node.select_layers(&viewer, rid(known)).await.unwrap();
    }
}

#[tokio::test]
async fn a_rid_is_refused_where_the_video_has_none() {
    let (fixture, viewer, _) = viewer().await;
    go_live(&fixture).await;
    *fixture.media.layers.lock().unwrap() = vec![layer("", 1000)];
    let refused = fixture.node.select_layers(&viewer, rid("f")).await;
    assert!(matches!(refused, Err(Refusal::Unprocessable(why)) if why.contains("no rids")));
}

#[tokio::test]
async fn off_air_any_rid_is_taken_for_the_broadcast_to_come() {
    let (fixture, viewer, _) = viewer().await;
    let publisher = go_live(&fixture).await;
    *fixture.media.layers.lock().unwrap() = vec![layer("f", 1000)];
    fixture.ended(publisher).await;
    let node = &fixture.node;
    node.select_layers(&viewer, rid("x")).await.unwrap();
}
