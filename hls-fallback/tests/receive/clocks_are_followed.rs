//! Frames' times are on the node's clock.

use std::time::Duration;

use spillway_hls::media::Moment;

use crate::support::world::{AHEAD, NODE, Sent};
use crate::support::{Source, World, seed};

/// How far the frames' times are from when they were captured, in microseconds: of all that were given out.
fn errors(world: &World) -> Vec<i64> {
    let frame = |data: &[u8]| world.sent.iter().find(|sent| sent.data == data).unwrap();
    let error = |(_, received): &(_, spillway_hls::media::Frame)| {
        received.time.since(frame(&received.data).captured)
    };
    world.received.iter().map(error).collect()
}

#[test]
fn a_senders_report_tells_the_time() {
    for source in [Source::H264, Source::Opus] {
        let mut world = World::new(source, seed());
        world.run(Duration::from_secs(10));
        world.finish();
        let errors = errors(&world);
        assert!(
            errors.iter().all(|error| error.abs() <= 50),
            "{source:?}: {errors:?}"
        );
    }
}

#[test]
fn without_a_report_arrival_tells_it() {
    let mut world = World::new(Source::H264, seed());
    world.reports = false;
    world.run(Duration::from_millis(900));
    assert_eq!(world.received.len(), 0, "a report may still come");
    world.run(Duration::from_secs(3));
    world.finish();
    assert_eq!(world.check(), world.sent.len());
    assert!(
        errors(&world)
            .iter()
            .all(|error| (error - AHEAD).abs() < 5_000)
    );
}

#[test]
fn a_late_report_moves_times_forward_but_never_back() {
    let mut world = World::new(Source::H264, seed());
    world.reports = false;
    world.run(Duration::from_secs(3));
    world.reports = true;
    world.run(Duration::from_secs(5));
    world.finish();
    // Our clock was ahead: the time line stays, rather than to hold frames back for 3 s.
    world.check();
    assert!(
        errors(&world)
            .iter()
            .all(|error| (error - AHEAD).abs() < 5_000)
    );
    assert_eq!(world.receiver.statistics().clock_steps, 1);
}

#[test]
fn a_step_of_the_nodes_clock_changes_nothing() {
    for step in [-7_200_000_000, -2_000_000, 1_000_000, 3_600_000_000] {
        let mut world = World::new(Source::Vp8, seed());
        world.run(Duration::from_secs(5));
        world.node_step = step;
        world.run(Duration::from_secs(5));
        world.finish();
        world.check();
        let errors = errors(&world);
        assert!(errors.iter().all(|error| error.abs() < 1_000), "{errors:?}");
        assert_eq!(world.receiver.statistics().clock_steps, 1, "{step}");
    }
}

#[test]
fn a_jump_of_timestamps_is_one_of_a_second_at_most() {
    for jump in [
        1_000_000_000_u32,
        90_000 * 20,
        0_u32.wrapping_sub(90_000 * 100),
    ] {
        let mut world = World::new(Source::H264, seed());
        world.run(Duration::from_millis(5_500));
        world.first_timestamp = world.first_timestamp.wrapping_add(jump);
        world.run(Duration::from_secs(5));
        world.finish();
        assert_eq!(world.check(), world.sent.len());
        let errors = errors(&world);
        let worst = errors.iter().map(|error| error.abs()).max().unwrap();
        assert!(worst < 1_000_000, "{jump}: {worst}");
        assert!(errors.last().unwrap().abs() < 100_000);
    }
}

#[test]
fn small_corrections_are_slewed() {
    let mut world = World::new(Source::H264, seed());
    world.run(Duration::from_secs(5));
    // 30 ms on the RTP clock, as after a change of publishers.
    world.first_timestamp = world.first_timestamp.wrapping_sub(2_700);
    world.run(Duration::from_secs(8));
    world.finish();
    world.check();
    let times: Vec<Moment> = world.received.iter().map(|(_, frame)| frame.time).collect();
    let steps: Vec<i64> = times
        .windows(2)
        .map(|pair| pair[1].since(pair[0]))
        .collect();
    // A picture each 33 or 34 ms, and of that a hundredth.
    let usual = steps
        .iter()
        .filter(|step| (33_000..=34_400).contains(*step))
        .count();
    assert!(usual + 2 >= steps.len(), "{steps:?}");
    assert!(errors(&world).last().unwrap().abs() < 1_000);
    assert!(times[0] > NODE);
}

