//! What every store must do with recordings and markers.

use spillway_signaling::{BroadcastId, Marker, RecordingReport, RecordingState};

use super::{MANY, broadcast, page};
use crate::store::{
    Creation, Doom, RecordingRetention, RecordingTotals, Reported, Retention, Store,
    StoredRecording,
};
use spillway_signaling::api::model::{Broadcast, Timestamp};

/// Keeps all.
const ALL: RecordingRetention = RecordingRetention {
    ended_since: Timestamp(0),
    bytes: u64::MAX,
    per_channel: MANY,
    total: MANY,
};

fn id(text: &str) -> BroadcastId {
    text.parse().unwrap()
}

fn report(state: RecordingState, bytes: u64) -> RecordingReport {
    RecordingReport {
        state,
        duration_ms: 1500,
        bytes,
        problem: None,
    }
}

/// A broadcast with a recording, which ended then if it did.
async fn recorded(
    store: &impl Store,
    name: &str,
    channel: &str,
    ended_at: Option<u64>,
    of: RecordingReport,
) {
    let on_air = Broadcast {
        ended_at: ended_at.map(Timestamp),
        ..broadcast(name, channel)
    };
    store
        .save_broadcast(&on_air, Timestamp(1000))
        .await
        .unwrap();
    let reported = store
        .report_recording(&id(name), &of, Timestamp(1000))
        .await;
    assert_eq!(reported.unwrap(), Reported::Noted);
}

async fn ready(store: &impl Store, name: &str, ended_at: u64, bytes: u64) {
    let of = report(RecordingState::Ready, bytes);
    recorded(store, name, "a", Some(ended_at), of).await;
}

async fn doomed(store: &impl Store) -> Vec<String> {
    let doomed = store.doomed_recordings(MANY).await.unwrap();
    doomed.into_iter().map(String::from).collect()
}

async fn state(store: &impl Store, name: &str) -> Option<RecordingState> {
    let found = store.recording(&id(name)).await.unwrap();
    found.map(|found| found.report.state)
}

pub(super) async fn a_recording_is_what_was_reported_last(store: &impl Store) {
    let nobody = report(RecordingState::Recording, 1);
    let unknown = store
        .report_recording(&id("01"), &nobody, Timestamp(1))
        .await;
    assert_eq!(unknown.unwrap(), Reported::Unknown);
    recorded(store, "01", "a", None, nobody).await;
    let last = RecordingReport {
        problem: Some("the disk is full".into()),
        ..report(RecordingState::Failed, 5)
    };
    recorded(store, "01", "a", Some(2000), last.clone()).await;
    let broadcast = store.broadcast("01").await.unwrap().unwrap();
    let stored = StoredRecording {
        broadcast,
        report: last,
    };
    assert_eq!(store.recording(&id("01")).await.unwrap(), Some(stored));
    assert_eq!(store.recording(&id("02")).await.unwrap(), None);
}

pub(super) async fn recordings_are_listed_latest_first_by_channel(store: &impl Store) {
    for (name, channel) in [("01", "a"), ("02", "b"), ("03", "a"), ("04", "a")] {
        let of = report(RecordingState::Ready, 1);
        recorded(store, name, channel, Some(2000), of).await;
    }
    let listed = async |after: Option<&str>, limit| -> Vec<String> {
        let channel = "a".parse().unwrap();
        let listed = store.recordings(&channel, &page(after, limit)).await;
        let listed = listed.unwrap().into_iter();
        listed.map(|listed| listed.broadcast.id).collect()
    };
    assert_eq!(listed(None, 2).await, ["04", "03"]);
    assert_eq!(listed(Some("03"), 2).await, ["01"]);
    store.doom_recording(&id("03")).await.unwrap();
    assert_eq!(listed(None, 9).await, ["04", "01"]);
}

