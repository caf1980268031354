//! Two viewers behind one bottleneck: neither starves the other.

use std::time::Duration;

use crate::support::{world::seed_of_environment, *};

fn broadcast(seed: u64) -> World {
    let mut world = World::seeded(1, &spillway_sfu::Limits::default(), seed);
    let offer = Offer::simulcast();
    let publisher = world.publish(&offer, Source::three_rates());
    world.connect(&[publisher]);
    world.run(seconds(3));
    world
}

/// Bytes of media that each of the viewers heard since `from`.
fn heard(world: &World, viewers: [PeerId; 2], from: Duration) -> [f64; 2] {
    let since = world.start + from;
    viewers.map(|viewer| {
        let packets = world.peers[viewer].heard.iter().filter(|p| p.at >= since);
        packets.map(|p| p.payload.len() as f64).sum()
    })
}

/// 1 when both get the same, 0.5 when one gets all.
fn jain(shares: [f64; 2]) -> f64 {
    let sum = shares[0] + shares[1];
    sum * sum / (2.0 * (shares[0].powi(2) + shares[1].powi(2)))
}

fn share(rate: u64, seed: u64) {
    let mut world = broadcast(seed);
    let first = world.watch(&Offer::viewer());
    let second = world.watch(&Offer::viewer());
    world.share_way(first, second);
    for viewer in [first, second] {
        world.links[viewer].0 = Link {
            queue: ms(300),
            ..Link::thin(rate)
        };
    }
    world.connect(&[first]);
    world.run(seconds(10));
    world.connect(&[second]);
    world.run(seconds(20));
    let from = world.now - world.start;
    world.run(seconds(60));
    let shares = heard(&world, [first, second], from);
    let (index, used) = (jain(shares), (shares[0] + shares[1]) * 8.0 / 60.0);
    println!("{rate}: {shares:?}, Jain's index {index:.3}, {used:.0} bit/s");
    assert!(index >= 0.9, "{rate}: {shares:?}, Jain's index {index:.3}");
}

#[test]
fn fairly() {
    // Both fit with the same layer, and one with a better one only if the other goes without.
    for rate in [2_600_000, 3_000_000, 6_000_000] {
        let seed = seed_of_environment().unwrap_or_else(rand::random);
        share(rate, seed);
    }
}
