//! Tests of `inspect` on headers made by real encoders, cut up by an independent packetizer, and on broken payloads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use proptest::prelude::*;
use rtc_rtp::{
    codec::{
        av1::Av1Payloader,
        h264::H264Payloader,
        h265::HevcPayloader,
        vp8::{Vp8Packet, Vp8Payloader},
        vp9::{Vp9Packet, Vp9Payloader},
    },
    packetizer::{Depacketizer, Payloader},
};

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Sequence parameter sets of x264, with what was encoded.
const H264: [(&str, (u16, u16), &str); 9] = [
    (
        "baseline",
        (1280, 720),
        "67 42 c0 1f da 01 40 16 ec 04 40 00 00 03 00 40 00 00 0f 03 c6 0c a8",
    ),
    (
        "high",
        (1920, 1080),
        "67 64 00 28 ac d9 40 78 02 27 e5 c0 44 00 00 03 00 04 00 00 03 00 f0 3c 60 c6 58",
    ),
    (
        "odd",
        (322, 182),
        "67 64 00 0d ac d9 41 51 9e 22 6c 04 40 00 00 03 00 40 00 00 0f 03 c5 0a 65 80",
    ),
    (
        "4:4:4",
        (321, 181),
        "67 f4 00 0d 91 9b 28 2a 33 c2 11 9f f8 5a 80 5a 48 80 00 00 03 00 80 00 00 1e 07 8a 14 cb",
    ),
    (
        "4:2:2",
        (320, 182),
        "67 7a 00 0d bc d9 41 41 9f 8b c0 44 00 00 03 00 04 00 00 03 00 f0 3c 50 a6 58",
    ),
    (
        "interlaced",
        (720, 572),
        "67 64 00 1f ac d9 40 b4 24 fd 60 22 00 00 03 00 02 00 00 03 00 78 3e 2c 5b 2c",
    ),
    (
        "scaling lists",
        (640, 362),
        "67 64 00 1e ac d9 40 a0 2f f9 30 11 00 00 03 00 01 00 00 03 00 3c 0f 16 2d 96",
    ),
    (
        "grey",
        (322, 181),
        "67 64 00 0d f3 65 05 46 78 f8 cf fc 16 a0 16 a5 b2 00 00 03 00 02 00 00 03 00 78 1e 28 53 2c",
    ),
    ("minimal", (128, 96), "67 42 00 0a f8 41 a2"),
];

/// Sequence parameter sets of x265.
const H265: [(&str, (u16, u16), &str); 4] = [
    (
        "main",
        (1920, 1080),
        "42 01 01 01 60 00 00 03 00 90 00 00 03 00 00 03 00 78 a0 03 c0 80 10 e5 96 56 69 24 ca f0 16 80 80 00 00 03 00 80 00 00 0f 04",
    ),
    (
        "odd",
        (322, 182),
        "42 01 01 01 60 00 00 03 00 90 00 00 03 00 00 03 00 3c a0 0a 48 0b 9c 95 96 56 69 24 ca f0 16 80 80 00 00 03 00 80 00 00 0f 04",
    ),
    (
        "4:4:4",
        (321, 181),
        "42 01 01 04 08 00 00 03 00 9e 08 00 00 03 00 00 3c 90 01 49 01 73 88 93 2c ac d2 49 95 ff e1 6a 01 69 2d 01 00 00 03 00 01 00 00 03 00 1e 08",
    ),
    (
        "temporal layers",
        (1280, 720),
        "42 01 04 01 60 00 00 03 00 90 00 00 03 00 00 03 00 5d 00 00 a0 02 80 80 2d 16 59 59 4a ca 56 59 24 ca f0 16 80 80 00 00 03 00 80 00 00 0f 04",
    ),
];

