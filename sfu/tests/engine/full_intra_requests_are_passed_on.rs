use crate::support::*;

fn asks(world: &mut World, viewer: PeerId, number: u8) {
    world.peer(viewer, |peer, _| {
        let ssrc = peer.video_ssrc.unwrap();
        peer.send_rtcp(|writer| writer.full_intra(1, ssrc, number));
    });
}

fn loses(world: &mut World, viewer: PeerId) {
    world.peer(viewer, |peer, _| {
        let ssrc = peer.video_ssrc.unwrap();
        peer.send_rtcp(|writer| writer.picture_loss(1, ssrc));
    });
}

/// A channel whose publisher makes keyframes only when it is asked, and a viewer that joined just now.
fn joined() -> (World, PeerId, PeerId) {
    let mut world = World::new();
    let source = Source {
        group: 100_000,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    world.connect(&[publisher]);
    world.run(seconds(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    world.run(ms(500));
    (world, publisher, viewer)
}

/// How often the viewer got the broadcast's first picture.
fn first_pictures(world: &World, viewer: PeerId) -> usize {
    let heard = world.video(viewer);
    let mut begins = heard
        .iter()
        .filter(|heard| heard.repaired_by.is_none())
        .filter_map(|heard| heard.tag.as_ref())
        .filter(|tag| tag.index == 0)
        .map(|tag| tag.frame);
    let first = begins.next();
    1 + begins.filter(|frame| Some(*frame) == first).count()
}

#[test]
fn also_of_a_viewer_that_just_joined_and_are_not_answered_from_the_cache() {
    let (mut world, publisher, viewer) = joined();
    let before = world.keyframe_requests(publisher).len();
    assert_eq!(first_pictures(&world, viewer), 1);
    asks(&mut world, viewer, 1);
    world.run(ms(400));
    assert_eq!(world.keyframe_requests(publisher).len(), before + 1);
    assert_eq!(first_pictures(&world, viewer), 1, "nothing came again");
    world.assert_continuous(viewer, spillway_sfu::MediaKind::Video);
}

#[test]
fn while_lost_pictures_come_from_the_cache() {
    let (mut world, publisher, viewer) = joined();
    let before = world.keyframe_requests(publisher).len();
    loses(&mut world, viewer);
    world.run(ms(400));
    assert_eq!(world.keyframe_requests(publisher).len(), before);
    assert_eq!(first_pictures(&world, viewer), 2, "they came again");
}

#[test]
fn each_number_once_and_as_often_as_segments_need() {
    let (mut world, publisher, viewer) = joined();
    let before = world.keyframe_requests(publisher).len();
    for number in 0..60 {
        asks(&mut world, viewer, number);
        world.run(ms(600));
        // It was under way when the keyframe came.
        asks(&mut world, viewer, number);
        world.run(ms(1000));
    }
    assert_eq!(world.keyframe_requests(publisher).len(), before + 60);
}
