//! The load test's players against the origin: they count what happens, no more and no less.

use std::time::Duration;

use spillway_loadtest::hls::{self, Options, report::Report};
use tokio::{task::LocalSet, time::interval};

use crate::{broadcast::Broadcast, server::Server};

const PLAYERS: usize = 20;
const PART_FRAMES: u64 = 6;

fn options(server: &Server, no_hints: bool) -> Options {
    Options {
        url: server.url("index.m3u8").parse().unwrap(),
        clients: PLAYERS,
        rate: 100.0,
        settle: Duration::from_millis(1_500),
        duration: Duration::from_secs(3),
        rendition: "720p".parse().unwrap(),
        no_hints,
        token: None,
        sources: None,
        server_pid: Some(std::process::id()),
        json: None,
    }
}

/// A part every 200 ms, but for a pause of so long 2.5 s after the beginning.
async fn broadcast(mut broadcast: Broadcast, pause: Duration) {
    let mut ticks = interval(Duration::from_millis(200));
    for part in 0u32.. {
        ticks.tick().await;
        if part == 12 {
            tokio::time::sleep(pause).await;
            ticks.reset();
        }
        broadcast.push(PART_FRAMES);
    }
}

async fn play(no_hints: bool, pause: Duration) -> Report {
    let mut beginning = Broadcast::new();
    beginning.push_seconds(3);
    let server = Server::with(&beginning.presentation).await;
    let options = options(&server, no_hints);
    let local = LocalSet::new();
    local.spawn_local(broadcast(beginning, pause));
    local.run_until(hls::measure(&options)).await.unwrap()
}

#[tokio::test]
async fn players_play_without_a_stall() {
    for no_hints in [false, true] {
        let report = play(no_hints, Duration::ZERO).await;
        assert_eq!(report.playing, PLAYERS as u64, "{report:?}");
        assert_eq!(
            (report.never_began, report.stalls.count),
            (0, 0),
            "{report:?}"
        );
        assert_eq!((report.missed, report.broken), (0, 0), "{report:?}");
        assert!(report.failures.is_empty(), "{report:?}");
        // 15 parts of video and of sound each.
        let parts = report.media.requests as usize;
        assert!((PLAYERS * 26..=PLAYERS * 34).contains(&parts), "{report:?}");
        assert_eq!(report.delivery_ms.count as usize, parts);
        assert!(report.server.is_some_and(|cost| cost.cores > 0.0));
    }
}

#[tokio::test]
async fn a_pause_of_the_broadcast_is_a_stall_of_everybody() {
    let report = play(false, Duration::from_millis(1_500)).await;
    let stalls = report.stalls;
    assert_eq!(
        (stalls.count, stalls.players),
        (PLAYERS as u64, PLAYERS as u64),
        "{report:?}"
    );
    // What was held back, 600 ms and what came before it was needed, played on meanwhile.
    assert!((0.5..1.5).contains(&stalls.longest), "{report:?}");
    assert_eq!(report.never_began, 0);
}
