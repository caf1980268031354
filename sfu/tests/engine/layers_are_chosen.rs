use crate::support::{viewer::whole_frames, *};

fn simulcast() -> (World, PeerId) {
    let mut world = World::new();
    let offer = Offer::simulcast();
    let publisher = world.publish(&offer, Source::simulcast(1));
    world.connect(&[publisher]);
    world.run(seconds(2));
    (world, publisher)
}

fn layers(world: &World, viewer: PeerId) -> Vec<u8> {
    let frames = whole_frames(&world.peers[viewer].heard);
    let mut layers: Vec<u8> = frames.iter().map(|f| f.layer).collect();
    layers.dedup();
    layers
}

#[test]
fn the_one_asked_for_or_else_the_best() {
    let (mut world, _) = simulcast();
    let asked: Vec<PeerId> = ["0", "1", "2", "nonsense"]
        .iter()
        .map(|layer| world.watch_on(0, &Offer::viewer(), Some(layer)))
        .collect();
    let unasked = world.watch(&Offer::viewer());
    world.connect(&asked);
    world.connect(&[unasked]);
    world.run(seconds(2));
    assert_eq!(layers(&world, asked[0]), [0]);
    assert_eq!(layers(&world, asked[1]), [1]);
    assert_eq!(layers(&world, asked[2]), [2]);
    assert_eq!(layers(&world, asked[3]), [0]);
    assert_eq!(layers(&world, unasked), [0]);
}

#[test]
fn another_while_it_stalls() {
    let (mut world, publisher) = simulcast();
    let viewer = world.watch_on(0, &Offer::viewer(), Some("1"));
    world.connect(&[viewer]);
    world.run(seconds(2));
    let set = |world: &mut World, flows| {
        world.peer(publisher, |peer, _| {
            peer.source.as_mut().unwrap().layers[1].flowing = flows;
        });
    };
    set(&mut world, false);
    world.run(seconds(4));
    assert_eq!(layers(&world, viewer), [1, 0]);
    set(&mut world, true);
    world.run(seconds(4));
    assert_eq!(layers(&world, viewer), [1, 0, 1]);
}
