#![allow(clippy::unwrap_used)]

use super::{
    super::records::{ALERT, APPLICATION_DATA, HANDSHAKE},
    *,
};

const SUITES: [&str; 3] = [
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "CHACHA20-POLY1305",
];

/// An association of ours, and OpenSSL alone as its peer.
struct Pair {
    ours: Association,
    theirs: SslStream<Wire>,
    now: Instant,
}

impl Pair {
    fn new(role: DtlsRole, ciphers: &str) -> Self {
        let certificate = Certificate::generate().unwrap();
        let other = Certificate::generate_with_ciphers(ciphers).unwrap();
        let their_role = match role {
            DtlsRole::Server => DtlsRole::Client,
            DtlsRole::Client => DtlsRole::Server,
        };
        let mine = certificate.fingerprint().clone();
        let theirs = Handshake::new(&other, their_role, mine).unwrap().stream;
        let ours = Association::new(&certificate, role, other.fingerprint().clone()).unwrap();
        Self {
            ours,
            theirs,
            now: Instant::now(),
        }
    }

    fn connect(&mut self) {
        let mut connected = self
            .ours
            .start(self.now)
            .is_ok_and(|progress| is_connected(&progress));
        while !connected {
            self.deliver();
            connected = self.their_turn();
        }
        self.deliver();
        // As client it has yet to see our Finished.
        let _ = self.theirs.do_handshake();
    }

    /// They do what they can and we hear of it; whether that connects us.
    fn their_turn(&mut self) -> bool {
        // Waits for more, until it is done.
        let _ = self.theirs.do_handshake();
        let mut connected = false;
        for datagram in mem::take(&mut self.theirs.get_mut().outbound) {
            connected |= is_connected(&self.ours.handle(self.now, &datagram).unwrap());
        }
        connected
    }

    /// Brings what we sent, and returns what they read of it.
    fn deliver(&mut self) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        while let Some(datagram) = self.ours.poll_transmit() {
            self.theirs.get_mut().inbound = Some(datagram);
            if !self.theirs.ssl().is_init_finished() {
                let _ = self.theirs.do_handshake();
                continue;
            }
            let mut buffer = [0; MAX_MESSAGE];
            while let Ok(len) = self.theirs.ssl_read(&mut buffer) {
                read.push(buffer[..len].to_vec());
            }
        }
        read
    }

    /// They send a message; returns its datagram.
    fn their_datagram(&mut self, message: &[u8]) -> Vec<u8> {
        self.theirs.ssl_write(message).unwrap();
        self.theirs.get_mut().outbound.pop().unwrap()
    }

    fn take(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.ours.handle(self.now, datagram).unwrap();
        let mut buffer = [0; MAX_MESSAGE];
        let mut read = Vec::new();
        while let Ok(Some(len)) = self.ours.read(&mut buffer) {
            read.push(buffer[..len].to_vec());
        }
        read
    }
}

/// A pair of which they, as client, have their last flight ready: its datagrams, and the keys that they have by now.
fn with_last_flight(suite: &str) -> (Pair, Vec<Vec<u8>>, Records) {
    let mut pair = Pair::new(DtlsRole::Server, &format!("ECDHE-ECDSA-{suite}"));
    loop {
        pair.deliver();
        let _ = pair.theirs.do_handshake();
        let flight = mem::take(&mut pair.theirs.get_mut().outbound);
        let sent = flight.iter();
        if let Some(keys) = Records::after_handshake(pair.theirs.ssl(), DtlsRole::Client, sent) {
            return (pair, flight, keys);
        }
        for datagram in flight {
            pair.ours.handle(pair.now, &datagram).unwrap();
        }
    }
}

fn is_connected(progress: &Progress) -> bool {
    matches!(progress, Progress::Connected(_))
}

fn each_suite_and_role(test: impl Fn(&mut Pair)) {
    for suite in SUITES {
        for role in [DtlsRole::Server, DtlsRole::Client] {
            let mut pair = Pair::new(role, &format!("ECDHE-ECDSA-{suite}"));
            pair.connect();
            test(&mut pair);
        }
    }
}

#[test]
fn data_goes_both_ways_with_every_suite() {
    each_suite_and_role(|pair| {
        for len in [1, 100, 1_100, MAX_MESSAGE] {
            let message: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let datagram = pair.their_datagram(&message);
            assert_eq!(pair.take(&datagram), std::slice::from_ref(&message));
            pair.ours.write(&message);
            assert_eq!(pair.deliver(), [message]);
        }
        pair.ours.write(&vec![0; MAX_MESSAGE + 1]);
        assert_eq!(pair.ours.poll_transmit(), None);
    });
}

