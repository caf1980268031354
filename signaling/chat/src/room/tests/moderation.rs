use serde_json::{Value, json};

use super::world::World;
use crate::{
    Kind, Role,
    protocol::{Code, Problem},
    room::{Appended, Output, ParticipantId},
};

/// A room with a streamer (1), a moderator (2) and two viewers (3, 4).
fn staffed() -> World {
    let mut world = World::new();
    world.enter(1, Role::Streamer, &json!({}));
    world.enter(2, Role::Moderator, &json!({"name": "Mo"}));
    world.enter(3, Role::Viewer, &json!({"name": "Vera"}));
    world.enter(4, Role::Viewer, &json!({"name": "Will"}));
    world
}

fn moderate(world: &mut World, id: u64, action: &Value) {
    world.say(
        id,
        &json!({"type": "moderate", "id": "m", "action": action}),
    );
    world.pass(200);
}

#[test]
fn viewers_moderate_nobody_and_moderators_not_each_other_nor_the_streamer() {
    let mut world = staffed();
    world.enter(5, Role::Moderator, &json!({"name": "Max"}));
    let ban = |author: &str| json!({"kind": "ban", "author": author});
    for (who, whom) in [
        (3, "author4"),
        (2, "author1"),
        (2, "author5"),
        (2, "author2"),
    ] {
        moderate(&mut world, who, &ban(whom));
        assert_eq!(world.problem(who), Some("forbidden"), "{who} {whom}");
    }
    moderate(
        &mut world,
        2,
        &json!({"kind": "goal", "currency": "EUR", "amount": 1}),
    );
    assert_eq!(world.problem(2), Some("forbidden"));
    assert!(world.log.entries.is_empty());
    moderate(&mut world, 1, &ban("author5"));
    assert_eq!(world.got(5, "rights").len(), 1);
}

#[test]
fn what_is_deleted_is_gone_for_those_who_come_and_for_the_log() {
    let mut world = staffed();
    world.write(3, "c1", "secret");
    world.write(4, "c1", "kept");
    moderate(&mut world, 4, &json!({"kind": "delete", "seq": 1}));
    assert_eq!(world.problem(4), Some("forbidden"));
    moderate(&mut world, 3, &json!({"kind": "delete", "seq": 1}));
    assert_eq!(world.problem(3), None, "one's own");
    world.viewer(9);
    assert_eq!(world.texts(9), ["", "kept"]);
    assert!(!format!("{:?}", world.log.entries).contains("secret"));
    moderate(&mut world, 2, &json!({"kind": "delete", "seq": 99}));
    assert_eq!(world.problem(2), Some("not_found"));
}

#[test]
fn a_time_out_ends_and_a_ban_does_not_nor_is_it_evaded_by_another_name() {
    let mut world = staffed();
    moderate(
        &mut world,
        2,
        &json!({"kind": "timeout", "author": "author3", "seconds": 10, "reason": "calm down"}),
    );
    world.write(3, "c1", "hi");
    assert_eq!(world.problem(3), Some("timed_out"));
    assert_eq!(world.got(3, "rights")[0]["reason"], "calm down");
    world.pass(10_000);
    world.write(3, "c2", "hi");
    world.pass(200);
    assert_eq!(world.texts(4), ["hi"]);
    moderate(&mut world, 2, &json!({"kind": "ban", "author": "author3"}));
    world.say(3, &json!({"type": "reaction", "emoji": "👍"}));
    world.write(3, "c3", "hi");
    assert_eq!(world.problem(3), Some("banned"));
    world.enter(7, Role::Viewer, &json!({"author": "fresh", "address": 3}));
    world.write(7, "c1", "me again");
    assert_eq!(world.problem(7), Some("banned"));
    world.leave(3);
    world.restart();
    world.enter(3, Role::Viewer, &json!({}));
    assert_eq!(
        world.got(3, "welcome").last().unwrap()["rights"]["write"],
        false
    );
    assert!(world.closed.is_empty(), "reading isn't forbidden");
    world.enter(2, Role::Moderator, &json!({}));
    moderate(
        &mut world,
        2,
        &json!({"kind": "unban", "author": "author3"}),
    );
    world.enter(8, Role::Viewer, &json!({"author": "author3", "address": 3}));
    world.write(8, "c9", "thanks");
    world.pass(200);
    assert_eq!(world.texts(8).last(), Some(&"thanks"));
}

