//! A disk of a few megabytes for spool and storage, as the node has them by default. It takes a mount, and a namespace for that: the tests
//! run themselves again in one.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use spillway_hls::record::{State, Storage};
use url::Url;

use crate::{
    film,
    player::play,
    studio::{FakeNode, Take, eventually, film, recorder, reserving, until, until_over},
};

/// Set in the process that has the disk: where it is.
const DISK: &str = "SPILLWAY_TEST_DISK";
const MIB: u64 = 1 << 20;

/// The folder of the disk, in a process that has it; in others, runs the test of this name in one.
fn disk(test: &str, megabytes: u64) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let user: &[&str] = if rustix::process::geteuid().is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let enter = |command: &mut Command| command.args(user).arg("--mount").status();
    let may = enter(&mut Command::new("unshare")).is_ok_and(|status| status.success());
    if !may && std::env::var_os("CI").is_none() {
        eprintln!("skipped: nothing can be mounted here");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mount =
        format!("mount -t tmpfs -o size={megabytes}m tmpfs \"${DISK}\" && exec \"$0\" \"$@\"");
    let status = Command::new("unshare")
        .args(user)
        .args(["--mount", "sh", "-c", &mount])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DISK, folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    None
}

/// A film of which each picture takes so many bytes more.
fn fat(seconds: u64, bytes: usize) -> film::Film {
    let mut film = film(320, 180, seconds);
    for sample in &mut film.samples {
        // A NAL unit of filler data (ISO/IEC 14496-10 §7.3.2.7), which decoders skip.
        let mut data = sample.data.to_vec();
        data.extend((bytes as u32).to_be_bytes());
        data.push(12);
        data.resize(data.len() + bytes - 2, 0xff);
        data.push(0x80);
        sample.data = data.into();
    }
    film
}

fn free(disk: &Path) -> u64 {
    let found = rustix::fs::statvfs(disk).unwrap();
    found.f_bavail * found.f_frsize
}

/// There's no reserve: the disk runs full, and then there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_full() {
    let name = "a_full_disk_costs_segments::while_it_is_full";
    let Some(disk) = disk(name, 16) else { return };
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; 13 << 20]).unwrap();
    let media = disk.join("media");
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let fake = FakeNode::default();
    let spool = disk.join("spool");
    let mut recorder = recorder(storage, &spool, 1 << 30, fake.start().await);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    // 5 MB in ten seconds.
    let renditions = [("180p", fat(10, 20_000))];
    let sound = film::sound(10);
    let mut take = Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 10,
        renditions: &renditions,
        sound: &sound,
    };
    let began = Instant::now();
    take.record(&recording, true);
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits");
    let full = until(&mut status, "it says so", |s| {
        s.problem
            .as_ref()
            .is_some_and(|p| p.contains("No space left"))
    })
    .await;
    assert_eq!(full.state, State::Recording);
    eventually("the node knows what it cost", || {
        // Why, it's told as well, for as long as nothing finds room.
        let told = fake.last()["problem"].as_str().map(str::to_owned);
        told.is_some_and(|told| told.contains("segments missing"))
    })
    .await;
    std::fs::remove_file(&ballast).unwrap();
    // What comes is what the disk has room for, once as segments and once in the file.
    (take.seconds_in, take.first_segment, take.seconds) = (20, 120, 2);
    take.record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!(over.state, State::Ready, "{over:?}");
    let problem = over.problem.unwrap();
    assert!(problem.contains("segments missing"), "{problem}");
    let list = std::fs::read_to_string(media.join("vod/b1/180p/index.m3u8")).unwrap();
    assert!(
        list.contains("\n120.m4s") && list.contains("#EXT-X-ENDLIST"),
        "{list}"
    );
    let played = play(&media.join("vod/b1/video.mp4"));
    assert!(played.pictures.len() >= 50, "{}", played.pictures.len());
    eventually("the spool is empty", || crate::studio::is_empty(&spool)).await;
}

/// What is reserved stays free, for the node's database on the same disk.
#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_full() {
    let name = "a_full_disk_costs_segments::before_it_is_full";
    let Some(disk) = disk(name, 16) else { return };
    let media = disk.join("media");
    let storage = Storage::open(&Url::from_directory_path(&media).unwrap()).unwrap();
    let fake = FakeNode::default();
    let node = fake.start().await;
    let spool = disk.join("spool");
    let mut recorder = reserving(15 * MIB, storage, &spool, 1 << 30, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    // 2 MB in ten seconds.
    let renditions = [("180p", fat(10, 8_000))];
    let sound = film::sound(10);
    let take = Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 10,
        renditions: &renditions,
        sound: &sound,
    };
    take.record(&recording, true);
    let low = until(&mut status, "it says so", |s| {
        s.problem.as_ref().is_some_and(|p| p.contains("--reserve"))
    })
    .await;
    assert_eq!(low.state, State::Recording);
    recorder.end("b1");
    drop(recording);
    // The file is as large as what was recorded: it has to wait for room.
    let finishing = until(&mut status, "it's over", |s| s.state == State::Finishing).await;
    assert!(finishing.problem.unwrap().contains("segments missing"));
    let waits = until(&mut status, "the file waits", |s| {
        s.problem
            .as_ref()
            .is_some_and(|p| p.contains("the storage finds no room"))
    })
    .await;
    assert_eq!(waits.state, State::Finishing);
    let free = free(&disk);
    // Two segments may be on their way from the spool, and the playlists are there.
    assert!(free > 14 * MIB, "{free} bytes are free");
    let list = std::fs::read_to_string(media.join("vod/b1/180p/index.m3u8")).unwrap();
    assert!(list.contains("#EXT-X-ENDLIST"), "it can be watched: {list}");
    let grown = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(&disk)
        .status();
    assert!(grown.unwrap().success());
    let over = until_over(&mut status).await;
    assert_eq!(over.state, State::Ready);
    assert!(play(&media.join("vod/b1/video.mp4")).pictures.len() >= 50);
}
