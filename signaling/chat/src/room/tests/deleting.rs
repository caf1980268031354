//! Who may delete what, and how often.

use serde_json::{Value, json};

use super::world::World;
use crate::{
    Role,
    protocol::{EventKind, StreamEvent, parse},
    room::{MAX_SOUGHT, MAX_WAITING, MAX_WAITING_ACTIONS, NewEvent, ParticipantId, RoomLimits},
};

/// A room that keeps three entries in memory, with a streamer (1), two moderators (2, 3) and two viewers (4, 5).
fn staffed(limits: RoomLimits) -> World {
    let mut world = World::with(RoomLimits {
        recent: 3,
        ..limits
    });
    for (id, role) in [
        (1, Role::Streamer),
        (2, Role::Moderator),
        (3, Role::Moderator),
        (4, Role::Viewer),
        (5, Role::Viewer),
    ] {
        world.enter(id, role, &json!({}));
    }
    world
}

fn moderation(action: &Value) -> Value {
    json!({"type": "moderate", "id": "m", "action": action})
}

/// What somebody is told of an attempt to delete; nothing if it's done.
fn delete(world: &mut World, id: u64, seq: u64) -> Option<String> {
    let before = world.got(id, "error").len();
    world.say(id, &moderation(&json!({"kind": "delete", "seq": seq})));
    world.pass(1_000);
    let error = world.got(id, "error").get(before).copied()?;
    assert_eq!(error["id"], "m");
    Some(error["code"].as_str().unwrap().to_owned())
}

/// Says it again and again without the log's answering, and tells how many of it are on their way.
fn flood(world: &mut World, id: u64, action: &Value, times: usize) -> usize {
    let frame = parse(moderation(action).to_string().as_bytes()).unwrap();
    for _ in 0..times {
        world
            .room
            .handle(world.now, ParticipantId(id), frame.clone());
    }
    let before = world.log.entries.len();
    world.turn();
    world.log.entries.len() - before
}

fn boundless() -> RoomLimits {
    RoomLimits {
        author_rate: 1e6,
        author_burst: 1e6,
        ..RoomLimits::default()
    }
}

fn is_deleted(world: &World, seq: usize) -> bool {
    world.log.entries[seq - 1].deleted
}

#[test]
fn what_is_deleted_is_not_deleted_again() {
    let mut world = staffed(RoomLimits::default());
    world.write(4, "c1", "x");
    let own = json!({"kind": "delete", "seq": 1});
    assert_eq!(flood(&mut world, 4, &own, 3), 1);
    assert_eq!(delete(&mut world, 4, 1).as_deref(), Some("not_found"));
    assert_eq!(delete(&mut world, 2, 1).as_deref(), Some("not_found"));
    for n in 2..6 {
        world.write(5, &format!("c{n}"), "x");
        world.pass(1_000);
    }
    let before = world.log.entries.len();
    assert_eq!(
        delete(&mut world, 2, 1).as_deref(),
        Some("not_found"),
        "nor when it's no longer in memory"
    );
    assert_eq!(world.log.entries.len(), before);
}

#[test]
fn what_came_with_a_donation_is_deleted_and_the_donation_stays() {
    let mut world = staffed(RoomLimits::default());
    let event = StreamEvent {
        kind: EventKind::Donation,
        name: "Grace".into(),
        amount: Some(300),
        currency: Some("EUR".into()),
        text: "an insult".into(),
        months: None,
    };
    let key = "p1".into();
    world.room.event(world.now, NewEvent { key, event });
    world.turn();
    assert_eq!(delete(&mut world, 4, 1).as_deref(), Some("forbidden"));
    assert_eq!(delete(&mut world, 2, 1), None);
    assert_eq!(delete(&mut world, 2, 1).as_deref(), Some("not_found"));
    world.viewer(6);
    let left =
        json!({"kind": "donation", "name": "", "amount": 300, "currency": "EUR", "text": ""});
    let told = world.got(6, "event")[0];
    assert_eq!((&told["event"], &told["deleted"]), (&left, &json!(true)));
}

#[test]
fn only_what_somebody_wrote_is_deleted() {
    let mut world = staffed(RoomLimits::default());
    for _ in 0..2 {
        world.say(1, &moderation(&json!({"kind": "rules", "slow_s": 0})));
    }
    for seq in [0, 1, 2, 3, u64::MAX] {
        assert_eq!(
            delete(&mut world, 1, seq).as_deref(),
            Some("not_found"),
            "{seq}"
        );
    }
    for n in 0..3 {
        world.write(5, &format!("c{n}"), "x");
    }
    assert_eq!(delete(&mut world, 1, 1).as_deref(), Some("not_found"));
    assert_eq!(world.log.entries.len(), 5);
}

