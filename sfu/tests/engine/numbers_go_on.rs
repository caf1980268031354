//! Toward a viewer: no gap in sequence numbers, no step back in time, whatever happens to the source.

use spillway_sfu::{EndReason, MediaKind};

use crate::support::*;

fn assert_all_continuous(world: &World, viewer: PeerId) {
    world.assert_continuous(viewer, MediaKind::Video);
    world.assert_continuous(viewer, MediaKind::Audio);
}

#[test]
fn over_a_takeover() {
    let mut world = World::new();
    let first = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[first, viewer]);
    world.run(seconds(2));
    let second = world.publish(&Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(2));
    assert_eq!(world.ended(first), Some(EndReason::TakenOver));
    let sources: Vec<u8> = world
        .video(viewer)
        .iter()
        .filter_map(|p| p.tag.map(|t| t.source))
        .collect();
    assert!(sources.contains(&1) && sources.contains(&2));
    assert_all_continuous(&world, viewer);
}

#[test]
fn over_the_loss_of_the_feed() {
    let mut world = World::new();
    let first = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[first, viewer]);
    world.run(seconds(2));
    world.peer(first, peer::Peer::close);
    world.run(seconds(5));
    let lost_at = world.video(viewer).last().unwrap().timestamp;
    let second = world.publish(&Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(2));
    assert_all_continuous(&world, viewer);
    // The time that passed passed for the viewer, too.
    let video = world.video(viewer);
    let back = video
        .iter()
        .find(|p| p.tag.is_some_and(|t| t.source == 2))
        .unwrap();
    let away = back.timestamp.wrapping_sub(lost_at) / 90;
    assert!((4_900..6_000).contains(&away), "{away} ms");
}

#[test]
fn over_a_switch_of_layers() {
    let mut world = World::new();
    let offer = Offer::simulcast();
    let publisher = world.publish(&offer, Source::simulcast(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(3));
    for flowing in [
        [false, true, true],
        [false, false, true],
        [true, true, true],
    ] {
        for (layer, flows) in flowing.into_iter().enumerate() {
            world.peer(publisher, |peer, _| {
                peer.source.as_mut().unwrap().layers[layer].flowing = flows;
            });
        }
        world.run(seconds(4));
    }
    let mut layers: Vec<u8> = world
        .video(viewer)
        .iter()
        .filter_map(|p| p.tag.map(|t| t.layer))
        .collect();
    layers.dedup();
    assert_eq!(layers, [0, 1, 2, 0]);
    assert_all_continuous(&world, viewer);
}

#[test]
fn over_an_outage_of_the_publisher() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(2));
    // Sent, and never to come: a thousand packets.
    world.links[publisher].1.loss = 1.0;
    world.run(seconds(8));
    world.links[publisher].1.loss = 0.0;
    world.run(seconds(3));
    world.assert_continuous(viewer, MediaKind::Video);
}

#[test]
fn over_an_encoder_that_restarts_under_another_ssrc() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(2));
    world.peer(publisher, |peer, _| {
        let layer = &mut peer.source.as_mut().unwrap().layers[0];
        layer.ssrc += 77;
        layer.next = 300;
        layer.wants_keyframe = true;
    });
    let before = world.video(viewer).len();
    world.run(seconds(2));
    assert!(
        world.video(viewer).len() > before + 300,
        "the picture stopped"
    );
    world.assert_continuous(viewer, MediaKind::Video);
}
