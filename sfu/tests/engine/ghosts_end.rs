use spillway_sfu::{EndReason, Event};

use crate::support::*;

#[test]
fn thirty_seconds_after_their_last_sign() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let ghost = world.watch(&Offer::viewer());
    let alive = world.watch(&Offer::viewer());
    world.connect(&[publisher, ghost, alive]);
    world.run(seconds(5));
    world.peers[ghost].dead = true;
    let gone = world.now;
    assert!(world.run_until(seconds(40), |w| w.ended(ghost).is_some()));
    assert_eq!(world.ended(ghost), Some(EndReason::ConsentExpired));
    let after = world.now - gone;
    assert!(after > seconds(27) && after < seconds(31), "{after:?}");
    assert_eq!(world.ended(alive), None);
    // A publisher that is gone takes the channel off air.
    world.peers[publisher].dead = true;
    world.run(seconds(31));
    assert_eq!(world.ended(publisher), Some(EndReason::ConsentExpired));
    assert!(
        world
            .events
            .iter()
            .any(|(_, e)| matches!(e, Event::Offline { .. }))
    );
    assert_eq!(world.ended(alive), None);
}
