use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

#[test]
fn a_burst_arrives_as_its_datagrams() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    // More segments, and more bytes, than one message can hold.
    for (count, size) in [(1, 1_200), (7, 1_200), (100, 1_200), (150, 300)] {
        let ask = format!("burst {count} {size}");
        socket
            .send_to(ask.as_bytes(), on_loopback(port(&media, 0)))
            .unwrap();
        for n in 0..count {
            assert_eq!(receive(&socket).0, vec![n as u8; size]);
        }
    }
}

#[tokio::test]
async fn a_burst_is_few_system_calls() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    socket
        .send_to(b"burst 50 1200", on_loopback(port(&media, 0)))
        .unwrap();
    for _ in 0..50 {
        receive(&socket);
    }
    let udp = media.statistics().await.unwrap()[0].udp;
    assert_eq!((udp.sent, udp.sent_bytes, udp.messages), (50, 60_000, 1));
}

#[tokio::test]
async fn what_the_kernel_joined_is_cut_again() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    let server = on_loopback(port(&media, 0));
    // Sent as one GSO message, so that the loopback delivers it as one GRO buffer.
    let datagrams: Vec<u8> = (0..20)
        .flat_map(|n| format!("echo{n:04}").into_bytes())
        .collect();
    let state = quinn_udp::UdpSocketState::new((&socket).into()).unwrap();
    socket.set_nonblocking(false).unwrap();
    let transmit = quinn_udp::Transmit {
        destination: server,
        ecn: None,
        contents: &datagrams,
        segment_size: Some(8),
        src_ip: None,
    };
    state.try_send((&socket).into(), &transmit).unwrap();
    // The client's socket undoes GRO as well: it got the option from the state.
    let mut echoed = Vec::new();
    while echoed.len() < datagrams.len() {
        echoed.extend(receive(&socket).0);
    }
    assert_eq!(echoed, datagrams);
    let udp = media.statistics().await.unwrap()[0].udp;
    assert_eq!((udp.received, udp.received_bytes), (20, 160));
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let (media, _events) = start(&config(1));
    let port = port(&media, 0);
    for local in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
        let socket = client(Ipv4Addr::LOCALHOST);
        socket.send_to(b"echo", (local, port)).unwrap();
        assert_eq!(receive(&socket), (b"echo".to_vec(), (local, port).into()));
        socket.send_to(b"burst 3 100", (local, port)).unwrap();
        for _ in 0..3 {
            assert_eq!(receive(&socket).1, (local, port).into());
        }
    }
}

#[test]
fn ipv6_is_served_by_the_same_port() {
    let (media, _events) = start(&config(1));
    // Nothing to show on a machine without IPv6.
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return;
    };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let server: SocketAddr = (Ipv6Addr::LOCALHOST, port(&media, 0)).into();
    socket.send_to(b"burst 5 1000", server).unwrap();
    for n in 0..5 {
        assert_eq!(receive(&socket), (vec![n; 1_000], server));
    }
}

#[test]
fn several_bound_addresses_answer_each_for_itself() {
    let second = Ipv4Addr::new(127, 0, 0, 2);
    let (media, _events) = start(&NetConfig {
        bind: vec![Ipv4Addr::LOCALHOST.into(), second.into()],
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        ..config(1)
    });
    let port = port(&media, 0);
    for local in [Ipv4Addr::LOCALHOST, second] {
        let socket = client(Ipv4Addr::LOCALHOST);
        socket.send_to(b"echo", (local, port)).unwrap();
        assert_eq!(receive(&socket).1, (local, port).into());
    }
}

#[tokio::test]
async fn datagrams_of_nobody_are_counted_and_not_answered() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    for datagram in [&b"nonsense"[..], b"", &[0; 1_400]] {
        socket
            .send_to(datagram, on_loopback(port(&media, 0)))
            .unwrap();
    }
    assert!(socket.recv_from(&mut [0; 16]).is_err());
    // The empty one carries nothing to judge.
    assert_eq!(media.statistics().await.unwrap()[0].worker.unknown, 2);
}

#[tokio::test]
async fn a_peer_behind_a_small_mtu_costs_the_others_nothing() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    let server = on_loopback(port(&media, 0));
    // No loopback carries 66,000 bytes in one piece: the kernel refuses, and the next burst is whole again.
    socket.send_to(b"burst 2 66000", server).unwrap();
    socket.send_to(b"burst 4 1000", server).unwrap();
    for n in 0..4 {
        assert_eq!(receive(&socket).0, vec![n; 1_000]);
    }
    let udp = media.statistics().await.unwrap()[0].udp;
    assert_eq!((udp.sent, udp.send_errors), (4, 2));
}
