use crate::support::{viewer::whole_frames, *};

#[test]
fn and_gets_the_picture_when_it_comes() {
    let mut world = World::new();
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    world.run(seconds(5));
    let source = Source {
        answers: Answers::Never,
        group: 600,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::obs(), source);
    world.connect(&[publisher]);
    world.run(ms(200));
    let frames = whole_frames(&world.peers[viewer].heard);
    assert!(frames.first().is_some_and(|f| f.keyframe && f.frame == 0));
    assert!(frames.len() > 4);
}

#[test]
fn and_gets_the_best_layer_from_its_first_keyframe() {
    for reversed in [false, true] {
        let mut world = World::new();
        let viewer = world.watch(&Offer::viewer());
        world.connect(&[viewer]);
        world.run(seconds(1));
        let offer = Offer {
            rids: if reversed {
                vec!["2", "1", "0"]
            } else {
                vec!["0", "1", "2"]
            },
            ..Offer::publisher()
        };
        let mut source = Source {
            answers: Answers::Never,
            group: 600,
            ..Source::simulcast(1)
        };
        if reversed {
            source.layers.reverse();
        }
        let best = source.layers.iter().position(|l| l.size.0 == 1280).unwrap() as u8;
        let publisher = world.publish(&offer, source);
        world.connect(&[publisher]);
        world.run(seconds(1));
        let frames = whole_frames(&world.peers[viewer].heard);
        assert_eq!(frames.last().unwrap().layer, best);
        assert!(frames.iter().filter(|f| f.layer != best).count() <= 2);
    }
}
