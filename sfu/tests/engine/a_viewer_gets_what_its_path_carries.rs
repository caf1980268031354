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

#[test]
fn when_it_narrows_and_widens_again() {
    let (mut world, _) = simulcast();
    let viewer = world.watch(&Offer::viewer());
    set_rate(&mut world, viewer, 5_000_000);
    world.connect(&[viewer]);
    let start = world.now - world.start;
    let mut record = Record::default();
    record.run(&mut world, viewer, seconds(12));
    set_rate(&mut world, viewer, 800_000);
    record.run(&mut world, viewer, seconds(20));
    set_rate(&mut world, viewer, 5_000_000);
    record.run(&mut world, viewer, seconds(20));
    for (layer, from, to) in [(0, 2, 12), (2, 15, 32), (0, 42, 52)] {
        let share = record.share(layer, start + seconds(from), start + seconds(to));
        if share < 0.99 {
            record.print();
        }
        assert!(
            share >= 0.99,
            "layer {layer} for {share} of {from} s to {to} s"
        );
    }
    let gap = longest_gap(&world, viewer, start + seconds(2), start + seconds(52));
    assert!(gap < seconds(1), "no frame for {gap:?}");
    let lost = audio_lost(&world, viewer);
    assert!(lost < 0.02, "{lost} of the sound lost");
}

#[test]
fn also_if_it_estimates_its_path_itself() {
    let (mut world, _) = simulcast();
    let viewer = world.watch(&Offer::viewer_with_remb());
    set_rate(&mut world, viewer, 5_000_000);
    world.connect(&[viewer]);
    let start = world.now - world.start;
    let mut record = Record::default();
    record.run(&mut world, viewer, seconds(12));
    set_rate(&mut world, viewer, 800_000);
    record.run(&mut world, viewer, seconds(30));
    set_rate(&mut world, viewer, 5_000_000);
    record.run(&mut world, viewer, seconds(60));
    for (layer, from, to) in [(0, 5, 12), (2, 20, 42), (0, 82, 102)] {
        let share = record.share(layer, start + seconds(from), start + seconds(to));
        if share < 0.95 {
            record.print();
        }
        assert!(
            share >= 0.95,
            "layer {layer} for {share} of {from} s to {to} s"
        );
    }
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
