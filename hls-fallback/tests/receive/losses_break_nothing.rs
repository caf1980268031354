//! Packets are lost; what is repaired in time isn't missed, and what isn't never comes out broken.

use std::time::Duration;

use spillway_loadtest::link::model::{BurstLoss, Conditions};

use crate::support::{Source, World, seed};

fn lossy(source: Source, seed: u64, loss: f64, delay: u64) -> World {
    let mut world = World::new(source, seed);
    world.conditions(&Conditions {
        delay: Duration::from_millis(delay),
        jitter: Duration::from_millis(5),
        loss,
        reorder: 0.01,
        reorder_by: Duration::from_millis(3),
        duplicate: 0.01,
        ..Conditions::default()
    });
    world.run(Duration::from_secs(30));
    world.conditions(&Conditions::default());
    world.finish();
    world
}

#[test]
fn repairs_bring_nearly_all() {
    let seed = seed();
    for source in Source::ALL {
        for loss in [0.02, 0.05] {
            let world = lossy(source, seed, loss, 15);
            let share = world.check() as f64 / world.sent.len() as f64;
            assert!(share > 0.9, "{source:?} at {loss}: {share}");
            let statistics = world.receiver.statistics();
            assert!(statistics.audio.repaired + statistics.video.repaired > 0);
        }
    }
}

#[test]
fn without_repairs_nothing_broken_comes_out() {
    let seed = seed();
    for source in Source::ALL {
        let mut world = World::new(source, seed);
        world.answers_resends = false;
        world.group = 30;
        world.conditions(&Conditions {
            delay: Duration::from_millis(15),
            loss: 0.01,
            ..Conditions::default()
        });
        world.run(Duration::from_secs(30));
        world.conditions(&Conditions::default());
        world.finish();
        let frames = world.check();
        assert!(frames > world.sent.len() / 20, "{source:?}: {frames}");
        assert!(frames < world.sent.len());
    }
}

#[test]
fn bursts_of_loss_are_survived() {
    let seed = seed();
    for source in Source::ALL {
        let mut world = World::new(source, seed);
        world.conditions(&Conditions {
            delay: Duration::from_millis(30),
            burst_loss: Some(BurstLoss {
                share: 0.05,
                length: 20.0,
            }),
            ..Conditions::default()
        });
        world.run(Duration::from_secs(30));
        world.conditions(&Conditions::default());
        world.finish();
        assert!(world.check() > world.sent.len() / 4, "{source:?}");
    }
}

#[test]
fn a_publisher_that_never_makes_keyframes_when_asked_is_waited_for() {
    let mut world = World::new(Source::H264, seed());
    world.answers_keyframes = false;
    world.answers_resends = false;
    world.group = 60;
    world.run(Duration::from_secs(1));
    world.conditions(&Conditions {
        loss: 0.3,
        ..Conditions::default()
    });
    world.run(Duration::from_millis(300));
    world.conditions(&Conditions::default());
    world.run(Duration::from_secs(6));
    world.finish();
    let frames = world.check();
    assert!(frames + 60 >= world.sent.len() && frames < world.sent.len());
    let last = world.received.last().unwrap();
    assert_eq!(last.1.data, world.sent.last().unwrap().data);
}
