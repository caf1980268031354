use spillway_sfu::MediaKind;

use crate::support::{peer::key, *};

#[test]
fn of_viewers_and_reads_them_again_once_it_is_in_time() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(1));
    let estimated = |world: &mut World| {
        let statistics = world.engine(0, |engine, now, _| engine.statistics(now));
        let viewer = statistics.sessions.into_iter().find(|s| !s.publisher);
        viewer.unwrap().estimate
    };
    let estimate = estimated(&mut world);
    world.engine(0, |engine, now, _| engine.hurry(now, true));
    let ssrc = world.peers[viewer].video_ssrc.unwrap();
    let mut count = 0;
    world.loss = Box::new(move |peer, bytes| {
        let is_video = peer == viewer && bytes[0] >> 6 == 2 && key(bytes).0 == ssrc;
        count += u32::from(is_video);
        is_video && count.is_multiple_of(15)
    });
    let repaired = |world: &World| {
        let heard = &world.peers[viewer].heard;
        heard.iter().filter(|p| p.repaired_by.is_some()).count()
    };
    let (repairs, frames) = (repaired(&world), world.video(viewer).len());
    let requests = world.keyframe_requests(publisher).len();
    for _ in 0..20 {
        world.run(ms(100));
        world.engine(0, |engine, now, _| engine.hurry(now, true));
    }
    assert_eq!(repaired(&world), repairs, "what was asked for came");
    let after = estimated(&mut world);
    assert!(
        after >= estimate,
        "{after} bit/s, {estimate} before: silence that we made"
    );
    assert_eq!(world.keyframe_requests(publisher).len(), requests);
    assert!(
        world.video(viewer).len() > frames + 100,
        "the picture goes on"
    );
    let statistics = world.engine(0, |engine, now, _| engine.statistics(now));
    assert!(statistics.unread > 20, "{}", statistics.unread);
    world.engine(0, |engine, now, _| engine.hurry(now, false));
    world.run(seconds(2));
    assert!(repaired(&world) > repairs);
    let unread = world.engine(0, |engine, now, _| engine.statistics(now).unread);
    assert_eq!(unread, statistics.unread);
    world.assert_ordered(viewer, MediaKind::Video);
}
