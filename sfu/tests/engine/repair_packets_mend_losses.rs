use std::collections::HashMap;

use spillway_sfu::MediaKind;

use crate::support::{
    link::Random,
    peer::key,
    repair::{Mender, blanked},
    *,
};

fn offer() -> Offer {
    Offer {
        flexfec: true,
        ..Offer::viewer()
    }
}

/// A viewer behind a path with this delay each way, which misses this share of its video.
fn watched(offer: &Offer, delay: u64, loss: f64) -> (World, PeerId) {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(offer);
    world.links[viewer].0.latency = ms(delay);
    world.links[viewer].1.latency = ms(delay);
    world.connect(&[publisher, viewer]);
    let mut random = Random(world.random.next());
    if let Some(mender) = &mut world.peers[viewer].mender {
        mender.misses = Box::new(move |_| random.share() < loss);
    }
    (world, viewer)
}

fn mender(world: &mut World, viewer: PeerId) -> &mut Mender {
    world.peers[viewer].mender.as_mut().unwrap()
}

#[test]
fn byte_for_byte_and_before_a_retransmission_could() {
    let (mut world, viewer) = watched(&offer(), 75, 0.05);
    world.run(seconds(5));
    let from = world.now;
    world.run(seconds(19));
    let until = world.now;
    world.run(seconds(1));
    let mender = mender(&mut world, viewer);
    let missed: HashMap<u16, _> = mender
        .missed
        .iter()
        .filter(|(at, _)| (from..until).contains(at))
        .map(|(at, packet)| (key(packet).1, (*at, packet)))
        .collect();
    let mut mended = 0;
    for (at, packet) in &mender.mended {
        let Some((lost, original)) = missed.get(&key(packet).1) else {
            continue;
        };
        assert_eq!(packet, &blanked(original));
        assert!(
            *at - *lost < ms(75),
            "sooner than a retransmission: {:?}",
            *at - *lost
        );
        mended += 1;
    }
    let share = f64::from(mended) / missed.len() as f64;
    assert!(
        missed.len() > 100 && share > 0.6,
        "{share} of {}",
        missed.len()
    );
    world.assert_sent_continuously(viewer);
    world.assert_ordered(viewer, MediaKind::Video);
}

/// Video packets, repair packets and bytes of both that left toward a viewer.
fn sent(world: &World, viewer: PeerId) -> (usize, usize, f64) {
    let mender = world.peers[viewer].mender.as_ref().unwrap();
    let of = |ssrc| {
        let own = move |((id, own, _), _): &(&(PeerId, u32, u64), &Vec<u8>)| {
            (*id, *own) == (viewer, ssrc)
        };
        let lengths = world.wire.iter().filter(own).map(|(_, bytes)| bytes.len());
        (lengths.clone().count(), lengths.sum::<usize>())
    };
    let (video, repairs) = (of(mender.media), of(mender.flexfec));
    (video.0, repairs.0, repairs.1 as f64 / video.1 as f64)
}

#[test]
fn and_take_a_part_of_what_the_picture_takes() {
    for (loss, most) in [(0.02, 0.25), (0.1, 0.36)] {
        let (mut world, viewer) = watched(&offer(), 50, loss);
        world.run(seconds(20));
        let (video, repairs, share) = sent(&world, viewer);
        assert!(video > 1_000 && repairs > 100, "{repairs} for {video}");
        assert!(share < most, "{share} at {loss} lost");
    }
}

#[test]
fn where_nothing_is_lost_there_are_none() {
    let (mut world, viewer) = watched(&offer(), 75, 0.0);
    world.run(seconds(20));
    assert_eq!(sent(&world, viewer).1, 0);
    assert_eq!(mender(&mut world, viewer).repair_packets, 0);
}

#[test]
fn where_the_viewer_is_near_there_are_none() {
    let (mut world, viewer) = watched(&offer(), 15, 0.05);
    world.run(seconds(20));
    assert_eq!(sent(&world, viewer).1, 0);
}

#[test]
fn where_a_full_path_drops_packets_there_are_few() {
    let (mut world, viewer) = watched(&offer(), 75, 0.0);
    world.links[viewer].0.rate = Some(1_200_000);
    world.run(seconds(20));
    let (video, repairs, _) = sent(&world, viewer);
    assert!(repairs * 50 < video, "{repairs} for {video}");
}

#[test]
fn who_takes_none_gets_none_and_no_ssrcs() {
    let (world, viewer) = watched(&Offer::viewer(), 75, 0.05);
    assert!(world.peers[viewer].mender.is_none());
    let unfed = Offer {
        transport_cc: false,
        ..offer()
    };
    let (world, viewer) = watched(&unfed, 75, 0.05);
    let none = world.peers[viewer].mender.is_none();
    assert!(none, "nothing would tell of losses");
    let (mut world, _) = watched(&offer(), 75, 0.05);
    let publisher = Offer {
        flexfec: true,
        ..Offer::publisher()
    };
    let publisher = world.publish(&publisher, Source::new(2));
    assert!(world.peers[publisher].mender.is_none());
}

#[test]
fn numbers_go_on_when_the_path_gets_better_and_worse_again() {
    let (mut world, viewer) = watched(&offer(), 75, 0.05);
    world.run(seconds(8));
    let before = mender(&mut world, viewer).repair_packets;
    mender(&mut world, viewer).misses = Box::new(|_| false);
    world.run(seconds(30));
    let between = mender(&mut world, viewer).repair_packets;
    world.run(seconds(5));
    assert_eq!(
        mender(&mut world, viewer).repair_packets,
        between,
        "the path is clean"
    );
    let mut count = 0;
    mender(&mut world, viewer).misses = Box::new(move |_| {
        count += 1;
        count % 20 == 0
    });
    // That no number is sealed twice is held against every packet by `World::note`.
    world.run(seconds(8));
    assert!(before > 0 && mender(&mut world, viewer).repair_packets > between);
    let flexfec = mender(&mut world, viewer).flexfec;
    let mut numbers: Vec<u64> = world
        .wire
        .keys()
        .filter(|key| (key.0, key.1) == (viewer, flexfec))
        .map(|key| key.2)
        .collect();
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], pair[0] + 1);
    }
}

#[test]
fn where_packets_only_change_places_there_are_none() {
    let (mut world, viewer) = watched(&offer(), 75, 0.0);
    world.links[viewer].0.reordered = 0.1;
    // Of the first packets, the few that are missing for a moment are a larger share.
    world.run(seconds(5));
    let before = sent(&world, viewer).1;
    world.run(seconds(15));
    assert_eq!(sent(&world, viewer).1, before);
}

#[test]
fn whatever_the_publisher_loses() {
    let mut world = World::new();
    let mut source = Source::new(1);
    // Its keyframes are longer than what one repair packet can name, and what comes again is as far behind.
    source.layers[0].bitrate = 6_000_000;
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(&offer());
    world.links[viewer].0.latency = ms(75);
    world.links[viewer].1.latency = ms(75);
    world.connect(&[publisher, viewer]);
    world.links[publisher].0.latency = ms(100);
    world.links[publisher].1.latency = ms(100);
    world.links[publisher].1.loss = 0.1;
    let mut random = Random(world.random.next());
    mender(&mut world, viewer).misses = Box::new(move |_| random.share() < 0.05);
    world.run(seconds(8));
    for _ in 0..12 {
        let before = mender(&mut world, viewer).repair_packets;
        world.run(seconds(1));
        assert!(mender(&mut world, viewer).repair_packets > before);
    }
}
