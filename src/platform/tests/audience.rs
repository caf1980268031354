//! What players report, over a real store: who is counted as what, what is written when, and who is told.
#![allow(clippy::float_cmp)]

use serde_json::json;
use spillway_chat::{
    protocol::{EventKind, Player, Report, StreamEvent},
    room::{Appended, NewEvent},
};
use spillway_signaling::{
    Audience, AudienceTotal, Audiences as _, BroadcastId, ChatLine, Device, platform::Action,
};

use super::*;
use crate::store::AudienceStore as _;

/// How long something may take that is done at once.
const PATIENCE: Duration = Duration::from_secs(20);

fn report(played_ms: u32) -> Report {
    Report {
        player: Player::Hls,
        played_ms,
        stalled_ms: 500,
        stalls: 1,
        latency_ms: Some(4_000),
        height: Some(720),
        startup_ms: None,
    }
}

fn phone() -> Caller {
    Caller {
        origin: Origin {
            country: "DE".parse().ok(),
            device: Device::Mobile,
        },
        ..caller(None)
    }
}

/// A node with `demo` on air.
async fn on_air_with(config: &Config) -> Fixture {
    let fixture = fixture_with(config).await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    fixture
}

async fn on_air() -> Fixture {
    on_air_with(&Config::default()).await
}

impl Fixture {
    async fn latest(&self) -> BroadcastId {
        let listed = self.node.broadcasts(None, first_page()).await.unwrap();
        listed.items[0].id.parse().unwrap()
    }

    async fn audience(&self) -> Audience {
        let broadcast = self.latest().await;
        self.node.audience(&broadcast, None).await.unwrap()
    }

    async fn beacon(&self, report: &Report) {
        let taken = self.node.take_report(&demo(), &phone(), *report).await;
        taken.unwrap();
    }

    /// What is written down, by another reader of the database.
    async fn written(&self) -> f64 {
        let broadcast = self.latest().await;
        let path = self.directory.path().join("spillway.db");
        let written = Sqlite::open(&path).unwrap().audience(&broadcast).await;
        let minutes = written.unwrap();
        let minutes = minutes
            .parts()
            .filter(|(part, _)| matches!(part, crate::audience::Part::Minute(_)));
        minutes
            .map(|(_, tally)| tally.watched_ms as f64 / 1000.0)
            .sum()
    }

    /// Waits until as many reports were counted, and as many dropped.
    async fn reported(&self, counted: u64, dropped: u64) {
        let metrics = &self.node.parts.metrics;
        let told = async {
            while (
                metrics.audience_reports.get(),
                metrics.audience_dropped.get(),
            ) != (counted, dropped)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, told).await;
        let seen = (
            metrics.audience_reports.get(),
            metrics.audience_dropped.get(),
        );
        assert!(in_time.is_ok(), "{seen:?} reports were counted and dropped");
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.directory.path().join("spillway.db")).unwrap()
    }

    async fn join(&self) -> ChatLine {
        let mut line = self.node.join_chat(&demo(), &phone()).await.unwrap();
        line.inlet.say(json!({"type": "hello"}).to_string());
        let welcome = tokio::time::timeout(PATIENCE, line.frames.recv()).await;
        assert!(welcome.unwrap().unwrap().contains("welcome"));
        line
    }
}

fn frame(played_ms: u32) -> String {
    let told =
        json!({"type": "report", "player": "webrtc", "played_ms": played_ms, "startup_ms": 300});
    told.to_string()
}

#[tokio::test]
async fn a_beacon_is_counted_at_once_and_written_in_time() {
    let fixture = on_air().await;
    fixture.beacon(&report(10_000)).await;
    fixture.beacon(&report(u32::MAX)).await;
    let told = fixture.audience().await;
    assert_eq!(
        (told.total.sums.watched_s, told.total.sums.stalled_s),
        (22.0, 0.5)
    );
    assert_eq!(
        (
            told.devices[0].name.as_str(),
            told.countries[0].name.as_str()
        ),
        ("mobile", "DE")
    );
    assert_eq!(told.ended_at, None);
    assert!(fixture.written().await.abs() < 0.001, "not yet");
    fixture.node.save_audiences().await;
    assert!((fixture.written().await - 22.0).abs() < 0.001);
    assert_eq!(fixture.audience().await, told, "it's told once");
}

