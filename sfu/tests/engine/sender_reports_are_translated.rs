use spillway_sfu::{MediaKind, rtp::NtpTime};

use crate::support::{peer::Told, world::UNIX_TIME, *};

/// For the newest packet of a kind from `source`: when the viewer thinks it was captured, and when it was.
fn capture(world: &World, viewer: PeerId, publisher: PeerId, kind: MediaKind) -> (f64, f64) {
    let peer = &world.peers[viewer];
    let source = world.peers[publisher].source.as_ref().unwrap();
    let packet = peer
        .heard
        .iter()
        .rev()
        .find(|p| p.kind == kind && p.tag.is_some_and(|t| t.source == source.number))
        .unwrap();
    let report = peer.told.iter().rev().find_map(|(_, told)| match told {
        Told::SenderReport { ssrc, ntp, rtp, .. } if *ssrc == packet.ssrc => Some((*ntp, *rtp)),
        _ => None,
    });
    let (ntp, rtp) = report.expect("no sender report");
    let rate = match kind {
        MediaKind::Audio => 48_000.0,
        MediaKind::Video => 90_000.0,
    };
    let since = f64::from(packet.timestamp.wrapping_sub(rtp) as i32) / rate;
    let start = NtpTime::from_unix(UNIX_TIME);
    let at = (ntp.bits().wrapping_sub(start.bits()) as f64) / (1u64 << 32) as f64 + since;
    let frame = packet.tag.unwrap().frame;
    let captured = match kind {
        MediaKind::Audio => source.started + ms(20) * frame,
        MediaKind::Video => source.started + source::FRAME * frame,
    };
    (at, (captured - world.start).as_secs_f64())
}

pub fn assert_in_step(world: &World, viewer: PeerId, publisher: PeerId) {
    let (audio, audio_truth) = capture(world, viewer, publisher, MediaKind::Audio);
    let (video, video_truth) = capture(world, viewer, publisher, MediaKind::Video);
    let skew = (audio - audio_truth) - (video - video_truth);
    assert!(skew.abs() < 0.004, "audio and video are {skew} s apart");
    // In our wall clock, but for the way from the publisher.
    assert!(
        (0.0..0.03).contains(&(video - video_truth)),
        "{}",
        video - video_truth
    );
}

#[test]
fn so_that_sound_and_picture_stay_in_step() {
    let mut world = World::new();
    let first = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[first, viewer]);
    world.run(seconds(5));
    assert_in_step(&world, viewer, first);
    // A publisher whose clock is an hour off the other's.
    let second = world.publish(&Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(5));
    assert_in_step(&world, viewer, second);
}

#[test]
fn also_for_who_catches_up_and_over_layers() {
    let mut world = World::new();
    let offer = Offer::simulcast();
    let mut source = Source::simulcast(1);
    // Encoders number their layers' time as they like.
    source.layers[1] = source.layers[1].clone().starting_at(12_345);
    let publisher = world.publish(&offer, source);
    world.connect(&[publisher]);
    world.run(seconds(3));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    world.run(seconds(3));
    assert_in_step(&world, viewer, publisher);
    world.peer(publisher, |peer, _| {
        peer.source.as_mut().unwrap().layers[0].flowing = false;
    });
    world.run(seconds(5));
    assert_in_step(&world, viewer, publisher);
    world.assert_continuous(viewer, MediaKind::Video);
}

#[test]
fn with_counts_of_what_was_sent() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(4));
    let peer = &world.peers[viewer];
    let (at, told) = peer
        .told
        .iter()
        .rev()
        .find(
            |(_, t)| matches!(t, Told::SenderReport { ssrc, .. } if Some(*ssrc) == peer.video_ssrc),
        )
        .unwrap();
    let Told::SenderReport {
        packets, octets, ..
    } = told
    else {
        unreachable!()
    };
    let before: Vec<_> = peer
        .heard
        .iter()
        .filter(|p| p.kind == MediaKind::Video && p.at <= *at)
        .collect();
    assert_eq!(*packets as usize, before.len());
    assert_eq!(
        *octets as usize,
        before.iter().map(|p| p.payload.len()).sum::<usize>()
    );
}
