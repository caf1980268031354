//! Sources of every codec on their way to players: what they get is CMAF to the letter, `ffprobe` takes each part of it,
//! `FFmpeg` decodes it without a word, and its
//! sample entries and names are those that `FFmpeg` writes.

use std::path::Path;

use ffmpeg_next::format::Pixel;
use mp4_atom::{Codec, Hvcc};
use spillway_hls::{
    media::{
        Frame, Moment, TrackConfig,
        VideoCodec::{self, Av1, H264, H265, Vp8, Vp9},
    },
    transcode::Transcoder,
};

use crate::{
    cmaf::{self, Track},
    ffmpeg::{decoded, ffmpeg, run},
    passing::passing,
    players::{OnOrigin, Server},
    probe,
    support::{Camera, OFTEN, Recorder, broadcast},
};

const SIZE: (u16, u16) = (320, 180);
const SECONDS: i64 = 5;

struct Case {
    codec: VideoCodec,
    pixels: Pixel,
    /// What players get.
    family: &'static str,
    /// As `FFmpeg` says it.
    described: &'static str,
}

const fn case(
    codec: VideoCodec,
    pixels: Pixel,
    family: &'static str,
    described: &'static str,
) -> Case {
    Case {
        codec,
        pixels,
        family,
        described,
    }
}

