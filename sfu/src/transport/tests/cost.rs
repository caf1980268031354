//! Figures for `docs/decisions/0002-dtls.md`, printed: see there.

use std::{fs, time::Duration};

use super::world::{Setup, World};

const SESSIONS: usize = 500;

/// CPU time of this thread in microseconds.
fn cpu_time() -> f64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
}

/// Resident memory in KiB.
fn memory() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4.0
}

/// One process measures one of these: what a predecessor freed would be used again unseen.
#[test]
#[ignore = "prints figures"]
fn of_a_peer() {
    measure("media only", Setup::default);
}

#[test]
#[ignore = "prints figures"]
fn of_a_peer_with_data_channels() {
    measure("with data channels", Setup::with_data_channels);
}

fn measure(what: &str, setup: fn() -> Setup) {
    drop(World::connected(setup()));
    let empty = memory();
    let mut worlds: Vec<World> = (0..SESSIONS).map(|_| World::new(setup())).collect();
    let (waiting, began) = (memory(), cpu_time());
    for world in &mut worlds {
        world.nominate();
        assert!(world.run_until(Duration::from_secs(5), World::both_connected));
    }
    let took = cpu_time() - began;
    for world in &mut worlds {
        world.run_for(Duration::from_secs(5));
    }
    let peers = 2.0 * SESSIONS as f64;
    println!(
        "{what}: {:.0} µs of CPU to connect a peer; {:.1} KiB when connected, {:.1} KiB before",
        took / peers,
        (memory() - empty) / peers,
        (waiting - empty) / peers,
    );
}
