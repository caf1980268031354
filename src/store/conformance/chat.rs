//! What every store must do about chat.

use std::sync::Arc;

use spillway_chat::{
    AuthorId, Entry, Kind,
    entry::Draft,
    protocol::{Action, RulesChange},
    room::RoomState,
};
use spillway_signaling::{ChannelName, api::model::Timestamp};

use super::{MANY, broadcast, channel};
use crate::store::{NewEntry, Placed, Store};

fn name(name: &str) -> ChannelName {
    name.parse().unwrap()
}

fn author(id: &str) -> AuthorId {
    id.to_owned().try_into().unwrap()
}

fn message(channel: &str, key: &str, time: u64) -> NewEntry {
    NewEntry {
        channel: name(channel),
        broadcast: None,
        draft: Draft {
            kind: Kind::Message,
            author: Some(author("ada")),
            key: Some(key.into()),
            at: Some(7),
            time,
            shown: true,
            members: format!(
                "\"id\":\"{key}\",\"author\":{{\"id\":\"ada\"}},\"text\":\"said {key}\""
            ),
        },
        state: None,
        deletes: None,
        donation: None,
    }
}

fn donation(broadcast: &str, key: &str, currency: &str, amount: u64) -> NewEntry {
    let mut event = message("demo", key, 1);
    event.broadcast = Some(broadcast.into());
    event.draft.kind = Kind::Event;
    event.draft.author = None;
    event.donation = Some((currency.into(), amount));
    event
}

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

pub(super) async fn a_log_has_one_order_without_gaps(store: &impl Store) {
    let batch = vec![
        message("demo", "a", 1),
        message("other", "a", 2),
        message("demo", "b", 3),
    ];
    let placed = store.append(batch).await.unwrap();
    assert_eq!(placed, [Placed::New(1), Placed::New(1), Placed::New(2)]);
    let entries = store.entries(&name("demo"), 0, MANY).await.unwrap();
    assert_eq!(entries[0].draft, message("demo", "a", 1).draft);
    assert_eq!(numbers(&entries), [1, 2]);
    assert_eq!(
        numbers(&store.entries(&name("demo"), 1, MANY).await.unwrap()),
        [2]
    );
    assert_eq!(
        numbers(&store.entries(&name("demo"), 0, 1).await.unwrap()),
        [1]
    );
    assert_eq!(
        store.room(&name("demo")).await.unwrap(),
        (RoomState::default(), 2)
    );
    assert_eq!(
        store.room(&name("none")).await.unwrap(),
        (RoomState::default(), 0)
    );
}

pub(super) async fn what_has_a_key_is_appended_once(store: &impl Store) {
    let batch = |keys: &[&str]| keys.iter().map(|key| message("demo", key, 1)).collect();
    store.append(batch(&["a"])).await.unwrap();
    let placed = store.append(batch(&["b", "a", "b", "c"])).await.unwrap();
    assert_eq!(
        placed,
        [
            Placed::New(2),
            Placed::Known(1),
            Placed::Known(2),
            Placed::New(3)
        ]
    );
    let mut keyless = message("demo", "", 1);
    keyless.draft.key = None;
    let placed = store.append(vec![keyless.clone(), keyless]).await.unwrap();
    assert_eq!(placed, [Placed::New(4), Placed::New(5)]);
}

pub(super) async fn appends_at_once_find_their_places(store: &impl Store) {
    let appends = (0..20).map(|n| {
        store.append(vec![
            message("demo", &format!("a{n}"), 1),
            message("demo", &format!("b{n}"), 1),
        ])
    });
    let placed = futures_util::future::join_all(appends).await;
    let mut seqs: Vec<_> = placed.into_iter().flat_map(Result::unwrap).collect();
    seqs.sort_by_key(|placed| match placed {
        Placed::New(seq) | Placed::Known(seq) => *seq,
    });
    assert_eq!(seqs, (1..=40).map(Placed::New).collect::<Vec<_>>());
}

pub(super) async fn the_latest_entries_come_in_order(store: &impl Store) {
    let batch = ["a", "b", "c"].map(|key| message("demo", key, 1));
    store.append(batch.into()).await.unwrap();
    let latest = store.latest_entries(&name("demo"), 2).await.unwrap();
    assert_eq!(numbers(&latest), [2, 3]);
}

pub(super) async fn actions_come_latest_first_and_from_where_one_wants(store: &impl Store) {
    let action = |channel: &str, key: &str| {
        let mut action = message(channel, key, 1);
        action.draft.kind = Kind::Action;
        action
    };
    let batch = vec![
        action("demo", "a"),
        message("demo", "b", 1),
        action("demo", "c"),
        action("other", "d"),
        donation("b1", "e", "EUR", 1),
        action("demo", "f"),
    ];
    store.append(batch).await.unwrap();
    let actions = async |before, most| {
        let found = store.actions(&name("demo"), before, most).await.unwrap();
        numbers(&found)
    };
    assert_eq!(actions(None, MANY).await, [5, 3, 1]);
    assert_eq!(actions(None, 2).await, [5, 3]);
    assert_eq!(actions(Some(3), 2).await, [1]);
    assert_eq!(actions(Some(u64::MAX), 1).await, [5]);
    assert!(actions(Some(0), MANY).await.is_empty());
}

