//! Which part is hinted, what is held until it's there, and what can come no more.

use std::time::Duration;

use crate::{
    broadcast::{Broadcast, FIRST, PART_FRAMES, picture, settings},
    server::{Server, attribute, header, lines},
};

const FRAMES: u64 = PART_FRAMES as u64;

/// A broadcast of which nobody knows where its segments end, as of a source that is passed through: each is announced with its
/// keyframe.
struct Unforeseen {
    broadcast: Broadcast,
    frame: u64,
    number: u64,
}

impl Unforeseen {
    /// The first segment has five parts, and is whole.
    fn new() -> Self {
        let mut unforeseen = Self {
            broadcast: Broadcast::with(settings(), FIRST),
            frame: 0,
            number: FIRST,
        };
        unforeseen.segment(5);
        unforeseen
    }

    fn parts(&mut self, parts: u64) {
        for _ in 0..parts * FRAMES {
            let picture = picture(self.frame, false);
            self.broadcast.video.push(picture).unwrap();
            self.frame += 1;
        }
    }

    /// A segment begins with a keyframe, and has a part.
    fn begin(&mut self) {
        let video = &mut self.broadcast.video;
        video.begin_segment(self.number, self.frame).unwrap();
        self.number += 1;
        video.push(picture(self.frame, true)).unwrap();
        self.frame += 1;
        for _ in 1..FRAMES {
            video.push(picture(self.frame, false)).unwrap();
            self.frame += 1;
        }
    }

    /// A whole one.
    fn segment(&mut self, parts: u64) {
        self.begin();
        self.parts(parts - 1);
    }

    async fn serve(&self) -> Server {
        Server::with(&self.broadcast.presentation).await
    }
}

async fn hint(server: &Server) -> String {
    let playlist = server.text("720p/index.m3u8").await;
    let line = lines(&playlist, "#EXT-X-PRELOAD-HINT:")[0];
    attribute(line, "URI").unwrap().to_owned()
}

#[tokio::test]
async fn a_segment_with_as_many_parts_as_the_one_before_it_is_taken_to_end() {
    let mut broadcast = Unforeseen::new();
    broadcast.begin();
    let server = broadcast.serve().await;
    assert_eq!(hint(&server).await, "1001.1.m4s");
    broadcast.parts(3);
    assert_eq!(hint(&server).await, "1001.4.m4s");
    broadcast.parts(1);
    // Its end isn't known yet.
    let playlist = server.text("720p/index.m3u8").await;
    assert!(playlist.contains("1001.4.m4s") && !playlist.contains("\n1001.m4s"));
    assert_eq!(hint(&server).await, "1002.0.m4s");
    broadcast.begin();
    assert_eq!(hint(&server).await, "1002.1.m4s");
}

#[tokio::test]
async fn a_segment_that_goes_on_all_the_same_has_its_parts_listed_and_the_next_one_hinted() {
    let mut broadcast = Unforeseen::new();
    broadcast.segment(6);
    let server = broadcast.serve().await;
    let playlist = server.text("720p/index.m3u8").await;
    assert!(playlist.contains("URI=\"1001.5.m4s\""));
    assert_eq!(hint(&server).await, "1002.0.m4s");
    // The next one is taken to have as many.
    broadcast.segment(5);
    assert_eq!(hint(&server).await, "1002.5.m4s");
}

#[tokio::test]
async fn where_the_end_was_announced_the_parts_up_to_it_are_hinted() {
    let mut broadcast = Unforeseen::new();
    broadcast.begin();
    let next = broadcast.frame - FRAMES + 7 * FRAMES;
    broadcast
        .broadcast
        .video
        .begin_segment(FIRST + 2, next)
        .unwrap();
    let server = broadcast.serve().await;
    broadcast.parts(4);
    assert_eq!(hint(&server).await, "1001.5.m4s");
    broadcast.parts(1);
    assert_eq!(hint(&server).await, "1001.6.m4s");
    broadcast.parts(1);
    assert_eq!(hint(&server).await, "1002.0.m4s");
}

#[tokio::test]
async fn the_next_part_and_the_next_segments_first_are_both_held_until_they_are_there() {
    let mut broadcast = Unforeseen::new();
    broadcast.segment(5);
    let server = broadcast.serve().await;
    let next = server.start("720p/1001.5.m4s");
    let first = server.start("720p/1002.0.m4s");
    // Nothing else of the future is.
    assert_eq!(server.status("720p/1001.6.m4s").await, 404);
    assert_eq!(server.status("720p/1002.1.m4s").await, 404);
    assert_eq!(server.status("720p/1003.0.m4s").await, 404);
    assert!(!next.is_finished() && !first.is_finished());
    broadcast.parts(1);
    assert_eq!(next.await.unwrap().0, 200);
    assert!(!first.is_finished());
    broadcast.begin();
    assert_eq!(first.await.unwrap().0, 200);
}

#[tokio::test]
async fn a_part_that_can_come_no_more_is_a_404_that_caches_may_keep() {
    let mut broadcast = Unforeseen::new();
    broadcast.segment(5);
    let server = broadcast.serve().await;
    let url = server.url("720p/1001.5.m4s");
    let client = server.client.clone();
    let waiting = tokio::spawn(async move { client.get(url).send().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    broadcast.begin();
    let mut answers = vec![(waiting.await.unwrap(), "public, max-age=6")];
    for (path, caching) in [
        ("720p/1001.5.m4s", "public, max-age=6"),
        ("720p/1000.99.m4s", "public, max-age=6"),
        // Older than what there is.
        ("720p/999.0.m4s", "public, max-age=6"),
        ("720p/999.m4s", "public, max-age=6"),
        // They may come, or nobody knows.
        ("720p/1002.2.m4s", "no-cache"),
        ("720p/1003.1.m4s", "no-cache"),
        ("720p/1004.m4s", "no-cache"),
        ("480p/1000.0.m4s", "no-cache"),
    ] {
        answers.push((server.get(path).await, caching));
    }
    for (answer, caching) in answers {
        let path = answer.url().path().to_owned();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(header(&answer, "cache-control"), Some(caching), "{path}");
    }
}
