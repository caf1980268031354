use spillway_sfu::{Reject, WatchRequest, WorkerId};

use super::*;

fn watch() -> WatchRequest {
    WatchRequest {
        channel: "demo".parse().unwrap(),
        offer: String::new(),
        selection: spillway_sfu::LayerSelection::default(),
        wait: true,
        for_others: false,
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
async fn a_worker_that_breaks_off_is_known_to_be_gone() {
    let (media, _events) = start(&config(2));
    let breaking = WatchRequest {
        offer: "broken".into(),
        ..watch()
    };
    assert!(media.is_healthy());
    assert!(matches!(
        media.watch(breaking).await,
        Err(Reject::Overloaded(_))
    ));
    let gone = async {
        while media.is_healthy() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let running: Vec<_> = (0..3)
        .filter(|worker| media.is_running(WorkerId(*worker)))
        .collect();
    assert_eq!(running.len(), 1, "{running:?}");
    let accepted = media.watch(watch()).await.unwrap();
    assert_eq!(accepted.session.worker.0, running[0]);
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