#[test]
fn rules_hold_for_viewers_and_words_are_told_to_moderators_alone() {
    let mut world = staffed();
    moderate(
        &mut world,
        2,
        &json!({"kind": "rules", "slow_s": 5, "links": false, "words": ["bad"]}),
    );
    assert_eq!(world.got(2, "rules")[0]["words"], json!(["bad"]));
    assert!(world.got(3, "rules")[0].get("words").is_none());
    assert!(!world.got(3, "action")[0].to_string().contains("bad"));
    for (text, code) in [
        ("so BAD", "filtered"),
        ("see example.com", "links"),
        (" \u{200b} ", "empty"),
    ] {
        world.write(3, "x", text);
        assert_eq!(world.problem(3), Some(code));
    }
    world.write(3, "c1", "one");
    world.write(3, "c2", "two");
    assert_eq!(world.problem(3), Some("slow"));
    assert_eq!(world.got(3, "error").last().unwrap()["retry_after_s"], 5);
    world.write(2, "c1", "a moderator: example.com");
    world.write(2, "c2", "again");
    world.pass(5000);
    world.write(3, "c2", "two");
    world.pass(200);
    assert_eq!(
        world.texts(4),
        ["one", "a moderator: example.com", "again", "two"]
    );
}

#[test]
fn followers_only_asks_for_following_long_enough() {
    let mut world = staffed();
    moderate(
        &mut world,
        2,
        &json!({"kind": "rules", "followers_only_s": 60}),
    );
    world.write(3, "c1", "x");
    assert_eq!(world.problem(3), Some("followers_only"));
    world.say(3, &json!({"type": "follow", "on": true}));
    world.pass(59_000);
    world.write(3, "c1", "x");
    assert_eq!(world.got(3, "error").last().unwrap()["retry_after_s"], 1);
    world.pass(1_000);
    world.write(3, "c1", "x");
    world.enter(6, Role::Viewer, &json!({"following_since": 1}));
    world.write(6, "c1", "y");
    world.pass(200);
    assert_eq!(world.texts(4), ["x", "y"]);
}

#[test]
fn moderation_outlives_the_room() {
    let mut world = staffed();
    moderate(
        &mut world,
        1,
        &json!({"kind": "goal", "currency": "EUR", "amount": 500, "title": "cam"}),
    );
    moderate(
        &mut world,
        2,
        &json!({"kind": "rules", "slow_s": 7, "words": ["bad"]}),
    );
    world.write(3, "c1", "pin me");
    moderate(&mut world, 2, &json!({"kind": "pin", "seq": 3}));
    world.restart();
    world.enter(2, Role::Moderator, &json!({}));
    let welcome = world.got(2, "welcome").last().copied().unwrap();
    assert_eq!(
        (&welcome["rules"]["slow_s"], &welcome["rules"]["words"]),
        (&json!(7), &json!(["bad"]))
    );
    assert_eq!(
        (&welcome["pinned"]["text"], &welcome["last"]),
        (&json!("pin me"), &json!(4))
    );
}

#[test]
fn only_an_action_that_changes_the_moderation_carries_it() {
    let mut world = staffed();
    let appended = |world: &World| {
        let states = world.outputs.iter().filter_map(|output| match output {
            Output::Append { draft, state, .. } if draft.kind == Kind::Action => {
                Some(state.is_some())
            }
            _ => None,
        });
        states.collect::<Vec<_>>()
    };
    for name in ["c1", "c2"] {
        world.write(3, name, "x");
    }
    for (action, changes) in [
        (json!({"kind": "delete", "seq": 1}), false),
        (json!({"kind": "ban", "author": "author4"}), true),
        (json!({"kind": "unban", "author": "author9"}), false),
        (json!({"kind": "pin", "seq": 2}), true),
        (json!({"kind": "delete", "seq": 2}), true),
        (json!({"kind": "rules", "slow_s": 0}), false),
    ] {
        moderate(&mut world, 2, &action);
        assert_eq!(appended(&world).last(), Some(&changes), "{action}");
    }
}

