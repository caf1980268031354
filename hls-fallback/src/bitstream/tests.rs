#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame};

use super::*;

const RATE: Rate = Rate {
    numerator: 30,
    denominator: 1,
};

/// Real pictures: so many of libav's encoder, whether each is a keyframe, and its data.
fn pictures(
    encoder: &str,
    (width, height): (u32, u32),
    b_pictures: usize,
    settings: &[(&str, &str)],
) -> Vec<(bool, Bytes)> {
    let library = encoder::find_by_name(encoder).unwrap();
    let context = codec::Context::new_with_codec(library);
    let mut video = context.encoder().video().unwrap();
    video.set_width(width);
    video.set_height(height);
    video.set_format(format::Pixel::YUV420P);
    video.set_time_base(Rational(1, 30));
    video.set_gop(10);
    video.set_max_b_frames(b_pictures);
    let mut options = Dictionary::new();
    for (key, value) in settings {
        options.set(key, value);
    }
    let mut encoder = video.open_with(options).unwrap();
    let mut picture = frame::Video::new(format::Pixel::YUV420P, width, height);
    let mut out = Vec::new();
    let mut take = |encoder: &mut encoder::Video| {
        let mut packet = Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            let data = packet.data().unwrap();
            let data = data.strip_prefix(&[0x12, 0]).unwrap_or(data);
            out.push((packet.is_key(), Bytes::copy_from_slice(data)));
        }
    };
    for number in 0..20_i64 {
        for plane in 0..3 {
            let pixels = picture.data_mut(plane).iter_mut();
            for (pixel, at) in pixels.zip(0_i64..) {
                *pixel = (at * (number + 3) / 7) as u8;
            }
        }
        picture.set_pts(Some(number));
        encoder.send_frame(&picture).unwrap();
        take(&mut encoder);
    }
    encoder.send_eof().unwrap();
    take(&mut encoder);
    assert_eq!(out.len(), 20);
    out
}

fn x265(b_pictures: usize) -> Vec<(bool, Bytes)> {
    let params = format!(
        "log-level=none:scenecut=0:open-gop=0:bframes={b_pictures}:keyint=10:b-adapt=0:pools=none"
    );
    let settings = [("preset", "ultrafast"), ("x265-params", params.as_str())];
    pictures("libx265", (64, 64), b_pictures, &settings)
}

fn vp9(size: (u32, u32), settings: &[(&str, &str)]) -> Vec<(bool, Bytes)> {
    let usual = [("deadline", "realtime"), ("cpu-used", "8")];
    pictures("libvpx-vp9", size, 0, &[&usual, settings].concat())
}

fn av1() -> Vec<(bool, Bytes)> {
    let settings = [
        ("usage", "realtime"),
        ("cpu-used", "8"),
        ("lag-in-frames", "0"),
    ];
    pictures("libaom-av1", (64, 64), 0, &settings)
}

/// The flaws of pictures, and which of them bring something new.
fn looks(codec: VideoCodec, pictures: &[(bool, Bytes)]) -> (Vec<Option<Flaw>>, Vec<usize>) {
    let mut stream = Stream::new(codec).unwrap();
    let looks: Vec<Picture> = pictures
        .iter()
        .map(|(keyframe, data)| stream.look(*keyframe, data))
        .collect();
    let is_new = (0..looks.len()).filter(|at| looks[*at].is_new);
    let is_new = is_new.collect();
    (looks.iter().map(|look| look.flaw).collect(), is_new)
}

#[test]
fn what_encoders_make_for_webrtc_is_without_a_flaw() {
    for (codec, pictures) in [
        (VideoCodec::H265, x265(0)),
        (VideoCodec::Vp9, vp9((64, 64), &[("lag-in-frames", "0")])),
        (VideoCodec::Av1, av1()),
    ] {
        let keyframes = pictures.iter().filter(|(keyframe, _)| *keyframe).count();
        assert_eq!(keyframes, 2, "{codec}");
        let (flaws, is_new) = looks(codec, &pictures);
        assert_eq!(flaws, [None; 20], "{codec}");
        assert_eq!(
            is_new,
            [0],
            "{codec}: the second keyframe is like the first"
        );
        let mut stream = Stream::new(codec).unwrap();
        stream.look(true, &pictures[0].1);
        assert!(stream.config((64, 64), RATE).is_some(), "{codec}");
    }
}

#[test]
fn pictures_that_are_cut_off_break_nothing() {
    for (codec, pictures) in [
        (VideoCodec::H265, x265(0)),
        (VideoCodec::Vp9, vp9((64, 64), &[])),
        (VideoCodec::Av1, av1()),
    ] {
        let (_, first) = &pictures[0];
        for len in 0..first.len().min(400) {
            let mut stream = Stream::new(codec).unwrap();
            stream.look(true, &first.slice(..len));
            stream.config((64, 64), RATE);
            stream.look(false, &pictures[1].1);
        }
    }
}

