use spillway_sfu::{Reject, WatchRequest};

use super::*;

fn watch() -> WatchRequest {
    WatchRequest {
        channel: "demo".parse().unwrap(),
        offer: String::new(),
        layer: None,
        wait: true,
    }
}

#[tokio::test]
async fn shutdown_ends_the_sessions_frees_the_ports_and_refuses_what_comes_later() {
    let (media, mut events) = start(&config(2));
    let ports = [port(&media, 0), port(&media, 1)];
    for _ in 0..4 {
        media.watch(watch()).await.unwrap();
    }
    media.shutdown(PATIENCE).await.unwrap();
    let mut ended = 0;
    while let Some(event) = events.recv().await {
        assert!(matches!(event, Event::Ended { .. }));
        ended += 1;
    }
    assert_eq!(ended, 4);
    for port in ports {
        UdpSocket::bind(on_loopback(port)).unwrap();
    }
    assert!(matches!(
        media.watch(watch()).await,
        Err(Reject::Overloaded(_))
    ));
    assert!(!media.is_healthy());
    media.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn workers_end_with_the_last_handle() {
    let (media, mut events) = start(&config(2));
    let clone = media.clone();
    drop(media);
    clone.watch(watch()).await.unwrap();
    drop(clone);
    let all = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}