#[test]
fn who_says_nothing_sound_is_let_go() {
    let mut world = World::new();
    world.room.enter(
        world.now,
        ParticipantId(1),
        crate::room::AddressHash(1),
        false,
    );
    world.pass(10_000);
    assert!(world.closed.contains(&1));
    world.room.enter(
        world.now,
        ParticipantId(2),
        crate::room::AddressHash(1),
        false,
    );
    world.say(2, &json!({"type": "message", "id": "c", "text": "x"}));
    assert!(world.closed.contains(&2));
    world.viewer(3);
    for _ in 0..3000 {
        if world.room.admits(world.now, ParticipantId(3)) {
            world.room.refuse(
                world.now,
                ParticipantId(3),
                Problem::new(Code::Malformed, "x"),
            );
        }
        world.turn();
    }
    assert!(world.closed.contains(&3));
    assert!(
        world.got(3, "error").len() <= 20,
        "it isn't answered without end"
    );
}

#[test]
fn nothing_of_an_action_that_failed_comes_with_the_next() {
    let mut world = staffed();
    let ask = |world: &mut World, action: &Value| {
        let frame = json!({"type": "moderate", "id": "m", "action": action});
        let frame = crate::protocol::parse(frame.to_string().as_bytes()).unwrap();
        world.room.handle(world.now, ParticipantId(2), frame);
    };
    ask(&mut world, &json!({"kind": "ban", "author": "author3"}));
    ask(&mut world, &json!({"kind": "rules", "slow_s": 9}));
    let Some(Output::Append { ticket, .. }) = world.room.poll() else {
        panic!("the first is to be stored");
    };
    assert_eq!(world.room.poll(), None, "the second waits for it");
    world.room.appended(world.now, ticket, Appended::Failed);
    world.turn();
    world.pass(200);
    assert_eq!(world.problem(2), Some("store"));
    assert_eq!(world.got(2, "action").len(), 1);
    assert_eq!(world.got(3, "rules").last().unwrap()["slow_s"], 9);
    assert!(world.log.state.bans.is_empty());
    world.write(3, "c1", "not banned");
    assert_eq!(world.problem(3), None);
}

#[test]
fn why_somebody_is_banned_is_for_them_alone() {
    let mut world = World::new();
    world.enter(1, Role::Moderator, &json!({}));
    for id in [2, 3] {
        world.enter(id, Role::Viewer, &json!({"address": 7}));
    }
    let ban = json!({"kind": "ban", "author": "author2", "reason": "spam"});
    moderate(&mut world, 1, &ban);
    let rights = |world: &World, id| world.got(id, "rights").last().map(|it| (*it).clone());
    let told = rights(&world, 2).unwrap();
    assert_eq!(
        (&told["write"], &told["reason"]),
        (&json!(false), &json!("spam"))
    );
    world.write(3, "c1", "from the same house");
    assert_eq!(world.problem(3), Some("banned"));
    world.leave(3);
    world.enter(3, Role::Viewer, &json!({"address": 7}));
    let told = rights(&world, 3).unwrap();
    assert_eq!(
        (&told["write"], &told["reason"]),
        (&json!(false), &json!(null))
    );
    // Nor to one who has a time-out of their own.
    world.say(1, &json!({"type": "moderate", "action": {"kind": "timeout", "author": "author3", "seconds": 5, "reason": "caps"}}));
    world.pass(200);
    let told = rights(&world, 3).unwrap();
    assert_eq!(
        (&told["write"], &told["reason"]),
        (&json!(false), &json!(null))
    );
    world.enter(4, Role::Moderator, &json!({"address": 7}));
    world.write(4, "c1", "I keep order here");
    assert_eq!((rights(&world, 4), world.problem(4)), (None, None));
}
