use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use spillway_sfu::MediaKind;

use crate::support::{offer::RED, viewer::in_order, *};

fn takes_copies() -> Offer {
    Offer {
        red: true,
        ..Offer::viewer()
    }
}

/// A broadcast with one viewer of it.
fn watched(offer: &Offer, source: Source) -> (World, PeerId) {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(offer);
    world.connect(&[publisher, viewer]);
    world.run(seconds(2));
    (world, viewer)
}

/// The sound that a viewer heard in a while.
fn sound(world: &World, viewer: PeerId, from: Instant, to: Instant) -> Vec<&Heard> {
    let within = |p: &&Heard| p.kind == MediaKind::Audio && (from..to).contains(&p.at);
    world.peers[viewer].heard.iter().filter(within).collect()
}

/// Share of these packets that came with copies.
fn redundant(sound: &[&Heard]) -> f64 {
    let with = sound.iter().filter(|p| p.payload_type == RED).count();
    with as f64 / sound.len() as f64
}

/// Share of the sound of a while that came, in packets of its own or as copies. What came more than once was the same.
fn content(sound: &[&Heard]) -> f64 {
    let mut came: HashMap<u32, &[u8]> = HashMap::new();
    let all = sound.iter().flat_map(|packet| {
        let copies = packet
            .copies
            .iter()
            .map(|(at, copy)| (*at, copy.as_slice()));
        copies.chain([(packet.timestamp, packet.payload.as_slice())])
    });
    for (timestamp, payload) in all {
        let known = came.entry(timestamp).or_insert(payload);
        assert_eq!(*known, payload, "another payload at {timestamp}");
    }
    let first = sound.iter().map(|p| p.timestamp).min().unwrap();
    let span = sound.iter().map(|p| p.timestamp.wrapping_sub(first));
    let packets = span.max().unwrap() / 960 + 1;
    let within = came
        .keys()
        .filter(|at| at.wrapping_sub(first) / 960 < packets);
    within.count() as f64 / f64::from(packets)
}

#[test]
fn while_they_lose_and_not_before_or_after() {
    let (mut world, viewer) = watched(&takes_copies(), Source::new(1));
    let lossless = world.now;
    world.run(seconds(10));
    let lossy = world.now;
    world.links[viewer].0.loss = 0.1;
    world.run(seconds(20));
    let healed = world.now;
    world.links[viewer].0.loss = 0.0;
    world.run(seconds(30));
    assert!(
        redundant(&sound(&world, viewer, lossless, lossy)) < f64::EPSILON,
        "nothing was lost"
    );
    let under_loss = sound(&world, viewer, lossy + seconds(3), healed);
    assert!(redundant(&under_loss) > 0.95);
    let came = content(&under_loss);
    assert!(came >= 0.98, "{came} of the sound came");
    let alone = under_loss.len() as f64 / 850.0;
    assert!(
        alone < 0.95,
        "{alone} came without copies: too little was lost"
    );
    let after = sound(&world, viewer, healed + seconds(20), world.now);
    assert!(redundant(&after) < f64::EPSILON, "the path is clean again");
    world.assert_ordered(viewer, MediaKind::Audio);
}

#[test]
fn only_where_they_are_understood() {
    let (mut world, viewer) = watched(&Offer::viewer(), Source::new(1));
    let from = world.now;
    world.links[viewer].0.loss = 0.1;
    world.run(seconds(10));
    let heard = sound(&world, viewer, from, world.now);
    assert!(redundant(&heard) < f64::EPSILON);
}

#[test]
fn also_where_loss_is_told_by_receiver_reports_alone() {
    let offer = Offer {
        transport_cc: false,
        remb: true,
        ..takes_copies()
    };
    let (mut world, viewer) = watched(&offer, Source::new(1));
    let from = world.now;
    for n in 0..30 {
        world.run(seconds(1));
        let fraction = if n < 10 { 26 } else { 0 };
        world.peer(viewer, |peer, _| {
            let media = peer.video_ssrc.unwrap();
            let block = spillway_sfu::rtcp::ReportBlock {
                ssrc: media,
                fraction_lost: fraction,
                ..spillway_sfu::rtcp::ReportBlock::default()
            };
            peer.send_rtcp(|writer| writer.receiver_report(1, &[block]));
        });
    }
    world.run(seconds(2));
    let under_loss = sound(&world, viewer, from + seconds(3), from + seconds(10));
    assert!(redundant(&under_loss) > 0.95);
    let after = sound(&world, viewer, world.now - seconds(2), world.now);
    assert!(redundant(&after) < f64::EPSILON);
}

#[test]
fn what_is_asked_for_again_comes_as_it_was() {
    let offer = Offer {
        audio_nack: true,
        ..takes_copies()
    };
    let (mut world, viewer) = watched(&offer, Source::new(1));
    world.links[viewer].0.loss = 0.1;
    world.run(seconds(5));
    world.links[viewer].0.loss = 0.0;
    let newest = in_order(&world.peers[viewer].heard, MediaKind::Audio)
        .into_values()
        .rfind(|p| p.payload_type == RED)
        .cloned()
        .expect("it had copies");
    let before = world.peers[viewer].rejected;
    world.peer(viewer, |peer, _| {
        peer.send_rtcp(|writer| writer.nack(1, newest.ssrc, &[newest.sequence]));
    });
    world.run(ms(100));
    // It comes a second time, which replay protection refuses. That it is the same is held against every packet by
    // `World::note`.
    assert_eq!(world.peers[viewer].rejected, before + 1);
}

#[test]
fn a_publisher_that_returns_leaves_no_copies_of_what_it_sent_before() {
    let (mut world, viewer) = watched(&takes_copies(), Source::new(1));
    world.links[viewer].0.loss = 0.1;
    world.run(seconds(5));
    let second = world.publish(&Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(5));
    let heard = sound(&world, viewer, world.start, world.now);
    let mut sources = HashSet::new();
    for packet in heard {
        let own = packet.tag.expect("a tag").source;
        sources.insert(own);
        for (_, copy) in &packet.copies {
            let copied = source::Tag::read(copy).expect("a tag");
            assert_eq!(copied.source, own, "a copy of another source");
        }
    }
    assert_eq!(sources.len(), 2);
}

#[test]
fn what_the_publisher_lost_is_left_out() {
    let (mut world, viewer) = watched(&takes_copies(), Source::new(1));
    world.links[viewer].0.loss = 0.1;
    // Nothing is asked for again where the publisher doesn't offer it for sound.
    world.links[0].1.loss = 0.2;
    let from = world.now;
    world.run(seconds(10));
    let heard = sound(&world, viewer, from + seconds(3), world.now);
    let fewer = heard.iter().filter(|p| p.copies.len() < 2).count();
    assert!(fewer > heard.len() / 10, "{fewer} of {}", heard.len());
    let came = content(&heard);
    assert!((0.7..0.9).contains(&came), "{came}");
}
