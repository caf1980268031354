use spillway_sfu::EndReason;

use crate::support::*;

#[test]
fn a_publisher_that_never_connects_is_let_go_and_calls_for_no_attention_before() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    for id in [publisher, viewer] {
        world.peers[id].dead = true;
    }
    let mut wakes = 0;
    while world.now - world.start < seconds(19) {
        let next = world.engines[0].next_timeout();
        world.now = world.now.max(next);
        world.engine(0, |engine, now, out| engine.handle_timeout(now, out));
        wakes += 1;
        assert!(wakes < 500, "the engine asks to be called all the time");
    }
    world.run(seconds(2));
    for id in [publisher, viewer] {
        assert_eq!(world.ended(id), Some(EndReason::HandshakeTimedOut));
    }
}
