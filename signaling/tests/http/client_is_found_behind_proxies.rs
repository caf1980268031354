//! Whose address the platform is told.

use spillway_signaling::{Config, ForwardedHeader};

use crate::server::{start, start_with, whep};

#[tokio::test]
async fn forwarded_headers_of_strangers_are_ignored() {
    let server = start().await;
    let watch = whep("demo")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("Forwarded", "for=192.0.2.1");
    server.send(watch).await;
    assert_eq!(server.last_caller().address.to_string(), "127.0.0.1");
}

#[tokio::test]
async fn a_configured_proxy_names_the_client() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let server = start_with(config).await;
    server
        .send(whep("demo").header("X-Forwarded-For", "6.6.6.6, 192.0.2.1"))
        .await;
    assert_eq!(server.last_caller().address.to_string(), "192.0.2.1");
}

#[tokio::test]
async fn rfc_7239_is_understood() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        forwarded_header: ForwardedHeader::Forwarded,
        ..Config::default()
    };
    let server = start_with(config).await;
    server
        .send(whep("demo").header("Forwarded", "for=\"[2001:db8::7]:99\""))
        .await;
    assert_eq!(server.last_caller().address.to_string(), "2001:db8::7");
}

#[tokio::test]
async fn the_user_agent_is_cut() {
    let server = start().await;
    server
        .send(whep("demo").header("User-Agent", &"x".repeat(1000)))
        .await;
    assert_eq!(server.last_caller().user_agent.unwrap().len(), 256);
}