#[test]
fn what_is_forged_replayed_or_cut_off_is_ignored() {
    each_suite_and_role(|pair| {
        let datagrams: Vec<Vec<u8>> = (0..70u8).map(|i| pair.their_datagram(&[i; 9])).collect();
        for at in 0..datagrams[69].len() {
            let mut forged = datagrams[69].clone();
            forged[at] ^= 1;
            assert!(pair.take(&forged).is_empty(), "byte {at}");
            assert!(pair.take(&datagrams[69][..at]).is_empty());
        }
        assert_eq!(pair.take(&datagrams[69]), [vec![69; 9]]);
        assert!(pair.take(&datagrams[69]).is_empty());
        // Late, but within the 64 that are remembered.
        assert_eq!(pair.take(&datagrams[6]), [vec![6; 9]]);
        assert!(pair.take(&datagrams[6]).is_empty());
        assert!(pair.take(&datagrams[5]).is_empty());
        // Two in one datagram.
        let both = [&datagrams[40][..], &datagrams[41]].concat();
        assert_eq!(pair.take(&both), [vec![40; 9], vec![41; 9]]);
    });
}

#[test]
fn either_side_can_say_good_bye() {
    each_suite_and_role(|pair| {
        pair.theirs.shutdown().unwrap();
        let datagram = pair.theirs.get_mut().outbound.pop().unwrap();
        pair.ours.handle(pair.now, &datagram).unwrap();
        assert_eq!(pair.ours.read(&mut [0; 9]), Err(Failure::ClosedByPeer));
    });
    each_suite_and_role(|pair| {
        pair.ours.close();
        pair.theirs.get_mut().inbound = pair.ours.poll_transmit();
        let error = pair.theirs.ssl_read(&mut [0; 9]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ZERO_RETURN);
    });
}

#[test]
fn openssl_makes_room_once_the_peer_is_done() {
    let lingers = |pair: &Pair| match &pair.ours.state {
        State::Established(established) => established.lingering.is_some(),
        _ => panic!("not connected"),
    };
    let mut pair = Pair::new(DtlsRole::Server, "ECDHE+AESGCM");
    pair.connect();
    assert!(lingers(&pair));
    let datagram = pair.their_datagram(b"data");
    assert_eq!(pair.take(&datagram), [b"data"]);
    assert!(!lingers(&pair));
}

/// OpenSSL as the peer repeats its flight by the wall clock, after a second.
#[test]
fn a_last_flight_that_was_lost_comes_again() {
    let mut pair = Pair::new(DtlsRole::Server, "ECDHE+AESGCM");
    let mut connected = false;
    while !connected {
        pair.deliver();
        connected = pair.their_turn();
    }
    // Our last flight is lost, and what we say before the peer has it isn't said.
    while pair.ours.poll_transmit().is_some() {}
    pair.ours.write(b"early");
    assert_eq!(pair.ours.poll_transmit(), None);
    std::thread::sleep(Duration::from_millis(1_100));
    pair.their_turn();
    pair.deliver();
    let _ = pair.theirs.do_handshake();
    assert!(pair.theirs.ssl().is_init_finished());
    let datagram = pair.their_datagram(b"hello");
    assert_eq!(pair.take(&datagram), [b"hello"]);
    pair.ours.write(b"welcome");
    assert_eq!(pair.deliver(), [b"welcome"]);
}

/// Whoever sends data before our Finished came isn't told by RFC 5246 §7.4.9 to; where it does, it has to come to an end.
#[test]
fn data_beside_the_peers_last_flight_dont_keep_ours_from_coming_again() {
    for suite in SUITES {
        let (mut pair, flight, mut keys) = with_last_flight(suite);
        let (last, before) = flight.split_last().unwrap();
        for datagram in before {
            pair.take(datagram);
        }
        let beside = |flight: &[u8], data: &[u8], keys: &mut Records| {
            [flight, &keys.seal_data(data).unwrap()].concat()
        };
        let datagram = beside(last, b"at once", &mut keys);
        assert_eq!(pair.take(&datagram), [b"at once"]);
        // Our last flight is lost.
        while pair.ours.poll_transmit().is_some() {}
        std::thread::sleep(Duration::from_millis(1_100));
        let _ = pair.theirs.do_handshake();
        for datagram in mem::take(&mut pair.theirs.get_mut().outbound) {
            let datagram = beside(&datagram, b"again", &mut keys);
            assert_eq!(pair.take(&datagram), [b"again"]);
        }
        pair.deliver();
        let _ = pair.theirs.do_handshake();
        assert!(pair.theirs.ssl().is_init_finished(), "{suite}");
        // Data alone say that they have it.
        assert_eq!(pair.take(&keys.seal_data(b"done").unwrap()), [b"done"]);
        pair.ours.write(b"welcome");
        assert_eq!(pair.deliver(), [b"welcome"]);
    }
}

#[test]
fn datagrams_without_a_whole_record_dont_disturb_a_handshake() {
    let mut pair = Pair::new(DtlsRole::Server, "ECDHE+AESGCM");
    for hostile in [&[HANDSHAKE; 1][..], &[HANDSHAKE; 13], &[ALERT; 40]] {
        assert!(pair.ours.handle(pair.now, hostile).is_ok());
    }
    // Data for which there are no keys yet.
    let mut early = vec![0; 60];
    early[..5].copy_from_slice(&[APPLICATION_DATA, 0xfe, 0xfd, 0, 1]);
    early[12] = 47;
    assert!(pair.ours.handle(pair.now, &early).is_ok());
    pair.connect();
    let datagram = pair.their_datagram(b"data");
    assert_eq!(pair.take(&datagram), [b"data"]);
}
