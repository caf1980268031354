use spillway_sfu::{EndReason, Event, MediaKind};

use crate::support::{viewer::whole_frames, *};

#[test]
fn and_ends_the_former_publisher() {
    let mut world = World::new();
    let first = world.publish(&Offer::publisher(), Source::new(1));
    let viewers: Vec<PeerId> = (0..5).map(|_| world.watch(&Offer::viewer())).collect();
    world.connect(&[first]);
    world.connect(&viewers);
    world.run(seconds(1));
    let second = world.publish(&Offer::publisher(), Source::new(2));
    world.connect(&[second]);
    world.run(seconds(1));
    assert_eq!(world.ended(first), Some(EndReason::TakenOver));
    assert!(world.peers[first].closed, "it wasn't told");
    for viewer in viewers {
        assert_eq!(world.ended(viewer), None);
        assert_eq!(
            whole_frames(&world.peers[viewer].heard)
                .last()
                .unwrap()
                .source,
            2
        );
    }
    let on_air: Vec<bool> = world
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Live { .. } => Some(true),
            Event::Offline { .. } => Some(false),
            _ => None,
        })
        .collect();
    assert_eq!(on_air, [true, false, true]);
}

#[test]
fn from_simulcast_to_one_layer_at_the_first_keyframe() {
    let mut world = World::new();
    let simulcast = Offer::simulcast();
    let first = world.publish(&simulcast, Source::simulcast(1));
    let viewer = world.watch_on(0, &Offer::viewer(), Some("2"));
    world.connect(&[first, viewer]);
    world.run(seconds(3));
    let source = Source {
        answers: Answers::Never,
        group: 600,
        ..Source::new(2)
    };
    let second = world.publish(&Offer::obs(), source);
    world.connect(&[second]);
    world.run(ms(300));
    let frames = whole_frames(&world.peers[viewer].heard);
    assert_eq!(
        frames.last().map(|f| f.source),
        Some(2),
        "the keyframe was missed"
    );
    world.assert_continuous(viewer, MediaKind::Video);
}