#[test]
fn what_a_node_sends_once_more_is_not_from_the_future() {
    let mut world = World::new(Source::Vp8, seed());
    world.run(Duration::from_millis(1_500));
    // A second of pictures at once, with timestamps that go on.
    for _ in 0..30 {
        let (data, payloads) = world.source.frame(&mut world.rng, false);
        world.sent.push(Sent {
            captured: world.captured(),
            data,
            key: false,
        });
        world.send_payloads(payloads);
        world.first_timestamp = world.first_timestamp.wrapping_add(3_000);
    }
    world.run(Duration::from_secs(3));
    world.finish();
    assert_eq!(world.check(), world.sent.len());
    let errors = errors(&world);
    let worst = errors.iter().map(|error| error.abs()).max().unwrap();
    assert!(worst < 120_000, "{errors:?}");
    assert!(errors.last().unwrap().abs() < 20_000, "{errors:?}");
}

/// Pictures at once, each of a period later than the one before.
fn burst(world: &mut World, pictures: usize) {
    for _ in 0..pictures {
        let (data, payloads) = world.source.frame(&mut world.rng, false);
        world.sent.push(Sent {
            captured: world.captured(),
            data,
            key: false,
        });
        world.send_payloads(payloads);
        world.lead += 3_000;
    }
}

/// Between the times of frames, and how far the last one was ahead of its arrival, in microseconds.
fn distances(world: &World) -> (Vec<i64>, i64) {
    let frames: Vec<_> = world.received.iter().map(|(_, frame)| frame).collect();
    let distances = frames.windows(2).map(|w| w[1].time.since(w[0].time));
    let last = frames.last().unwrap();
    (distances.collect(), last.time.since(last.arrived))
}

/// As `FFmpeg` begins to send a file: its reports say that it is yet to come.
#[test]
fn what_a_publisher_begins_with_keeps_its_distances() {
    let mut world = World::new(Source::H264, seed());
    world.run(Duration::from_millis(100));
    burst(&mut world, 20);
    world.run(Duration::from_secs(5));
    world.finish();
    assert_eq!(world.check(), world.sent.len());
    let (distances, ahead) = distances(&world);
    // The world has a tick each millisecond.
    let period = 33_000..=34_000;
    let other: Vec<_> = distances.iter().filter(|d| !period.contains(*d)).collect();
    // The first of them, and the one after them, come when the world's clock has them.
    assert!(other.len() <= 2, "{other:?}");
    assert!(
        distances.iter().all(|d| (20_000..60_000).contains(d)),
        "{distances:?}"
    );
    assert!((600_000..=670_000).contains(&ahead), "{ahead}");
    assert_eq!(world.receiver.statistics().video.clock_jumps, 0);
}

#[test]
fn one_that_makes_up_for_what_held_it_keeps_its_distances() {
    let mut world = World::new(Source::H264, seed());
    // By 5 %, as FFmpeg does.
    for _ in 0..200 {
        world.run(Duration::from_millis(100));
        world.lead += 450;
    }
    world.finish();
    let (distances, ahead) = distances(&world);
    assert!(
        distances.iter().all(|d| (33_000..=39_000).contains(d)),
        "{distances:?}"
    );
    assert!((900_000..=1_010_000).contains(&ahead), "{ahead}");
}

#[test]
fn pictures_are_not_put_together_by_a_correction() {
    for off in [-27_000_i32, 27_000] {
        let mut world = World::new(Source::H264, seed());
        world.run(Duration::from_millis(300));
        // By 300 ms, when it is known how late the pictures came.
        world.first_timestamp = world.first_timestamp.wrapping_add_signed(-off);
        world.lead = world.lead.wrapping_add_signed(off);
        world.run(Duration::from_secs(12));
        world.finish();
        world.check();
        let (distances, ahead) = distances(&world);
        let at_first = distances[..20].iter();
        assert!(
            at_first.clone().all(|d| (33_000..=34_000).contains(d)),
            "the rate is told by these: {distances:?}"
        );
        assert!(
            distances.iter().all(|d| (31_300..=35_800).contains(d)),
            "{distances:?}"
        );
        assert!((ahead - i64::from(off) * 100 / 9).abs() < 20_000, "{ahead}");
    }
}
