//! What every [`Store`] must do. A new form of the store calls [`all`] from its own tests.
#![allow(clippy::unwrap_used)]

mod audience;
mod chat;
mod recordings;

use spillway_signaling::api::model::{
    Broadcast, ChannelProfile, ChannelSettings, Timestamp, Token, TokenKind,
};

use super::{Creation, Page, Retention, Store, StoredChannel};

/// More than there are.
const MANY: usize = 100;

/// Runs the whole suite, each behaviour on a fresh store. What is given beside the store is kept while it's used.
pub(crate) async fn all<S: Store, Guard>(fresh: impl Fn() -> (S, Guard)) {
    macro_rules! each {
        ($($behaviour:path),* $(,)?) => {
            $(let (store, guard) = fresh(); $behaviour(&store).await; drop((store, guard));)*
        };
    }
    each!(
        a_channel_is_created_once,
        channels_are_bounded,
        a_channel_changes_and_goes,
        channels_are_listed_by_name_in_pages,
        a_token_is_revoked_for_good,
        tokens_are_listed_latest_first_until_they_expire,
        tokens_are_bounded,
        tokens_that_are_void_are_forgotten,
        a_broadcast_is_updated_in_place,
        broadcasts_are_listed_latest_first_by_channel,
        broadcasts_left_open_end_at_their_last_sign_of_life,
        broadcasts_are_kept_for_a_time,
        broadcasts_are_kept_up_to_a_number,
        it_can_be_checked,
        recordings::a_recording_is_what_was_reported_last,
        recordings::recordings_are_listed_latest_first_by_channel,
        recordings::a_recording_is_doomed_then_deleted_for_good,
        recordings::the_recordings_of_a_channel_are_doomed_together,
        recordings::recordings_are_kept_for_a_time,
        recordings::the_oldest_recordings_go_where_the_quota_is_used_up,
        recordings::a_broadcast_is_not_forgotten_before_its_recording_is_deleted,
        recordings::a_recording_that_nobody_finishes_is_given_up,
        recordings::recordings_are_counted,
        recordings::markers_are_sorted_bounded_and_taken_out,
        audience::what_is_added_adds_up,
        audience::nodes_add_at_once_and_nothing_is_lost,
        audience::of_a_broadcast_that_nobody_knows_nothing_is_kept,
        audience::figures_go_with_their_broadcast,
        chat::a_log_has_one_order_without_gaps,
        chat::what_has_a_key_is_appended_once,
        chat::appends_at_once_find_their_places,
        chat::the_latest_entries_come_in_order,
        chat::actions_come_latest_first_and_from_where_one_wants,
        chat::moderation_changes_with_its_entry_and_a_deleted_text_is_gone,
        chat::a_new_channel_has_nothing_of_a_deleted_one_of_its_name,
        chat::donations_are_summed_by_broadcast_and_currency,
        chat::followers_are_kept_and_bounded,
        chat::old_entries_are_forgotten_and_numbers_go_on,
    );
}

pub(crate) fn channel(name: &str) -> StoredChannel {
    StoredChannel {
        name: name.parse().unwrap(),
        profile: ChannelProfile {
            title: "Ein Titel — with ünïcode ' and \"".into(),
            tags: vec!["music".into(), "a b".into()],
            settings: ChannelSettings {
                restricted_viewing: true,
                takeover: false,
            },
        },
        created_at: Timestamp(1_767_225_600_123),
    }
}

fn token(id: &str, expires_at: Option<u64>) -> Token {
    Token {
        id: id.into(),
        kind: TokenKind::Publish,
        channel: Some("demo".parse().unwrap()),
        note: "for OBS".into(),
        created_at: Timestamp(1000),
        expires_at: expires_at.map(Timestamp),
        revoked_at: None,
    }
}

fn broadcast(id: &str, channel: &str) -> Broadcast {
    Broadcast {
        id: id.into(),
        channel: channel.parse().unwrap(),
        title: "first".into(),
        started_at: Timestamp(1000),
        ended_at: None,
        peak_viewers: 0,
    }
}

fn page(after: Option<&str>, limit: usize) -> Page {
    Page {
        after: after.map(Into::into),
        limit,
    }
}

async fn a_channel_is_created_once(store: &impl Store) {
    let first = channel("demo");
    let second = StoredChannel {
        profile: ChannelProfile::default(),
        ..first.clone()
    };
    assert_eq!(store.channel(&first.name).await.unwrap(), None);
    assert_eq!(
        store.create_channel(&first, 10).await.unwrap(),
        Creation::Created
    );
    assert_eq!(
        store.create_channel(&second, 10).await.unwrap(),
        Creation::Exists
    );
    assert_eq!(store.channel(&first.name).await.unwrap(), Some(first));
}

