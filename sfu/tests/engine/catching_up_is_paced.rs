use spillway_sfu::MediaKind;

use crate::support::{viewer::whole_frames, *};

/// Bytes that left toward a viewer in any 10 ms.
fn most_in_10_ms(world: &World, viewer: PeerId) -> usize {
    let sent: Vec<_> = world.sent.iter().filter(|s| s.1 == viewer).collect();
    let window = |i: usize| {
        let within = sent[i..].iter().take_while(|s| s.0 - sent[i].0 < ms(10));
        within.map(|s| s.2).sum()
    };
    (0..sent.len()).map(window).max().unwrap_or(0)
}

fn late_viewer(offer: &Offer) -> (World, PeerId, PeerId) {
    let mut world = World::new();
    let source = Source {
        answers: Answers::Never,
        group: 300,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::obs(), source);
    world.connect(&[publisher]);
    world.run(seconds(2));
    let viewer = world.watch(offer);
    world.connect(&[viewer]);
    (world, publisher, viewer)
}

#[test]
fn at_a_fixed_rate_without_feedback() {
    let offer = Offer {
        transport_cc: false,
        ..Offer::viewer()
    };
    let (mut world, _, viewer) = late_viewer(&offer);
    world.run(seconds(3));
    // 16 KB at once, then 5 Mbit/s, and what is live.
    let most = most_in_10_ms(&world, viewer);
    assert!(
        most < 16_000 + 6_250 + 2 * 10_000 + 8_000,
        "{most} bytes in 10 ms"
    );
    assert!(!whole_frames(&world.peers[viewer].heard).is_empty());
    world.assert_continuous(viewer, MediaKind::Video);
}

#[test]
fn faster_and_faster_with_clean_feedback() {
    let (mut world, publisher, viewer) = late_viewer(&Offer::viewer());
    let reached = world.run_until(ms(1000), |w| {
        let newest = w.peers[publisher].source.as_ref().unwrap().layers[0].frame;
        whole_frames(&w.peers[viewer].heard)
            .last()
            .is_some_and(|f| f.frame + 3 >= newest)
    });
    assert!(reached, "5 Mbit/s would take 2 s");
    // Never more than 50 Mbit/s.
    let most = most_in_10_ms(&world, viewer);
    assert!(most < 62_500 + 62_500, "{most} bytes in 10 ms");
}
