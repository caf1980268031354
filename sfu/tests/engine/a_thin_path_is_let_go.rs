use crate::support::{source::Answers, viewer::whole_frames, *};

#[test]
fn and_gets_the_next_keyframe_instead() {
    let mut world = World::new();
    let source = Source {
        group: 600,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    world.connect(&[publisher]);
    world.run(seconds(8));
    assert!(world.keyframe_requests(publisher).is_empty());
    let viewer = world.watch(&Offer::viewer());
    world.links[viewer].0 = Link::thin(8_000_000);
    world.connect(&[viewer]);
    let joined = world.now;
    let asked = world.run_until(seconds(2), |w| !w.keyframe_requests(publisher).is_empty());
    assert!(asked, "no keyframe was asked for");
    assert!(world.now - joined < ms(800), "{:?}", world.now - joined);
    world.run(seconds(3));
    let newest = world.peers[publisher].source.as_ref().unwrap().layers[0].frame;
    let frames = whole_frames(&world.peers[viewer].heard);
    assert!(frames.iter().any(|f| f.keyframe && f.frame > 200));
    assert!(frames.last().unwrap().frame + 12 >= newest, "it isn't live");
    let early = world
        .sent
        .iter()
        .filter(|s| s.1 == viewer && s.0 - joined < ms(500));
    let pushed: usize = early.map(|s| s.2).sum();
    assert!(
        pushed < 1_500_000,
        "{pushed} bytes pushed into a thin path at once"
    );
}

#[test]
fn or_a_smaller_layer_where_there_is_one() {
    let mut world = World::new();
    let offer = Offer::simulcast();
    let source = Source {
        group: 600,
        answers: Answers::Never,
        ..Source::three_rates()
    };
    let publisher = world.publish(&offer, source);
    world.connect(&[publisher]);
    world.run(seconds(12));
    let viewer = world.watch(&Offer::viewer());
    world.links[viewer].0 = Link::thin(5_000_000);
    world.connect(&[viewer]);
    world.run(seconds(3));
    let newest = world.peers[publisher].source.as_ref().unwrap().layers[2].frame;
    let frames = whole_frames(&world.peers[viewer].heard);
    let last = frames.last().unwrap();
    assert_eq!(last.layer, 2);
    assert!(last.frame + 12 >= newest, "it isn't live");
    // With the next keyframe the best comes.
    world.run(seconds(8));
    let frames = whole_frames(&world.peers[viewer].heard);
    assert_eq!(frames.last().unwrap().layer, 0);
    world.assert_ordered(viewer, spillway_sfu::MediaKind::Video);
}
