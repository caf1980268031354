use spillway_sfu::{EndReason, Limits, MediaKind};

use crate::support::{
    viewer::{in_order, whole_frames},
    *,
};

fn two_workers(source: Source) -> (World, PeerId) {
    let mut world = World::with(2, &Limits::default());
    let publisher = world.publish_on(0, &Offer::publisher(), source);
    world.connect(&[publisher]);
    world.run(seconds(2));
    (world, publisher)
}

#[test]
fn and_a_viewer_of_the_other_gets_the_same_cache_included() {
    let source = Source {
        answers: Answers::Never,
        group: 300,
        ..Source::new(1)
    };
    let (mut world, _) = two_workers(source);
    assert_eq!(world.messages.get("Burst"), None, "nobody watches there");
    let near = world.watch_on(0, &Offer::viewer(), None);
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[near, far]);
    assert!(world.run_until(ms(100), |w| !whole_frames(&w.peers[far].heard).is_empty()));
    assert_eq!(whole_frames(&world.peers[far].heard)[0].frame, 0);
    world.run(seconds(3));
    let payloads = |id: PeerId| -> Vec<Vec<u8>> {
        let ordered = in_order(&world.peers[id].heard, MediaKind::Video);
        ordered.values().map(|p| p.payload.clone()).collect()
    };
    let (near_payloads, far_payloads) = (payloads(near), payloads(far));
    let common = near_payloads.len().min(far_payloads.len());
    assert!(
        common > 500,
        "{} and {}",
        near_payloads.len(),
        far_payloads.len()
    );
    assert_eq!(near_payloads[..common], far_payloads[..common]);
    assert_eq!(world.peers[far].rejected, 0);
    world.assert_continuous(far, MediaKind::Audio);
    // Unsubscribed when the last viewer leaves.
    world.peer(far, peer::Peer::close);
    world.run(ms(200));
    assert_eq!(world.messages["Unsubscribe"], 1);
    let bursts = world.messages["Burst"];
    world.run(seconds(1));
    assert_eq!(world.messages["Burst"], bursts);
    let again = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[again]);
    world.run(seconds(1));
    assert!(!whole_frames(&world.peers[again].heard).is_empty());
}

#[test]
fn and_keyframe_requests_go_to_the_publisher() {
    let (mut world, publisher) = two_workers(Source {
        group: 100_000,
        ..Source::new(1)
    });
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[far]);
    world.run(seconds(4));
    let before = world.keyframe_requests(publisher).len();
    world.peer(far, |peer, _| {
        let ssrc = peer.video_ssrc.unwrap();
        peer.send_rtcp(|writer| writer.picture_loss(1, ssrc));
    });
    world.run(ms(300));
    assert_eq!(world.keyframe_requests(publisher).len(), before + 1);
    let frames = whole_frames(&world.peers[far].heard);
    assert!(frames.iter().any(|f| f.keyframe && f.frame > 100));
}

#[test]
fn and_lip_sync_crosses() {
    let (mut world, publisher) = two_workers(Source::new(1));
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[far]);
    world.run(seconds(3));
    crate::sender_reports_are_translated::assert_in_step(&world, far, publisher);
}

#[test]
fn and_a_takeover_on_the_other_ends_the_former() {
    let (mut world, first) = two_workers(Source::new(1));
    let near = world.watch_on(0, &Offer::viewer(), None);
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[near, far]);
    world.run(seconds(1));
    let second = world.publish_on(1, &Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(2));
    assert_eq!(world.ended(first), Some(EndReason::TakenOver));
    for viewer in [near, far] {
        assert_eq!(world.ended(viewer), None);
        assert_eq!(
            whole_frames(&world.peers[viewer].heard)
                .last()
                .unwrap()
                .source,
            2
        );
        world.assert_continuous(viewer, MediaKind::Video);
        world.assert_continuous(viewer, MediaKind::Audio);
    }
}

#[test]
fn and_the_end_of_the_publisher_and_its_return() {
    let (mut world, first) = two_workers(Source::new(1));
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[far]);
    world.run(seconds(1));
    world.peer(first, peer::Peer::close);
    world.run(seconds(2));
    assert_eq!(world.ended(far), None);
    let second = world.publish_on(0, &Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(1));
    assert_eq!(
        whole_frames(&world.peers[far].heard).last().unwrap().source,
        2
    );
    world.assert_continuous(far, MediaKind::Video);
}

#[test]
fn and_simulcast_crosses_with_its_best_layer() {
    let mut world = World::with(2, &Limits::default());
    let offer = Offer::simulcast();
    let source = Source {
        answers: Answers::Never,
        group: 600,
        ..Source::simulcast(1)
    };
    let publisher = world.publish_on(0, &offer, source);
    world.connect(&[publisher]);
    world.run(seconds(1));
    let far = world.watch_on(1, &Offer::viewer(), None);
    world.connect(&[far]);
    world.run(seconds(2));
    let frames = whole_frames(&world.peers[far].heard);
    assert!(frames.len() > 30, "{frames:?} {:?}", world.messages);
    assert!(frames.iter().all(|f| f.layer == 0), "not the best layer");
}
