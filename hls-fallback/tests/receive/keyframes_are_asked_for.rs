//! When a keyframe is needed, it is asked for, and not too often.

use std::time::Duration;

use spillway_loadtest::link::model::Conditions;

use crate::support::{Source, World, seed};

#[test]
fn a_lost_picture_asks_for_one_once() {
    let mut world = World::new(Source::Vp8, seed());
    world.group = usize::MAX;
    world.answers_resends = false;
    world.run(Duration::from_secs(2));
    world.conditions(&Conditions {
        loss: 1.0,
        ..Conditions::default()
    });
    world.run(Duration::from_millis(40));
    world.conditions(&Conditions {
        delay: Duration::from_millis(40),
        ..Conditions::default()
    });
    world.run(Duration::from_secs(3));
    world.finish();
    let frames = world.check();
    assert_eq!(world.keyframe_requests, 1);
    let missing = world.sent.len() - frames;
    // The wait for the repair is over after 250 ms, and the keyframe comes 80 ms later.
    assert!((1..=14).contains(&missing), "{missing}");
}

#[test]
fn who_comes_in_the_middle_waits_before_asking() {
    let mut world = World::new(Source::H265, seed());
    world.conditions(&Conditions {
        loss: 1.0,
        ..Conditions::default()
    });
    world.group = 1_000;
    world.run(Duration::from_millis(100));
    world.conditions(&Conditions::default());
    world.run(Duration::from_millis(280));
    assert_eq!((world.keyframe_requests, world.received.len()), (0, 0));
    world.run(Duration::from_millis(200));
    assert_eq!(world.keyframe_requests, 1);
    world.run(Duration::from_secs(1));
    assert_eq!(world.keyframe_requests, 1);
    assert!(!world.received.is_empty());
}

#[test]
fn a_publisher_that_ignores_requests_isnt_pestered() {
    let mut world = World::new(Source::Av1, seed());
    world.answers_keyframes = false;
    world.conditions(&Conditions {
        loss: 1.0,
        ..Conditions::default()
    });
    world.group = 10_000;
    world.run(Duration::from_millis(100));
    world.conditions(&Conditions::default());
    world.run(Duration::from_secs(30));
    assert!((5..=10).contains(&world.keyframe_requests));
    assert_eq!(world.received.len(), 0);
}
