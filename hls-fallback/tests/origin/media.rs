//! The boxes of initialization segments, parts and segments.

use std::io::Cursor;

use mp4_atom::{Any, Codec, DecodeMaybe as _, FourCC, Moof, Moov};

use crate::{
    broadcast::{Broadcast, EPOCH},
    server::Server,
};

fn boxes(data: &[u8]) -> Vec<Any> {
    let mut cursor = Cursor::new(data);
    let mut boxes = Vec::new();
    while let Some(next) = Any::decode_maybe(&mut cursor).unwrap() {
        boxes.push(next);
    }
    assert_eq!(
        cursor.position() as usize,
        data.len(),
        "what is left over is no box"
    );
    boxes
}

fn moof(data: &[u8]) -> Moof {
    let found = boxes(data).into_iter().find_map(|next| match next {
        Any::Moof(moof) => Some(moof),
        _ => None,
    });
    found.unwrap()
}

async fn live() -> Server {
    let mut broadcast = Broadcast::new();
    broadcast.push_seconds(3);
    let server = Server::with(&broadcast.presentation).await;
    // Ended, so that it stays without its writers.
    broadcast.finish();
    server
}

#[tokio::test]
async fn an_initialization_segment_says_how_its_track_is_encoded() {
    let server = live().await;
    let video = boxes(&server.bytes("720p/init-1000.mp4").await);
    let [Any::Ftyp(ftyp), Any::Moov(moov)] = &video[..] else {
        panic!("{video:?}")
    };
    assert!(ftyp.compatible_brands.contains(&FourCC::new(b"cmfc")));
    let entry = |moov: &Moov| moov.trak[0].mdia.minf.stbl.stsd.codecs[0].clone();
    let Codec::Avc1(avc1) = entry(moov) else {
        panic!("not H.264")
    };
    assert_eq!((avc1.visual.width, avc1.visual.height), (1280, 720));
    assert_eq!(avc1.avcc.sequence_parameter_sets, [[0x67, 0x64, 0, 0x1f]]);
    assert_eq!(moov.trak[0].mdia.mdhd.timescale, 90_000);
    assert!(moov.mvex.is_some());

    let audio = boxes(&server.bytes("audio/init-1000.mp4").await);
    let [Any::Ftyp(_), Any::Moov(moov)] = &audio[..] else {
        panic!("{audio:?}")
    };
    let Codec::Mp4a(mp4a) = entry(moov) else {
        panic!("not AAC")
    };
    assert_eq!(
        (mp4a.audio.channel_count, mp4a.audio.sample_rate.integer()),
        (2, 48_000)
    );
    assert_eq!(
        mp4a.esds.es_desc.dec_config.dec_specific.unwrap().raw,
        [0x11, 0x90]
    );
}

#[tokio::test]
async fn a_segment_is_its_parts_one_behind_the_other() {
    let server = live().await;
    for rendition in ["720p", "audio"] {
        let mut parts = Vec::new();
        for part in 0..5 {
            parts.extend(server.bytes(&format!("{rendition}/1001.{part}.m4s")).await);
        }
        assert_eq!(server.bytes(&format!("{rendition}/1001.m4s")).await, parts);
        assert_eq!(server.status(&format!("{rendition}/1001.5.m4s")).await, 404);
    }
}

#[tokio::test]
async fn a_part_holds_exactly_its_samples_and_says_when_they_are() {
    let server = live().await;
    let part = server.bytes("720p/1001.2.m4s").await;
    let fragment = moof(&part);
    let traf = &fragment.traf[0];
    assert_eq!(
        traf.tfdt.as_ref().unwrap().base_media_decode_time,
        42 * 3000
    );
    assert_eq!(traf.tfhd.default_sample_duration, Some(3000));
    assert!(traf.tfhd.default_base_is_moof);
    let run = &traf.trun[0];
    let sizes: Vec<_> = run.samples.iter().map(|sample| sample.size).collect();
    assert_eq!(sizes, [Some(1000); 6]);
    // The part begins with its moof: the offset counts from there.
    let media = &part[run.data_offset.unwrap() as usize..];
    assert_eq!(media.len(), 6000);
    assert!(
        media
            .chunks(1000)
            .zip(42_u8..)
            .all(|(sample, frame)| sample.iter().all(|&byte| byte == frame))
    );
}

#[tokio::test]
async fn only_keyframes_are_marked_as_such() {
    const SYNC: u32 = 0x0200_0000;
    const NON_SYNC: u32 = 0x0101_0000;
    let server = live().await;
    let flags = |fragment: &Moof| {
        let traf = &fragment.traf[0];
        let default = traf.tfhd.default_sample_flags;
        traf.trun[0]
            .samples
            .iter()
            .map(|sample| sample.flags.or(default).unwrap())
            .collect::<Vec<_>>()
    };
    let first = flags(&moof(&server.bytes("720p/1001.0.m4s").await));
    assert_eq!(
        first,
        [SYNC, NON_SYNC, NON_SYNC, NON_SYNC, NON_SYNC, NON_SYNC]
    );
    assert_eq!(
        flags(&moof(&server.bytes("720p/1001.1.m4s").await)),
        [NON_SYNC; 6]
    );
    assert!(
        flags(&moof(&server.bytes("audio/1001.1.m4s").await))
            .iter()
            .all(|&flags| flags == SYNC)
    );
}

#[tokio::test]
async fn a_segments_first_part_says_which_wall_time_its_media_has() {
    let server = live().await;
    let found = boxes(&server.bytes("720p/1002.m4s").await)
        .into_iter()
        .find_map(|next| match next {
            Any::Prft(prft) => Some(prft),
            _ => None,
        });
    let prft = found.unwrap();
    assert_eq!(prft.media_time, 60 * 3000);
    // NTP counts from 1900.
    let seconds = (prft.ntp_timestamp >> 32) as i64 - 2_208_988_800;
    assert_eq!(seconds, EPOCH.0 / 1_000_000 + 2);
}

#[tokio::test]
async fn sound_is_cut_where_pictures_are_into_parts_of_nine_or_ten_frames() {
    let server = live().await;
    let mut frames = 0;
    for segment in 1000..1003 {
        for part in 0..5 {
            let fragment = moof(&server.bytes(&format!("audio/{segment}.{part}.m4s")).await);
            let traf = &fragment.traf[0];
            assert_eq!(
                traf.tfdt.as_ref().unwrap().base_media_decode_time,
                frames * 1024
            );
            let instant = ((segment - 1000) * 5 + part) * 9600;
            assert!(
                (instant..instant + 1024).contains(&(frames * 1024)),
                "the first frame at or after it"
            );
            let count = traf.trun[0].samples.len() as u64;
            let last = segment == 1002 && part == 4;
            assert!(
                last || (9..=10).contains(&count),
                "{segment}.{part}: {count}"
            );
            frames += count;
        }
    }
}
