//! The real engine behind real sockets: a viewer's connectivity checks are answered, whatever way they come.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

use rtc_stun::{
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USERNAME, RawAttribute},
    crypto::providers::AwsLcRsCrypto,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, Setter, TransactionId},
    xoraddr::XorMappedAddress,
};
use spillway_sfu::{
    Accepted, EndReason, Event, Limits, Reject, WatchRequest, dtls::Certificate, rtp::PlayoutDelay,
};
use spillway_sfu_net::{Media, MediaConfig, NetConfig};
use tokio::sync::mpsc;

const OFFER: &str = include_str!("../../tests/fixtures/sdp/chromium_viewer.sdp");
const PATIENCE: Duration = Duration::from_secs(5);

fn start(workers: usize, single_port: bool) -> (Media, mpsc::Receiver<Event>) {
    let config = MediaConfig {
        net: NetConfig {
            media_port: 0,
            workers,
            single_port,
            include_loopback: true,
            ..NetConfig::default()
        },
        certificate: Arc::new(Certificate::generate().unwrap()),
        limits: Limits::default(),
        playout_delay: PlayoutDelay::from_bytes([0; 3]),
    };
    Media::start(&config).unwrap()
}

fn watch(wait: bool) -> WatchRequest {
    WatchRequest {
        channel: "demo".parse().unwrap(),
        offer: OFFER.into(),
        selection: spillway_sfu::LayerSelection::default(),
        wait,
        for_others: false,
    }
}

/// The value of the answer's first `a=name:` line.
fn attribute<'a>(answer: &'a str, name: &str) -> &'a str {
    let prefix = format!("a={name}:");
    let line = answer.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap().trim()
}

/// A check of the controlling side (RFC 8445 §7.2.2).
fn check(accepted: &Accepted) -> Vec<u8> {
    let mut request = Message::new();
    request.set_type(BINDING_REQUEST);
    request.write_header();
    TransactionId::new().add_to(&mut request).unwrap();
    let username = format!("{}:{}", accepted.ufrag, attribute(OFFER, "ice-ufrag"));
    for (typ, value) in [
        (ATTR_USERNAME, username.into_bytes()),
        (ATTR_PRIORITY, vec![0x7e, 0, 0, 1]),
        (ATTR_ICE_CONTROLLING, vec![7; 8]),
    ] {
        let attribute = RawAttribute {
            typ,
            length: 0,
            value,
        };
        attribute.add_to(&mut request).unwrap();
    }
    let password = attribute(&accepted.answer, "ice-pwd");
    MessageIntegrity::new_raw_integrity_with_provider(password.as_bytes(), &AwsLcRsCrypto)
        .add_to(&mut request)
        .unwrap();
    FINGERPRINT.add_to(&mut request).unwrap();
    request.raw
}

/// The address that the answer says the check came from.
fn mapped(answer: &[u8]) -> SocketAddr {
    let mut message = Message::new();
    message.unmarshal_binary(answer).unwrap();
    assert_eq!(message.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&message).unwrap();
    SocketAddr::new(mapped.ip, mapped.port)
}

fn server(media: &Media, accepted: &Accepted) -> SocketAddr {
    let candidates = &media.candidates()[usize::from(accepted.session.worker.0)];
    (Ipv4Addr::LOCALHOST, candidates[0].address.port()).into()
}

fn check_over_udp(server: SocketAddr, accepted: &Accepted) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&check(accepted), server).unwrap();
    let mut buffer = [0; 1_500];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from, server);
    assert_eq!(mapped(&buffer[..len]), socket.local_addr().unwrap());
}

fn check_over_tcp(server: SocketAddr, accepted: &Accepted) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let check = check(accepted);
    let mut frame = (check.len() as u16).to_be_bytes().to_vec();
    frame.extend(check);
    stream.write_all(&frame).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(mapped(&answer), stream.local_addr().unwrap());
}

#[tokio::test]
async fn on_the_port_of_its_worker_over_udp_and_tcp() {
    let (media, _events) = start(3, false);
    for _ in 0..3 {
        let accepted = media.watch(watch(true)).await.unwrap();
        let server = server(&media, &accepted);
        assert!(
            accepted
                .answer
                .contains(&format!(" {} typ host", server.port()))
        );
        check_over_udp(server, &accepted);
        check_over_tcp(server, &accepted);
    }
}

#[tokio::test]
async fn on_a_shared_port_whichever_worker_they_reach() {
    let (media, _events) = start(4, true);
    for _ in 0..16 {
        let accepted = media.watch(watch(true)).await.unwrap();
        let server = server(&media, &accepted);
        check_over_udp(server, &accepted);
        check_over_tcp(server, &accepted);
    }
    let statistics = media.statistics().await.unwrap();
    let sessions: usize = statistics.iter().map(|s| s.engine.sessions.len()).sum();
    assert_eq!(sessions, 16);
}

#[tokio::test]
async fn and_shutdown_ends_the_session() {
    let (media, mut events) = start(2, false);
    assert!(matches!(
        media.watch(watch(false)).await,
        Err(Reject::NotLive)
    ));
    let accepted = media.watch(watch(true)).await.unwrap();
    check_over_udp(server(&media, &accepted), &accepted);
    media.shutdown(PATIENCE).await.unwrap();
    let mut ended = Vec::new();
    while let Some(event) = events.recv().await {
        if let Event::Ended { session, reason } = event {
            ended.push((session, reason));
        }
    }
    assert_eq!(ended, [(accepted.session, EndReason::Closed)]);
}
