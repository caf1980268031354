//! Plain HLS of the same media.

use crate::{
    broadcast::{Broadcast, h264, settings},
    server::{Server, lines, seconds},
};

fn two_second_segments() -> Broadcast {
    Broadcast::with(
        spillway_hls::origin::Settings {
            target_duration: 2,
            ..settings()
        },
        1000,
    )
}

fn uris(playlist: &str) -> Vec<&str> {
    playlist
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect()
}

#[tokio::test]
async fn segments_of_four_to_six_seconds_are_listed_without_parts() {
    let mut broadcast = two_second_segments();
    broadcast.push_seconds(15);
    let server = Server::with(&broadcast.presentation).await;
    let master = server.text("plain.m3u8").await;
    assert!(master.contains("\n720p/plain.m3u8\n") && master.contains("URI=\"audio/plain.m3u8\""));
    for rendition in ["720p", "audio"] {
        let playlist = server.text(&format!("{rendition}/plain.m3u8")).await;
        let uris = uris(&playlist);
        assert_eq!(
            uris,
            ["1000-1001.m4s", "1002-1003.m4s", "1004-1005.m4s"],
            "{rendition}"
        );
        assert_eq!(lines(&playlist, "#EXT-X-TARGETDURATION:"), ["6"]);
        assert!(
            lines(&playlist, "#EXTINF:")
                .iter()
                .all(|line| (3.9..6.1).contains(&seconds(line)))
        );
        assert!(!playlist.contains("PART") && !playlist.contains("SERVER-CONTROL"));
        let mut halves = server.bytes(&format!("{rendition}/1002.m4s")).await;
        halves.extend(server.bytes(&format!("{rendition}/1003.m4s")).await);
        assert_eq!(
            server.bytes(&format!("{rendition}/1002-1003.m4s")).await,
            halves
        );
    }
    assert_eq!(
        server.status("720p/1001-1002.m4s").await,
        404,
        "no playlist has it"
    );
}

#[tokio::test]
async fn a_discontinuity_is_never_within_a_segment_and_the_end_is_listed() {
    let mut broadcast = two_second_segments();
    broadcast.push_seconds(6);
    broadcast.video.start(h264(640, 360)).unwrap();
    broadcast.push_seconds(5);
    let server = Server::with(&broadcast.presentation).await;
    broadcast.finish();
    let playlist = server.text("720p/plain.m3u8").await;
    let uris = uris(&playlist);
    assert_eq!(
        uris,
        [
            "1000-1001.m4s",
            "1002-1002.m4s",
            "1003-1004.m4s",
            "1005-1005.m4s"
        ]
    );
    assert!(playlist.contains("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-1003.mp4\"\n"));
    assert!(playlist.ends_with("1005-1005.m4s\n#EXT-X-ENDLIST\n"));
}