/// Heads of key frames of libvpx, without payload descriptors.
const VP8: (&str, (u16, u16)) = ("f0 67 00 9d 01 2a 42 01 b6 00 00 07 08", (322, 182));
const VP9: [(&str, (u16, u16), &str); 4] = [
    (
        "4:2:0",
        (320, 180),
        "82 49 83 42 00 13 f0 0b 36 04 38 24 1c 18 4a 00",
    ),
    (
        "4:4:4",
        (321, 181),
        "a2 49 83 42 00 02 80 01 68 c2 07 04 83 83 09 40",
    ),
    (
        "10 bits",
        (640, 360),
        "92 49 83 42 00 13 f8 0b 3b 03 1c 12 0e 0c 2c 08",
    ),
    (
        "RGB",
        (640, 362),
        "a2 49 83 42 e0 27 f0 16 96 02 38 24 1c 18 4a 10",
    ),
];

/// Sequence headers of libaom and SVT-AV1, each with its size field.
const AV1: [(&str, (u16, u16), &str); 4] = [
    (
        "libaom",
        (1920, 1080),
        "0a 0b 00 00 00 42 ab bf c3 73 2b e4 01",
    ),
    (
        "libaom, odd",
        (322, 182),
        "0a 0b 00 00 00 04 3d 06 d4 da f9 00 40",
    ),
    (
        "SVT-AV1",
        (1920, 1080),
        "0a 0c 02 00 00 42 95 5d fe 1b 8d 5f 30 08",
    ),
    (
        "SVT-AV1, odd",
        (322, 182),
        "0a 0c 02 00 00 05 61 e8 36 a3 57 cc 02",
    ),
];

/// What a payload says, but for where its frame begins and ends.
fn inspect(codec: Codec, payload: &[u8]) -> PayloadInfo {
    PayloadInfo {
        begins_frame: false,
        ends_frame: false,
        ..super::inspect(codec, payload)
    }
}

fn key_frame(size: Option<(u16, u16)>) -> PayloadInfo {
    PayloadInfo {
        keyframe: true,
        temporal_switch: TemporalSwitch::Above,
        spatial_switch: true,
        size,
        ..PayloadInfo::default()
    }
}

/// Cuts an Annex B access unit up as the other implementation does.
fn payloads(payloader: &mut dyn Payloader, nals: &[Vec<u8>]) -> Vec<Bytes> {
    let unit: Vec<u8> = nals
        .iter()
        .flat_map(|nal| [&[0, 0, 0, 1], nal.as_slice()].concat())
        .collect();
    payloader.payload(1200, &unit.into()).unwrap()
}

#[test]
fn h264_sizes() {
    for (name, size, sps) in H264 {
        let info = inspect(Codec::H264, &bytes(sps));
        assert_eq!(info, key_frame(Some(size)), "{name}");
    }
}

#[test]
fn h264_keyframes_begin_with_parameter_sets_and_the_first_slice() {
    let mut idr = vec![0x65, 0x88];
    idr.resize(5000, 0xAA);
    let nals = [bytes(H264[1].2), bytes("68 eb e3 cb 22 c0"), idr];
    let all = payloads(&mut H264Payloader::default(), &nals);
    let infos: Vec<_> = all.iter().map(|p| inspect(Codec::H264, p)).collect();
    // STAP-A, then FU-A.
    assert_eq!(all[0][0] & 0x1F, 24);
    assert_eq!(infos[0], key_frame(Some((1920, 1080))));
    assert_eq!(infos[1], key_frame(None));
    assert!(
        infos[2..]
            .iter()
            .all(|info| *info == PayloadInfo::default())
    );
    assert!(infos.len() > 4);
}

#[test]
fn h264_other_slices_begin_no_keyframe() {
    // A P slice, a further IDR slice, SEI, PPS, an access unit delimiter, a fragment of a P slice.
    for payload in [
        "41 9a 00", "65 40 00", "06 05 00", "68 eb", "09 f0", "7c 81 9a",
    ] {
        let info = inspect(Codec::H264, &bytes(payload));
        assert_eq!(info, PayloadInfo::default(), "{payload}");
    }
}

