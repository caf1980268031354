//! One order for all, nothing missing, nothing doubled.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::world::World;
use crate::{
    Role,
    protocol::{EventKind, StreamEvent},
    room::{NewEvent, OnAir, Output, RoomLimits},
};

fn generous() -> RoomLimits {
    RoomLimits {
        author_rate: 1e6,
        author_burst: 1e6,
        ..RoomLimits::default()
    }
}

#[test]
fn all_see_one_order_in_shared_frames() {
    let mut world = World::with(generous());
    (1..=20).for_each(|id| world.viewer(id));
    world.pass(1000);
    let before = world.frames;
    for n in 0..10 {
        world.write(1 + n % 3, &format!("c{n}"), &format!("text {n}"));
    }
    world.pass(1000);
    let texts: Vec<_> = (0..10).map(|n| format!("text {n}")).collect();
    assert!((1..=20).all(|id| world.texts(id) == texts));
    assert!(
        world.frames - before <= 2,
        "{} frames of the log",
        world.frames - before
    );
}

#[test]
fn flushes_are_ten_a_second_at_most() {
    let mut world = World::with(generous());
    world.viewer(1);
    world.pass(1000);
    let before = world.frames;
    for n in 0..1000 {
        world.write(1, &format!("c{n}"), "x");
        world.pass(1);
    }
    assert!(
        (9..=11).contains(&(world.frames - before)),
        "{}",
        world.frames - before
    );
}

#[test]
fn what_is_said_twice_is_stored_once() {
    let mut world = World::new();
    world.viewer(1);
    world.write(1, "c1", "hello");
    world.leave(1);
    world.restart();
    world.enter(1, Role::Viewer, &json!({"after": 0}));
    world.write(1, "c1", "hello");
    world.pass(500);
    assert_eq!(world.log.entries.len(), 1);
    assert_eq!(
        world.got(1, "stored")[0],
        &json!({"type": "stored", "id": "c1", "seq": 1})
    );
}

#[test]
fn an_event_that_is_told_again_counts_once() {
    let mut world = World::new();
    world.enter(1, Role::Streamer, &json!({}));
    world.say(1, &json!({"type": "moderate", "action": {"kind": "goal", "currency": "EUR", "amount": 1000, "title": "cam"}}));
    let event = |key: &str| NewEvent {
        key: key.into(),
        event: StreamEvent {
            kind: EventKind::Donation,
            name: "Grace".into(),
            amount: Some(300),
            currency: Some("EUR".into()),
            text: "see example.com".into(),
            months: None,
        },
    };
    for key in ["p1", "p1", "p2"] {
        world.room.event(world.now, event(key));
        world.turn();
    }
    world.pass(200);
    assert_eq!(world.got(1, "event").len(), 2);
    assert_eq!(world.got(1, "goal").last().unwrap()["goal"]["raised"], 600);
}

#[test]
fn a_donation_counts_for_the_broadcast_in_which_it_was_given() {
    let mut world = World::new();
    world.enter(1, Role::Streamer, &json!({}));
    world.say(1, &json!({"type": "moderate", "action": {"kind": "goal", "currency": "EUR", "amount": 1000, "title": "cam"}}));
    let event = StreamEvent {
        kind: EventKind::Donation,
        name: String::new(),
        amount: Some(300),
        currency: Some("EUR".into()),
        text: String::new(),
        months: None,
    };
    let key = "p1".into();
    world.room.event(world.now, NewEvent { key, event });
    let next = OnAir {
        id: "b2".into(),
        started_at: world.now,
        raised: BTreeMap::new(),
    };
    world.room.set_on_air(world.now, Some(next));
    world.turn();
    world.pass(200);
    assert_eq!(world.got(1, "event").len(), 1);
    assert_eq!(world.got(1, "goal").last().unwrap()["goal"]["raised"], 0);
}

