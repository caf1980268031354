//! A real player: `FFmpeg`, with media that it encoded.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use spillway_hls::{
    media::{Rate, Sample, TrackConfig},
    origin::{Presentation, RenditionInfo, RenditionKind, Settings, frames_per_part},
};

use crate::{
    broadcast::{EPOCH, FIRST, audio_info},
    ffmpeg::{decoded, ffmpeg, run},
    server::Server,
};

const SECONDS: u64 = 5;
pub(crate) const AUDIO_FRAMES: u64 = SECONDS * 48_000 / 1024;

/// H.264 as samples, with a keyframe each second.
fn encode_video(ffmpeg: &PathBuf, rate: Rate) -> (TrackConfig, Vec<Sample>) {
    let source = format!(
        "testsrc2=s=320x180:r={}/{}:d={SECONDS}",
        rate.numerator, rate.denominator
    );
    let gop = (rate.per_second().round() as u32).to_string();
    let encoding = [
        "-c:v",
        "libx264",
        "-bf",
        "0",
        "-g",
        &gop,
        "-keyint_min",
        &gop,
        "-sc_threshold",
        "0",
    ];
    let format = [
        "-pix_fmt",
        "yuv420p",
        "-x264-params",
        "aud=1",
        "-f",
        "h264",
        "-",
    ];
    let arguments = [&["-f", "lavfi", "-i", &source][..], &encoding, &format].concat();
    let stream = run(ffmpeg, &arguments).stdout;
    let units = nal_units(&stream);
    let of_kind = |kind| *units.iter().find(|unit| unit[0] & 31 == kind).unwrap();
    let (sps, pps) = (of_kind(7), of_kind(8));
    let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1];
    for (set, count) in [(sps, None), (pps, Some(1))] {
        avcc.extend(count);
        avcc.extend((set.len() as u16).to_be_bytes());
        avcc.extend(set);
    }
    let config = TrackConfig::H264 {
        avcc: avcc.into(),
        width: 320,
        height: 180,
    };
    let pictures = units.split(|unit| unit[0] & 31 == 9).skip(1).zip(0..);
    let samples = pictures
        .map(|(units, frame)| picture(units, frame, rate))
        .collect();
    (config, samples)
}

fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<_> = (0..stream.len() - 3)
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let unit = &stream[start + 3..end];
        &unit[..=unit.iter().rposition(|&byte| byte != 0).unwrap()]
    };
    starts.iter().zip(ends).map(unit).collect()
}

fn picture(units: &[&[u8]], frame: u64, rate: Rate) -> Sample {
    let mut data = Vec::new();
    for unit in units.iter().filter(|unit| !matches!(unit[0] & 31, 6..=8)) {
        data.extend((unit.len() as u32).to_be_bytes());
        data.extend_from_slice(unit);
    }
    Sample {
        data: data.into(),
        time: frame * u64::from(rate.denominator),
        duration: rate.denominator,
        keyframe: units.iter().any(|unit| unit[0] & 31 == 5),
    }
}

/// AAC-LC as samples.
fn encode_audio(ffmpeg: &PathBuf) -> (TrackConfig, Vec<Sample>) {
    let source = format!("sine=frequency=440:sample_rate=48000:d={SECONDS}");
    let arguments = [
        "-f", "lavfi", "-i", &source, "-ac", "2", "-c:a", "aac", "-f", "adts", "-",
    ];
    let stream = Bytes::from(run(ffmpeg, &arguments).stdout);
    let mut samples = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        // ISO/IEC 14496-3 §1.A.2.2: 13 bits of length, the header of 7 bytes included.
        let header = &stream[at..at + 7];
        let length = usize::from(header[3] & 3) << 11
            | usize::from(header[4]) << 3
            | usize::from(header[5] >> 5);
        let data = stream.slice(at + 7..at + length);
        samples.push(Sample {
            data,
            time: samples.len() as u64 * 1024,
            duration: 1024,
            keyframe: true,
        });
        at += length;
    }
    samples.truncate(AUDIO_FRAMES as usize);
    let config = Bytes::from_static(&[0x11, 0x90]);
    (
        TrackConfig::Aac {
            config,
            sample_rate: 48_000,
            channels: 2,
        },
        samples,
    )
}

/// A finished broadcast at that rate. Gives how many pictures it has.
pub(crate) fn present(ffmpeg: &PathBuf, rate: Rate) -> (Presentation, usize) {
    let (video_config, pictures) = encode_video(ffmpeg, rate);
    let (audio_config, sounds) = encode_audio(ffmpeg);
    let presentation = Presentation::new(Settings {
        grid: rate,
        part_frames: frames_per_part(rate, Duration::from_millis(200)),
        target_duration: 1,
        audio_rate: 48_000,
        opus: false,
        epoch: EPOCH,
        window: Duration::from_mins(1),
    });
    let presentation = presentation.unwrap();
    let kind = RenditionKind::Video { rate };
    let info = RenditionInfo {
        name: "180p".into(),
        kind,
        timescale: rate.numerator,
    };
    let mut video = presentation.add_rendition(info).unwrap();
    let mut audio = presentation.add_rendition(audio_info()).unwrap();
    video.start(video_config).unwrap();
    audio.start(audio_config).unwrap();
    let keyframes = pictures
        .iter()
        .enumerate()
        .filter(|(_, picture)| picture.keyframe);
    for (number, (frame, _)) in keyframes.enumerate() {
        video
            .begin_segment(FIRST + number as u64, frame as u64)
            .unwrap();
        audio
            .begin_segment(FIRST + number as u64, frame as u64)
            .unwrap();
    }
    let count = pictures.len();
    for picture in pictures {
        video.push(picture).unwrap();
    }
    for sound in sounds {
        audio.push(sound).unwrap();
    }
    video.finish().unwrap();
    audio.finish().unwrap();
    (presentation, count)
}

#[tokio::test]
async fn ffmpeg_decodes_every_frame_at_every_rate() {
    let ffmpeg = ffmpeg();
    for (numerator, denominator) in [(24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60, 1)] {
        let rate = Rate {
            numerator,
            denominator,
        };
        let (presentation, pictures) = present(&ffmpeg, rate);
        let server = Server::with(&presentation).await;
        for (path, frames) in [
            ("180p/index.m3u8", pictures),
            ("180p/plain.m3u8", pictures),
            ("audio/index.m3u8", AUDIO_FRAMES as usize),
        ] {
            let counted = decoded(ffmpeg.clone(), server.url(path)).await;
            assert_eq!(counted, frames, "{path} at {rate:?}");
        }
    }
}

#[tokio::test]
async fn ffmpeg_decodes_each_segment_by_itself() {
    let ffmpeg = ffmpeg();
    let (presentation, _) = present(
        &ffmpeg,
        Rate {
            numerator: 30,
            denominator: 1,
        },
    );
    let server = Server::with(&presentation).await;
    let folder = tempfile::tempdir().unwrap();
    for segment in FIRST..FIRST + SECONDS {
        let mut file = server.bytes("180p/init-1000.mp4").await;
        file.extend(server.bytes(&format!("180p/{segment}.m4s")).await);
        let path = folder.path().join("segment.mp4");
        std::fs::write(&path, file).unwrap();
        assert_eq!(
            decoded(ffmpeg.clone(), path.to_string_lossy().into_owned()).await,
            30
        );
    }
}