#[test]
fn h265_sizes() {
    for (name, size, sps) in H265 {
        let info = inspect(Codec::H265, &bytes(sps));
        assert_eq!(info, key_frame(Some(size)), "{name}");
    }
}

#[test]
fn h265_keyframes_begin_with_parameter_sets_and_the_first_slice() {
    let mut idr = vec![0x26, 0x01, 0xAF];
    idr.resize(5000, 0xAA);
    let vps = bytes("40 01 0c 01 ff ff 01 60");
    let nals = [vps, bytes(H265[0].2), bytes("44 01 c1 72"), idr];
    let all = payloads(&mut HevcPayloader, &nals);
    let infos: Vec<_> = all.iter().map(|p| inspect(Codec::H265, p)).collect();
    // An aggregation packet, then fragmentation units.
    assert_eq!(all[0][0] >> 1, 48);
    assert_eq!(infos[0], key_frame(Some((1920, 1080))));
    assert_eq!(infos[1], key_frame(None));
    assert!(
        infos[2..]
            .iter()
            .all(|info| *info == PayloadInfo::default())
    );
    assert!(infos.len() > 4);
}

#[test]
fn h265_temporal_layers_and_access_points() {
    // TRAIL_R of layer 0, TSA_N of layer 2, the fragment of one, CRA.
    for (payload, layer, switch) in [
        ("02 01 d0", 0, TemporalSwitch::None),
        ("04 03 d0", 2, TemporalSwitch::ToOwn),
        ("62 03 82 d0", 2, TemporalSwitch::ToOwn),
        ("62 03 02 d0", 2, TemporalSwitch::ToOwn),
        ("2a 01 80", 0, TemporalSwitch::Above),
    ] {
        let info = inspect(Codec::H265, &bytes(payload));
        assert_eq!(
            (info.temporal_layer, info.temporal_switch),
            (layer, switch),
            "{payload}"
        );
        assert_eq!(info.keyframe, payload.starts_with("2a"));
    }
}

#[test]
fn vp8_keyframes() {
    let mut frame = bytes(VP8.0);
    frame.resize(3000, 0xAA);
    let mut payloader = Vp8Payloader::default();
    payloader.enable_picture_id = true;
    let all = payloader.payload(1200, &frame.clone().into()).unwrap();
    let infos: Vec<_> = all.iter().map(|p| inspect(Codec::Vp8, p)).collect();
    assert_eq!(infos[0], key_frame(Some(VP8.1)));
    assert!(
        infos[1..]
            .iter()
            .all(|info| *info == PayloadInfo::default())
    );
    assert!(infos.len() > 2);
    // An interframe; and the head of a further partition.
    frame[0] |= 1;
    let inter = [&[0x10], frame.as_slice()].concat();
    assert_eq!(inspect(Codec::Vp8, &inter), PayloadInfo::default());
    frame[0] &= !1;
    let partition = [&[0x11], frame.as_slice()].concat();
    assert_eq!(inspect(Codec::Vp8, &partition), PayloadInfo::default());
}

#[test]
fn vp9_keyframes_by_their_frame_header() {
    for (name, size, head) in VP9 {
        let payload = [&[0x8C, 0x05][..], &bytes(head)].concat();
        assert_eq!(
            inspect(Codec::Vp9, &payload),
            key_frame(Some(size)),
            "{name}"
        );
    }
}

#[test]
fn vp9_keyframes_by_the_other_implementation() {
    let mut frame = bytes(VP9[0].2);
    frame.resize(3000, 0xAA);
    let mut payloader = Vp9Payloader::default();
    let all = payloader.payload(1200, &frame.into()).unwrap();
    let infos: Vec<_> = all.iter().map(|p| inspect(Codec::Vp9, p)).collect();
    assert_eq!(infos[0], key_frame(Some(VP9[0].1)));
    assert!(infos[1..].iter().all(|info| !info.keyframe));
    assert!(infos.len() > 2);
}

