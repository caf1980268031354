//! With GCM two packets sealed under one number give the key away. `World::note` holds every packet that leaves
//! against all before it.

use crate::support::*;

#[test]
fn over_a_long_run_with_loss_requests_switches_and_takeovers() {
    let mut world = World::with(2, &spillway_sfu::Limits::default());
    let simulcast = Offer::simulcast();
    let mut publisher = world.publish(&simulcast, Source::simulcast(1));
    let mut viewers = Vec::new();
    for number in 0..6 {
        let offer = Offer {
            rtx: number % 2 == 0,
            transport_cc: number % 3 != 0,
            ..Offer::viewer()
        };
        let viewer = world.watch_on(number % 2, &offer, None);
        world.links[viewer] = (Link::bad(0.05), Link::bad(0.02));
        viewers.push(viewer);
    }
    world.links[publisher] = (Link::bad(0.02), Link::bad(0.05));
    for round in 0..12u8 {
        world.run(seconds(2));
        for &viewer in &viewers {
            let action = world.random.below(4);
            world.peer(viewer, |peer, _| match (action, peer.video_ssrc) {
                (0, Some(ssrc)) => peer.send_rtcp(|writer| writer.picture_loss(1, ssrc)),
                (1, Some(ssrc)) => {
                    let recent: Vec<u16> = peer
                        .heard
                        .iter()
                        .rev()
                        .take(200)
                        .map(|p| p.sequence)
                        .collect();
                    let mut recent: Vec<u16> = recent.into_iter().step_by(3).collect();
                    recent.sort_unstable();
                    recent.dedup();
                    peer.send_rtcp(|writer| writer.nack(1, ssrc, &recent));
                }
                _ => {}
            });
        }
        let flowing = world.random.below(7) + 1;
        world.peer(publisher, |peer, _| {
            if let Some(source) = &mut peer.source {
                for (at, layer) in source.layers.iter_mut().enumerate() {
                    layer.flowing = flowing >> at & 1 == 1;
                }
            }
        });
        if round % 4 == 3 {
            let worker = world.random.below(2);
            publisher = world.publish_on(worker, &simulcast, Source::simulcast(round + 2));
            world.links[publisher] = (Link::bad(0.02), Link::bad(0.05));
        }
    }
    assert!(world.wire.len() > 10_000, "{} packets", world.wire.len());
}

#[test]
fn when_a_publisher_repeats_old_packets_under_its_repair_ssrc() {
    let mut world = World::new();
    let source = Source {
        audio: false,
        // Short groups of pictures: the cache stays small.
        group: 5,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(3));
    // Older than the cache's bytes reach, not older than its slots.
    for back in (200..900u64).step_by(7) {
        world.peer(publisher, |peer, _| {
            let layer = &peer.source.as_ref().unwrap().layers[0];
            let sequence = layer.next.wrapping_sub(back) as u16;
            let mut payload = sequence.to_be_bytes().to_vec();
            payload.extend_from_slice(&[0x41, 9, 9, 9, 9, 9, 9]);
            payload.resize(900, 7);
            peer.rtx_next += 1;
            let packet = source::rtp(
                103,
                false,
                peer.rtx_next,
                1,
                peer.rtx.unwrap(),
                &[(1, b"1".to_vec())],
                &payload,
            );
            peer.seal(&packet);
        });
        world.run(ms(5));
    }
    world.run(seconds(1));
}

#[test]
fn when_a_catch_up_overtakes_the_fan_out() {
    let mut world = World::new();
    let mut source = Source {
        group: 8,
        ..Source::new(1)
    };
    source.layers[0].bitrate = 200_000;
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(ms(400));
    for _ in 0..20 {
        // A frame and a request for the cached pictures arrive together.
        let frame = world.peers[publisher].source.as_ref().unwrap().next();
        world.run(frame - world.now);
        world.peer(viewer, |peer, _| {
            let ssrc = peer.video_ssrc.unwrap();
            peer.send_rtcp(|writer| writer.picture_loss(1, ssrc));
        });
        world.run(ms(100));
    }
    world.assert_continuous(viewer, spillway_sfu::MediaKind::Audio);
}