pub(super) async fn a_recording_is_doomed_then_deleted_for_good(store: &impl Store) {
    let being_made = report(RecordingState::Finishing, 7);
    recorded(store, "01", "a", Some(2000), being_made.clone()).await;
    let doom = async |name| store.doom_recording(&id(name)).await.unwrap();
    assert_eq!(doom("01").await, Doom::BeingMade);
    assert_eq!(doom("02").await, Doom::Unknown);
    ready(store, "01", 2000, 7).await;
    assert_eq!(doom("01").await, Doom::Doomed);
    assert_eq!(state(store, "01").await, None);
    assert_eq!(doom("01").await, Doom::Unknown);
    assert_eq!(doomed(store).await, ["01"]);
    store.recording_deleted(&id("01")).await.unwrap();
    assert!(doomed(store).await.is_empty());
    // A sidecar that goes on all the same.
    let late = store
        .report_recording(&id("01"), &being_made, Timestamp(3000))
        .await;
    assert_eq!(late.unwrap(), Reported::Deleted);
    assert_eq!(doomed(store).await, ["01"]);
    assert_eq!(state(store, "01").await, None);
}

pub(super) async fn the_recordings_of_a_channel_are_doomed_together(store: &impl Store) {
    for (name, channel) in [("01", "a"), ("02", "b"), ("03", "a")] {
        let of = report(RecordingState::Recording, 1);
        recorded(store, name, channel, None, of).await;
    }
    let gone = store.doom_recordings_of(&"a".parse().unwrap()).await;
    assert_eq!(gone.unwrap(), 2);
    assert_eq!(doomed(store).await, ["01", "03"]);
}

pub(super) async fn recordings_are_kept_for_a_time(store: &impl Store) {
    ready(store, "01", 1999, 1).await;
    ready(store, "02", 2000, 1).await;
    let made = report(RecordingState::Finishing, 1);
    recorded(store, "03", "a", Some(1000), made).await;
    let failed = report(RecordingState::Failed, 1);
    recorded(store, "04", "a", Some(1000), failed.clone()).await;
    recorded(store, "05", "a", None, failed).await;
    let keep = RecordingRetention {
        ended_since: Timestamp(2000),
        ..ALL
    };
    assert_eq!(store.doom_recordings(keep).await.unwrap(), 2);
    assert_eq!(doomed(store).await, ["01", "04"]);
}

pub(super) async fn the_oldest_recordings_go_where_the_quota_is_used_up(store: &impl Store) {
    for name in ["01", "02", "04", "05"] {
        ready(store, name, 2000, 10).await;
    }
    // Being made: it counts, and stays.
    let made = report(RecordingState::Recording, 10);
    recorded(store, "03", "a", None, made).await;
    let keep = |bytes| RecordingRetention { bytes, ..ALL };
    assert_eq!(store.doom_recordings(keep(50)).await.unwrap(), 0);
    assert_eq!(store.doom_recordings(keep(39)).await.unwrap(), 2);
    assert_eq!(doomed(store).await, ["01", "02"]);
    assert_eq!(store.doom_recordings(keep(0)).await.unwrap(), 2);
    assert_eq!(state(store, "03").await, Some(RecordingState::Recording));
}

pub(super) async fn a_broadcast_is_not_forgotten_before_its_recording_is_deleted(
    store: &impl Store,
) {
    for name in ["01", "02", "03"] {
        ready(store, name, 2000, 1).await;
    }
    let marker = Marker {
        id: "m".into(),
        at: Timestamp(1500),
        title: "Encore".into(),
    };
    store.add_marker(&id("01"), &marker, MANY).await.unwrap();
    let forget = async || {
        let keep = Retention {
            ended_since: Timestamp(3000),
            per_channel: 1,
            total: 1,
        };
        store.forget_broadcasts(keep).await.unwrap();
        let left = store.broadcasts(None, &page(None, MANY)).await.unwrap();
        left.into_iter().map(|left| left.id).collect::<Vec<_>>()
    };
    assert_eq!(forget().await, ["03", "02", "01"]);
    // The bounds of broadcasts hold for recordings too, how long they are kept doesn't.
    let keep = RecordingRetention {
        per_channel: 2,
        total: 2,
        ..ALL
    };
    store.doom_recordings(keep).await.unwrap();
    assert_eq!(doomed(store).await, ["01"]);
    assert_eq!(forget().await, ["03", "02", "01"], "its objects are there");
    store.recording_deleted(&id("01")).await.unwrap();
    assert_eq!(forget().await, ["03", "02"]);
    assert!(store.markers(&id("01")).await.unwrap().is_empty());
}

