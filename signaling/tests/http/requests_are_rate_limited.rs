//! 429 for an address that asks too often.

use spillway_signaling::{Config, RequestRate};

use crate::{
    client::{get, request},
    server::{Server, start_with, whep},
};

async fn start_with_burst(burst: u32) -> Server {
    start_with(Config {
        requests: RequestRate {
            burst,
            per_second: 0.1,
            addresses: 100,
        },
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..Config::default()
    })
    .await
}

#[tokio::test]
async fn beyond_the_burst_is_429_with_retry_after() {
    let server = start_with_burst(2).await;
    assert_eq!(server.send(whep("demo")).await.status, 201);
    assert_eq!(server.send(whep("demo")).await.status, 201);
    let reply = server.send(whep("demo")).await;
    reply.problem(429);
    let wait: u64 = reply.get("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
}

#[tokio::test]
async fn what_writes_counts_and_what_reads_does_not() {
    let server = start_with_burst(4).await;
    for _ in 0..10 {
        assert_eq!(server.send(get("/whep/demo")).await.status, 204);
        assert_eq!(
            server.send(request("OPTIONS", "/whep/demo")).await.status,
            200
        );
    }
    for method in ["POST", "PATCH", "DELETE", "PUT"] {
        assert_ne!(
            server.send(request(method, "/whep/demo/x")).await.status,
            429,
            "{method}"
        );
    }
    for method in ["POST", "PATCH", "DELETE", "PUT"] {
        server
            .send(request(method, "/whep/demo/x"))
            .await
            .problem(429);
    }
}

#[tokio::test]
async fn each_client_behind_a_proxy_has_its_own_bucket() {
    let server = start_with_burst(1).await;
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8:1::1", "2001:db8:2::1"] {
        let reply = server
            .send(whep("demo").header("X-Forwarded-For", client))
            .await;
        assert_eq!(reply.status, 201, "{client}");
    }
    let neighbour = whep("demo").header("X-Forwarded-For", "2001:db8:1::2");
    server.send(neighbour).await.problem(429);
}
