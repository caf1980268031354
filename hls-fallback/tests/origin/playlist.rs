//! What a media playlist says.

use crate::{
    broadcast::{Broadcast, FIRST, aac, h264, picture, sound, video_info},
    server::{Server, attribute, lines, seconds},
};

#[tokio::test]
async fn the_rules_of_the_server_are_the_same_in_all_playlists() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    let video = server.text("720p/index.m3u8").await;
    let audio = server.text("audio/index.m3u8").await;
    let control = lines(&video, "#EXT-X-SERVER-CONTROL:");
    assert_eq!(control, lines(&audio, "#EXT-X-SERVER-CONTROL:"));
    assert_eq!(attribute(control[0], "CAN-BLOCK-RELOAD"), Some("YES"));
    let longest_part = [&video, &audio].map(|playlist| {
        seconds(attribute(lines(playlist, "#EXT-X-PART-INF:")[0], "PART-TARGET").unwrap())
    });
    let hold_back = |name| seconds(attribute(control[0], name).unwrap());
    assert!(hold_back("PART-HOLD-BACK") >= 3.0 * longest_part[0].max(longest_part[1]));
    assert!(hold_back(",HOLD-BACK") >= 3.0);
    assert!(hold_back("CAN-SKIP-UNTIL") >= 6.0);
}

#[tokio::test]
async fn parts_are_at_most_the_part_target_and_at_least_85_percent_of_it() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(5);
    let server = Server::with(&broadcast.presentation).await;
    for rendition in ["720p", "audio"] {
        let playlist = server.text(&format!("{rendition}/index.m3u8")).await;
        let target =
            seconds(attribute(lines(&playlist, "#EXT-X-PART-INF:")[0], "PART-TARGET").unwrap());
        let mut parts = 0;
        let rows: Vec<_> = playlist.lines().collect();
        for (index, row) in rows.iter().enumerate() {
            let Some(part) = row.strip_prefix("#EXT-X-PART:") else {
                continue;
            };
            parts += 1;
            let duration = seconds(attribute(part, "DURATION").unwrap());
            assert!(duration <= target, "{rendition}: {part}");
            let last = rows[index + 1].starts_with("#EXTINF");
            assert!(last || duration >= 0.85 * target, "{rendition}: {part}");
        }
        assert!(parts >= 15, "{rendition}: {parts}");
    }
}

#[tokio::test]
async fn parts_older_than_three_target_durations_leave_the_playlist_and_their_files_stay() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(6);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("720p/index.m3u8").await;
    let parts: Vec<_> = lines(&playlist, "#EXT-X-PART:");
    let uris: Vec<_> = parts
        .iter()
        .map(|part| attribute(part, "URI").unwrap())
        .collect();
    assert_eq!(uris.first(), Some(&"1003.0.m4s"));
    assert_eq!(uris.last(), Some(&"1005.4.m4s"));
    assert_eq!(uris.len(), 15);
    assert_eq!(server.status("720p/1000.0.m4s").await, 200);
    let keyframes: Vec<_> = parts
        .iter()
        .filter(|part| part.contains("INDEPENDENT=YES"))
        .collect();
    assert_eq!(
        keyframes.len(),
        3,
        "the first part of each segment: {parts:?}"
    );
}

#[tokio::test]
async fn segments_older_than_the_window_leave_and_are_forgotten_three_target_durations_later() {
    let mut settings = crate::broadcast::settings();
    settings.window = std::time::Duration::from_secs(8);
    let mut broadcast = Broadcast::with(settings, FIRST);
    broadcast.push_seconds(20);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("720p/index.m3u8").await;
    assert_eq!(lines(&playlist, "#EXT-X-MEDIA-SEQUENCE:"), ["1012"]);
    assert_eq!(lines(&playlist, "#EXTINF:").len(), 8);
    assert_eq!(lines(&playlist, "#EXT-X-MAP:"), ["URI=\"init-1000.mp4\""]);
    assert_eq!(server.status("720p/init-1000.mp4").await, 200);
    assert_eq!(server.status("720p/1009.m4s").await, 200);
    assert_eq!(server.status("720p/1008.m4s").await, 404);
    assert_eq!(server.status("720p/1008.1.m4s").await, 404);
}