pub(super) async fn a_recording_that_nobody_finishes_is_given_up(store: &impl Store) {
    let made = report(RecordingState::Finishing, 1);
    recorded(store, "01", "a", Some(900), made.clone()).await;
    recorded(store, "02", "a", None, made.clone()).await;
    ready(store, "03", 900, 1).await;
    let give_up = async |since| -> Vec<String> {
        let given_up = store.fail_silent_recordings(Timestamp(since), "lost").await;
        given_up.unwrap().into_iter().map(String::from).collect()
    };
    assert!(give_up(1000).await.is_empty(), "heard of then");
    assert_eq!(give_up(1001).await, ["01"]);
    let given_up = store.recording(&id("01")).await.unwrap().unwrap().report;
    assert_eq!(given_up.state, RecordingState::Failed);
    assert_eq!(given_up.problem.as_deref(), Some("lost"));
    // It's finished after all.
    recorded(store, "01", "a", Some(900), made).await;
    assert_eq!(state(store, "01").await, Some(RecordingState::Finishing));
}

pub(super) async fn recordings_are_counted(store: &impl Store) {
    assert_eq!(
        store.recording_totals().await.unwrap(),
        RecordingTotals::default()
    );
    ready(store, "01", 2000, 10).await;
    ready(store, "02", 2000, 20).await;
    ready(store, "03", 2000, 40).await;
    let made = report(RecordingState::Recording, 5);
    recorded(store, "04", "a", None, made).await;
    store.doom_recording(&id("02")).await.unwrap();
    store.doom_recording(&id("03")).await.unwrap();
    store.recording_deleted(&id("03")).await.unwrap();
    let mut totals = store.recording_totals().await.unwrap();
    totals.by_state.sort_by_key(|(state, _)| *state as u8);
    assert_eq!(
        totals,
        RecordingTotals {
            by_state: vec![(RecordingState::Recording, 1), (RecordingState::Ready, 1)],
            doomed: 1,
            bytes: 35,
            kept_bytes: 15,
        }
    );
}

pub(super) async fn markers_are_sorted_bounded_and_taken_out(store: &impl Store) {
    let marker = |name: &str, at| Marker {
        id: name.into(),
        at: Timestamp(at),
        title: format!("Song {name}"),
    };
    let add = async |of: &Marker| store.add_marker(&id("01"), of, 2).await.unwrap();
    let (late, early) = (marker("a", 1500), marker("b", 1200));
    assert_eq!(add(&late).await, Creation::Full, "no such broadcast");
    store
        .save_broadcast(&broadcast("01", "a"), Timestamp(1000))
        .await
        .unwrap();
    assert_eq!(add(&late).await, Creation::Created);
    assert_eq!(add(&early).await, Creation::Created);
    assert_eq!(add(&marker("c", 1300)).await, Creation::Full);
    let listed = store.markers(&id("01")).await.unwrap();
    assert_eq!(listed, [early.clone(), late]);
    let delete = async |name| store.delete_marker(&id("01"), name).await.unwrap();
    assert!(delete("a").await);
    assert!(!delete("a").await);
    assert!(!store.delete_marker(&id("02"), "b").await.unwrap());
    assert_eq!(store.markers(&id("01")).await.unwrap(), [early]);
}