const CASES: [Case; 7] = [
    case(H264, Pixel::YUV420P, "avc1", "h264"),
    case(H265, Pixel::YUV420P, "hvc1", "hevc (Main) (hvc1"),
    case(H265, Pixel::YUV420P10LE, "hvc1", "hevc (Main 10) (hvc1"),
    case(Vp9, Pixel::YUV420P, "vp09", "vp9 (Profile 0) (vp09"),
    case(Vp9, Pixel::YUV420P10LE, "vp09", "vp9 (Profile 2) (vp09"),
    case(Av1, Pixel::YUV420P, "av01", "(Main) (av01"),
    case(Vp8, Pixel::YUV420P, "avc1", "h264"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_gets_to_players_as_cmaf_that_ffmpeg_decodes() {
    let ffmpeg = ffmpeg();
    let cases = CASES.iter().map(|case| {
        let ffmpeg = ffmpeg.clone();
        tokio::spawn(async move {
            let presenter = OnOrigin::default();
            let boxed = Box::new(presenter.clone());
            let sent = tokio::task::spawn_blocking(move || send(case, boxed));
            let sent = sent.await.unwrap();
            let server = presenter.serve(ffmpeg).await;
            let count = presenter.counts.lock().unwrap()["source"];
            check(case, &server, count, &sent).await;
        })
    });
    let running: Vec<_> = cases.collect();
    for case in running {
        case.await.unwrap();
    }
}

/// Broadcasts; gives the pictures that were sent.
fn send(case: &Case, presenter: Box<OnOrigin>) -> Vec<Vec<u8>> {
    let mut transcoder = Transcoder::start("test", passing(), presenter, Box::new(|_| {})).unwrap();
    let (width, height) = SIZE;
    let size = (width.into(), height.into());
    let mut camera = Camera::with_format(case.codec, size, OFTEN, case.pixels);
    let mut sent = Vec::new();
    broadcast(&mut transcoder, SECONDS, |_, time| {
        let frame = camera.shoot(time);
        sent.push(frame.data.to_vec());
        Some(frame)
    });
    sent
}

async fn check(case: &Case, server: &Server, count: usize, sent: &[Vec<u8>]) {
    let what = format!("{} {:?}", case.codec, case.pixels);
    let master = String::from_utf8(server.get("index.m3u8").await).unwrap();
    let streams: Vec<&str> = master
        .lines()
        .filter(|line| line.contains("CODECS"))
        .collect();
    assert!(
        streams[0].contains(&format!("\"{}", "avc1.")),
        "{what}: {master}"
    );
    // Who can't play the source has the same in H.264 just below it.
    let below = if case.family == "avc1" { "90p" } else { "180p" };
    assert!(streams[1].contains("\"avc1."), "{what}: {master}");
    assert!(!streams[1].contains(case.family) || case.family == "avc1");
    let place = master.find(&format!("\n{below}/index.m3u8\n")).unwrap();
    assert_eq!(
        master[..place].matches("-STREAM-INF").count(),
        2,
        "{what}: {master}"
    );
    assert_eq!(
        master.contains("\n180p/"),
        below == "180p",
        "{what}: {master}"
    );
    let seen = server.decoded(below).await;
    assert!(
        seen.len() == 1 && seen[0] >= 60,
        "{what}: {seen:?} of {below}"
    );

    let (track, file) = take_apart(server, &what).await;
    probe::check_whole(server.folder.path(), &file, track.samples, &what);
    assert_eq!(cmaf::size(&track.entry), Some(SIZE), "{what}");
    assert_eq!(track.samples, count, "{what}");
    assert!(count >= 130, "{what}: {count} pictures");
    let path = server.folder.path().join("source.mp4");
    std::fs::write(&path, &file).unwrap();
    let input = path.to_string_lossy().into_owned();
    assert_eq!(
        decoded(server.ffmpeg.clone(), input.clone()).await,
        count,
        "{what}"
    );
    let said = described(server, &input);
    assert!(said.contains(case.described), "{what}: {said}");
    assert!(said.contains("320x180"), "{what}: {said}");
    if case.codec != Vp8 {
        check_entry(case, server, &track.entry, sent, streams[0], &what);
    }
}

/// Each part of each segment is looked at, and shown to `ffprobe`; gives all that there is behind each other.
async fn take_apart(server: &Server, what: &str) -> (Track, Vec<u8>) {
    let playlist = String::from_utf8(server.get("source/index.m3u8").await).unwrap();
    let lines = |prefix| {
        playlist
            .lines()
            .filter_map(move |line: &str| line.strip_prefix(prefix))
    };
    let inits: Vec<&str> = lines("#EXT-X-MAP:URI=\"").collect();
    let [init] = inits[..] else {
        panic!("it is passed through as it began: {playlist}")
    };
    let init = server
        .get(&format!("source/{}", init.trim_end_matches('"')))
        .await;
    let (mut track, mut file) = (Track::begin(&init), init.clone());
    for line in playlist.lines().filter(|line| !line.starts_with('#')) {
        let number = line.strip_suffix(".m4s").unwrap();
        let mut parts = Vec::new();
        for part in 0.. {
            let Some(data) = server.try_get(&format!("source/{number}.{part}.m4s")).await else {
                break;
            };
            let before = track.samples;
            track.part(&data, part == 0);
            let (folder, samples) = (server.folder.path(), track.samples - before);
            probe::check_part(folder, &init, &data, samples, what);
            parts.extend(data);
        }
        assert_eq!(server.get(&format!("source/{line}")).await, parts);
        file.extend(parts);
    }
    (track, file)
}

fn described(server: &Server, input: &str) -> String {
    let output = std::process::Command::new(&server.ffmpeg)
        .args(["-nostdin", "-hide_banner", "-i", input])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines()
        .filter(|line| line.contains("Video:"))
        .collect()
}

/// `FFmpeg` makes the same sample entry of the bare stream, and the same name for playlists of it.
fn check_entry(
    case: &Case,
    server: &Server,
    entry: &Codec,
    sent: &[Vec<u8>],
    stream: &str,
    what: &str,
) {
    let folder = server.folder.path();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    std::fs::write(folder.join("bare"), bare(case.codec, sent)).unwrap();
    let form = match case.codec {
        H264 => "h264",
        H265 => "hevc",
        _ => "ivf",
    };
    let (bare, file, manifest) = (path("bare"), path("theirs.mp4"), path("theirs.mpd"));
    let input = [
        "-r",
        "30",
        "-f",
        form,
        "-i",
        &bare,
        "-c",
        "copy",
        "-tag:v",
        case.family,
    ];
    run(&server.ffmpeg, &[&input[..], &["-y", &file]].concat());
    let theirs = their_entry(&folder.join("theirs.mp4"));
    match (entry, &theirs) {
        (Codec::Avc1(ours), Codec::Avc1(theirs)) => assert_eq!(ours.avcc, theirs.avcc, "{what}"),
        (Codec::Hvc1(ours), Codec::Hvc1(theirs)) => {
            assert_eq!(essence(&ours.hvcc), essence(&theirs.hvcc), "{what}");
        }
        (Codec::Vp09(ours), Codec::Vp09(theirs)) => assert_eq!(ours.vpcc, theirs.vpcc, "{what}"),
        (Codec::Av01(ours), Codec::Av01(theirs)) => assert_eq!(ours.av1c, theirs.av1c, "{what}"),
        _ => panic!("{what}: {theirs:?}"),
    }
    run(
        &server.ffmpeg,
        &[&input[..], &["-f", "dash", "-y", &manifest]].concat(),
    );
    let manifest = std::fs::read_to_string(folder.join("theirs.mpd")).unwrap();
    let name = manifest.split("codecs=\"").nth(1).unwrap();
    let name = name.split('"').next().unwrap();
    let named = stream.to_lowercase();
    assert!(
        named.contains(&name.to_lowercase()),
        "{what}: {name} in {stream}"
    );
}

/// What both know: how finely pictures may be cut, and messages to decoders, are left to who writes it.
fn essence(hvcc: &Hvcc) -> Hvcc {
    let mut hvcc = hvcc.clone();
    hvcc.min_spatial_segmentation_idc = 0;
    hvcc.parallelism_type = 0;
    hvcc.avg_frame_rate = 0;
    hvcc.constant_frame_rate = 0;
    hvcc.arrays
        .retain(|array| (32..=34).contains(&array.nal_unit_type));
    hvcc
}

fn their_entry(path: &Path) -> Codec {
    let file = std::fs::read(path).unwrap();
    let mut cursor = std::io::Cursor::new(&file[..]);
    loop {
        let next = mp4_atom::DecodeMaybe::decode_maybe(&mut cursor).unwrap();
        if let mp4_atom::Any::Moov(moov) = next.unwrap() {
            return moov.trak[0].mdia.minf.stbl.stsd.codecs[0].clone();
        }
    }
}

/// NAL units one behind the other, or IVF.
fn bare(codec: VideoCodec, sent: &[Vec<u8>]) -> Vec<u8> {
    let name: &[u8; 4] = match codec {
        H264 | H265 | Vp8 => return sent.concat(),
        Vp9 => b"VP90",
        Av1 => b"AV01",
    };
    let mut file = b"DKIF\0\0\x20\0".to_vec();
    file.extend(name);
    file.extend(SIZE.0.to_le_bytes());
    file.extend(SIZE.1.to_le_bytes());
    file.extend(30_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend([0; 8]);
    for (number, picture) in sent.iter().enumerate() {
        // With its temporal delimiter again.
        let before: &[u8] = if codec == Av1 { &[0x12, 0] } else { &[] };
        file.extend(((before.len() + picture.len()) as u32).to_le_bytes());
        file.extend((number as u64).to_le_bytes());
        file.extend(before);
        file.extend(picture);
    }
    file
}

/// What the source rendition was, one encoding after the other, when the publisher sends these codecs for so many seconds each.
fn changes(codecs: &'static [(VideoCodec, i64)]) -> Recorder {
    let recorder = Recorder::default();
    let presenter = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", passing(), presenter, Box::new(|_| {})).unwrap();
    let seconds = codecs.iter().map(|(_, seconds)| seconds).sum();
    let takes = codecs.iter().flat_map(|(codec, seconds)| {
        // Each begins with a keyframe.
        let mut camera = Camera::new(*codec, (320, 180), OFTEN);
        (0..seconds * 30).map(move |_| camera.shoot(Moment(0)))
    });
    let mut takes: Vec<Frame> = takes.collect();
    takes.reverse();
    broadcast(&mut transcoder, seconds, |_, time| {
        Some(Frame {
            time,
            arrived: time,
            ..takes.pop()?
        })
    });
    drop(transcoder);
    recorder.wait_for_end();
    recorder
}

/// Players that watch are never given what they weren't told of; what they were told of comes back.
#[test]
fn another_codec_is_passed_through_only_if_players_know_that_they_need_it() {
    let told = std::thread::spawn(|| changes(&[(Vp9, 2), (Vp8, 1), (Vp9, 11)]));
    let familiar = std::thread::spawn(|| changes(&[(Vp9, 2), (H264, 12)]));
    let untold = changes(&[(H264, 2), (Av1, 12)]);
    let (told, familiar) = (told.join().unwrap(), familiar.join().unwrap());
    for (recorder, encodings, may_be) in [
        (&told, &["vp09", "avc1", "vp09"][..], &["avc1", "vp09"][..]),
        (&familiar, &["vp09", "avc1", "avc1"], &["avc1", "vp09"]),
        (&untold, &["avc1", "avc1"], &[]),
    ] {
        let source = recorder.told("source");
        let families: Vec<&str> = source.configs.iter().map(family).collect();
        assert_eq!(families, encodings);
        assert_eq!(recorder.discontinuities().len(), encodings.len() - 1);
        let names: Vec<&str> = source.may_be.iter().map(family).collect();
        assert_eq!(names, may_be);
        source.check_even();
    }
    let same_size = told.told("180p");
    assert_eq!(same_size.expected.as_ref().map(family), Some("avc1"));
    assert!(!same_size.permanent && same_size.samples.is_empty());
}

fn family(config: &TrackConfig) -> &'static str {
    match config {
        TrackConfig::H264 { .. } => "avc1",
        TrackConfig::H265 { .. } => "hvc1",
        TrackConfig::Vp9 { .. } => "vp09",
        TrackConfig::Av1 { .. } => "av01",
        TrackConfig::Aac { .. } => "mp4a",
        TrackConfig::Opus { .. } => "opus",
    }
}
