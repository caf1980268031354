#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use rtc_rtp::codec::h264::H264Packet;
use rtc_rtp::packetizer::Depacketizer;

use super::super::MAX_PAYLOAD;
use super::super::mark::Share;
use super::*;
use crate::peer::PEEK;

/// Made by `ffmpeg -f lavfi -i testsrc=size=320x180:rate=10 -t 1.2 -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 0 -g 6
/// -slices 2 -x264-params aud=1 -crf 30 -f h264 testsrc.h264`: twelve pictures of two slices, among them two keyframes with their
/// parameter sets.
const STREAM: &[u8] = include_bytes!("../../testdata/testsrc.h264");

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0x95];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const AUD: &[u8] = &[0x09, 0xf0];
/// `first_mb_in_slice` 0, `slice_type` 7.
const IDR: &[u8] = &[0x65, 0x88, 0x84];
/// `slice_type` 5.
const P: &[u8] = &[0x41, 0x9a, 0x24];
/// `first_mb_in_slice` 1.
const P_MORE: &[u8] = &[0x41, 0x46, 0x24];

fn mark() -> Mark {
    Mark {
        publisher: 3,
        layer: 0,
        key: false,
        first: false,
        last: false,
        packet: 100,
        frame: 7,
        sent: 9,
    }
}

fn stream(units: &[&[u8]]) -> Vec<u8> {
    let code: &[u8] = &[0, 0, 0, 1];
    units
        .iter()
        .flat_map(|unit| [code, unit].concat())
        .collect()
}

fn file(units: &[&[u8]]) -> Result<File, FileError> {
    File::new(stream(units))
}

/// The types of the NAL units of each picture.
fn kinds(file: &File) -> Vec<Vec<u8>> {
    (0..file.pictures.len() as u32)
        .map(|number| {
            file.units(number)
                .iter()
                .map(|unit| kind(unit[0]))
                .collect()
        })
        .collect()
}

#[test]
fn a_picture_begins_where_the_standard_says() {
    let prefix: &[u8] = &[0x6e, 0x40];
    let (sei, filler): (&[u8], &[u8]) = (&[6, 5, 1, 9, 0x80], &[12, 0xff, 0x80]);
    let file = file(&[
        // Nothing can be decoded before the first keyframe.
        P, AUD, SPS, PPS, IDR, // by the delimiter, with all that is ahead of the slice
        P, P_MORE,
        filler, // by the first macroblock; the second slice and filler belong to it
        sei, P, // by SEI
        prefix, P, prefix, P_MORE, // a prefix may be that of a second slice
        AUD, P_MORE, // a picture whose first slice is lost
    ])
    .unwrap();
    let expected: [&[u8]; 5] = [
        &[9, 7, 8, 5],
        &[1, 1, 12],
        &[6, 1],
        &[14, 1, 14, 1],
        &[9, 1],
    ];
    assert_eq!(kinds(&file), expected);
    assert_eq!(file.profile(), [0x42, 0xc0, 0x1e]);
    let keys: Vec<bool> = (0..6).map(|number| file.is_key(number)).collect();
    assert_eq!(keys, [true, false, false, false, false, true]);
}

#[test]
fn each_keyframe_has_the_parameter_sets() {
    let other_pps: &[u8] = &[0x68, 0x5e];
    let file = file(&[SPS, PPS, IDR, P, IDR, P, AUD, other_pps, IDR]).unwrap();
    let expected: [&[u8]; 5] = [&[7, 8, 5], &[1], &[7, 8, 5], &[1], &[9, 7, 8, 8, 5]];
    assert_eq!(kinds(&file), expected);
}

#[test]
fn a_real_stream_whose_parameter_sets_come_once_is_one_that_repeats_them() {
    let mut seen = Vec::new();
    let once: Vec<&[u8]> = units(STREAM)
        .into_iter()
        .map(|unit| &STREAM[unit])
        .filter(|unit| {
            let is_set = matches!(kind(unit[0]), nal::SPS | nal::PPS);
            let again = is_set && seen.contains(unit);
            seen.push(unit);
            !again
        })
        .collect();
    let (once, repeating) = (file(&once).unwrap(), File::new(STREAM.to_vec()).unwrap());
    assert!(once.bytes.len() < repeating.bytes.len());
    for number in 0..12 {
        assert_eq!(once.units(number), repeating.units(number));
    }
}

#[test]
fn what_can_not_be_published_is_said() {
    let error = |bytes: Vec<u8>| match File::new(bytes) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    };
    let b_slice: &[u8] = &[0x01, 0x9f];
    let hevc: &[u8] = &[0x40, 0x01, 0x0c];
    for (bytes, said) in [
        (Vec::new(), "start codes"),
        (b"\0\0\0\x20ftypisom".to_vec(), "start codes"),
        (stream(&[SPS, PPS, P]), "no keyframe"),
        (stream(&[IDR, P]), "no SPS"),
        (stream(&[SPS, IDR, P]), "no PPS"),
        (stream(&[SPS, PPS, IDR, b_slice]), "B pictures"),
        (stream(&[hevc]), "broken, at byte 4"),
        (stream(&[SPS, PPS, IDR, &[0x41]]), "broken, at byte 28"),
        (stream(&[&SPS[..3], PPS, IDR]), "broken, at byte 4"),
        (stream(&[SPS, PPS, IDR, &[]]), "broken"),
    ] {
        let error = error(bytes);
        assert!(error.contains(said), "{said}: {error}");
    }
    let mut large = stream(&[SPS, PPS, IDR]);
    large.resize(MOST_OF_PICTURE + 100, 0xff);
    assert!(matches!(File::new(large), Err(FileError::TooLargePicture)));
    assert!(File::open(Path::new("/nowhere")).is_err());
}

#[test]
fn a_real_stream_is_the_same_behind_rtp_but_for_the_marks() {
    let file = File::new(STREAM.to_vec()).unwrap();
    assert_eq!(file.pictures.len(), 12);
    let keys = (0..12).filter(|number| file.is_key(*number));
    assert_eq!(keys.collect::<Vec<_>>(), [0, 6]);
    let mut fragments = 0;
    for number in 0..12 {
        let payloads = file.payloads(number, mark());
        let mut depacketizer = H264Packet::default();
        let mut came = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            assert!(payload.len() <= MAX_PAYLOAD);
            fragments += usize::from(kind(payload[0]) == 28);
            if let Some((share, found)) = Share::find(&payload[..payload.len().min(PEEK)]) {
                assert_eq!(found, mark());
                let place = (usize::from(share.index), usize::from(share.of));
                assert_eq!(place, (index, payloads.len()));
            }
            let payload = Bytes::copy_from_slice(payload);
            came.extend(depacketizer.depacketize(&payload).unwrap());
        }
        let mut came: Vec<&[u8]> = units(&came).into_iter().map(|unit| &came[unit]).collect();
        let marks = came.extract_if(.., |unit| Share::find(unit).is_some());
        assert_eq!(marks.count(), 1, "picture {number}");
        assert_eq!(came, file.units(number));
        if file.is_key(number) {
            assert_eq!(
                came[..3]
                    .iter()
                    .map(|unit| kind(unit[0]))
                    .collect::<Vec<_>>(),
                [9, 7, 8]
            );
        }
    }
    assert!(fragments > 2);
}
