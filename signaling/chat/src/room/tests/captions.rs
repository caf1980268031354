use serde_json::json;

use super::world::World;
use crate::{
    protocol::{Caption, MAX_SERVER_FRAME},
    room::{AddressHash, Output, ParticipantId},
};

fn caption(from: u64, text: &str) -> Caption {
    Caption {
        language: "en".into(),
        from,
        to: from + 2_000,
        text: text.into(),
    }
}

impl World {
    fn caption(&mut self, broadcast: &str, captions: &[Caption]) {
        self.room.caption(broadcast, captions);
        self.turn();
    }
}

#[test]
fn those_who_have_joined_are_told_at_once_and_nobody_later() {
    let mut world = World::new();
    world.viewer(1);
    world
        .room
        .enter(world.now, ParticipantId(2), AddressHash(2), true);
    world.caption("b1", &[caption(5_000, "going to\nthe park")]);
    let told = json!({"type": "caption", "language": "en", "from": 5_000, "to": 7_000, "text": "going to\nthe park"});
    assert_eq!(world.got(1, "caption"), [&told]);
    world.viewer(3);
    world.pass(1_000);
    assert!(world.got(2, "caption").is_empty() && world.got(3, "caption").is_empty());
    assert!(world.log.entries.is_empty(), "they are no part of the log");
}

#[test]
fn those_of_another_broadcast_are_nobodys() {
    let mut world = World::new();
    world.viewer(1);
    world.caption("b0", &[caption(0, "x")]);
    world.room.set_on_air(world.now, None);
    world.caption("b1", &[caption(0, "x")]);
    assert!(world.got(1, "caption").is_empty());
}

#[test]
fn many_long_ones_come_in_frames_within_the_bound() {
    let mut world = World::new();
    world.viewer(1);
    let long = vec![caption(0, &"𝄞".repeat(500)); 16];
    world.caption("b1", &long);
    assert_eq!(world.got(1, "caption").len(), 16);
    let longest = world.outputs.iter().filter_map(|output| match output {
        Output::Send { frame, .. } => Some(frame.len()),
        _ => None,
    });
    assert!(longest.max().unwrap() <= MAX_SERVER_FRAME);
}