#[tokio::test]
async fn the_next_part_is_hinted_and_there_is_one_hint() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 13);
    let server = Server::with(&broadcast.presentation).await;
    let hints = |playlist: &str| -> Vec<String> {
        lines(playlist, "#EXT-X-PRELOAD-HINT:")
            .into_iter()
            .map(Into::into)
            .collect()
    };
    let playlist = server.text("720p/index.m3u8").await;
    assert_eq!(hints(&playlist), ["TYPE=PART,URI=\"1001.2.m4s\""]);
    // Where a segment ends is known, so the hint after its last part is the next one's first.
    broadcast.push(17);
    let playlist = server.text("720p/index.m3u8").await;
    assert_eq!(hints(&playlist), ["TYPE=PART,URI=\"1002.0.m4s\""]);
}

#[tokio::test]
async fn each_playlist_reports_how_far_each_other_one_is() {
    let mut broadcast = Broadcast::new();
    let mut small = broadcast
        .presentation
        .add_rendition(video_info("360p"))
        .unwrap();
    small.start(h264(640, 360)).unwrap();
    for (number, start) in [(FIRST, 0), (FIRST + 1, 30)] {
        small.begin_segment(number, start).unwrap();
    }
    for frame in 0..30 + 6 {
        small.push(picture(frame, frame % 30 == 0)).unwrap();
    }
    broadcast.push(30 + 12);
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("audio/index.m3u8").await;
    let mut reports = lines(&playlist, "#EXT-X-RENDITION-REPORT:");
    reports.sort_unstable();
    assert_eq!(
        reports,
        [
            "URI=\"../360p/index.m3u8\",LAST-MSN=1001,LAST-PART=0",
            "URI=\"../720p/index.m3u8\",LAST-MSN=1001,LAST-PART=1",
        ]
    );
}

#[tokio::test]
async fn program_date_time_is_the_nodes_clock_and_the_same_in_all_renditions() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(3);
    let server = Server::with(&broadcast.presentation).await;
    let video = server.text("720p/index.m3u8").await;
    assert_eq!(
        lines(&video, "#EXT-X-PROGRAM-DATE-TIME:"),
        [
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T00:00:01.000Z",
            "2026-01-01T00:00:02.000Z"
        ]
    );
    // Sound begins with the first AAC frame of a segment, up to 21 ms later, and says so.
    let audio = server.text("audio/index.m3u8").await;
    let dates = lines(&audio, "#EXT-X-PROGRAM-DATE-TIME:");
    assert_eq!(
        dates[..2],
        ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.003Z"]
    );
}

#[tokio::test]
async fn no_segment_rounds_to_more_than_the_target_duration() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(4);
    let server = Server::with(&broadcast.presentation).await;
    for rendition in ["720p", "audio"] {
        let playlist = server.text(&format!("{rendition}/index.m3u8")).await;
        let target = seconds(lines(&playlist, "#EXT-X-TARGETDURATION:")[0]);
        let durations = lines(&playlist, "#EXTINF:");
        assert!(
            durations
                .iter()
                .all(|duration| seconds(duration).round() <= target),
            "{durations:?}"
        );
    }
}

#[tokio::test]
async fn a_delta_update_skips_what_is_older_than_the_skip_boundary() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(10);
    let server = Server::with(&broadcast.presentation).await;
    let full = server.text("720p/index.m3u8").await;
    let delta = server.text("720p/index.m3u8?_HLS_skip=YES").await;
    assert_eq!(lines(&delta, "#EXT-X-SKIP:"), ["SKIPPED-SEGMENTS=4"]);
    assert_eq!(
        lines(&delta, "#EXT-X-MEDIA-SEQUENCE:"),
        lines(&full, "#EXT-X-MEDIA-SEQUENCE:")
    );
    assert_eq!(lines(&delta, "#EXTINF:").len(), 6);
    assert!(
        lines(&delta, "#EXT-X-MAP:").is_empty(),
        "it belongs to what was skipped"
    );
    let rest = |playlist: &str| playlist[playlist.find("#EXT-X-PART:").unwrap()..].to_owned();
    assert_eq!(rest(&delta), rest(&full));
}

