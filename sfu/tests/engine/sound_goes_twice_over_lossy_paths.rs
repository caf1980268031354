use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use spillway_sfu::{MediaKind, rtcp::ReportBlock};

use crate::support::{offer::RED, viewer::in_order, *};

fn takes_copies() -> Offer {
    Offer {
        red: true,
        ..Offer::viewer()
    }
}

/// A broadcast with one viewer of it.
fn watched(offer: &Offer, source: Source) -> (World, PeerId) {
    watched_from(Link::default().latency, offer, source)
}

/// The same, with a viewer so far away.
fn watched_from(latency: Duration, offer: &Offer, source: Source) -> (World, PeerId) {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(offer);
    let (down, up) = &mut world.links[viewer];
    (down.latency, up.latency) = (latency, latency);
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
            let sound = peer.heard.iter().find(|h| h.kind == MediaKind::Audio);
            let block = ReportBlock {
                ssrc: sound.unwrap().ssrc,
                fraction_lost: fraction,
                ..ReportBlock::default()
            };
            peer.send_rtcp(|writer| writer.receiver_report(1, &[block]));
        });
    }
    let healed = world.now;
    world.run(seconds(2));
    let under_loss = sound(&world, viewer, from + seconds(3), from + seconds(10));
    assert!(redundant(&under_loss) > 0.95);
    let after = sound(&world, viewer, healed, world.now);
    assert!(redundant(&after) < f64::EPSILON);
}

/// A viewer that asks for lost sound, so far away, whose path has lost packets for a while.
fn asking(latency: Duration) -> (World, PeerId) {
    let offer = Offer {
        audio_nack: true,
        ..takes_copies()
    };
    let (mut world, viewer) = watched_from(latency, &offer, Source::new(1));
    report_round_trip(&mut world, viewer);
    world.links[viewer].0.loss = 0.1;
    world.run(seconds(5));
    world.links[viewer].0.loss = 0.0;
    world.run(ms(300));
    (world, viewer)
}

/// Refers to the newest sender report (RFC 3550 §6.4.1).
fn report_round_trip(world: &mut World, viewer: PeerId) {
    world.peer(viewer, |peer, now| {
        let reported = peer.told.iter().rev().find_map(|(at, told)| match told {
            peer::Told::SenderReport { ssrc, ntp, .. } => Some((*at, *ssrc, *ntp)),
            _ => None,
        });
        let (at, ssrc, ntp) = reported.expect("a sender report");
        let block = ReportBlock {
            ssrc,
            last_sr: ntp.middle(),
            delay_since_last_sr: ((now - at).as_secs_f64() * 65_536.0) as u32,
            ..ReportBlock::default()
        };
        peer.send_rtcp(|writer| writer.receiver_report(1, &[block]));
    });
    world.run(ms(300));
}

/// How often what this viewer heard already, and asks for again, comes once more: replay protection refuses it. That it is
/// the same is held against every packet by `World::note`.
fn comes_again(world: &mut World, viewer: PeerId, packet: &Heard) -> usize {
    let before = world.peers[viewer].rejected;
    world.peer(viewer, |peer, _| {
        peer.send_rtcp(|writer| writer.nack(1, packet.ssrc, &[packet.sequence]));
    });
    world.run(ms(300));
    world.peers[viewer].rejected - before
}

fn newest(world: &World, viewer: PeerId) -> Heard {
    let heard = in_order(&world.peers[viewer].heard, MediaKind::Audio);
    (*heard.values().last().expect("sound")).clone()
}

#[test]
fn nearby_what_is_asked_for_again_comes_instead() {
    let (mut world, viewer) = asking(ms(20));
    let heard = sound(&world, viewer, world.start, world.now);
    assert!(redundant(&heard) < f64::EPSILON);
    let packet = newest(&world, viewer);
    assert_eq!(comes_again(&mut world, viewer, &packet), 1);
}

#[test]
fn far_away_what_went_as_a_copy_is_not_sent_again() {
    let (mut world, viewer) = asking(ms(80));
    let packet = newest(&world, viewer);
    assert_eq!(packet.payload_type, RED);
    assert_eq!(comes_again(&mut world, viewer, &packet), 0);
    // What no packet comes behind is, as it was.
    world.peers[0].source.as_mut().unwrap().audio = false;
    world.run(ms(100));
    let last = newest(&world, viewer);
    assert_eq!(last.payload_type, RED);
    assert_eq!(comes_again(&mut world, viewer, &last), 1);
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

#[test]
fn with_no_more_copies_than_fit() {
    for (audio_bytes, most) in [(160, 2), (500, 1), (1_050, 0)] {
        let source = Source {
            audio_bytes,
            ..Source::new(1)
        };
        let (mut world, viewer) = watched(&takes_copies(), source);
        world.links[viewer].0.loss = 0.1;
        let from = world.now + seconds(3);
        world.run(seconds(6));
        let heard = sound(&world, viewer, from, world.now);
        assert_eq!(heard.iter().map(|p| p.copies.len()).max(), Some(most));
    }
}
