use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use rtc_stun::{
    attributes::{ATTR_ICE_CONTROLLED, ATTR_USE_CANDIDATE, AttrType, RawAttribute},
    crypto::providers::AwsLcRsCrypto,
    error_code::ErrorCodeAttribute,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{Getter, Message, Setter},
};

use super::world::{Check, End, Setup, World, plain_rtp};
use crate::transport::{HANDSHAKE_TIMEOUT, Rejection, stun_ufrag};

fn error_code(world: &mut World) -> Option<u16> {
    let mut response = Message::new();
    response
        .unmarshal_binary(&world.client.stun_responses.pop()?)
        .unwrap();
    FINGERPRINT.check(&response).unwrap();
    let mut error = ErrorCodeAttribute::default();
    error.get_from(&response).ok()?;
    Some(error.code.0)
}

fn valid(world: &World) -> Check {
    Check {
        nominate: true,
        ..Check::new(&world.server.ice, &world.client.ice)
    }
}

#[test]
fn requests_that_cannot_be_served_are_told_why() {
    let mut world = World::new(Setup::default());
    let cases = [
        (
            Check {
                pwd: "y".repeat(30),
                ..valid(&world)
            },
            401,
            Rejection::Unauthenticated,
        ),
        (
            Check {
                username: "aaaaaaaaaa:b".into(),
                ..valid(&world)
            },
            401,
            Rejection::Unauthenticated,
        ),
        (
            Check {
                role: ATTR_ICE_CONTROLLED,
                ..valid(&world)
            },
            487,
            Rejection::Unserved,
        ),
        (
            Check {
                extra: vec![AttrType(0x7777)],
                ..valid(&world)
            },
            420,
            Rejection::Unserved,
        ),
    ];
    for (request, code, rejection) in cases {
        assert_eq!(
            world.deliver(End::Server, &request.bytes()),
            Some(rejection)
        );
        assert_eq!(error_code(&mut world), Some(code));
        assert_eq!(world.server.transport.path(), None);
        assert!(world.server.events.is_empty());
    }
    let mut unsigned = valid(&world).unsigned();
    FINGERPRINT.add_to(&mut unsigned).unwrap();
    assert_eq!(
        world.deliver(End::Server, &unsigned.raw),
        Some(Rejection::Unauthenticated)
    );
    assert_eq!(error_code(&mut world), Some(400));
    assert_eq!(
        world
            .server
            .transport
            .stats()
            .rejected(Rejection::Unauthenticated),
        3
    );
    assert_eq!(
        world.server.transport.stats().rejected(Rejection::Unserved),
        2
    );
}

#[test]
fn unknown_optional_attributes_are_ignored() {
    let mut world = World::new(Setup::default());
    let request = Check {
        extra: vec![AttrType(0xc057), AttrType(0xffff)],
        ..valid(&world)
    };
    assert_eq!(world.deliver(End::Server, &request.bytes()), None);
}

#[test]
fn attributes_behind_the_integrity_are_ignored() {
    let mut world = World::connected(Setup::default());
    let old = world.server.transport.path();
    let mut request = Check::new(&world.server.ice, &world.client.ice).unsigned();
    MessageIntegrity::new_raw_integrity_with_provider(
        world.server.ice.pwd.as_bytes(),
        &AwsLcRsCrypto,
    )
    .add_to(&mut request)
    .unwrap();
    RawAttribute {
        typ: ATTR_USE_CANDIDATE,
        length: 0,
        value: Vec::new(),
    }
    .add_to(&mut request)
    .unwrap();
    FINGERPRINT.add_to(&mut request).unwrap();
    let mut path = world.path_at(End::Server);
    path.remote.set_port(9);
    assert_eq!(world.deliver_over(End::Server, path, &request.raw), None);
    assert_eq!(world.server.transport.path(), old);
}

#[test]
fn ufrag_is_found_for_demultiplexing() {
    let world = World::new(Setup::default());
    let request = valid(&world).bytes();
    assert_eq!(stun_ufrag(&request), Some(world.server.ice.ufrag.as_str()));
    assert_eq!(stun_ufrag(&plain_rtp(1)), None);
    for len in 0..request.len() {
        // Mustn't panic; what it says of half a request doesn't matter.
        stun_ufrag(&request[..len]);
    }
}

