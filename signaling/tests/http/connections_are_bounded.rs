//! Clients that send slowly.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use spillway_signaling::{Config, bound_connections, router};
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

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
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

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection is still open");
}