#[tokio::test]
async fn a_playlist_with_nothing_to_skip_is_sent_whole() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(6);
    let server = Server::with(&broadcast.presentation).await;
    let full = server.text("720p/index.m3u8").await;
    assert_eq!(server.text("720p/index.m3u8?_HLS_skip=YES").await, full);
}

#[tokio::test]
async fn a_new_encoding_gives_a_discontinuity_in_all_renditions_and_a_new_map_in_its_own() {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(2);
    // It holds from the next segment on, which has been announced.
    broadcast.video.start(h264(640, 360)).unwrap();
    broadcast.push_seconds(2);
    let server = Server::with(&broadcast.presentation).await;
    let video = server.text("720p/index.m3u8").await;
    let audio = server.text("audio/index.m3u8").await;
    assert_eq!(
        lines(&video, "#EXT-X-MAP:"),
        ["URI=\"init-1000.mp4\"", "URI=\"init-1002.mp4\""]
    );
    assert_eq!(lines(&audio, "#EXT-X-MAP:"), ["URI=\"init-1000.mp4\""]);
    for playlist in [&video, &audio] {
        let at = playlist.find("#EXT-X-DISCONTINUITY\n").unwrap();
        assert!(
            playlist.find("\n1001.m4s").unwrap() < at && at < playlist.find("\n1002.m4s").unwrap()
        );
        assert_eq!(lines(playlist, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["500"]);
    }
    assert_ne!(
        server.bytes("720p/init-1000.mp4").await,
        server.bytes("720p/init-1002.mp4").await
    );
}

#[tokio::test]
async fn discontinuities_that_left_the_playlist_are_counted() {
    let mut settings = crate::broadcast::settings();
    settings.window = std::time::Duration::from_secs(6);
    let mut broadcast = Broadcast::with(settings, FIRST);
    for _ in 0..3 {
        broadcast.push_seconds(4);
        broadcast.audio.start(aac()).unwrap();
    }
    broadcast.push_seconds(12);
    let server = Server::with(&broadcast.presentation).await;
    for rendition in ["720p", "audio"] {
        let playlist = server.text(&format!("{rendition}/index.m3u8")).await;
        assert_eq!(
            lines(&playlist, "#EXT-X-DISCONTINUITY-SEQUENCE:"),
            ["503"],
            "{rendition}"
        );
        assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"));
    }
}

#[tokio::test]
async fn a_segment_that_ends_early_makes_a_short_last_part_and_a_gap_may_follow_a_new_start() {
    let mut broadcast = Broadcast::new();
    broadcast.push(30 + 9);
    // The publisher is gone, and back a second and a half later.
    for writer in [&mut broadcast.video, &mut broadcast.audio] {
        writer.begin_segment(FIRST + 2, 39 + 45).unwrap();
    }
    broadcast.video.start(h264(1280, 720)).unwrap();
    broadcast.audio.start(aac()).unwrap();
    for frame in 84..90 {
        broadcast.video.push(picture(frame, frame == 84)).unwrap();
    }
    for index in 132..141 {
        broadcast.audio.push(sound(index)).unwrap();
    }
    let server = Server::with(&broadcast.presentation).await;
    let playlist = server.text("720p/index.m3u8").await;
    assert!(
        playlist.contains("#EXT-X-PART:DURATION=0.100000,URI=\"1001.1.m4s\"\n#EXTINF:0.300000,\n")
    );
    assert!(playlist.contains(
        "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-1002.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:02.800Z\n"
    ));
}
