//! What sending costs. Printed, not judged: `cargo test --release -p spillway-sfu-net -- --ignored --nocapture cost`.

use std::time::Instant;

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::time::{ClockId, clock_gettime};
use spillway_sfu::{Path, Protocol};
use std::os::fd::AsRawFd;

use super::*;
use crate::udp::UdpPort;

const SIZE: usize = 1_200;
const DATAGRAMS: usize = 200_000;
const VIEWERS: usize = 100;

fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn spent_since(started: Duration) -> Duration {
    cpu().checked_sub(started).unwrap()
}

fn viewers() -> (Vec<UdpSocket>, Vec<Path>) {
    let sockets: Vec<UdpSocket> = (0..VIEWERS).map(|_| client(Ipv4Addr::LOCALHOST)).collect();
    let paths = sockets
        .iter()
        .map(|socket| Path {
            protocol: Protocol::Udp,
            local: Ipv4Addr::LOCALHOST.into(),
            remote: socket.local_addr().unwrap(),
        })
        .collect();
    (sockets, paths)
}

fn port() -> UdpPort {
    UdpPort::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap()
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_datagram_by_burst() {
    // Viewers don't read: their full buffers drop, which costs the sender the whole way to the socket.
    let (_sockets, paths) = viewers();
    for burst in [1, 2, 4, 8, 16, 50] {
        let mut port = port();
        let datagrams = vec![0; burst * SIZE];
        let started = cpu();
        for path in paths.iter().cycle().take(DATAGRAMS / burst) {
            port.send(*path, &datagrams, SIZE);
        }
        let spent = spent_since(started).as_nanos() / u128::from(port.counters.sent);
        println!("{burst:3} datagrams a message: {spent:5} ns a datagram");
    }
}

#[test]
#[ignore = "a measurement"]
fn cost_of_hearing_of_room() {
    let (_sockets, paths) = viewers();
    for (name, interest) in [
        ("readable", Interest::READABLE),
        (
            "readable and writable",
            Interest::READABLE.add(Interest::WRITABLE),
        ),
    ] {
        let mut port = port();
        let mut poll = Poll::new().unwrap();
        poll.registry()
            .register(
                &mut SourceFd(&port.socket().as_raw_fd()),
                Token(1),
                interest,
            )
            .unwrap();
        let mut events = Events::with_capacity(16);
        let datagrams = vec![0; 4 * SIZE];
        let (mut woken, started, clock) = (0u32, cpu(), Instant::now());
        for path in paths.iter().cycle().take(DATAGRAMS / 4) {
            port.send(*path, &datagrams, SIZE);
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            woken += u32::from(!events.is_empty());
        }
        let spent = spent_since(started).as_nanos() / u128::from(port.counters.messages);
        println!(
            "waiting for {name}: {spent} ns a message of 4, woken {woken} times in {} messages ({:?})",
            port.counters.messages,
            clock.elapsed()
        );
    }
}