pub(super) async fn moderation_changes_with_its_entry_and_a_deleted_text_is_gone(
    store: &impl Store,
) {
    store.append(vec![message("demo", "a", 1)]).await.unwrap();
    let mut state = RoomState::default();
    let rules = RulesChange {
        slow_s: Some(9),
        ..RulesChange::default()
    };
    state.apply(&Action::Rules(rules), 1, None);
    let mut action = message("demo", "x", 2);
    action.draft.kind = Kind::Action;
    action.state = Some(Arc::new(state.clone()));
    action.deletes = Some(1);
    store.append(vec![action]).await.unwrap();
    store.append(vec![message("demo", "b", 3)]).await.unwrap();
    assert_eq!(store.room(&name("demo")).await.unwrap(), (state, 3));
    let entries = store.entries(&name("demo"), 0, MANY).await.unwrap();
    assert!(entries[0].deleted && !entries[0].draft.members.contains("said"));
    assert!(!entries[2].deleted);
    store.forget_room(&name("demo")).await.unwrap();
    assert_eq!(
        store.room(&name("demo")).await.unwrap(),
        (RoomState::default(), 3)
    );
}

pub(super) async fn a_new_channel_has_nothing_of_a_deleted_one_of_its_name(store: &impl Store) {
    let demo = name("demo");
    store.create_channel(&channel("demo"), MANY).await.unwrap();
    store
        .save_broadcast(&broadcast("01", "demo"), Timestamp(1))
        .await
        .unwrap();
    let mut on_air = message("demo", "b", 2);
    on_air.broadcast = Some("01".into());
    let mut action = message("demo", "c", 3);
    action.broadcast = Some("01".into());
    action.draft.kind = Kind::Action;
    let batch = vec![message("demo", "a", 1), on_air, action];
    store.append(batch).await.unwrap();
    store.append(vec![message("other", "a", 1)]).await.unwrap();
    assert!(store.delete_channel(&demo).await.unwrap());
    store.forget_room(&demo).await.unwrap();
    let left = store.entries(&demo, 0, MANY).await.unwrap();
    assert_eq!(numbers(&left), [2, 3], "those of a broadcast alone");
    let others = store.entries(&name("other"), 0, MANY).await.unwrap();
    assert_eq!(numbers(&others), [1]);
    // It was on its way when the channel was deleted.
    store.append(vec![message("demo", "d", 4)]).await.unwrap();

    store.create_channel(&channel("demo"), MANY).await.unwrap();
    assert!(store.entries(&demo, 0, MANY).await.unwrap().is_empty());
    assert!(store.latest_entries(&demo, MANY).await.unwrap().is_empty());
    assert!(store.actions(&demo, None, MANY).await.unwrap().is_empty());
    let recorded = store.broadcast_entries("01", 0, MANY).await.unwrap();
    assert_eq!(numbers(&recorded), [2, 3]);
    let mut action = message("demo", "e", 5);
    action.draft.kind = Kind::Action;
    let placed = store.append(vec![action]).await.unwrap();
    assert_eq!(placed, [Placed::New(5)]);
    for found in [
        store.entries(&demo, 0, MANY).await,
        store.latest_entries(&demo, MANY).await,
        store.actions(&demo, None, MANY).await,
    ] {
        assert_eq!(numbers(&found.unwrap()), [5]);
    }
}

pub(super) async fn donations_are_summed_by_broadcast_and_currency(store: &impl Store) {
    store
        .save_broadcast(&broadcast("01", "demo"), Timestamp(1))
        .await
        .unwrap();
    let batch = vec![
        donation("01", "p1", "EUR", 500),
        donation("01", "p2", "USD", 1),
        donation("01", "p1", "EUR", 500),
        donation("01", "p3", "EUR", 7),
        donation("02", "p4", "EUR", 9),
    ];
    store.append(batch).await.unwrap();
    let raised = store.raised("01").await.unwrap();
    assert_eq!(
        raised,
        [("EUR".to_owned(), 507), ("USD".to_owned(), 1)].into()
    );
    assert_eq!(
        numbers(&store.broadcast_entries("01", 1, MANY).await.unwrap()),
        [2, 3]
    );
}

pub(super) async fn followers_are_kept_and_bounded(store: &impl Store) {
    let follow = async |who, since: Option<u64>| {
        store
            .follow(&name("demo"), &author(who), since.map(Timestamp), 2)
            .await
            .unwrap()
    };
    assert!(
        follow("ada", Some(5)).await
            && follow("ada", Some(9)).await
            && follow("bob", Some(6)).await
    );
    assert!(!follow("eve", Some(7)).await, "there are two");
    let since = async |who| {
        store
            .following_since(&name("demo"), &author(who))
            .await
            .unwrap()
    };
    assert_eq!(
        (since("ada").await, since("eve").await),
        (Some(Timestamp(5)), None)
    );
    assert!(follow("ada", None).await && follow("eve", Some(8)).await);
    assert_eq!(since("ada").await, None);
}

pub(super) async fn old_entries_are_forgotten_and_numbers_go_on(store: &impl Store) {
    store
        .save_broadcast(&broadcast("01", "demo"), Timestamp(1))
        .await
        .unwrap();
    let mut kept = message("demo", "a", 1);
    kept.broadcast = Some("01".into());
    let batch = vec![
        kept,
        message("demo", "b", 1),
        message("demo", "c", 10),
        donation("01", "p", "EUR", 5),
    ];
    store.append(batch).await.unwrap();
    let left = async || numbers(&store.entries(&name("demo"), 0, MANY).await.unwrap());
    assert_eq!(
        store
            .forget_entries(Timestamp(10), 100, MANY)
            .await
            .unwrap(),
        1
    );
    assert_eq!(left().await, [1, 3, 4]);
    store.append(vec![message("demo", "d", 11)]).await.unwrap();
    assert_eq!(
        store.forget_entries(Timestamp(0), 1, MANY).await.unwrap(),
        2
    );
    assert_eq!(
        left().await,
        [4, 5],
        "a donation is kept with its broadcast"
    );
    store.append(vec![message("demo", "a", 12)]).await.unwrap();
    assert_eq!(left().await, [4, 5, 6]);
}