async fn channels_are_bounded(store: &impl Store) {
    assert_eq!(
        store.create_channel(&channel("a"), 1).await.unwrap(),
        Creation::Created
    );
    assert_eq!(
        store.create_channel(&channel("b"), 1).await.unwrap(),
        Creation::Full
    );
    assert_eq!(
        store.create_channel(&channel("a"), 1).await.unwrap(),
        Creation::Exists
    );
}

async fn a_channel_changes_and_goes(store: &impl Store) {
    let before = channel("demo");
    let profile = ChannelProfile {
        title: "other".into(),
        ..ChannelProfile::default()
    };
    assert!(!store.update_channel(&before.name, &profile).await.unwrap());
    store.create_channel(&before, 10).await.unwrap();
    assert!(store.update_channel(&before.name, &profile).await.unwrap());
    let after = store.channel(&before.name).await.unwrap().unwrap();
    assert_eq!(after, StoredChannel { profile, ..before });
    assert!(store.delete_channel(&after.name).await.unwrap());
    assert!(!store.delete_channel(&after.name).await.unwrap());
    assert_eq!(store.channel(&after.name).await.unwrap(), None);
}

async fn channels_are_listed_by_name_in_pages(store: &impl Store) {
    for name in ["c", "a", "b", "B"] {
        store.create_channel(&channel(name), 10).await.unwrap();
    }
    let names = async |page: Page| -> Vec<String> {
        store
            .channels(&page)
            .await
            .unwrap()
            .iter()
            .map(|channel| channel.name.to_string())
            .collect()
    };
    assert_eq!(names(page(None, 2)).await, ["B", "a"]);
    assert_eq!(names(page(Some("a"), 10)).await, ["b", "c"]);
    assert!(names(page(Some("c"), 10)).await.is_empty());
}

async fn a_token_is_revoked_for_good(store: &impl Store) {
    let issued = token("01", None);
    store.add_token(&issued, MANY).await.unwrap();
    assert_eq!(store.token("01").await.unwrap(), Some(issued.clone()));
    assert!(store.revoke_token("01", Timestamp(5)).await.unwrap());
    assert!(store.revoke_token("01", Timestamp(9)).await.unwrap());
    assert_eq!(
        store.token("01").await.unwrap(),
        Some(Token {
            revoked_at: Some(Timestamp(5)),
            ..issued
        })
    );
    assert!(!store.revoke_token("02", Timestamp(5)).await.unwrap());
    assert_eq!(store.revoked_since(Timestamp(5)).await.unwrap(), ["01"]);
    assert!(store.revoked_since(Timestamp(6)).await.unwrap().is_empty());
    assert_eq!(store.token("02").await.unwrap(), None);
}

async fn tokens_are_listed_latest_first_until_they_expire(store: &impl Store) {
    let admin = Token {
        kind: TokenKind::Admin,
        channel: None,
        ..token("04", None)
    };
    for token in [
        token("01", None),
        token("02", Some(50)),
        token("03", Some(150)),
        admin.clone(),
    ] {
        store.add_token(&token, MANY).await.unwrap();
    }
    let tokens = store.tokens(Timestamp(100), &page(None, 2)).await.unwrap();
    assert_eq!(tokens, [admin, token("03", Some(150))]);
    assert_eq!(
        store
            .tokens(Timestamp(100), &page(Some("03"), 2))
            .await
            .unwrap(),
        [token("01", None)]
    );
}

async fn tokens_are_bounded(store: &impl Store) {
    let add = async |id: &str| store.add_token(&token(id, None), 2).await.unwrap();
    assert_eq!(add("01").await, Creation::Created);
    assert_eq!(add("02").await, Creation::Created);
    assert_eq!(add("03").await, Creation::Full);
    assert_eq!(store.token("03").await.unwrap(), None);
}

async fn tokens_that_are_void_are_forgotten(store: &impl Store) {
    let (expired, revoked) = (Timestamp(100), Timestamp(10));
    for (id, expires_at, revoked_at, is_kept) in [
        ("01", None, None, true),
        ("02", Some(99), None, false),
        ("03", Some(100), None, true),
        ("04", None, Some(9), false),
        ("05", None, Some(10), true),
        ("06", Some(150), Some(9), false),
    ] {
        store.add_token(&token(id, expires_at), MANY).await.unwrap();
        if let Some(at) = revoked_at {
            store.revoke_token(id, Timestamp(at)).await.unwrap();
        }
        store.forget_tokens(expired, revoked).await.unwrap();
        assert_eq!(store.token(id).await.unwrap().is_some(), is_kept, "{id}");
    }
}

