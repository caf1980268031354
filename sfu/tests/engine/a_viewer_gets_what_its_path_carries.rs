use std::time::Duration;

use crate::support::{
    record::{Record, audio_lost, longest_gap},
    *,
};
use spillway_sfu::MediaKind;

fn simulcast() -> (World, PeerId) {
    broadcast(World::new())
}

fn broadcast(mut world: World) -> (World, PeerId) {
    let offer = Offer::simulcast();
    let publisher = world.publish(&offer, Source::three_rates());
    world.connect(&[publisher]);
    world.run(seconds(3));
    (world, publisher)
}

fn set_rate(world: &mut World, viewer: PeerId, rate: u64) {
    world.links[viewer].0.rate = Some(rate);
}

/// A viewer whose path falls from 5 Mbit/s to 0.8 and recovers, so many seconds each. It has each of `layers` for `least` of
/// the time, from and to so many seconds after it came. Returns the world, the viewer, and when it came.
fn narrows_and_widens(
    offer: &Offer,
    spells: [u64; 3],
    (layers, least): ([(u8, u64, u64); 3], f64),
) -> (World, PeerId, Duration) {
    let (mut world, _) = simulcast();
    let viewer = world.watch(offer);
    set_rate(&mut world, viewer, 5_000_000);
    world.connect(&[viewer]);
    let start = world.now - world.start;
    let mut record = Record::default();
    for (spell, rate) in spells.into_iter().zip([5_000_000, 800_000, 5_000_000]) {
        set_rate(&mut world, viewer, rate);
        record.run(&mut world, viewer, seconds(spell));
    }
    for (layer, from, to) in layers {
        let share = record.share(layer, start + seconds(from), start + seconds(to));
        if share < least {
            record.print();
        }
        assert!(
            share >= least,
            "layer {layer} for {share} of {from} s to {to} s"
        );
    }
    (world, viewer, start)
}

#[test]
fn when_it_narrows_and_widens_again() {
    let layers = [(0, 2, 12), (2, 15, 32), (0, 42, 52)];
    let (world, viewer, start) = narrows_and_widens(&Offer::viewer(), [12, 20, 20], (layers, 0.99));
    let gap = longest_gap(&world, viewer, start + seconds(2), start + seconds(52));
    assert!(gap < seconds(1), "no frame for {gap:?}");
    let lost = audio_lost(&world, viewer);
    assert!(lost < 0.02, "{lost} of the sound lost");
}

#[test]
fn also_if_it_estimates_its_path_itself() {
    let layers = [(0, 5, 12), (2, 20, 42), (0, 82, 102)];
    let (world, viewer, _) =
        narrows_and_widens(&Offer::viewer_with_remb(), [12, 30, 60], (layers, 0.95));
    let lost = audio_lost(&world, viewer);
    assert!(lost < 0.02, "{lost} of the sound lost");
}

#[test]
fn also_if_its_publisher_sends_keyframes_when_it_likes() {
    for after in [1, 3, 5, 7, 9] {
        let mut source = Source::three_rates();
        (source.group, source.answers) = (300, Answers::Never);
        let mut world = World::new();
        let publisher = world.publish(&Offer::simulcast(), source);
        world.connect(&[publisher]);
        let viewer = world.watch(&Offer::viewer());
        set_rate(&mut world, viewer, 5_000_000);
        world.connect(&[viewer]);
        // Keyframes come every 10 s from when it connected.
        let started = world.peers[publisher].source.as_ref().unwrap().started;
        let next = started + seconds(20);
        world.run(next + seconds(after) - world.now);
        let fall = world.now - world.start;
        set_rate(&mut world, viewer, 800_000);
        let mut record = Record::default();
        record.run(&mut world, viewer, seconds(14));
        let gap = longest_gap(&world, viewer, fall, fall + seconds(14));
        if gap > seconds(3) {
            record.print();
        }
        assert!(
            gap <= seconds(3),
            "{after} s after a keyframe: no frame for {gap:?}"
        );
        let lost = audio_lost(&world, viewer);
        assert!(lost < 0.02, "{lost} of the sound lost");
        world.assert_ordered(viewer, MediaKind::Video);
        world.assert_sent_continuously(viewer);
    }
}

#[test]
fn although_some_of_it_is_lost() {
    for loss in [0.02, 0.05, 0.1] {
        let (mut world, _) = simulcast();
        let viewer = world.watch(&Offer::viewer());
        set_rate(&mut world, viewer, 10_000_000);
        world.connect(&[viewer]);
        world.links[viewer].0.loss = loss;
        world.links[viewer].0.latency = ms(30);
        let start = world.now - world.start;
        let mut record = Record::default();
        record.run(&mut world, viewer, seconds(40));
        let share = record.share(0, start + seconds(10), start + seconds(40));
        if share < 0.85 {
            record.print();
        }
        assert!(
            share >= 0.85,
            "the best layer for {share} of the time at {loss} lost"
        );
        let gap = longest_gap(&world, viewer, start + seconds(5), start + seconds(40));
        println!("loss {loss}: share {share} gap {gap:?}");
    }
}
