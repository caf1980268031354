use crate::TcpLimits;

use super::*;

fn limited(tcp_limits: TcpLimits) -> (Media, mpsc::Receiver<Event>) {
    start(&NetConfig {
        tcp_limits,
        ..config(1)
    })
}

#[test]
fn frames_are_answered_however_they_are_cut() {
    let (media, _events) = start(&config(1));
    let mut stream = connect(on_loopback(port(&media, 0)));
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.extend(framed(format!("echo {n}").as_bytes()));
        sent.extend(framed(b""));
    }
    for byte in &sent[..20] {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    stream.write_all(&sent[20..]).unwrap();
    for n in 0..5 {
        assert_eq!(read_frame(&stream), format!("echo {n}").into_bytes());
    }
}

#[test]
fn a_burst_is_framed_datagram_by_datagram() {
    let (media, _events) = start(&config(1));
    let stream = connect(on_loopback(port(&media, 0)));
    send_frame(&stream, b"burst 100 1200");
    for n in 0..100 {
        assert_eq!(read_frame(&stream), vec![n; 1_200]);
    }
}

#[tokio::test]
async fn a_malformed_frame_closes_the_connection() {
    let (media, _events) = start(&config(1));
    let mut stream = connect(on_loopback(port(&media, 0)));
    send_frame(&stream, b"echo");
    assert_eq!(read_frame(&stream), b"echo");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_closed(&stream));
    let statistics = &media.statistics().await.unwrap()[0];
    assert_eq!((statistics.tcp.malformed, statistics.tcp.open), (1, 0));
    assert_eq!(
        statistics.engine.closed_paths, 1,
        "the engine hears of the closed path"
    );
}

#[tokio::test]
async fn the_engine_hears_when_the_peer_closes() {
    let (media, _events) = start(&config(1));
    let stream = connect(on_loopback(port(&media, 0)));
    send_frame(&stream, b"echo");
    read_frame(&stream);
    drop(stream);
    for _ in 0..500 {
        let statistics = &media.statistics().await.unwrap()[0];
        if (statistics.tcp.open, statistics.engine.closed_paths) == (0, 1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the closed connection stayed");
}

#[tokio::test]
async fn a_connection_without_a_session_is_closed_in_time() {
    let (media, _events) = limited(TcpLimits {
        first_frame: Duration::from_millis(100),
        ..TcpLimits::default()
    });
    let server = on_loopback(port(&media, 0));
    let (silent, foreign, good) = (connect(server), connect(server), connect(server));
    send_frame(&foreign, b"nonsense");
    send_frame(&good, b"echo");
    assert!(is_closed(&silent) && is_closed(&foreign));
    assert_eq!(read_frame(&good), b"echo");
    send_frame(&good, b"echo again");
    assert_eq!(read_frame(&good), b"echo again");
    assert_eq!(media.statistics().await.unwrap()[0].tcp.without_session, 2);
}

#[tokio::test]
async fn connections_are_bounded_in_total_and_per_address() {
    let (media, _events) = limited(TcpLimits {
        connections: 3,
        connections_per_address: 2,
        ..TcpLimits::default()
    });
    let port = port(&media, 0);
    let from = |last| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let local: SocketAddr = (Ipv4Addr::new(127, 0, 0, last), 0).into();
        socket.bind(&local.into()).unwrap();
        socket.connect(&on_loopback(port).into()).unwrap();
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let open = |stream: &TcpStream| {
        send_frame(stream, b"echo");
        assert_eq!(read_frame(stream), b"echo");
    };
    let (a, b) = (from(1), from(1));
    open(&a);
    open(&b);
    assert!(is_closed(&from(1)), "the third of an address");
    let other = from(2);
    open(&other);
    assert!(is_closed(&from(3)), "the fourth of all");
    assert_eq!(media.statistics().await.unwrap()[0].tcp.refused, 2);
    drop(a);
    std::thread::sleep(SILENCE);
    open(&from(1));
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_datagrams_and_then_the_connection() {
    let (media, _events) = limited(TcpLimits {
        write_queue: 64 << 10,
        stuck: Duration::from_millis(500),
        ..TcpLimits::default()
    });
    let stream = connect(on_loopback(port(&media, 0)));
    // Far more than all buffers of both sides.
    for _ in 0..400 {
        send_frame(&stream, b"burst 250 1200");
    }
    for _ in 0..500 {
        let tcp = media.statistics().await.unwrap()[0].tcp;
        if (tcp.accepted, tcp.open) == (1, 0) {
            assert!(tcp.queue_drops > 0);
            assert_eq!(tcp.stuck, 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the stuck connection stayed");
}