async fn a_broadcast_is_updated_in_place(store: &impl Store) {
    let mut on_air = broadcast("01", "demo");
    store
        .save_broadcast(&on_air, Timestamp(1000))
        .await
        .unwrap();
    assert_eq!(store.broadcast("01").await.unwrap(), Some(on_air.clone()));
    on_air.ended_at = Some(Timestamp(3000));
    on_air.peak_viewers = 7;
    store
        .save_broadcast(&on_air, Timestamp(3000))
        .await
        .unwrap();
    assert_eq!(store.broadcast("01").await.unwrap(), Some(on_air));
    assert_eq!(store.broadcast("02").await.unwrap(), None);
}

async fn broadcasts_are_listed_latest_first_by_channel(store: &impl Store) {
    for (id, channel) in [("01", "a"), ("02", "b"), ("03", "a")] {
        store
            .save_broadcast(&broadcast(id, channel), Timestamp(1000))
            .await
            .unwrap();
    }
    let a = "a".parse().unwrap();
    assert_eq!(
        store.broadcasts(None, &page(None, 2)).await.unwrap(),
        [broadcast("03", "a"), broadcast("02", "b")]
    );
    assert_eq!(
        store.broadcasts(None, &page(Some("02"), 2)).await.unwrap(),
        [broadcast("01", "a")]
    );
    assert_eq!(
        store.broadcasts(Some(&a), &page(None, 9)).await.unwrap(),
        [broadcast("03", "a"), broadcast("01", "a")]
    );
}

async fn broadcasts_left_open_end_at_their_last_sign_of_life(store: &impl Store) {
    let ended = Broadcast {
        ended_at: Some(Timestamp(1500)),
        ..broadcast("01", "a")
    };
    store.save_broadcast(&ended, Timestamp(1500)).await.unwrap();
    store
        .save_broadcast(&broadcast("02", "a"), Timestamp(2500))
        .await
        .unwrap();
    store.end_open_broadcasts().await.unwrap();
    assert_eq!(store.broadcast("01").await.unwrap(), Some(ended));
    assert_eq!(
        store.broadcast("02").await.unwrap().unwrap().ended_at,
        Some(Timestamp(2500))
    );
}

/// Broadcasts by identifier, channel and end, and which of them are left.
async fn kept(
    store: &impl Store,
    broadcasts: &[(&str, &str, Option<u64>)],
    keep: Retention,
) -> Vec<String> {
    for (id, channel, ended_at) in broadcasts {
        let broadcast = Broadcast {
            ended_at: ended_at.map(Timestamp),
            ..broadcast(id, channel)
        };
        store
            .save_broadcast(&broadcast, Timestamp(1000))
            .await
            .unwrap();
    }
    store.forget_broadcasts(keep).await.unwrap();
    let left = store.broadcasts(None, &page(None, MANY)).await.unwrap();
    left.into_iter().map(|broadcast| broadcast.id).collect()
}

async fn broadcasts_are_kept_for_a_time(store: &impl Store) {
    let keep = Retention {
        ended_since: Timestamp(2000),
        per_channel: MANY,
        total: MANY,
    };
    let broadcasts = [
        ("01", "a", Some(1999)),
        ("02", "a", None),
        ("03", "a", Some(2000)),
    ];
    assert_eq!(kept(store, &broadcasts, keep).await, ["03", "02"]);
}

async fn broadcasts_are_kept_up_to_a_number(store: &impl Store) {
    let keep = Retention {
        ended_since: Timestamp(0),
        per_channel: 2,
        total: 4,
    };
    let broadcasts = [
        ("01", "a", None),
        ("02", "b", Some(2000)),
        ("03", "a", Some(2000)),
        ("04", "a", Some(2000)),
        ("05", "a", Some(2000)),
        ("06", "c", Some(2000)),
        ("07", "d", Some(2000)),
    ];
    // "01" is under way, "02" is the fifth of all and more, "03" the third of its channel.
    let left = kept(store, &broadcasts, keep).await;
    assert_eq!(left, ["07", "06", "05", "04", "01"]);
}

async fn it_can_be_checked(store: &impl Store) {
    store.check().await.unwrap();
    store.check().await.unwrap();
}
