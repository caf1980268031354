//! Names, times, rates, counts.

use serde_json::json;

use super::world::{STARTED, World};
use crate::{
    Role,
    room::{Matter, Output, ParticipantId, RoomLimits},
};

#[test]
fn the_picture_that_was_seen_is_within_the_last_minute() {
    let mut world = World::new();
    world.viewer(1);
    world.pass(100_000);
    for (name, at) in [
        ("a", json!(99_000)),
        ("b", json!(1)),
        ("c", json!(999_999)),
        ("d", json!(null)),
    ] {
        world.say(
            1,
            &json!({"type": "message", "id": name, "text": "x", "at": at}),
        );
    }
    world.pass(200);
    let at: Vec<_> = world
        .got(1, "message")
        .iter()
        .map(|message| message["at"].as_u64().unwrap())
        .collect();
    assert_eq!(at, [99_000, 40_000, 100_000, 100_000]);
    world.room.set_on_air(world.now, None);
    world.write(1, "e", "x");
    world.pass(2000);
    assert_eq!(world.got(1, "message").last().unwrap()["at"], json!(null));
    assert_eq!(
        world.got(1, "broadcast").last().unwrap()["broadcast"],
        json!(null)
    );
    assert_eq!(
        world.got(1, "welcome")[0]["broadcast"],
        json!({"id": "b1", "started_at": STARTED, "now": 0})
    );
}

#[test]
fn an_author_is_the_same_by_another_connection() {
    let mut world = World::new();
    world.enter(1, Role::Viewer, &json!({"author": "ada", "name": "Ada"}));
    world.enter(2, Role::Viewer, &json!({"author": "ada"}));
    assert_eq!(world.got(2, "welcome")[0]["author"]["name"], "Ada");
    world.say(2, &json!({"type": "rename", "name": "Ada L."}));
    assert_eq!(world.got(1, "renamed")[0]["name"], "Ada L.");
    world.leave(1);
    world.write(2, "c1", "still here");
    world.pass(3000);
    assert_eq!(world.got(2, "message")[0]["author"]["name"], "Ada L.");
    assert_eq!(world.got(2, "presence").last().unwrap()["chatters"], 1);
    world.enter(3, Role::Viewer, &json!({"name": "ada l"}));
    assert_eq!(world.problem(3), Some("name_taken"));
    assert_eq!(world.got(3, "welcome").len(), 1, "it's let in all the same");
}

#[test]
fn names_are_held_to_the_rules_for_words_and_links() {
    let mut world = World::new();
    world.enter(1, Role::Moderator, &json!({"name": "mo.example.com"}));
    world.enter(2, Role::Viewer, &json!({"name": "Very B4D"}));
    let rules = json!({"kind": "rules", "links": false, "words": ["bad"]});
    world.say(1, &json!({"type": "moderate", "action": rules}));
    for name in ["so bad", "B A D", "see example.com"] {
        world.received.clear();
        world.say(2, &json!({"type": "rename", "name": name}));
        assert_eq!(world.problem(2), Some("name_refused"), "{name}");
        world.enter(3, Role::Viewer, &json!({"name": name}));
        assert_eq!(world.problem(3), Some("name_refused"), "{name}");
        assert_eq!(
            world.got(3, "welcome")[0]["author"]["name"],
            "guest-autho",
            "it's let in all the same"
        );
        world.leave(3);
    }
    world.say(1, &json!({"type": "rename", "name": "mo.example.org"}));
    assert_eq!(world.problem(1), None, "a moderator may");
    world.leave(2);
    world.enter(2, Role::Viewer, &json!({}));
    let name = &world.got(2, "welcome")[0]["author"]["name"];
    assert_eq!(name, "guest-autho-2", "what was refused isn't kept either");
}

#[test]
fn a_role_is_lost_with_the_connection_that_had_it() {
    let mut world = World::new();
    let ada = json!({"author": "ada", "name": "Moderator"});
    world.enter(1, Role::Moderator, &ada);
    world.enter(2, Role::Viewer, &json!({"author": "ada"}));
    world.enter(3, Role::Moderator, &json!({}));
    assert_eq!(world.got(2, "welcome")[0]["author"]["name"], "Moderator");
    world.leave(1);
    assert_eq!(world.got(2, "renamed")[0]["name"], "guest-ada");
    world.write(2, "c1", "x");
    world.pass(200);
    let author = &world.got(3, "message")[0]["author"];
    assert_eq!(
        (&author["role"], &author["name"]),
        (&json!("viewer"), &json!("guest-ada"))
    );
    let ban = json!({"kind": "ban", "author": "ada"});
    world.say(3, &json!({"type": "moderate", "action": ban}));
    assert_eq!(world.problem(3), None);
    world.write(2, "c2", "x");
    assert_eq!(world.problem(2), Some("banned"));
}

#[test]
fn who_writes_too_fast_is_told_for_how_long_to_wait() {
    let mut world = World::new();
    world.viewer(1);
    for n in 0..6 {
        world.write(1, &format!("c{n}"), "x");
    }
    assert_eq!(
        (world.problem(1), world.log.entries.len()),
        (Some("rate"), 5)
    );
    world.pass(1000);
    world.write(1, "c5", "x");
    assert_eq!(world.log.entries.len(), 6);
    world.write(1, "c6", &"x".repeat(501));
    assert_eq!(world.problem(1), Some("too_long"));
}