#[test]
fn b_pictures_of_h265_are_seen() {
    let (flaws, _) = looks(VideoCodec::H265, &x265(2));
    assert!(flaws.contains(&Some(Flaw::Reordered)), "{flaws:?}");
}

#[test]
fn what_vp9_shows_later_comes_in_one_sample_with_what_it_shows() {
    // Hidden references, and superframes of them with what is shown.
    let settings = [("auto-alt-ref", "1"), ("lag-in-frames", "8")];
    let pictures = vp9((64, 64), &settings);
    let (flaws, _) = looks(VideoCodec::Vp9, &pictures);
    assert_eq!(flaws, [None; 20]);
}

/// Frames of VP9 as one picture (annex B of its specification).
fn superframe(frames: &[&Bytes]) -> Bytes {
    let mut out: Vec<u8> = frames.iter().flat_map(|frame| frame.to_vec()).collect();
    let marker = 0xc0 | 1 << 3 | (frames.len() - 1) as u8;
    out.push(marker);
    for frame in frames {
        out.extend((frame.len() as u16).to_le_bytes());
    }
    out.push(marker);
    out.into()
}

#[test]
fn spatial_layers_are_seen() {
    let (small, large) = (vp9((64, 64), &[]), vp9((128, 128), &[]));
    for layers in [[&small[0].1, &large[0].1], [&small[0].1, &small[0].1]] {
        let picture = (true, superframe(&layers));
        assert_eq!(looks(VideoCodec::Vp9, &[picture]).0, [Some(Flaw::Layered)]);
    }
    let mut stream = Stream::new(VideoCodec::Av1).unwrap();
    let key = &av1()[0].1;
    assert_eq!(stream.look(true, key).flaw, None);
    // A frame's OBU of the second layer: type 6, an extension, a size of none.
    let upper = [&key[..], &[0x36, 0x08, 0]].concat();
    assert_eq!(stream.look(true, &upper.into()).flaw, Some(Flaw::Layered));
    // nuh_layer_id 1 of H.265.
    let mut stream = Stream::new(VideoCodec::H265).unwrap();
    let upper = Bytes::from_static(&[0, 0, 0, 1, 0x26, 0x09, 0xaf, 0x80]);
    assert_eq!(stream.look(true, &upper).flaw, Some(Flaw::Layered));
}

#[test]
fn a_size_that_changes_without_a_keyframe_is_seen() {
    let mut stream = Stream::new(VideoCodec::Vp9).unwrap();
    let pictures = vp9((64, 64), &[]);
    let key = &pictures[0].1;
    assert_eq!(stream.look(true, key).flaw, None);
    // Profile 0, shown, not resilient, no context reset, refreshes one; three references; none has its size: 32 × 64.
    let bits = [
        "10",
        "0",
        "0",
        "0",
        "1",
        "1",
        "0",
        "00",
        "00000001",
        "0000",
        "0010",
        "0100",
        "0",
        "0",
        "0",
        "0000000000011111",
        "0000000000111111",
        "0",
    ];
    let smaller = packed(&bits.concat());
    assert_eq!(stream.look(false, &smaller).flaw, Some(Flaw::Resized));
    // The next one takes its size from the first reference, which that one became.
    let bits = [
        "10", "0", "0", "0", "1", "1", "0", "00", "00000000", "0000", "0010", "0100", "1", "0",
    ];
    assert_eq!(
        stream.look(false, &packed(&bits.concat())).flaw,
        Some(Flaw::Resized)
    );
    let bits = [
        "10", "0", "0", "0", "1", "1", "0", "00", "00000000", "0010", "0010", "0100", "1", "0",
    ];
    assert_eq!(stream.look(false, &packed(&bits.concat())).flaw, None);
    assert!(!stream.look(true, key).is_new);
    let larger = &vp9((128, 64), &[])[0].1;
    assert!(stream.look(true, larger).is_new);
}

fn packed(bits: &str) -> Bytes {
    let bytes = bits.as_bytes().chunks(8).map(|chunk| {
        let bits = chunk.iter().enumerate();
        bits.fold(0, |byte, (at, bit)| byte | (bit - b'0') << (7 - at))
    });
    bytes.collect()
}

#[test]
fn av1_that_does_not_begin_with_what_it_shows_is_not_taken_for_a_keyframe() {
    let pictures = av1();
    let mut stream = Stream::new(VideoCodec::Av1).unwrap();
    // Without a sequence header nothing is known.
    assert_eq!(stream.look(false, &pictures[1].1).flaw, Some(Flaw::Form));
    assert_eq!(stream.config((64, 64), RATE), None);
    assert!(stream.look(true, &pictures[0].1).is_new);
    // A picture that isn't a keyframe, said to be one.
    assert_eq!(stream.look(true, &pictures[1].1).flaw, Some(Flaw::Form));
    assert_eq!(stream.look(false, &pictures[1].1).flaw, None);
}
