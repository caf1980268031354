//! Clients that send slowly, and too many of them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use spillway_signaling::{
    Config, ConnectionBound, ConnectionLimits, Connections, bound_connections, router,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    fake::Fake,
    server::{pages, start_with},
};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let config = Config {
        body_timeout_s: 1,
        ..Config::default()
    };
    let server = start_with(config).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /whep/demo HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 100\r\n\r\nv=0";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// A server with bounded connections and a header timeout of a second, and a connection to it.
async fn connect() -> TcpStream {
    let config = Config {
        header_timeout_s: 1,
        ..Config::default()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = axum_server::from_tcp(listener).unwrap();
    bound_connections(server.http_builder(), &config);
    let router = router(Arc::new(Fake::default()), config, pages());
    tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    TcpStream::connect(address).await.unwrap()
}

/// Sends that and gives what comes until the server closes.
async fn answer_until_closed(request: &str) -> String {
    let mut stream = connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    ended.expect("the connection is still open").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    answer_until_closed("GET / HTTP/1.1\r\nHost: x\r\n").await;
}

#[tokio::test]
async fn a_connection_that_idles_after_a_request_ends() {
    let answer = answer_until_closed("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_head_of_too_many_fields_is_431() {
    let fields = "X-Field: y\r\n".repeat(70);
    let answer = answer_until_closed(&format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

/// A server with room for two connections, and its count of them.
fn small() -> (SocketAddr, Connections) {
    let connections = Connections::new(ConnectionLimits {
        total: 2,
        per_address: 2,
        exempt: Vec::new(),
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum_server::from_tcp(listener)
        .unwrap()
        .acceptor(connections.acceptor());
    let router = router(Arc::new(Fake::default()), Config::default(), pages());
    tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    (address, connections)
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, met).await.unwrap();
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    ended.expect("the connection is still open").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_connection_too_many_is_503_until_another_ends() {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (address, connections) = small();
    let crowd = [
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
    ];
    until(|| connections.open() == 2).await;
    for request in [REQUEST, "", &format!("{REQUEST}{}", "x".repeat(20_000))] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
        assert!(answer.ends_with("try again later\"}"), "{answer}");
    }
    assert_eq!(connections.refused(ConnectionBound::Total), 3);
    assert_eq!(connections.refused(ConnectionBound::PerAddress), 0);
    drop(crowd);
    until(|| connections.open() == 0).await;
    let answer = ask(address, REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until(|| connections.open() == 0).await;
}
