use std::{cell::Cell, collections::HashSet, rc::Rc, sync::Arc, thread, time::Duration};

use super::world::{CERTIFICATE, End, LATENCY, Setup, World, a_third, plain_rtp};
use crate::{
    dtls::Certificate,
    srtp::Profile,
    transport::{CONSENT_TIMEOUT, CloseReason, HANDSHAKE_TIMEOUT, TransportEvent},
};

/// A second less than consent lasts.
const ALMOST_EXPIRED: Duration = Duration::from_secs(CONSENT_TIMEOUT.as_secs() - 1);
/// A second less than a handshake may take.
const ALMOST_TIMED_OUT: Duration = Duration::from_secs(HANDSHAKE_TIMEOUT.as_secs() - 1);
/// The first byte of a DTLS record that carries a handshake.
const HANDSHAKE: u8 = 22;

#[test]
fn connects_and_carries_media_both_ways() {
    let mut world = World::connected(Setup::default());
    for end in [End::Server, End::Client] {
        assert_eq!(world.send_rtp(end, 7), Some(plain_rtp(7)));
        let profile = Profile::AeadAes128Gcm;
        assert!(
            world
                .peer(end)
                .events
                .contains(&TransportEvent::Connected { profile })
        );
    }
}

#[test]
fn connects_within_two_round_trips() {
    let mut world = World::new(Setup::default());
    let start = world.now;
    world.nominate();
    assert!(world.run_until(Duration::from_secs(1), World::both_connected));
    assert!(world.now - start <= LATENCY * 4);
}

#[test]
fn recovers_from_loss_of_each_flight() {
    for lost_flight in 0..3 {
        let mut world = World::new(Setup::default());
        let start = world.now;
        // A flight is what goes one way before something goes the other. Its copies get through.
        let (mut flight, mut last, mut gone) = (-1, None, HashSet::new());
        world.loss = Box::new(move |end, bytes| {
            flight += i32::from(last != Some(end));
            last = Some(end);
            flight == lost_flight && gone.insert(bytes.to_vec())
        });
        world.nominate();
        assert!(
            world.run_until(Duration::from_secs(1), World::both_connected),
            "flight {lost_flight}"
        );
        let took = world.now - start;
        assert!(
            (200..=300).contains(&took.as_millis()),
            "flight {lost_flight}: {took:?}"
        );
        assert_eq!(world.send_rtp(End::Client, 1), Some(plain_rtp(1)));
    }
}

#[test]
fn recovers_from_loss_of_a_third_of_the_datagrams() {
    for seed in 0..10 {
        let mut world = World::new(Setup::default());
        // All but the server's last flight: see the next test.
        world.loss = a_third(seed, |end, bytes| {
            end == End::Server || bytes.first() == Some(&HANDSHAKE)
        });
        world.nominate();
        assert!(
            world.run_until(HANDSHAKE_TIMEOUT, World::both_connected),
            "seed {seed}"
        );
    }
}

/// The one case that OpenSSL's timer, hence the wall clock, is needed for: see `dtls::association`.
#[test]
fn client_recovers_when_the_last_flight_of_the_server_is_lost() {
    let mut world = World::new(Setup::default());
    let lost = Rc::new(Cell::new(0));
    let counter = lost.clone();
    // The server's second flight begins with ChangeCipherSpec (20).
    world.loss = Box::new(move |end, bytes| {
        let last_flight = end == End::Client && bytes.first() == Some(&20) && counter.get() == 0;
        counter.set(counter.get() + u32::from(last_flight));
        last_flight
    });
    world.nominate();
    let server_is_up = |world: &World| world.server.transport.stats().profile().is_some();
    assert!(world.run_until(Duration::from_secs(1), server_is_up));
    assert_eq!(lost.get(), 1);
    assert!(!world.both_connected());
    thread::sleep(Duration::from_millis(1100));
    assert!(world.run_until(Duration::from_secs(3), World::both_connected));
}

#[test]
fn datagrams_keep_within_the_mtu() {
    let mut world = World::new(Setup::default());
    let longest = Rc::new(Cell::new(0));
    let seen = longest.clone();
    world.loss = Box::new(move |_, bytes| {
        if bytes.first() == Some(&HANDSHAKE) {
            seen.set(seen.get().max(bytes.len()));
        }
        false
    });
    world.nominate();
    assert!(world.run_until(Duration::from_secs(1), World::both_connected));
    assert!((500..=1200).contains(&longest.get()), "{}", longest.get());
}

#[test]
fn wrong_fingerprint_is_refused() {
    let mut world = World::new(Setup {
        client: Arc::new(Certificate::generate().unwrap()),
        ..Setup::default()
    });
    world.nominate();
    world.run_for(Duration::from_secs(1));
    assert_eq!(
        world.server.close_reason(),
        Some(CloseReason::FingerprintMismatch)
    );
    assert!(world.server.transport.sealer().is_none());
    // The client is told by a fatal alert.
    assert_eq!(
        world.client.close_reason(),
        Some(CloseReason::HandshakeFailed)
    );
}

