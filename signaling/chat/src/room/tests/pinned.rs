use serde_json::{Value, json};

use super::world::World;
use crate::{Role, room::RoomLimits};

/// A room that keeps two entries in memory, with a moderator (1) and a viewer (2).
fn small() -> World {
    let mut world = World::with(RoomLimits {
        recent: 2,
        ..RoomLimits::default()
    });
    world.enter(1, Role::Moderator, &json!({}));
    world.viewer(2);
    world.viewer(3);
    world
}

fn moderate(world: &mut World, action: &Value) {
    world.say(1, &json!({"type": "moderate", "id": "m", "action": action}));
    world.pass(200);
}

fn pin(world: &mut World, seq: Option<u64>) {
    moderate(world, &json!({"kind": "pin", "seq": seq}));
}

/// The texts of what a client was told is pinned; null for nothing.
fn told(world: &World, id: u64) -> Vec<Value> {
    let pinned = world.got(id, "pinned");
    pinned
        .iter()
        .map(|told| told["entry"]["text"].clone())
        .collect()
}

fn welcomed(world: &mut World, id: u64) -> Value {
    world.enter(id, Role::Viewer, &json!({"history": 0}));
    world.got(id, "welcome").last().unwrap()["pinned"].clone()
}

#[test]
fn what_is_pinned_is_sent_whole_however_old_it_is() {
    let mut world = small();
    world.write(2, "c1", "the old one");
    for n in 2..6 {
        world.write(2, &format!("c{n}"), "x");
        world.pass(2_000);
    }
    pin(&mut world, Some(1));
    assert_eq!(told(&world, 2), ["the old one"]);
    let entry = welcomed(&mut world, 3);
    assert_eq!(
        (&entry["type"], &entry["seq"]),
        (&json!("message"), &json!(1))
    );
    world.restart();
    assert_eq!(welcomed(&mut world, 4)["text"], "the old one");
}

#[test]
fn it_is_gone_when_it_is_unpinned_deleted_or_its_author_silenced() {
    for end in [
        json!({"kind": "pin", "seq": null}),
        json!({"kind": "delete", "seq": 1}),
        json!({"kind": "timeout", "author": "author2", "seconds": 5}),
        json!({"kind": "ban", "author": "author2"}),
    ] {
        let mut world = small();
        world.write(2, "c1", "look");
        pin(&mut world, Some(1));
        moderate(&mut world, &json!({"kind": "rules", "slow_s": 0}));
        moderate(&mut world, &json!({"kind": "ban", "author": "author3"}));
        assert_eq!(told(&world, 1), ["look"], "nothing else is news of it");
        moderate(&mut world, &end);
        assert_eq!(told(&world, 1), [json!("look"), Value::Null], "{end}");
        assert_eq!(welcomed(&mut world, 3), Value::Null);
        world.restart();
        assert_eq!(welcomed(&mut world, 4), Value::Null);
    }
}

#[test]
fn what_is_no_message_or_forgotten_is_not_shown() {
    let mut world = small();
    world.write(2, "c1", "forgotten");
    world.write(2, "c2", "x");
    moderate(&mut world, &json!({"kind": "rules", "slow_s": 0}));
    world.log.forgotten = 1;
    pin(&mut world, Some(3));
    pin(&mut world, Some(1));
    assert!(told(&world, 2).is_empty());
    assert_eq!(welcomed(&mut world, 3), Value::Null);
    pin(&mut world, Some(2));
    assert_eq!(told(&world, 2), ["x"]);
}
