//! Blocking reloads and hinted parts.

use std::time::{Duration, Instant};

use spillway_hls::origin::Limits;

use crate::{
    broadcast::Broadcast,
    server::{Server, attribute, lines},
};

/// Long enough for a request to have arrived.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn a_reload_waits_for_its_part_and_gets_the_whole_playlist() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 6);
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("720p/index.m3u8?_HLS_msn=1001&_HLS_part=1");
    a_moment().await;
    broadcast.push(5);
    a_moment().await;
    assert!(!waiting.is_finished());
    broadcast.push(1);
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert!(playlist.contains("1001.1.m4s") && playlist.contains("\n1000.m4s"));
}

#[tokio::test]
async fn a_reload_without_part_waits_for_the_whole_segment() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 6);
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("audio/index.m3u8?_HLS_msn=1001");
    a_moment().await;
    assert!(!waiting.is_finished());
    broadcast.push(24);
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert!(playlist.contains("\n1001.m4s"));
}

#[tokio::test]
async fn what_is_there_is_answered_at_once() {
    let mut broadcast = Broadcast::new();
    broadcast.push(60 + 6);
    let server = Server::with(&broadcast.presentation).await;
    for directives in [
        "_HLS_msn=1001",
        "_HLS_msn=1002&_HLS_part=0",
        "_HLS_msn=1000&_HLS_part=77",
    ] {
        assert_eq!(
            server
                .status(&format!("720p/index.m3u8?{directives}"))
                .await,
            200
        );
    }
}

#[tokio::test]
async fn a_part_past_its_segments_end_is_the_first_of_the_next() {
    let mut broadcast = Broadcast::new();
    broadcast.push(60);
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("720p/index.m3u8?_HLS_msn=1001&_HLS_part=5");
    a_moment().await;
    assert!(!waiting.is_finished());
    broadcast.push(6);
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert!(playlist.contains("1002.0.m4s"));
}

#[tokio::test]
async fn bad_directives_are_400() {
    let mut broadcast = Broadcast::new();
    broadcast.push(60 + 12);
    let server = Server::with(&broadcast.presentation).await;
    for directives in [
        "_HLS_part=1",
        "_HLS_msn=x",
        "_HLS_msn=1004",
        // The last part is 1002.1, and 3 s are 15 parts.
        "_HLS_msn=1002&_HLS_part=17",
        "_HLS_msn=1003&_HLS_part=15",
        "_HLS_skip=please",
    ] {
        assert_eq!(
            server
                .status(&format!("720p/index.m3u8?{directives}"))
                .await,
            400,
            "{directives}"
        );
    }
}

#[tokio::test]
async fn who_waited_for_three_target_durations_gets_503() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30);
    let server = Server::with(&broadcast.presentation).await;
    let began = Instant::now();
    let (playlist, part) = tokio::join!(
        server.status("720p/index.m3u8?_HLS_msn=1001&_HLS_part=0"),
        server.status("720p/1001.0.m4s"),
    );
    assert_eq!((playlist.as_u16(), part.as_u16()), (503, 503));
    assert!((3.0..5.0).contains(&began.elapsed().as_secs_f64()));
}

#[tokio::test]
async fn an_ended_playlist_ignores_directives() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 * 9 + 6);
    let presentation = broadcast.finish();
    let server = Server::with(&presentation).await;
    let plain = server.text("720p/index.m3u8").await;
    assert!(plain.ends_with("#EXT-X-ENDLIST\n") && !plain.contains("PRELOAD-HINT"));
    for directives in [
        "_HLS_msn=5000",
        "_HLS_msn=1009&_HLS_part=3",
        "_HLS_skip=YES",
    ] {
        assert_eq!(
            server.text(&format!("720p/index.m3u8?{directives}")).await,
            plain,
            "{directives}"
        );
    }
}

#[tokio::test]
async fn the_end_is_told_to_those_who_wait() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 3);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.start("720p/index.m3u8?_HLS_msn=1001&_HLS_part=1");
    let hinted = server.start("720p/1001.0.m4s");
    a_moment().await;
    broadcast.finish();
    let (status, text) = playlist.await.unwrap();
    assert_eq!(status, 200);
    assert!(text.contains("#EXTINF:0.100000,\n1001.m4s\n#EXT-X-ENDLIST\n"));
    assert_eq!(hinted.await.unwrap().0, 200);
}

#[tokio::test]
async fn the_hinted_part_is_answered_when_it_is_complete_and_other_future_ones_are_unknown() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 7);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("720p/index.m3u8").await;
    let hint = attribute(lines(&playlist, "#EXT-X-PRELOAD-HINT:")[0], "URI").unwrap();
    assert_eq!(hint, "1001.1.m4s");
    let url = server.url(&format!("720p/{hint}"));
    let client = server.client.clone();
    let waiting =
        tokio::spawn(async move { client.get(url).send().await.unwrap().bytes().await.unwrap() });
    a_moment().await;
    assert!(!waiting.is_finished());
    assert_eq!(server.status("720p/1001.2.m4s").await, 404);
    assert_eq!(server.status("720p/1002.1.m4s").await, 404);
    assert_eq!(server.status("720p/1003.m4s").await, 404);
    broadcast.push(5);
    assert_eq!(
        waiting.await.unwrap(),
        server.bytes("720p/1001.1.m4s").await
    );
}

#[tokio::test]
async fn a_hint_that_doesnt_come_true_is_404() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 24);
    let server = Server::with(&broadcast.presentation).await;
    let waiting = server.start("720p/1001.4.m4s");
    a_moment().await;
    // The next segment begins earlier than was announced: right where the last part ended.
    broadcast.video.begin_segment(1002, 54).unwrap();
    assert_eq!(waiting.await.unwrap().0, 404);
}

#[tokio::test]
async fn more_requests_than_may_wait_are_sent_away() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30);
    let server = Server::limited(Limits {
        waiting: 2,
        ..Limits::default()
    })
    .await;
    server
        .origin
        .publish("demo", &broadcast.presentation)
        .unwrap();
    let url = "720p/index.m3u8?_HLS_msn=1001&_HLS_part=0";
    let waiting = [server.start(url), server.start(url)];
    a_moment().await;
    let refused = server.get(url).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    broadcast.push(6);
    for request in waiting {
        assert_eq!(request.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn five_hundred_who_wait_for_the_same_part_are_all_woken() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30);
    let server = Server::with(&broadcast.presentation).await;
    let waiting: Vec<_> = (0..500)
        .map(|_| server.start("720p/index.m3u8?_HLS_msn=1001&_HLS_part=0"))
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    broadcast.push(6);
    let published = Instant::now();
    for request in waiting {
        assert_eq!(request.await.unwrap().0, 200);
    }
    // One machine does the clients' work too, and may be busy with other tests.
    assert!(
        published.elapsed() < Duration::from_secs(2),
        "{:?}",
        published.elapsed()
    );
}