#[tokio::test]
async fn who_reports_by_chat_is_held_to_the_time_that_passed() {
    let fixture = on_air().await;
    let line = fixture.join().await;
    line.inlet.say(frame(500));
    line.inlet.say(frame(500));
    fixture.reported(1, 1).await;
    let other = fixture.join().await;
    other.inlet.say(frame(3_600_000));
    fixture.reported(2, 1).await;
    let told = fixture.audience().await;
    let watched = told.total.sums.watched_s;
    assert!((1.5..10.0).contains(&watched), "{watched}");
    assert_eq!((told.total.sums.joins, told.players.len()), (2, 1));
    assert_eq!(
        (told.players[0].name.as_str(), told.devices[0].name.as_str()),
        ("webrtc", "mobile")
    );
}

#[tokio::test]
async fn a_session_reports_as_what_made_it() {
    let fixture = on_air().await;
    let call = WatchCall {
        channel: demo(),
        offer: "offer".into(),
        caller: phone(),
        layer: None,
        wait: true,
    };
    fixture.node.watch(call).await.unwrap();
    fixture.event(Event::Connected { session: id(1) }).await;
    let label = "chat".into();
    let opened = Event::ChannelOpened {
        session: id(1),
        id: 1,
        label,
    };
    fixture.event(opened).await;
    for frame in [json!({"type": "hello"}).to_string(), frame(700)] {
        let data = frame.into_bytes();
        let said = Event::Data {
            session: id(1),
            id: 1,
            data,
            binary: false,
        };
        fixture.event(said).await;
        // The room finds out who says hello beside all else.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    fixture.reported(1, 0).await;
    let told = fixture.audience().await;
    assert_eq!(
        (
            told.devices[0].name.as_str(),
            told.countries[0].name.as_str()
        ),
        ("mobile", "DE")
    );
    fixture.node.on_tick().await;
    assert_eq!(fixture.audience().await.total.sessions_most, 1);
}

#[tokio::test]
async fn off_air_and_of_strangers_nothing_is_counted() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    let refused = fixture.node.take_report(&demo(), &phone(), report(1)).await;
    assert!(matches!(refused, Err(Refusal::Unauthorized(_))));
    let nowhere = "nowhere".parse().unwrap();
    let refused = fixture
        .node
        .take_report(&nowhere, &phone(), report(1))
        .await;
    assert!(matches!(refused, Err(Refusal::NotFound(_))));
    let view = fixture.token(TokenKind::View, Some("demo")).await;
    let viewer = caller(Some(&view));
    let taken = fixture.node.take_report(&demo(), &viewer, report(1)).await;
    taken.unwrap();
    fixture.reported(0, 1).await;
    let none = fixture.node.audience(&"none".parse().unwrap(), None).await;
    assert!(matches!(none, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn what_a_broadcasts_end_finds_is_written_with_it() {
    let mut config = Config::default();
    config.channels.reconnect_grace = Duration::ZERO;
    let fixture = on_air_with(&config).await;
    fixture.beacon(&report(10_000)).await;
    fixture.ended(0).await;
    fixture.node.on_tick().await;
    assert!((fixture.written().await - 10.0).abs() < 0.001);
    fixture.beacon(&report(10_000)).await;
    fixture.reported(1, 1).await;
    let told = fixture.audience().await;
    assert_eq!(told.total.sums.watched_s, 10.0);
    assert!(told.ended_at.is_some());
}

#[tokio::test]
async fn a_shutdown_loses_nothing() {
    let fixture = on_air().await;
    fixture.beacon(&report(10_000)).await;
    fixture.node.drain().await;
    assert!((fixture.written().await - 10.0).abs() < 0.001);
}

#[tokio::test]
async fn what_a_failing_store_does_not_take_is_written_once_it_works() {
    let fixture = on_air().await;
    let database = fixture.database();
    let rename = |from: &str, to: &str| {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        database.execute(&rename, []).unwrap();
    };
    rename("audiences", "hidden");
    for _ in 0..3 {
        fixture.beacon(&report(1_000)).await;
        fixture.node.save_audiences().await;
    }
    rename("hidden", "audiences");
    assert!(fixture.written().await.abs() < 0.001);
    assert_eq!(fixture.audience().await.total.sums.watched_s, 3.0);
    fixture.node.save_audiences().await;
    assert!((fixture.written().await - 3.0).abs() < 0.001);
    assert_eq!(fixture.audience().await.total.sums.watched_s, 3.0);
}

#[tokio::test]
async fn figures_of_a_broadcast_that_is_not_written_down_yet_wait_for_it() {
    let fixture = on_air().await;
    let broadcast = fixture.latest().await;
    let database = fixture.database();
    database.execute("DELETE FROM broadcasts", []).unwrap();
    fixture.beacon(&report(1_000)).await;
    fixture.node.save_audiences().await;
    fixture.node.save_on_air().await;
    fixture.node.save_audiences().await;
    assert_eq!(fixture.latest().await, broadcast);
    assert!((fixture.written().await - 1.0).abs() < 0.001);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let mut config = Config::default();
    config.audience.enabled = false;
    let fixture = on_air_with(&config).await;
    fixture.watch(None).await.unwrap();
    fixture.event(Event::Connected { session: id(1) }).await;
    fixture.beacon(&report(10_000)).await;
    fixture.node.on_tick().await;
    fixture.node.save_audiences().await;
    let told = fixture.audience().await;
    assert_eq!(
        (told.total, told.points.len()),
        (AudienceTotal::default(), 0)
    );
}

#[tokio::test]
async fn administrators_and_the_channels_streamers_may_look() {
    let fixture = on_air().await;
    for (kind, channel, may) in [
        (TokenKind::Admin, None, true),
        (TokenKind::Publish, Some("demo"), true),
        (TokenKind::Publish, Some("other"), false),
        (TokenKind::Moderate, Some("demo"), false),
        (TokenKind::View, Some("demo"), false),
        (TokenKind::Service, None, false),
    ] {
        let token = fixture.token(kind, channel).await;
        let action = Action::SeeAudience(&demo());
        let allowed = fixture.node.authorize(&caller(Some(&token)), action).await;
        match allowed {
            Ok(()) => assert!(may, "{kind:?}"),
            Err(refusal) => assert!(!may && matches!(refusal, Refusal::Forbidden(_)), "{kind:?}"),
        }
    }
    let (nobody, demo) = (caller(None), demo());
    let refused = fixture.node.authorize(&nobody, Action::SeeAudience(&demo));
    assert!(matches!(refused.await, Err(Refusal::Unauthorized(_))));
}

#[tokio::test]
async fn what_a_broadcasts_donations_make_is_told() {
    let fixture = fixture().await;
    let token = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&token)).await.unwrap();
    fixture.live(0).await;
    for (key, currency, amount) in [("1", "EUR", 500), ("2", "JPY", 300), ("3", "EUR", 750)] {
        let event = NewEvent {
            key: format!("e/pay/{key}"),
            event: StreamEvent {
                kind: EventKind::Donation,
                name: String::new(),
                amount: Some(amount),
                currency: Some(currency.into()),
                text: String::new(),
                months: None,
            },
        };
        let told = fixture.node.chat.event(&demo(), event).await;
        assert!(matches!(told, Some(Appended::New(_))), "{told:?}");
    }
    let raised = fixture.audience().await.raised;
    assert_eq!(
        raised,
        [("EUR".to_owned(), 1_250), ("JPY".to_owned(), 300)].into()
    );
}