#[test]
fn vp9_spatial_layers() {
    // I, L, B, V: picture id 0x1234; three sizes and a group of two pictures.
    let structure = "58 01 40 00 b4 02 80 01 68 05 00 02 d0 02 04 01 38 01 02";
    let base = format!("aa 92 34 00 07 {structure} 82 49 83 42");
    let info = inspect(Codec::Vp9, &bytes(&base));
    assert_eq!(info, key_frame(Some((1280, 720))));
    // Layer 2 of the same picture, predicted from layer 1; it begins no keyframe.
    let upper = inspect(Codec::Vp9, &bytes("a8 92 34 05 07 82"));
    assert!(!upper.keyframe);
    assert_eq!((upper.spatial_layer, upper.temporal_layer), (2, 0));
    // Temporal layer 1 with the switching bit.
    let info = inspect(Codec::Vp9, &bytes("e8 92 35 30 08 82"));
    assert_eq!(info.temporal_layer, 1);
    assert_eq!(info.temporal_switch, TemporalSwitch::Above);
    assert!(!info.keyframe && !info.spatial_switch);
}

#[test]
fn vp9_frames_begin_and_end_by_layer() {
    for (first, begins, ends) in [("a8", true, false), ("a4", false, true), ("ac", true, true)] {
        let payload = format!("{first} 92 34 05 07 82");
        let info = super::inspect(Codec::Vp9, &bytes(&payload));
        assert_eq!((info.begins_frame, info.ends_frame), (begins, ends));
        assert!(info.spatial_switch, "no earlier picture is referred to");
    }
}

#[test]
fn vp8_layer_sync_leads_up_to_its_own_layer() {
    // X, S; I, L, T; picture id 0x1234; TL0PICIDX 7; TID 2 with Y.
    let info = super::inspect(Codec::Vp8, &bytes("90 e0 92 34 07 a0 01"));
    assert_eq!(
        (info.temporal_layer, info.temporal_switch),
        (2, TemporalSwitch::ToOwn)
    );
    assert!(info.begins_frame);
    let info = inspect(Codec::Vp8, &bytes("80 e0 92 34 07 80 01"));
    assert_eq!(
        (info.temporal_layer, info.temporal_switch),
        (2, TemporalSwitch::None)
    );
}

#[test]
fn h264_pictures_that_no_other_needs_are_a_temporal_layer() {
    // Slices whole and cut up; a prefix and its slice in one packet.
    for payload in [
        "01 9a 00",
        "1c 81 9a",
        "1c 01 9a",
        "18 00 04 0e 80 00 2f 00 02 01 9a",
    ] {
        let info = inspect(Codec::H264, &bytes(payload));
        assert_eq!(
            (info.temporal_layer, info.temporal_switch),
            (1, TemporalSwitch::ToOwn),
            "{payload}"
        );
    }
    // Referred to; SEI; an access unit delimiter; a prefix that gives a temporal layer to a picture that is referred to;
    // with parameter sets in the same packet.
    for payload in [
        "61 9a 00",
        "06 05 00",
        "09 f0",
        "6e 80 00 2f",
        "78 00 02 68 eb 00 02 01 9a",
        "78 00 07 67 42 00 0a f8 41 a2 00 02 01 9a",
    ] {
        assert_eq!(
            inspect(Codec::H264, &bytes(payload)).temporal_layer,
            0,
            "{payload}"
        );
    }
}

#[test]
fn av1_sizes() {
    for (name, size, header) in AV1 {
        // One element without a length, and two elements with one.
        let len = bytes(header).len();
        for payload in [
            format!("10 {header}"),
            format!("00 02 12 00 {len:02x} {header}"),
        ] {
            let info = inspect(Codec::Av1, &bytes(&payload));
            assert_eq!(info, key_frame(Some(size)), "{name}");
        }
    }
}

