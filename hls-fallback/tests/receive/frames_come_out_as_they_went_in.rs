//! Nothing is lost on the way.

use std::time::Duration;

use spillway_loadtest::link::model::Conditions;

use crate::support::{Source, World, seed};

#[test]
fn every_codec_comes_out_whole() {
    let seed = seed();
    for source in Source::ALL {
        let mut world = World::new(source, seed);
        world.run(Duration::from_secs(10));
        world.finish();
        assert_eq!(world.check(), world.sent.len(), "{source:?}");
        assert_eq!(world.keyframe_requests, 0);
        let statistics = world.receiver.statistics();
        let track = if source == Source::Opus {
            statistics.audio
        } else {
            statistics.video
        };
        assert_eq!(track.frames as usize, world.sent.len());
        assert_eq!((track.lost, track.late, track.dropped), (0, 0, 0));
    }
}

#[test]
fn pictures_come_out_at_once() {
    let mut world = World::new(Source::H264, seed());
    world.run(Duration::from_secs(5));
    world.finish();
    for ((at, _), sent) in world.received.iter().zip(&world.sent).skip(10) {
        let delay = (world.captured().0 - (world.now - *at).as_micros() as i64) - sent.captured.0;
        assert!(delay < 2_000, "{delay} µs");
    }
}

#[test]
fn order_is_restored_without_a_loss() {
    let seed = seed();
    for source in Source::ALL {
        let mut world = World::new(source, seed);
        world.conditions(&Conditions {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            reorder: 0.05,
            reorder_by: Duration::from_millis(4),
            duplicate: 0.02,
            ..Conditions::default()
        });
        world.run(Duration::from_secs(10));
        world.finish();
        assert_eq!(world.check(), world.sent.len(), "{source:?}");
        let statistics = world.receiver.statistics();
        assert!(
            statistics.audio.duplicates
                + statistics.audio.late
                + statistics.video.duplicates
                + statistics.video.late
                > 0
        );
    }
}
