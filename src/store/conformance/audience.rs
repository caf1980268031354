//! What every store must do with the figures of audiences.

use spillway_chat::protocol::{Player, Report};
use spillway_signaling::{BroadcastId, Device, Origin, api::model::Timestamp};

use super::{MANY, broadcast};
use crate::{
    audience::{MINUTES, Slice},
    store::{Retention, Store},
};

fn id(text: &str) -> BroadcastId {
    text.parse().unwrap()
}

/// What one report tells that has all there can be.
fn watched(minute: u16, country: &str, played_ms: u32) -> Slice {
    let report = Report {
        player: Player::Webrtc,
        played_ms,
        stalled_ms: 250,
        stalls: 1,
        latency_ms: Some(180),
        height: Some(720),
        startup_ms: Some(300),
    };
    let origin = Origin {
        country: country.parse().ok(),
        device: Device::Mobile,
    };
    Slice::of(minute, origin, &report)
}

fn sum(slices: &[Slice]) -> Slice {
    let mut sum = Slice::default();
    for slice in slices {
        sum.add(slice);
    }
    sum
}

async fn known(store: &impl Store, name: &str) {
    let broadcast = broadcast(name, "demo");
    let saved = store.save_broadcast(&broadcast, Timestamp(1000)).await;
    saved.unwrap();
}

pub(super) async fn what_is_added_adds_up(store: &impl Store) {
    known(store, "01").await;
    known(store, "02").await;
    assert_eq!(store.audience(&id("01")).await.unwrap(), Slice::default());
    let slices = [
        watched(0, "DE", 10_000),
        watched(0, "", 9_000),
        Slice::of_sessions(0, 7),
        watched(1, "DE", 10_000),
        Slice::of_sessions(0, 3),
        watched(MINUTES - 1, "FR", u32::MAX),
    ];
    for slice in &slices {
        assert!(store.add_audience(&id("01"), slice).await.unwrap());
    }
    assert_eq!(store.audience(&id("01")).await.unwrap(), sum(&slices));
    assert_eq!(store.audience(&id("02")).await.unwrap(), Slice::default());
}

pub(super) async fn nodes_add_at_once_and_nothing_is_lost(store: &impl Store) {
    known(store, "01").await;
    let node = async |number: u16| {
        for n in 0..20_u32 {
            let slice = watched(number % 2, "DE", n + 1);
            assert!(store.add_audience(&id("01"), &slice).await.unwrap());
        }
    };
    tokio::join!(node(0), node(1), node(2), node(3));
    let all: Vec<_> = (0..4)
        .flat_map(|number| (0..20).map(move |n| watched(number % 2, "DE", n + 1)))
        .collect();
    assert_eq!(store.audience(&id("01")).await.unwrap(), sum(&all));
}

pub(super) async fn of_a_broadcast_that_nobody_knows_nothing_is_kept(store: &impl Store) {
    let slice = watched(0, "DE", 10_000);
    assert!(!store.add_audience(&id("01"), &slice).await.unwrap());
    known(store, "01").await;
    assert_eq!(store.audience(&id("01")).await.unwrap(), Slice::default());
}

pub(super) async fn figures_go_with_their_broadcast(store: &impl Store) {
    known(store, "01").await;
    let slice = watched(0, "DE", 10_000);
    store.add_audience(&id("01"), &slice).await.unwrap();
    store.end_open_broadcasts().await.unwrap();
    let keep = |total| Retention {
        ended_since: Timestamp(0),
        per_channel: MANY,
        total,
    };
    store.forget_broadcasts(keep(1)).await.unwrap();
    assert_eq!(store.audience(&id("01")).await.unwrap(), slice);
    store.forget_broadcasts(keep(0)).await.unwrap();
    assert_eq!(store.audience(&id("01")).await.unwrap(), Slice::default());
    assert!(!store.add_audience(&id("01"), &slice).await.unwrap());
}