#[test]
fn av1_keyframes_begin_with_the_sequence_header() {
    let mut frame = vec![0x32, 0xD0, 0x0F];
    frame.resize(3 + 2000, 0xAA);
    let unit = [bytes("12 00"), bytes(AV1[0].2), frame].concat();
    let mut payloader = Av1Payloader::default();
    let all = payloader.payload(1200, &unit.into()).unwrap();
    let infos: Vec<_> = all.iter().map(|p| inspect(Codec::Av1, p)).collect();
    assert_eq!(infos[0], key_frame(Some((1920, 1080))));
    assert!(
        infos[1..]
            .iter()
            .all(|info| *info == PayloadInfo::default())
    );
    assert!(infos.len() > 1);
}

#[test]
fn av1_layers_and_fragments() {
    // A frame OBU with an extension: temporal layer 2, spatial layer 1.
    let info = inspect(Codec::Av1, &bytes("10 34 48 aa"));
    assert_eq!((info.temporal_layer, info.spatial_layer), (2, 1));
    assert!(!info.keyframe);
    // The same bytes as the rest of an OBU are no header; neither is a sequence header there.
    assert_eq!(
        inspect(Codec::Av1, &bytes("90 34 48 aa")),
        PayloadInfo::default()
    );
    assert_eq!(
        inspect(Codec::Av1, &bytes("90 0a 0b 00")),
        PayloadInfo::default()
    );
    // N alone says it.
    assert!(inspect(Codec::Av1, &bytes("18 30 aa")).keyframe);
}

#[test]
fn audio_says_nothing() {
    assert_eq!(inspect(Codec::Opus, &[0xFC, 1, 2]), PayloadInfo::default());
}

/// Every sample that is worth mutating.
fn samples() -> Vec<(Codec, Vec<u8>)> {
    let mut samples = Vec::new();
    for (_, _, sps) in H264 {
        samples.push((Codec::H264, bytes(sps)));
        samples.push((Codec::H264, bytes(&format!("78 00 1b {sps} 00 02 68 eb"))));
    }
    for (_, _, sps) in H265 {
        samples.push((Codec::H265, bytes(sps)));
        samples.push((Codec::H265, bytes(&format!("60 01 00 2a {sps}"))));
    }
    samples.push((Codec::Vp8, bytes(&format!("90 f0 92 34 05 60 {}", VP8.0))));
    for (_, _, head) in VP9 {
        let descriptor = "aa 92 34 00 07 58 01 40 00 b4 02 80 01 68 05 00 02 d0 02 04 01 38 01 02";
        samples.push((Codec::Vp9, bytes(&format!("8c 05 {head}"))));
        samples.push((Codec::Vp9, bytes(&format!("{descriptor} {head}"))));
    }
    for (_, _, header) in AV1 {
        samples.push((Codec::Av1, bytes(&format!("08 02 12 00 0d {header}"))));
    }
    samples
}

