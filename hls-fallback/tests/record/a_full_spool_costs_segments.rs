use std::sync::Arc;

use object_store::local::LocalFileSystem;
use spillway_hls::record::{State, Storage};

use crate::{
    a_failing_storage_costs_nothing::Flaky,
    film,
    player::play,
    studio::{FakeNode, Take, eventually, film, recorder, until, until_over},
};

/// The storage is away for so long that the spool is full: what comes then is missing, and what came before and comes after isn't.
#[tokio::test(flavor = "multi_thread")]
async fn and_the_recording_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let media = folder.path().join("media");
    std::fs::create_dir(&media).unwrap();
    let store = Flaky::new(LocalFileSystem::new_with_prefix(&media).unwrap());
    let fake = FakeNode::default();
    let storage = Storage::new(Arc::new(store.clone()));
    let renditions = [("180p", film(320, 180, 10))];
    let sound = film::sound(10);
    let bytes: usize = [&renditions[0].1, &sound]
        .iter()
        .flat_map(|film| &film.samples)
        .map(|sample| sample.data.len())
        .sum();
    // About half of it.
    let limit = bytes as u64 / 2;
    let mut recorder = recorder(storage, &spool, limit, fake.start().await);
    store.fail(true);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    let mut take = Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 10,
        renditions: &renditions,
        sound: &sound,
    };
    take.record(&recording, true);
    let full = until(&mut status, "it says so", |s| {
        s.problem
            .as_ref()
            .is_some_and(|p| p.contains("segments missing"))
    })
    .await;
    assert_eq!(full.state, State::Recording);
    store.fail(false);
    eventually("the storage has what there was", || {
        media.join("vod/b1/180p/100.m4s").exists()
            && std::fs::read_dir(spool.join("b1/180p")).is_ok_and(|files| {
                files
                    .flatten()
                    .all(|f| f.path().extension().is_none_or(|e| e != "m4s"))
            })
    })
    .await;
    until(&mut status, "the storage works again", |s| {
        s.problem
            .as_ref()
            .is_none_or(|p| !p.contains("no space left"))
    })
    .await;
    (take.seconds_in, take.first_segment, take.seconds) = (20, 120, 4);
    take.record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!(over.state, State::Ready);
    let problem = over.problem.unwrap();
    assert!(problem.contains("segments missing"), "{problem}");
    let list = std::fs::read_to_string(media.join("vod/b1/180p/index.m3u8")).unwrap();
    assert!(
        list.contains("\n120.m4s") && list.contains("\n100.m4s"),
        "{list}"
    );
    let played = play(&media.join("vod/b1/video.mp4"));
    let seconds = over.duration_ms / 1_000;
    assert!((4..14).contains(&seconds), "{seconds}: {list}");
    // What is left of both is together: where one of the two is missing, the other's next is a second away.
    let mut together = 0;
    for flash in &played.flashes {
        let apart = played.beeps.iter().map(|beep| (flash - beep).abs());
        let nearest = apart.fold(f64::INFINITY, f64::min);
        assert!(
            !(0.04..0.5).contains(&nearest),
            "{flash} in {:?}",
            played.beeps
        );
        together += u32::from(nearest < 0.04);
    }
    assert!(together >= 2, "{played:?}");
}

/// The disk is full for a while: so long as one segment's file can't be written.
#[tokio::test(flavor = "multi_thread")]
async fn and_so_does_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let media = folder.path().join("media");
    std::fs::create_dir_all(spool.join("b1/180p")).unwrap();
    std::fs::create_dir(&media).unwrap();
    // What is written there finds no space.
    std::os::unix::fs::symlink("/dev/full", spool.join("b1/180p/101.m4s")).unwrap();
    let storage = Storage::new(Arc::new(LocalFileSystem::new_with_prefix(&media).unwrap()));
    let fake = FakeNode::default();
    let mut recorder = recorder(storage, &spool, 1 << 30, fake.start().await);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 6,
        renditions: &[("180p", film(320, 180, 6))],
        sound: &film::sound(6),
    }
    .record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!(over.state, State::Ready);
    assert_eq!(over.problem.as_deref(), Some("segments missing: 1"));
    let list = std::fs::read_to_string(media.join("vod/b1/180p/index.m3u8")).unwrap();
    assert!(
        list.contains("#EXT-X-GAP\n#EXTINF:2.005334,\n101.m4s"),
        "{list}"
    );
    let played = play(&media.join("vod/b1/video.mp4"));
    assert_eq!(played.pictures.len(), 4 * 25);
    assert_eq!(played.beeps.len(), 6, "sound goes on over a still picture");
    assert!((played.duration - 6.0).abs() < 0.05, "{}", played.duration);
    for flash in &played.flashes {
        assert!(played.beeps.iter().any(|beep| (flash - beep).abs() < 0.04));
    }
}
