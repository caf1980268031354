use spillway_sfu::{Limits, Reject};

use crate::support::*;

#[test]
fn further_ones_are_refused_until_one_ends() {
    let limits = Limits {
        sessions: 3,
        ..Limits::default()
    };
    let mut world = World::with(1, &limits);
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    let viewers = [world.watch(&Offer::viewer()), world.watch(&Offer::viewer())];
    world.connect(&[publisher, viewers[0], viewers[1]]);
    let refused = world.try_watch(0, &Offer::viewer(), None);
    assert!(matches!(refused, Err(Reject::Overloaded(_))), "{refused:?}");
    world.peer(viewers[0], peer::Peer::close);
    world.run(ms(100));
    assert!(world.try_watch(0, &Offer::viewer(), None).is_ok());
}
