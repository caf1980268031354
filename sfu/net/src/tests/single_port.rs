use super::*;

const WORKERS: u8 = 4;

fn shared_port() -> (Media, mpsc::Receiver<Event>) {
    start(&NetConfig {
        single_port: true,
        ..config(usize::from(WORKERS))
    })
}

#[test]
fn datagrams_reach_the_worker_that_their_check_named() {
    let (media, _events) = shared_port();
    let server = on_loopback(port(&media, 0));
    // The kernel spreads the clients over the workers as it likes; enough of them reach a wrong one.
    for named in (0..WORKERS).cycle().take(32) {
        let socket = client(Ipv4Addr::LOCALHOST);
        socket.send_to(&[0, named], server).unwrap();
        assert_eq!(receive(&socket), (vec![named], server));
        for _ in 0..3 {
            socket.send_to(b"who", server).unwrap();
            assert_eq!(receive(&socket), (vec![named], server));
        }
    }
}

#[tokio::test]
async fn a_stranger_is_not_handed_around() {
    let (media, _events) = shared_port();
    let socket = client(Ipv4Addr::LOCALHOST);
    let server = on_loopback(port(&media, 0));
    socket.send_to(b"who", server).unwrap();
    // A check that names a worker beyond all.
    socket.send_to(&[0, WORKERS], server).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(socket.recv_from(&mut [0; 16]).is_err());
    let statistics = media.statistics().await.unwrap();
    let total = |figure: fn(&crate::WorkerCounters) -> u64| -> u64 {
        statistics.iter().map(|s| figure(&s.worker)).sum()
    };
    assert_eq!((total(|w| w.unknown), total(|w| w.handed_over)), (2, 0));
}

#[tokio::test]
async fn a_connection_moves_to_the_worker_that_its_first_frame_names() {
    let (media, _events) = shared_port();
    let server = on_loopback(port(&media, 0));
    for named in (0..WORKERS).cycle().take(32) {
        let mut stream = connect(server);
        // The check and what follows it in one piece, the last frame cut.
        let mut bytes = framed(&[0, named]);
        bytes.extend(framed(b"who"));
        bytes.extend(&framed(b"who")[..3]);
        stream.write_all(&bytes).unwrap();
        assert_eq!(read_frame(&stream), [named]);
        assert_eq!(read_frame(&stream), [named]);
        stream.write_all(&framed(b"who")[3..]).unwrap();
        assert_eq!(read_frame(&stream), [named]);
    }
    let statistics = media.statistics().await.unwrap();
    let closed: u64 = statistics.iter().map(|s| s.tcp.malformed).sum();
    assert_eq!(closed, 0);
}