#[test]
fn moderators_delete_what_viewers_wrote_and_the_streamer_everything() {
    let mut world = staffed(RoomLimits::default());
    for is_old in [false, true] {
        let first = world.log.entries.len() as u64 + 1;
        for id in 1..=3 {
            world.write(id, &format!("{first}"), "x");
        }
        if is_old {
            world.write(4, "old", "x");
            for n in 0..3 {
                world.write(5, &format!("c{n}"), "x");
            }
        }
        let forbidden = Some("forbidden");
        for id in 3..=5 {
            assert_eq!(delete(&mut world, id, first).as_deref(), forbidden);
            assert_eq!(
                delete(&mut world, id, first + 1).as_deref(),
                forbidden,
                "{id}"
            );
        }
        assert_eq!(delete(&mut world, 2, first + 1), None, "one's own");
        assert_eq!(delete(&mut world, 1, first + 2), None);
        if is_old {
            let seq = first + 3;
            assert_eq!(
                delete(&mut world, 4, seq).as_deref(),
                forbidden,
                "one's own among the latest only"
            );
            assert_eq!(delete(&mut world, 3, seq), None);
            assert!(is_deleted(&world, seq as usize));
        }
        assert!(is_deleted(&world, first as usize + 1) && is_deleted(&world, first as usize + 2));
        assert!(!is_deleted(&world, first as usize));
    }
}

#[test]
fn who_was_a_moderator_when_writing_is_let_be_by_moderators() {
    let mut world = staffed(RoomLimits::default());
    world.write(3, "c1", "x");
    world.leave(3);
    world.restart();
    world.enter(2, Role::Moderator, &json!({}));
    assert_eq!(delete(&mut world, 2, 1).as_deref(), Some("forbidden"));
    let ban = |author: &str| moderation(&json!({"kind": "ban", "author": author}));
    world.say(2, &ban("author3"));
    assert_eq!(world.problem(2), Some("forbidden"));
}

#[test]
fn nobody_is_silenced_who_is_unknown() {
    let mut world = staffed(RoomLimits::default());
    world.write(4, "c1", "x");
    world.restart();
    world.enter(2, Role::Moderator, &json!({}));
    for (author, problem) in [("author9", Some("not_found")), ("author4", None)] {
        for action in [
            json!({"kind": "ban", "author": author}),
            json!({"kind": "timeout", "author": author, "seconds": 9}),
        ] {
            world.received.clear();
            world.say(2, &moderation(&action));
            assert_eq!(world.problem(2), problem, "{action}");
        }
    }
}

#[test]
fn moderating_is_bounded_as_writing_is() {
    let mut world = staffed(RoomLimits::default());
    for n in 0..3 {
        world.write(4, &format!("c{n}"), "x");
    }
    for seq in 1..=3 {
        world.say(4, &moderation(&json!({"kind": "delete", "seq": seq})));
    }
    world.pass(200);
    assert_eq!(world.problem(4), Some("rate"), "of five at once");
    assert_eq!(world.log.entries.len(), 5);
    world.pass(5_000);
    let unban = json!({"kind": "unban", "author": "author9"});
    assert_eq!(flood(&mut world, 2, &unban, 100), 25);
    assert_eq!(world.problem(2), Some("rate"));
    world.pass(1_000);
    assert_eq!(flood(&mut world, 2, &unban, 100), 5);
}

#[test]
fn what_waits_for_the_log_is_bounded() {
    let mut world = staffed(boundless());
    let unban = json!({"kind": "unban", "author": "author9"});
    assert_eq!(
        flood(&mut world, 2, &unban, MAX_WAITING + 50),
        MAX_WAITING,
        "without the moderation"
    );
    assert_eq!(world.problem(2), Some("busy"));
    let ban = json!({"kind": "ban", "author": "author5"});
    // One that the log is asked to take, and those behind it.
    let most = MAX_WAITING_ACTIONS + 1;
    assert_eq!(flood(&mut world, 2, &ban, most + 9), most);
    assert_eq!(world.problem(2), Some("busy"));
}

#[test]
fn what_is_looked_for_is_bounded() {
    let mut world = staffed(boundless());
    for n in 0..6 {
        world.write(4, &format!("c{n}"), "x");
    }
    let delete = json!({"kind": "delete", "seq": 1});
    assert_eq!(
        flood(&mut world, 2, &delete, MAX_SOUGHT + 1),
        1,
        "and deleted once"
    );
    let told = |code: &str| {
        world
            .got(2, "error")
            .iter()
            .any(|error| error["code"] == code)
    };
    assert!(told("busy") && told("not_found"));
    assert!(is_deleted(&world, 1));
    assert!(world.room.sought.is_empty());
}
