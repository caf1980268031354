//! Sequence numbers and timestamps wrap around, and sources change.

use std::time::Duration;

use spillway_loadtest::link::model::Conditions;

use crate::support::{Source, World, seed};

#[test]
fn both_wrap_around() {
    for source in [Source::H264, Source::Opus, Source::Vp9] {
        let mut world = World::new(source, seed());
        world.sequence = 65_530;
        world.first_timestamp = u32::MAX - 90_000 * 4;
        world.conditions(&Conditions {
            delay: Duration::from_millis(10),
            loss: 0.01,
            ..Conditions::default()
        });
        world.run(Duration::from_secs(10));
        world.conditions(&Conditions::default());
        world.finish();
        assert!(world.check() > world.sent.len() * 9 / 10);
        assert_eq!(world.receiver.statistics().video.clock_jumps, 0);
        assert_eq!(world.receiver.statistics().audio.clock_jumps, 0);
    }
}

#[test]
fn sequence_numbers_wrap_many_times() {
    let mut world = World::new(Source::Vp8, seed());
    // Some 200 packets a second, so 65536 take more than 5 minutes.
    world.run(Duration::from_secs(700));
    world.finish();
    assert_eq!(world.check(), world.sent.len());
}

#[test]
fn a_source_that_counts_anew_is_followed() {
    let mut world = World::new(Source::H264, seed());
    world.group = 30;
    world.run(Duration::from_secs(3));
    world.sequence = world.sequence.wrapping_sub(20_000);
    world.run(Duration::from_secs(5));
    world.finish();
    assert!(world.check() > world.sent.len() - 70);
    let last = world.received.last().unwrap();
    assert_eq!(last.1.data, world.sent.last().unwrap().data);
}
