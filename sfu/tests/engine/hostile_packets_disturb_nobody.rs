use spillway_sfu::{Disposition, MediaKind, Path, Protocol};

use crate::support::{viewer::whole_frames, *};

#[test]
fn malformed_truncated_replayed_or_foreign() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(1));
    let stranger = Path {
        protocol: Protocol::Udp,
        local: peer::server_address(0).ip(),
        remote: "10.9.9.9:999".parse().unwrap(),
    };
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..200 {
        world.run(ms(10));
        // What these two would send next, and what they were sent.
        let mut samples: Vec<Vec<u8>> = kept.clone();
        world.peer(viewer, |peer, _| {
            let request = check::binding_request(&peer.remote, &peer.local);
            samples.push(request);
        });
        samples.extend(world.wire.values().take(3).cloned());
        let last = samples.last().unwrap().clone();
        kept.push(last);
        kept.truncate(20);
        for sample in samples {
            for _ in 0..6 {
                let mut bytes = sample.clone();
                match world.random.below(4) {
                    0 => bytes.truncate(world.random.below(sample.len())),
                    1 => {
                        let at = world.random.below(bytes.len());
                        bytes[at] ^= 1 << world.random.below(8);
                    }
                    2 => bytes.extend_from_slice(&[0; 7]),
                    _ => {
                        bytes = (0..world.random.below(200))
                            .map(|_| world.random.next() as u8)
                            .collect();
                    }
                }
                let path = match world.random.below(3) {
                    0 => stranger,
                    1 => world.peers[viewer].path(),
                    _ => world.peers[publisher].path(),
                };
                world.engine(0, |engine, now, out| {
                    engine.handle_datagram(now, path, &mut bytes, out)
                });
            }
        }
    }
    let mut unknown = vec![0x80; 100];
    let disposition = world.engine(0, |engine, now, out| {
        engine.handle_datagram(now, stranger, &mut unknown, out)
    });
    assert_eq!(disposition, Disposition::Unknown);
    world.run(seconds(1));
    assert_eq!((world.ended(viewer), world.ended(publisher)), (None, None));
    world.assert_continuous(viewer, MediaKind::Video);
    world.assert_continuous(viewer, MediaKind::Audio);
    let newest = world.peers[publisher].source.as_ref().unwrap().layers[0].frame;
    assert!(
        whole_frames(&world.peers[viewer].heard)
            .last()
            .unwrap()
            .frame
            + 3
            >= newest
    );
    assert!(world.engines[0].statistics(world.now).rejected > 100);
}

#[test]
fn nor_rtcp_of_a_viewer_that_lies() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    let liar = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer, liar]);
    world.run(seconds(1));
    for _ in 0..300 {
        world.run(ms(10));
        let noise: Vec<u8> = (0..world.random.below(300))
            .map(|_| world.random.next() as u8)
            .collect();
        let kind = 200 + world.random.below(8) as u8;
        let head = 0x80 | world.random.below(32) as u8;
        world.peer(liar, |peer, _| {
            let mut packet = vec![head, kind];
            let words = (noise.len() / 4) as u16;
            packet.extend_from_slice(&words.to_be_bytes());
            packet.extend_from_slice(&noise[..usize::from(words) * 4]);
            packet.resize(packet.len().max(8), 0);
            if let Some(sealer) = peer.transport.sealer() {
                sealer.seal_rtcp(&mut packet);
                peer.outbox.push(packet);
            }
            let ssrc = peer.video_ssrc.unwrap();
            let all: Vec<u16> = (0..200).map(|n| n * 300).collect();
            peer.send_rtcp(|writer| {
                writer.nack(1, ssrc, &all);
                writer.picture_loss(1, ssrc);
                writer.remb(1, 0, &[ssrc]);
            });
        });
    }
    assert_eq!(world.ended(viewer), None);
    world.assert_continuous(viewer, MediaKind::Video);
    assert!(world.keyframe_requests(publisher).len() < 10);
}

#[test]
fn a_viewer_that_names_anothers_address() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    let thief = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer, thief]);
    world.run(seconds(1));
    let before = world.video(viewer).len();
    let stolen = world.peers[publisher].path();
    for _ in 0..200 {
        world.run(ms(10));
        let mut request = Vec::new();
        world.peer(thief, |peer, _| {
            request = check::binding_request(&peer.remote, &peer.local);
        });
        world.engine(0, |engine, now, out| {
            engine.handle_datagram(now, stolen, &mut request, out)
        });
    }
    let after = world.video(viewer).len();
    assert!(after - before > before, "{before} {after}");
}

#[test]
fn a_receiver_that_says_too_much_of_its_path_gets_no_more_than_is_of_use() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::simulcast(), Source::three_rates());
    let viewer = world.watch(&Offer::viewer_with_remb());
    world.connect(&[publisher, viewer]);
    world.run(seconds(5));
    world.peers[viewer].estimate = None;
    let media = world.peers[viewer].video_ssrc.unwrap();
    let say = |world: &mut World, bitrate: u64| {
        world.peer(viewer, |peer, _| {
            peer.send_rtcp(|writer| writer.remb(1, bitrate, &[media]));
        });
    };
    let from = world.now;
    for _ in 0..10 {
        say(&mut world, 100_000);
        world.run(seconds(1));
        say(&mut world, u64::MAX);
        for _ in 0..100 {
            world.peer(viewer, |peer, _| {
                peer.send_rtcp(|writer| writer.picture_loss(1, media));
            });
        }
        world.run(seconds(1));
    }
    let sent = world
        .sent
        .iter()
        .filter(|(at, to, _)| *at >= from && *to == viewer);
    let rate = sent.map(|s| s.2 as f64 * 8.0).sum::<f64>() / 20.0;
    // The best layer takes 2.7 Mbit/s.
    assert!(rate < 4_000_000.0, "{rate} bit/s");
}