#[test]
fn client_refuses_a_server_with_the_wrong_certificate() {
    // The client's notion of the server comes from `server`; a third certificate answers.
    let mut world = World::new(Setup::default());
    let impostor = World::new(Setup {
        server: Arc::new(Certificate::generate().unwrap()),
        ..Setup::default()
    });
    let ice = world.server.ice.clone();
    world.server.transport = impostor.server.transport;
    world
        .server
        .transport
        .restart_ice(ice, world.client.ice.clone());
    world.nominate();
    world.run_for(Duration::from_secs(1));
    assert_eq!(
        world.client.close_reason(),
        Some(CloseReason::FingerprintMismatch)
    );
}

#[test]
fn rsa_peers_connect() {
    let rsa = Arc::new(Certificate::generate_rsa().unwrap());
    let mut world = World::connected(Setup::with_client(rsa.clone()));
    assert_eq!(world.send_rtp(End::Client, 1), Some(plain_rtp(1)));
    let mut world = World::connected(Setup {
        server: rsa,
        ..Setup::default()
    });
    assert_eq!(world.send_rtp(End::Client, 1), Some(plain_rtp(1)));
}

#[test]
fn gcm_is_chosen_although_the_client_likes_cm_better() {
    let order = [
        Profile::AesCm128HmacSha1_80,
        Profile::AeadAes256Gcm,
        Profile::AeadAes128Gcm,
    ];
    let client = Arc::new(Certificate::generate_with_profiles(&order).unwrap());
    let world = World::connected(Setup::with_client(client));
    assert_eq!(
        world.server.transport.stats().profile(),
        Some(Profile::AeadAes128Gcm)
    );
    assert_eq!(
        world.client.transport.stats().profile(),
        Some(Profile::AeadAes128Gcm)
    );
}

#[test]
fn clients_with_one_profile_get_that() {
    for profile in [Profile::AesCm128HmacSha1_80, Profile::AeadAes256Gcm] {
        let client = Arc::new(Certificate::generate_with_profiles(&[profile]).unwrap());
        let mut world = World::connected(Setup::with_client(client));
        assert_eq!(world.server.transport.stats().profile(), Some(profile));
        assert_eq!(world.send_rtp(End::Server, 9), Some(plain_rtp(9)));
        assert_eq!(world.send_rtp(End::Client, 9), Some(plain_rtp(9)));
    }
}

#[test]
fn gives_up_when_nobody_comes() {
    let mut world = World::new(Setup::default());
    world.run_for(ALMOST_TIMED_OUT);
    assert_eq!(world.server.close_reason(), None);
    world.run_for(Duration::from_secs(1));
    assert_eq!(
        world.server.close_reason(),
        Some(CloseReason::HandshakeTimedOut)
    );
    assert_eq!(world.server.transport.next_timeout(), None);
}

#[test]
fn gives_up_when_the_handshake_goes_nowhere() {
    let mut world = World::new(Setup::default());
    world.loss = Box::new(|end, _| end == End::Server);
    world.nominate();
    world.run_for(HANDSHAKE_TIMEOUT);
    assert_eq!(
        world.client.close_reason(),
        Some(CloseReason::HandshakeTimedOut)
    );
}

#[test]
fn consent_expires() {
    let mut world = World::connected(Setup::default());
    let connected = world.now;
    world.run_for(ALMOST_EXPIRED);
    assert_eq!(world.server.close_reason(), None);
    world.run_for(Duration::from_secs(1));
    assert_eq!(
        world.server.close_reason(),
        Some(CloseReason::ConsentExpired)
    );
    assert!(world.now - connected <= CONSENT_TIMEOUT);
    assert!(world.server.transport.sealer().is_none());
}

#[test]
fn consent_is_kept_by_checks_and_by_media() {
    let mut world = World::connected(Setup::default());
    for round in 0..4 {
        world.run_for(ALMOST_EXPIRED);
        if round % 2 == 0 {
            let check = world.check(End::Server, false);
            world.deliver(End::Server, &check);
        } else {
            world.send_rtp(End::Client, round);
        }
        let check = world.check(End::Client, false);
        world.deliver(End::Client, &check);
    }
    assert_eq!(world.server.close_reason(), None);
}

#[test]
fn good_bye_ends_both_ends() {
    for end in [End::Server, End::Client] {
        let mut world = World::connected(Setup::with_data_channels());
        let now = world.now;
        world.peer(end).transport.close(now);
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.peer(end).close_reason(), Some(CloseReason::Local));
        assert_eq!(
            world.peer(end.other()).close_reason(),
            Some(CloseReason::ByPeer)
        );
    }
}

#[test]
fn certificate_has_a_sha_256_fingerprint() {
    assert!(
        CERTIFICATE
            .fingerprint()
            .to_string()
            .starts_with("sha-256 ")
    );
}
