//! What each encoder must do that works here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use ffmpeg_next::{codec, decoder, format};

use super::*;
use crate::{bitstream::h264, media::TrackConfig};

const RATE: Rate = super::super::rate::DEFAULT;

/// Those that work here: those on the processor always do.
fn working() -> Vec<EncoderKind> {
    let all = [
        EncoderKind::Nvenc,
        EncoderKind::NvidiaSdk,
        EncoderKind::X264,
        EncoderKind::Openh264,
    ];
    let working: Vec<_> = all
        .into_iter()
        .filter(|kind| probe(*kind).is_ok())
        .collect();
    assert!(choice::SOFTWARE.iter().all(|kind| working.contains(kind)));
    working
}

/// A pattern that moves, with a cut every seven pictures.
fn paint(picture: &mut frame::Video, slot: u64) {
    for plane in 0..3 {
        let stride = picture.stride(plane);
        for (at, pixel) in picture.data_mut(plane).iter_mut().enumerate() {
            let (x, y) = ((at % stride) as u64, (at / stride) as u64);
            *pixel = (x + y + slot * 2 + slot / 7 * 31) as u8;
        }
    }
}

/// Samples as they go into a segment, back to the form with start codes.
fn annex_b(data: &[u8]) -> Vec<u8> {
    let (mut rest, mut bytes) = (data, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (nal, next) = after.split_at(u32::from_be_bytes(*length) as usize);
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(nal);
        rest = next;
    }
    bytes
}

/// So many pictures of H.264 with start codes, the first of which is a keyframe.
pub(in crate::transcode) fn clip((width, height): (u32, u32), count: u64) -> Vec<Bytes> {
    let mut encoder = open_as(
        EncoderKind::X264,
        &sample(width, height, 300_000),
        RATE,
        None,
    )
    .unwrap();
    let mut picture = frame::Video::new(format::Pixel::YUV420P, width, height);
    let pictures = (0..count).map(|slot| {
        paint(&mut picture, slot);
        let encoded = encoder.encode(&mut picture, slot, slot == 0).unwrap();
        let unit = encoded.expect("no delay").unit;
        let sets = unit.sps.iter().chain(&unit.pps);
        let sets = sets.flat_map(|set| [&[0, 0, 0, 1], &set[..]].concat());
        sets.chain(annex_b(&unit.data)).collect()
    });
    pictures.collect()
}

#[test]
fn each_picture_comes_back_at_once_with_keyframes_where_asked() {
    for kind in working() {
        let mut encoder = open_as(kind, &sample(320, 180, 300_000), RATE, None).unwrap();
        let mut picture = frame::Video::new(format::Pixel::YUV420P, 320, 180);
        for slot in 10..70 {
            paint(&mut picture, slot);
            let asked = slot % 30 == 10;
            let encoded = encoder.encode(&mut picture, slot, asked).unwrap();
            let encoded = encoded.expect("no delay");
            assert_eq!((encoded.slot, encoded.keyframe), (slot, asked), "{kind}");
            let has_both = !encoded.unit.sps.is_empty() && !encoded.unit.pps.is_empty();
            assert_eq!(has_both, asked, "{kind}");
            assert!(!encoded.unit.data.is_empty(), "{kind}");
        }
    }
}

/// A rendition is announced once, with the first keyframe's parameter sets: those of all others have to be the same.
#[test]
fn parameter_sets_stay_and_what_they_say_decodes() {
    for kind in working() {
        let mut encoder = open_as(kind, &sample(318, 178, 400_000), RATE, None).unwrap();
        let mut picture = frame::Video::new(format::Pixel::YUV420P, 318, 178);
        let mut decoder = decoder::find(codec::Id::H264)
            .map(codec::Context::new_with_codec)
            .and_then(|context| context.decoder().video().ok())
            .expect("libav decodes H.264");
        let (mut sets, mut decoded) = (Vec::new(), 0);
        for slot in 0..45 {
            paint(&mut picture, slot);
            let encoded = encoder.encode(&mut picture, slot, slot % 15 == 0).unwrap();
            let unit = encoded.expect("no delay").unit;
            let mut bytes = Vec::new();
            if let (Some(sps), Some(pps)) = (unit.sps.first(), unit.pps.first()) {
                bytes = [&[0, 0, 0, 1], &sps[..], &[0, 0, 0, 1], &pps[..]].concat();
                sets.push((unit.sps.clone(), unit.pps.clone()));
            }
            bytes.extend(annex_b(&unit.data));
            decoder.send_packet(&ffmpeg::Packet::copy(&bytes)).unwrap();
            let mut shown = frame::Video::empty();
            while decoder.receive_frame(&mut shown).is_ok() {
                assert_eq!((shown.width(), shown.height()), (318, 178), "{kind}");
                decoded += 1;
            }
        }
        decoder.send_eof().unwrap();
        let mut shown = frame::Video::empty();
        while decoder.receive_frame(&mut shown).is_ok() {
            decoded += 1;
        }
        assert_eq!(decoded, 45, "{kind}");
        assert_eq!(sets.len(), 3, "{kind}");
        assert!(sets.iter().all(|set| *set == sets[0]), "{kind}: {sets:?}");
        let config = h264::track_config(&sets[0].0[..], &sets[0].1[..], (318, 178));
        assert!(matches!(config, Some(TrackConfig::H264 { .. })), "{kind}");
    }
}

/// Of noise, which no encoder can make small but by quality.
#[test]
fn the_bitrate_is_kept_within_a_quarter() {
    for kind in working() {
        let bitrate = 800_000;
        let mut encoder = open_as(kind, &sample(320, 180, bitrate), RATE, None).unwrap();
        let mut picture = frame::Video::new(format::Pixel::YUV420P, 320, 180);
        let (mut seed, mut bytes) = (1_u32, 0);
        for slot in 0..150 {
            for plane in 0..3 {
                for pixel in picture.data_mut(plane) {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *pixel = 112 + (seed >> 27) as u8;
                }
            }
            let encoded = encoder.encode(&mut picture, slot, slot % 60 == 0).unwrap();
            bytes += encoded.expect("no delay").unit.data.len();
        }
        let measured = bytes as f64 * 8.0 / 5.0 / f64::from(bitrate);
        assert!((0.5..1.25).contains(&measured), "{kind}: {measured:.2}");
    }
}

#[test]
fn what_openh264_cannot_encode_is_refused_before_the_first_picture() {
    let error = open_as(
        EncoderKind::Openh264,
        &sample(4_090, 410, 300_000),
        RATE,
        None,
    )
    .err();
    let said = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        said.contains("3840×2160") && said.contains("4090×410"),
        "{said}"
    );
}

#[test]
fn a_rendition_that_no_gpu_takes_is_encoded_on_the_processor() {
    if probe(EncoderKind::NvidiaSdk).is_ok() {
        return;
    }
    let mut encoder = open(
        EncoderKind::NvidiaSdk,
        &sample(320, 180, 300_000),
        RATE,
        None,
    )
    .unwrap();
    let mut picture = frame::Video::new(format::Pixel::YUV420P, 320, 180);
    paint(&mut picture, 0);
    let encoded = encoder.encode(&mut picture, 0, true).unwrap();
    assert!(encoded.is_some_and(|encoded| encoded.keyframe));
}