#[test]
fn taps_are_counted_and_told_ten_times_a_second() {
    let mut world = World::new();
    (1..=50).for_each(|id| world.viewer(id));
    world.pass(3000);
    for _ in 0..20 {
        for id in 1..=50 {
            world.say(id, &json!({"type": "reaction", "emoji": "🔥", "count": 3}));
        }
        world.pass(200);
    }
    world.pass(1000);
    let told = world.got(7, "reactions");
    let sum: u64 = told
        .iter()
        .map(|counts| counts["counts"]["🔥"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 20 * 50 * 3);
    assert!(told.len() <= 50, "{} times in 5 s", told.len());
    world.say(1, &json!({"type": "reaction", "emoji": "nope"}));
    assert_eq!(world.problem(1), Some("not_found"));
    for _ in 0..20 {
        world.say(2, &json!({"type": "reaction", "emoji": "🔥"}));
    }
    assert_eq!(world.problem(2), Some("rate"));
    world.pass(1000);
    let last = world.got(7, "reactions").last().unwrap()["counts"]["🔥"]
        .as_u64()
        .unwrap();
    assert!(last <= 11, "refused taps aren't counted: {last}");
}

#[test]
fn presence_is_told_when_it_changes_and_not_all_the_time() {
    let mut world = World::new();
    world.viewer(1);
    world.pass(5000);
    for viewers in 0..100 {
        world.room.set_viewers(world.now, viewers);
        world.pass(100);
    }
    world.pass(5000);
    let told = world.got(1, "presence");
    assert!((4..=8).contains(&told.len()), "{}", told.len());
    assert_eq!(told.last().unwrap()["viewers"], 99);
}

#[test]
fn a_slow_reader_is_served_from_the_log_when_it_reads_again() {
    let mut world = World::with(RoomLimits {
        recent: 5,
        author_rate: 100.0,
        author_burst: 100.0,
        ..RoomLimits::default()
    });
    world.viewer(1);
    world.viewer(2);
    world.stuck.insert(2);
    for n in 0..60 {
        world.write(1, &format!("c{n}"), "x");
        world.pass(50);
    }
    assert!(world.texts(2).is_empty());
    world.stuck.clear();
    world.pass(2000);
    assert_eq!(world.numbers(2), (1..=60).collect::<Vec<_>>());
}

#[test]
fn a_slow_reader_knows_how_things_are_when_it_reads_again() {
    let mut world = World::new();
    world.enter(1, Role::Streamer, &json!({}));
    world.viewer(2);
    world.write(2, "c1", "to be pinned");
    world.pass(200);
    world.stuck.insert(2);
    let goal = json!({"kind": "goal", "currency": "EUR", "amount": 500, "title": "cam"});
    for action in [
        json!({"kind": "rules", "slow_s": 30, "words": ["secret"]}),
        json!({"kind": "pin", "seq": 1}),
        goal,
        json!({"kind": "timeout", "author": "author2", "seconds": 60}),
    ] {
        world.say(1, &json!({"type": "moderate", "action": action}));
    }
    world.room.set_viewers(world.now, 12);
    world.pass(5_000);
    assert!(world.got(2, "rules").is_empty());
    world.stuck.clear();
    world.write(1, "c9", "something to read");
    world.pass(1_300);
    let last = |kind: &str| (*world.got(2, kind).last().unwrap()).clone();
    assert_eq!(last("rules")["slow_s"], 30);
    assert_eq!(
        last("rules")["words"],
        json!(null),
        "these are for moderators"
    );
    assert_eq!(
        last("pinned")["entry"]["text"],
        json!(null),
        "its author is silenced"
    );
    assert_eq!(last("goal")["goal"]["amount"], 500);
    assert_eq!(last("rights")["write"], false);
    assert_eq!(last("presence")["viewers"], 12);
    assert_eq!(last("broadcast")["broadcast"]["id"], "b1");
    let told = world.received[&2].len();
    world.pass(10_000);
    assert_eq!(world.received[&2].len(), told, "once");
}

#[test]
fn what_is_refused_for_its_words_counts_for_how_fast_one_writes_and_not_for_slow_mode() {
    let mut world = World::with(RoomLimits {
        author_rate: 0.1,
        author_burst: 3.0,
        ..RoomLimits::default()
    });
    world.enter(1, Role::Moderator, &json!({}));
    world.viewer(2);
    let rules = json!({"kind": "rules", "slow_s": 30, "words": ["bad"]});
    world.say(1, &json!({"type": "moderate", "action": rules}));
    world.write(2, "c1", "bad");
    assert_eq!(world.problem(2), Some("filtered"));
    world.write(2, "c2", "good");
    assert_eq!(world.log.entries.len(), 2);
    world.write(2, "c3", "good");
    assert_eq!(world.problem(2), Some("slow"));
    world.pass(30_000);
    for id in ["c4", "c5", "c6", "c7"] {
        world.write(2, id, "bad");
    }
    assert_eq!(world.problem(2), Some("rate"));
}

#[test]
fn one_that_never_reads_is_told_less_and_less_often() {
    let mut world = World::new();
    world.enter(1, Role::Streamer, &json!({}));
    world.viewer(2);
    world.pass(200);
    world.stuck.insert(2);
    let rules = json!({"kind": "rules", "slow_s": 30});
    world.say(1, &json!({"type": "moderate", "action": rules}));
    world.outputs.clear();
    world.pass(300_000);
    let told = world.outputs.iter().filter(|output| match output {
        Output::Send { to, matter, .. } => {
            *matter == Matter::State && to.as_slice() == [ParticipantId(2)]
        }
        _ => false,
    });
    let told = told.count();
    assert!((10..=20).contains(&told), "{told} times in five minutes");
}
