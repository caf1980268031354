use std::time::Duration;

use rtc_stun::{
    message::{BINDING_SUCCESS, Getter, Message},
    xoraddr::XorMappedAddress,
};

use super::world::{Check, End, Setup, World, plain_rtp};
use crate::{
    Path, WorkerId, ice,
    transport::{Rejection, TransportEvent},
};

const SECOND: Duration = Duration::from_secs(1);

/// The path that the client's datagrams take after its NAT gave it another port.
fn rebound(world: &mut World) -> Path {
    let mut path = world.path_at(End::Server);
    path.remote.set_port(path.remote.port() + 1);
    path
}

fn check(world: &World, nominate: bool, priority: u32) -> Vec<u8> {
    Check {
        nominate,
        priority,
        ..Check::new(&world.server.ice, &world.client.ice)
    }
    .bytes()
}

#[test]
fn checks_are_answered_with_the_mapped_address() {
    let mut world = World::new(Setup::default());
    let request = world.check(End::Server, false);
    world.deliver(End::Server, &request);
    let mut response = Message::new();
    response
        .unmarshal_binary(&world.client.stun_responses.pop().unwrap())
        .unwrap();
    assert_eq!(response.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&response).unwrap();
    assert_eq!(
        (mapped.ip, mapped.port),
        (world.client.address.ip(), world.client.address.port())
    );
}

#[test]
fn nat_rebinding_moves_the_path() {
    let mut world = World::connected(Setup::default());
    let new = rebound(&mut world);
    let sealed = world.sealed_rtp(End::Client, 1);
    assert_eq!(world.deliver_over(End::Server, new, &sealed), None);
    assert_eq!(
        world.server.rtp.pop(),
        Some(plain_rtp(1)),
        "media is authentic wherever it comes from"
    );
    assert_ne!(
        world.server.transport.path(),
        Some(new),
        "but doesn't move the path"
    );

    let request = world.check(End::Server, true);
    world.deliver_over(End::Server, new, &request);
    assert_eq!(world.server.transport.path(), Some(new));
    assert_eq!(
        world.server.events.last(),
        Some(&TransportEvent::PathChanged(new))
    );
}

#[test]
fn unauthenticated_checks_move_nothing() {
    let mut world = World::connected(Setup::default());
    let (old, new) = (world.path_at(End::Server), rebound(&mut world));
    let forged = Check {
        pwd: "x".repeat(32),
        nominate: true,
        ..Check::new(&world.server.ice, &world.client.ice)
    };
    assert_eq!(
        world.deliver_over(End::Server, new, &forged.bytes()),
        Some(Rejection::Unauthenticated)
    );
    assert_eq!(world.server.transport.path(), Some(old));
}

#[test]
fn a_mere_check_moves_media_only_from_a_silent_path() {
    let mut world = World::connected(Setup::default());
    let (old, new) = (world.path_at(End::Server), rebound(&mut world));
    let request = world.check(End::Server, false);
    world.deliver_over(End::Server, new, &request);
    assert_eq!(world.server.transport.path(), Some(old));
    world.run_for(SECOND);
    world.send_rtp(End::Client, 1);
    world.run_for(SECOND);
    world.deliver_over(End::Server, new, &request);
    assert_eq!(
        world.server.transport.path(),
        Some(old),
        "media came over it a second ago"
    );
    world.run_for(SECOND);
    world.deliver_over(End::Server, new, &request);
    assert_eq!(world.server.transport.path(), Some(new));
}

#[test]
fn of_paths_nominated_at_once_the_best_is_taken() {
    let mut world = World::new(Setup::default());
    let (good, bad) = (world.path_at(End::Server), rebound(&mut world));
    for _ in 0..2 {
        let request = check(&world, true, 200);
        world.deliver_over(End::Server, good, &request);
        let request = check(&world, true, 100);
        world.deliver_over(End::Server, bad, &request);
        assert_eq!(world.server.transport.path(), Some(good));
    }
    world.run_for(SECOND);
    let request = check(&world, true, 100);
    world.deliver_over(End::Server, bad, &request);
    assert_eq!(
        world.server.transport.path(),
        Some(bad),
        "the good one isn't nominated any more"
    );
}

#[test]
fn a_nomination_beats_a_path_that_was_only_checked() {
    let mut world = World::new(Setup::default());
    let (first, second) = (world.path_at(End::Server), rebound(&mut world));
    let request = check(&world, false, 200);
    world.deliver_over(End::Server, first, &request);
    assert_eq!(world.server.transport.path(), Some(first));
    let request = check(&world, true, 100);
    world.deliver_over(End::Server, second, &request);
    assert_eq!(world.server.transport.path(), Some(second));
}

#[test]
fn ice_restart_keeps_media_until_the_new_credentials_are_used() {
    let mut world = World::connected(Setup::default());
    let (old_path, new_path) = (world.path_at(End::Server), rebound(&mut world));
    let old = check(&world, false, 100);
    let mut rng = rand::rng();
    let (local, remote) = (
        ice::local_credentials(WorkerId(1), &mut rng),
        ice::local_credentials(WorkerId(2), &mut rng),
    );
    world
        .server
        .transport
        .restart_ice(local.clone(), remote.clone());
    assert_eq!(
        world.deliver(End::Server, &old),
        None,
        "old credentials still hold"
    );
    assert_eq!(world.server.transport.path(), Some(old_path));

    let new = Check {
        nominate: true,
        priority: 1,
        ..Check::new(&local, &remote)
    }
    .bytes();
    assert_eq!(world.deliver_over(End::Server, new_path, &new), None);
    assert_eq!(world.server.transport.path(), Some(new_path));
    assert_eq!(
        world.deliver(End::Server, &old),
        Some(Rejection::Unauthenticated)
    );
    assert_eq!(world.send_rtp(End::Client, 3), Some(plain_rtp(3)));
}

#[test]
fn paths_are_bounded() {
    let mut world = World::connected(Setup::default());
    let request = world.check(End::Server, false);
    let mut path = world.path_at(End::Server);
    for port in 10_000..20_000 {
        path.remote.set_port(port);
        world.deliver_over(End::Server, path, &request);
    }
    // The selected one is among those that are remembered: DTLS still comes through.
    assert_eq!(world.deliver(End::Server, &[20, 254, 253]), None);
    path.remote.set_port(10_000);
    assert_eq!(
        world.deliver_over(End::Server, path, &[20, 254, 253]),
        Some(Rejection::UnknownPath)
    );
}