#[test]
fn truncated_payloads_never_panic() {
    for (codec, sample) in samples() {
        for len in 0..sample.len() {
            inspect(codec, &sample[..len]);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(mut payload: Vec<u8>) {
        for codec in Codec::ALL {
            inspect(codec, &payload);
        }
        vp8::rewrite_descriptor(&mut payload, 1, 2);
        vp9::rewrite_descriptor(&mut payload, 1, 2);
    }

    #[test]
    fn mutated_payloads_never_panic(
        sample in prop::sample::select(samples()),
        mutations in prop::collection::vec((0..48_usize, any::<u8>()), 1..5),
    ) {
        let (codec, mut payload) = sample;
        for (at, value) in mutations {
            if let Some(byte) = payload.get_mut(at) {
                *byte = value;
            }
        }
        inspect(codec, &payload);
    }

    #[test]
    fn vp8_descriptors_read_alike(payload in prop::collection::vec(any::<u8>(), 8..12)) {
        let payload = Bytes::from(payload);
        let mut theirs = Vp8Packet::default();
        let rest = theirs.depacketize(&payload).unwrap();
        let ours = vp8::Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(ours.len, payload.len() - rest.len());
        prop_assert_eq!(ours.begins_frame, theirs.s == 1 && theirs.pid == 0);
        prop_assert_eq!(ours.picture_id.map(|id| id.value), (theirs.i == 1).then_some(theirs.picture_id));
        prop_assert_eq!(ours.tl0picidx, (theirs.l == 1).then_some(theirs.tl0_pic_idx));
        if theirs.t == 1 {
            prop_assert_eq!(ours.temporal_layer, theirs.tid);
            prop_assert_eq!(ours.layer_sync, theirs.y == 1);
        }
    }

    #[test]
    fn vp9_descriptors_read_alike(payload in prop::collection::vec(any::<u8>(), 4..60)) {
        let mut payload = payload;
        // Without a scalability structure: they take other bits of it for G than RFC 9628 §4.2.1 does.
        payload[0] &= !0x02;
        let payload = Bytes::from(payload);
        let mut theirs = Vp9Packet::default();
        let (Ok(rest), Some(ours)) =
            (theirs.depacketize(&payload), vp9::Descriptor::parse(&payload))
        else {
            return Ok(());
        };
        prop_assert_eq!(ours.len, payload.len() - rest.len());
        prop_assert_eq!(ours.picture_id.map(|id| id.value), theirs.i.then_some(theirs.picture_id));
        prop_assert_eq!(ours.inter_picture, theirs.p);
        prop_assert_eq!((ours.begins_frame, ours.ends_frame), (theirs.b, theirs.e));
        prop_assert_eq!((ours.spatial_layer, ours.temporal_layer), (theirs.sid, theirs.tid));
        prop_assert_eq!((ours.switch_point, ours.inter_layer), (theirs.u, theirs.d));
        prop_assert_eq!(ours.tl0picidx, (theirs.l && !theirs.f).then_some(theirs.tl0picidx));
    }

    #[test]
    fn rewriting_changes_the_counters_alone(
        payload in prop::collection::vec(any::<u8>(), 8..60),
        picture_id in 0..0x8000_u16,
        tl0picidx: u8,
    ) {
        let mut rewritten = payload.clone();
        vp8::rewrite_descriptor(&mut rewritten, picture_id, tl0picidx);
        let before = vp8::Descriptor::parse(&payload).unwrap();
        let after = vp8::Descriptor::parse(&rewritten).unwrap();
        let mut expected = before;
        (expected.picture_id, expected.tl0picidx) = (after.picture_id, after.tl0picidx);
        prop_assert_eq!(after, expected);
        prop_assert_eq!(&payload[before.len..], &rewritten[before.len..]);
        prop_assert_eq!(after.tl0picidx, before.tl0picidx.map(|_| tl0picidx));
        let narrow = before.picture_id.is_some() && payload[2] & 0x80 == 0;
        let written = if narrow { picture_id & 0x7F } else { picture_id };
        prop_assert_eq!(after.picture_id.map(|id| id.value), before.picture_id.map(|_| written));

        let mut rewritten = payload.clone();
        vp9::rewrite_descriptor(&mut rewritten, picture_id, tl0picidx);
        let Some(before) = vp9::Descriptor::parse(&payload) else {
            prop_assert_eq!(payload, rewritten);
            return Ok(());
        };
        let after = vp9::Descriptor::parse(&rewritten).unwrap();
        let mut expected = before;
        (expected.picture_id, expected.tl0picidx) = (after.picture_id, after.tl0picidx);
        prop_assert_eq!(after, expected);
        prop_assert_eq!(after.tl0picidx, before.tl0picidx.map(|_| tl0picidx));
        let narrow = before.picture_id.is_some() && payload[1] & 0x80 == 0;
        let written = if narrow { picture_id & 0x7F } else { picture_id };
        prop_assert_eq!(after.picture_id.map(|id| id.value), before.picture_id.map(|_| written));
    }
}
