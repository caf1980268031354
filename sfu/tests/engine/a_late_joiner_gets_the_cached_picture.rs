use crate::support::{viewer::whole_frames, *};

#[test]
fn at_once_although_the_publisher_ignores_keyframe_requests() {
    let mut world = World::new();
    let source = Source {
        answers: Answers::Never,
        group: 300,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::obs(), source);
    world.connect(&[publisher]);
    world.run(seconds(4));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    let joined = world.now;
    let seen = world.run_until(ms(100), |w| {
        !whole_frames(&w.peers[viewer].heard).is_empty()
    });
    assert!(seen, "no picture within 100 ms");
    let first = whole_frames(&world.peers[viewer].heard)[0];
    assert!(first.keyframe && first.frame == 0);
    // Four seconds of pictures come in much less, and then what is live.
    let live = world.run_until(ms(1500), |w| {
        let newest = w.peers[publisher].source.as_ref().unwrap().layers[0].frame;
        whole_frames(&w.peers[viewer].heard)
            .last()
            .is_some_and(|f| f.frame + 2 >= newest)
    });
    assert!(live, "the live edge wasn't reached");
    println!("live after {:?}", world.now - joined);
    world.run(seconds(1));
    let frames: Vec<u32> = whole_frames(&world.peers[viewer].heard)
        .iter()
        .map(|f| f.frame)
        .collect();
    let all: Vec<u32> = (0..frames.len() as u32).collect();
    assert_eq!(frames, all, "every frame once, in order");
    world.assert_continuous(viewer, spillway_sfu::MediaKind::Video);
    world.assert_continuous(viewer, spillway_sfu::MediaKind::Audio);
}

#[test]
fn in_the_payload_types_and_sections_that_it_offered() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    world.connect(&[publisher]);
    world.run(seconds(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    world.run(seconds(1));
    for heard in &world.peers[viewer].heard {
        let (payload_type, mid) = match heard.kind {
            spillway_sfu::MediaKind::Audio => (111, "0"),
            spillway_sfu::MediaKind::Video => (102, "1"),
        };
        assert_eq!(heard.payload_type, payload_type);
        assert_eq!(heard.mid.as_deref(), Some(mid));
    }
    assert_eq!(world.peers[viewer].rejected, 0);
}

#[test]
fn and_a_publisher_who_listens_is_asked_to_shorten_a_long_group() {
    let mut world = World::new();
    let source = Source {
        group: 100_000,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    world.connect(&[publisher]);
    world.run(seconds(2));
    let early = world.watch(&Offer::viewer());
    world.connect(&[early]);
    world.run(ms(500));
    let before = world.keyframe_requests(publisher).len();
    world.run(seconds(6));
    assert_eq!(
        world.keyframe_requests(publisher).len(),
        before,
        "a short group is sent without one"
    );
    let late = world.watch(&Offer::viewer());
    world.connect(&[late]);
    let live = world.run_until(ms(400), |w| {
        let newest = w.peers[publisher].source.as_ref().unwrap().layers[0].frame;
        whole_frames(&w.peers[late].heard)
            .last()
            .is_some_and(|f| f.frame + 2 >= newest)
    });
    assert!(live, "the live edge wasn't reached");
    assert_eq!(world.keyframe_requests(publisher).len(), before + 1);
    assert!(whole_frames(&world.peers[late].heard)[0].keyframe);
    world.assert_continuous(late, spillway_sfu::MediaKind::Video);
}
