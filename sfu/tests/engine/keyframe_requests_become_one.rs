use crate::support::*;

#[test]
fn of_five_hundred_viewers_in_each_interval() {
    let mut world = World::new();
    let source = Source {
        answers: Answers::Never,
        group: 100_000,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    world.connect(&[publisher]);
    world.run(ms(200));
    let offer = Offer {
        audio: false,
        ..Offer::viewer()
    };
    let viewers: Vec<PeerId> = (0..500).map(|_| world.watch(&offer)).collect();
    world.connect(&viewers);
    world.run(seconds(4));
    let before = world.keyframe_requests(publisher).len();
    for round in 0..20 {
        for &viewer in &viewers {
            world.peer(viewer, |peer, _| {
                let ssrc = peer.video_ssrc.unwrap();
                peer.send_rtcp(|writer| {
                    if round % 2 == 0 {
                        writer.picture_loss(1, ssrc);
                    } else {
                        writer.full_intra(1, ssrc, round);
                    }
                });
            });
        }
        world.run(ms(100));
    }
    world.run(seconds(1));
    let asked = world.keyframe_requests(publisher).split_off(before);
    assert!((4..=6).contains(&asked.len()), "{} in 2 s", asked.len());
    for pair in asked.windows(2) {
        assert!(pair[1] - pair[0] >= ms(480), "{:?}", pair[1] - pair[0]);
    }
}
