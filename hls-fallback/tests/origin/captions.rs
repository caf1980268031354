//! Captions as a rendition of subtitles.

use spillway_hls::{
    captions::Cue,
    origin::{AddRenditionError, CaptionWriter},
};

use crate::{
    broadcast::{Broadcast, video_info},
    ffmpeg::{ffmpeg, run},
    server::{Server, attribute, header, lines},
};

fn say(captions: &CaptionWriter, seconds: u64, text: &str) {
    captions.show(Cue {
        start: seconds * 1_000_000,
        end: seconds * 1_000_000 + 1_500_000,
        text: text.to_owned(),
    });
}

/// Of two seconds, with captions.
fn broadcast() -> (Broadcast, CaptionWriter) {
    let mut broadcast = Broadcast::new();
    let captions = broadcast.presentation.add_captions("en".parse().unwrap());
    broadcast.push_seconds(2);
    (broadcast, captions)
}

#[tokio::test]
async fn the_multivariant_playlists_lead_to_them() {
    let (broadcast, _captions) = broadcast();
    let server = Server::with(&broadcast.presentation).await;
    for (playlist, file) in [
        ("index.m3u8", "captions/index.m3u8"),
        ("plain.m3u8", "captions/plain.m3u8"),
    ] {
        let text = server.text(playlist).await;
        let media = lines(&text, "#EXT-X-MEDIA:TYPE=SUBTITLES,");
        assert_eq!(media.len(), 1, "{text}");
        assert_eq!(attribute(media[0], "GROUP-ID"), Some("captions"));
        assert_eq!(attribute(media[0], "LANGUAGE"), Some("en"));
        assert_eq!(attribute(media[0], "URI"), Some(file));
        let variants = lines(&text, "#EXT-X-STREAM-INF:");
        assert_eq!(variants.len(), 2);
        for variant in variants {
            assert_eq!(attribute(variant, "SUBTITLES"), Some("captions"));
        }
    }
    let without = Server::with(&{
        let mut broadcast = Broadcast::new();
        broadcast.push_seconds(2);
        broadcast.finish()
    })
    .await;
    assert!(!without.text("index.m3u8").await.contains("SUBTITLES"));
    assert_eq!(without.status("captions/index.m3u8").await, 404);
    assert_eq!(without.status("captions/1000.vtt").await, 404);
    let taken = broadcast.presentation.add_rendition(video_info("captions"));
    assert!(matches!(taken, Err(AddRenditionError::Taken(_))));
}

#[tokio::test]
async fn a_cue_is_shown_from_the_end_of_what_there_is_in_all_segments_that_it_reaches_into() {
    let (mut broadcast, captions) = broadcast();
    broadcast.push(24);
    say(&captions, 1, "said at <one>");
    say(&captions, 2, "and after");
    broadcast.push_seconds(4);
    let server = Server::with(&broadcast.presentation).await;
    let cues = async |number: u64| {
        let text = server.text(&format!("captions/{number}.vtt")).await;
        assert!(
            text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:"),
            "{text}"
        );
        let times = text.lines().filter(|line| line.contains(" --> "));
        times.map(str::to_owned).collect::<Vec<_>>()
    };
    // The sound has come to 132 frames of AAC.
    let first = "00:00:02.816 --> 00:00:04.316";
    let second = "00:00:04.316 --> 00:00:05.816";
    assert_eq!(cues(1001).await, [] as [&str; 0]);
    assert_eq!(cues(1002).await, [first]);
    assert_eq!(cues(1003).await, [first]);
    assert_eq!(cues(1004).await, [first, second]);
    assert_eq!(cues(1005).await, [second]);
    let text = server.text("captions/1002.vtt").await;
    assert!(text.ends_with("\nsaid at &lt;one&gt;\n"), "{text}");
}

#[tokio::test]
async fn their_playlist_has_the_segments_of_the_sound_and_can_be_waited_for() {
    let (mut broadcast, _captions) = broadcast();
    broadcast.presentation.discontinuity(1002);
    broadcast.push(36);
    let server = Server::with(&broadcast.presentation).await;
    let sound = server.text("audio/index.m3u8").await;
    let text = server.text("captions/index.m3u8").await;
    for tag in [
        "#EXT-X-TARGETDURATION:",
        "#EXT-X-SERVER-CONTROL:",
        "#EXT-X-MEDIA-SEQUENCE:",
        "#EXT-X-DISCONTINUITY-SEQUENCE:",
        "#EXTINF:",
    ] {
        assert_eq!(lines(&text, tag), lines(&sound, tag), "{tag}");
    }
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    let dates = lines(&text, "#EXT-X-PROGRAM-DATE-TIME:");
    let those_of_sound = lines(&sound, "#EXT-X-PROGRAM-DATE-TIME:");
    assert_eq!(dates, those_of_sound[..dates.len()]);
    assert!(!text.contains("EXT-X-PART"));

    let waiting = server.start("captions/index.m3u8?_HLS_msn=1003");
    broadcast.push(30);
    let (status, text) = waiting.await.unwrap();
    assert_eq!(status, 200);
    assert!(text.ends_with("1003.vtt\n"), "{text}");
    let segment = server.get("captions/1003.vtt").await;
    assert_eq!(
        header(&segment, "content-type"),
        Some("text/vtt; charset=utf-8")
    );
    assert_eq!(
        header(&segment, "cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(server.status("captions/1004.vtt").await, 404);
    assert_eq!(server.status("captions/1003.m4s").await, 404);
}

#[tokio::test]
async fn they_end_with_the_broadcast_and_leave_with_the_window() {
    let (mut broadcast, captions) = broadcast();
    broadcast.push_seconds(80);
    say(&captions, 70, "late");
    let presentation = broadcast.finish();
    let server = Server::with(&presentation).await;
    let sound = server.text("audio/index.m3u8").await;
    let text = server.text("captions/index.m3u8").await;
    assert_eq!(
        lines(&text, "#EXT-X-MEDIA-SEQUENCE:"),
        lines(&sound, "#EXT-X-MEDIA-SEQUENCE:")
    );
    assert!(text.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(server.status("captions/1000.vtt").await, 404);
}

#[tokio::test]
async fn ffmpeg_reads_them() {
    let ffmpeg = ffmpeg();
    let (mut broadcast, captions) = broadcast();
    say(&captions, 1, "a first cue");
    say(&captions, 1, "a < second");
    broadcast.push_seconds(5);
    let presentation = broadcast.finish();
    let server = Server::with(&presentation).await;
    let url = server.url("captions/index.m3u8");
    let text = tokio::task::spawn_blocking(move || {
        run(&ffmpeg, &["-i", &url, "-f", "webvtt", "-"]).stdout
    });
    let text = String::from_utf8(text.await.unwrap()).unwrap();
    assert!(text.contains("a first cue"), "{text}");
    assert!(text.contains("second"), "{text}");
}
