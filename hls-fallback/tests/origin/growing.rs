//! Segments that are asked for before they are whole, as players of DASH do.

use std::time::Duration;

use futures_util::StreamExt as _;
use spillway_hls::origin::Limits;

use crate::{
    broadcast::Broadcast,
    server::{Server, header},
};

#[tokio::test]
async fn a_segment_is_sent_as_it_grows_and_ends_whole() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 6);
    let server = Server::with(&broadcast.presentation).await;
    let growing = server.get("720p/1001.m4s").await;
    assert_eq!(growing.status(), 200);
    assert_eq!(header(&growing, "content-length"), None);
    let mut growing = growing.bytes_stream();
    let mut all = Vec::new();
    for index in 0..5 {
        // It comes while the next part isn't there yet.
        let part = server.bytes(&format!("720p/1001.{index}.m4s")).await;
        let until = all.len() + part.len();
        while all.len() < until {
            all.extend(growing.next().await.unwrap().unwrap());
        }
        assert!(all.ends_with(&part));
        broadcast.push(6);
    }
    assert!(growing.next().await.is_none());
    assert_eq!(all, server.bytes("720p/1001.m4s").await);
}

#[tokio::test]
async fn the_next_segment_is_answered_when_it_has_a_part() {
    let mut broadcast = Broadcast::new();
    broadcast.push(60);
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("720p/1002.m4s");
    assert_eq!(server.status("720p/1003.m4s").await, 404);
    assert!(!waiting.is_finished());
    broadcast.push(30);
    assert_eq!(waiting.await.unwrap().0, 200);
}

#[tokio::test]
async fn who_reads_a_segment_that_breaks_off_is_told() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 6);
    let server = Server::with(&broadcast.presentation).await;
    let mut growing = server.get("720p/1001.m4s").await.bytes_stream();
    growing.next().await.unwrap().unwrap();
    drop(broadcast);
    // What was on its way still comes.
    while growing.next().await.unwrap().is_ok() {}
}

#[tokio::test]
async fn a_growing_segment_takes_a_place_only_while_it_waits_and_gives_it_back() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 6);
    let limits = Limits {
        waiting: 1,
        ..Limits::default()
    };
    let server = Server::limited(limits).await;
    server
        .origin
        .publish("demo", &broadcast.presentation)
        .unwrap();
    let mut growing = server.get("720p/1001.m4s").await.bytes_stream();
    growing.next().await.unwrap().unwrap();
    // It waits for the second part now.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while server.status("720p/1001.1.m4s").await != 503 {
        assert!(tokio::time::Instant::now() < deadline);
    }
    drop(growing);
    let waiting = loop {
        let waiting = server.start("720p/1001.1.m4s");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !waiting.is_finished() {
            break waiting;
        }
        assert!(tokio::time::Instant::now() < deadline);
    };
    broadcast.push(6);
    assert_eq!(waiting.await.unwrap().0, 200);
}
