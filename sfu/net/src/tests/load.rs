use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use spillway_sfu::{Accepted, LayerSelection, Reject, WatchRequest};

use super::*;

async fn watch(media: &Media) -> Result<Accepted, Reject> {
    media
        .watch(WatchRequest {
            channel: "demo".parse().unwrap(),
            offer: "good".into(),
            wait: true,
            for_others: false,
            selection: LayerSelection::default(),
        })
        .await
}

fn send(socket: &UdpSocket, media: &Media, text: &str) {
    socket
        .send_to(text.as_bytes(), on_loopback(port(media, 0)))
        .unwrap();
}

#[tokio::test]
async fn a_late_worker_takes_no_viewers_until_it_is_in_time_again() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    assert!(watch(&media).await.is_ok());
    send(&socket, &media, "busy 3000");
    send(&socket, &media, "echo");
    receive(&socket);
    let late = media.statistics().await.unwrap()[0].clone();
    assert!(late.lag > Duration::from_millis(100), "{late:?}");
    assert!(late.busy > Duration::from_secs(3), "{late:?}");
    let refused = watch(&media).await.unwrap_err();
    assert!(matches!(&refused, Reject::Overloaded(why) if why.contains("limits.worker_lag")));
    let began = Instant::now();
    while watch(&media).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "it stays late");
    }
}

#[tokio::test]
async fn a_moments_lateness_turns_nobody_away() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    send(&socket, &media, "busy 400");
    send(&socket, &media, "echo");
    receive(&socket);
    let late = media.statistics().await.unwrap()[0].lag;
    assert!(late > Duration::from_millis(100), "{late:?}");
    assert!(watch(&media).await.is_ok());
}

#[tokio::test]
async fn what_came_while_a_worker_was_busy_is_read_before_any_of_it_is_sent_on() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    send(&socket, &media, "busy 200");
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..100 {
        send(&socket, &media, "echo");
    }
    for _ in 0..100 {
        receive(&socket);
    }
    let engine = media.statistics().await.unwrap()[0].engine;
    assert!(engine.most_read > 40, "{engine:?}");
}

#[tokio::test]
async fn a_worker_that_does_not_get_through_hurries() {
    let (media, _events) = start(&config(1));
    let socket = client(Ipv4Addr::LOCALHOST);
    assert!(!media.statistics().await.unwrap()[0].engine.hurried);
    send(&socket, &media, "busy 200");
    std::thread::sleep(Duration::from_millis(50));
    // More than it reads at once, and longer than may wait.
    for _ in 0..100 {
        send(&socket, &media, "busy 5");
    }
    send(&socket, &media, "echo");
    receive(&socket);
    assert!(media.statistics().await.unwrap()[0].engine.hurried);
    send(&socket, &media, "echo");
    receive(&socket);
    assert!(!media.statistics().await.unwrap()[0].engine.hurries);
}