#[test]
fn who_cannot_follow_is_told_and_is_no_follower() {
    let mut world = World::new();
    world.enter(1, Role::Moderator, &json!({}));
    world.viewer(2);
    let rules = json!({"kind": "rules", "followers_only_s": 0});
    world.say(1, &json!({"type": "moderate", "action": rules}));
    world.say(2, &json!({"type": "follow", "on": true}));
    let Some(Output::Follow {
        participant,
        author,
        following,
    }) = world.outputs.pop()
    else {
        panic!("it's to be noted");
    };
    world.write(2, "c1", "hello");
    assert_eq!(world.problem(2), None);
    world
        .room
        .not_followed(world.now, participant, &author, following);
    world.turn();
    assert_eq!(world.problem(2), Some("store"));
    world.write(2, "c2", "hello");
    assert_eq!(world.problem(2), Some("followers_only"));
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_of_what_was_there() {
    let mut world = World::new();
    world.viewer(1);
    world.write(1, "c1", "before");
    world.log.is_full = true;
    world.write(1, "c2", "lost");
    assert_eq!(world.got(1, "error")[0]["code"], "store");
    assert_eq!(world.got(1, "error")[0]["id"], "c2");
    world.log.is_full = false;
    world.write(1, "c2", "again");
    world.pass(500);
    assert_eq!(world.texts(1), ["before", "again"]);
}

#[test]
fn a_room_too_busy_to_read_is_sampled_alike_for_all_and_the_log_keeps_everything() {
    let mut world = World::with(RoomLimits {
        shown_rate: 20,
        ..generous()
    });
    (1..=3).for_each(|id| world.viewer(id));
    for n in 0..200 {
        world.write(1 + n % 2, &format!("c{n}"), &format!("{n}"));
        world.pass(5);
    }
    world.pass(1000);
    assert_eq!(world.log.entries.len(), 200);
    assert_eq!(world.texts(2), world.texts(3));
    assert!(
        (30..=50).contains(&world.texts(3).len()),
        "{}",
        world.texts(3).len()
    );
    assert_eq!(world.numbers(3), (1..=200).collect::<Vec<_>>());
    let told = world.got(1, "stored").len() + world.got(2, "stored").len();
    assert_eq!(
        told + world.texts(3).len(),
        200,
        "authors hear of all that was stored"
    );
}

#[test]
fn who_was_away_for_too_long_is_told_what_is_skipped() {
    let mut world = World::with(RoomLimits {
        recent: 10,
        ..generous()
    });
    world.viewer(1);
    for n in 0..60 {
        world.write(1, &format!("c{n}"), &format!("{n}"));
    }
    world.log.forgotten = 20;
    world.enter(2, Role::Viewer, &json!({"after": 5}));
    world.pass(1000);
    assert_eq!(world.numbers(2), (6..=60).collect::<Vec<_>>());
    assert_eq!(
        world.got(2, "skipped")[0],
        &json!({"type": "skipped", "from": 6, "to": 20})
    );
    assert_eq!(world.texts(2).len(), 40);
}

#[test]
fn who_claims_to_have_more_than_the_log_is_sent_what_comes() {
    let mut world = World::with(generous());
    world.viewer(1);
    world.write(1, "c1", "before");
    for (id, after) in [(2, u64::MAX), (3, u64::MAX - 1), (4, 2), (5, 1)] {
        world.enter(id, Role::Viewer, &json!({"after": after}));
    }
    world.write(1, "c2", "after");
    world.pass(500);
    for id in 2..=5 {
        assert_eq!(world.texts(id), ["after"], "{id}");
        assert_eq!(world.numbers(id), [2], "{id}");
    }
}

/// What happens to a room.
#[derive(Debug, Clone)]
enum Step {
    Write { author: u64, name: u8 },
    Pass(u16),
    Stick(u64),
    Loosen(u64),
    Reconnect(u64),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..4_u64, any::<u8>()).prop_map(|(author, name)| Step::Write { author, name }),
        4 => (1..400_u16).prop_map(Step::Pass),
        1 => (1..4_u64).prop_map(Step::Stick),
        1 => (1..4_u64).prop_map(Step::Loosen),
        1 => (1..4_u64).prop_map(Step::Reconnect),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever clients and server go through: each client that resumes is told every number once, in order, and no
    /// author's message is in the log twice.
    #[test]
    fn every_client_is_told_every_number_once_in_order(steps in steps(), recent in 1..40_usize) {
        let mut world = World::with(RoomLimits { recent, ..generous() });
        (1..4).for_each(|id| world.enter(id, Role::Viewer, &json!({"after": 0})));
        for step in steps {
            match step {
                Step::Write { author, name } => world.write(author, &format!("c{name}"), "text"),
                Step::Pass(millis) => world.pass(millis.into()),
                Step::Stick(id) => { world.stuck.insert(id); }
                Step::Loosen(id) => { world.stuck.remove(&id); }
                Step::Reconnect(id) => {
                    world.leave(id);
                    let after = world.numbers(id).last().copied().unwrap_or(0);
                    world.enter(id, Role::Viewer, &json!({"after": after}));
                }
                Step::Crash => {
                    world.restart();
                    for id in 1..4 {
                        let after = world.numbers(id).last().copied().unwrap_or(0);
                        world.enter(id, Role::Viewer, &json!({"after": after}));
                    }
                }
            }
        }
        world.stuck.clear();
        world.pass(5000);
        let all: Vec<u64> = (1..=world.log.entries.len() as u64).collect();
        for id in 1..4 {
            prop_assert_eq!(world.numbers(id), all.clone(), "client {}", id);
        }
        let mut keys: Vec<_> = world.log.entries.iter().map(|entry| entry.draft.key.clone()).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), world.log.entries.len());
    }
}