#[test]
fn dtls_from_strangers_is_refused() {
    let mut world = World::new(Setup::default());
    world.nominate();
    let mut path = world.path_at(End::Server);
    path.remote.set_port(9);
    // A fatal alert in the clear, which would end the handshake.
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40];
    assert_eq!(
        world.deliver_over(End::Server, path, &alert),
        Some(Rejection::UnknownPath)
    );
    assert!(world.run_until(Duration::from_secs(1), World::both_connected));
}

#[test]
fn media_is_refused_before_keys_replayed_and_forged() {
    let mut world = World::new(Setup::default());
    assert_eq!(
        world.deliver(End::Server, &plain_rtp(1)),
        Some(Rejection::NoKeys)
    );
    let mut world = World::connected(Setup::default());
    let sealed = world.sealed_rtp(End::Client, 1);
    assert_eq!(world.deliver(End::Server, &sealed), None);
    assert_eq!(
        world.deliver(End::Server, &sealed),
        Some(Rejection::ReplayedMedia)
    );
    assert_eq!(
        world.deliver(End::Server, &plain_rtp(2)),
        Some(Rejection::ForgedMedia)
    );
    assert_eq!(
        world.deliver(End::Server, &[0x80; 11]),
        Some(Rejection::MalformedMedia)
    );
    let mut forged = world.sealed_rtp(End::Client, 2);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        world.deliver(End::Server, &forged),
        Some(Rejection::ForgedMedia)
    );
    assert_eq!(world.send_rtp(End::Client, 3), Some(plain_rtp(3)));
}

/// Everything that the client sends while connecting and afterwards.
fn genuine_datagrams() -> Vec<Vec<u8>> {
    let mut world = World::new(Setup::with_data_channels());
    let seen = std::rc::Rc::new(std::cell::RefCell::new(vec![valid(&world).bytes()]));
    let recorder = seen.clone();
    world.loss = Box::new(move |end, bytes| {
        if end == End::Server {
            recorder.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    world.nominate();
    world.run_for(Duration::from_secs(1));
    assert!(world.both_connected());
    let sealed = world.sealed_rtp(End::Client, 1);
    seen.borrow_mut().push(sealed);
    drop(world);
    std::rc::Rc::try_unwrap(seen).unwrap().into_inner()
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let genuine = genuine_datagrams();
    (
        0..genuine.len(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<bool>(),
    )
        .prop_map(move |(which, at, byte, truncate)| {
            let mut datagram = genuine[which].clone();
            let at = at.index(datagram.len());
            if truncate {
                datagram.truncate(at);
            } else {
                datagram[at] ^= byte;
            }
            datagram
        })
}

fn garbage() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), vec(any::<u8>(), 0..1500)).prop_map(|(first, mut rest)| {
        if let Some(byte) = rest.first_mut() {
            *byte = first;
        }
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// From the peer's own address, the worst place.
    #[test]
    fn noise_does_not_disturb_a_session(noise in vec(prop_oneof![mutated(), garbage()], 1..40)) {
        let mut world = World::connected(Setup::with_data_channels());
        let path = world.server.transport.path();
        for datagram in &noise {
            world.deliver(End::Server, datagram);
        }
        world.run_for(Duration::from_millis(100));
        prop_assert_eq!(world.server.transport.path(), path);
        prop_assert_eq!(world.server.close_reason(), None);
        prop_assert_eq!(world.send_rtp(End::Client, 500), Some(plain_rtp(500)));
        prop_assert_eq!(world.send_rtp(End::Server, 500), Some(plain_rtp(500)));
    }

    /// Before there are keys a forged handshake message from the peer's own address can end the session (that is
    /// DTLS), but nothing else can, and nothing panics.
    #[test]
    fn noise_during_the_handshake_does_not_panic(noise in vec(prop_oneof![mutated(), garbage()], 1..40)) {
        let mut world = World::new(Setup::with_data_channels());
        world.nominate();
        for datagram in &noise {
            world.deliver(End::Server, datagram);
            world.deliver(End::Client, datagram);
        }
        world.run_for(HANDSHAKE_TIMEOUT);
        for peer in [&world.server, &world.client] {
            prop_assert!(peer.close_reason().is_some() || peer.transport.stats().profile().is_some());
        }
    }
}
