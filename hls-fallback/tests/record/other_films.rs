//! Films in other codecs than H.264, with the sample entries that libav writes for them.

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame};
use mp4_atom::{Any, Atom as _, Codec, DecodeMaybe as _};
use spillway_hls::media::{Sample, TrackConfig};

use crate::{
    film::{FPS, Film, TICKS, nal_units, paint},
    studio::SEGMENT,
};

/// An encoder of libav, and what makes it give each picture back at once.
pub(crate) struct Kind {
    pub(crate) encoder: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
}

pub(crate) const H265: Kind = Kind {
    encoder: "libx265",
    settings: &[
        ("preset", "ultrafast"),
        (
            "x265-params",
            "log-level=none:scenecut=0:rc-lookahead=0:bframes=0:frame-threads=1:pools=none:open-gop=0:keyint=50:min-keyint=50",
        ),
    ],
};
pub(crate) const VP9: Kind = Kind {
    encoder: "libvpx-vp9",
    settings: &[
        ("deadline", "realtime"),
        ("cpu-used", "8"),
        ("lag-in-frames", "0"),
        ("auto-alt-ref", "0"),
    ],
};
pub(crate) const AV1: Kind = Kind {
    encoder: "libaom-av1",
    settings: &[
        ("usage", "realtime"),
        ("cpu-used", "8"),
        ("lag-in-frames", "0"),
    ],
};

/// Keyframes where segments begin.
pub(crate) fn film(kind: &Kind, (width, height): (u16, u16), seconds: u64) -> Film {
    let library = encoder::find_by_name(kind.encoder).unwrap();
    let context = codec::Context::new_with_codec(library);
    let mut video = context.encoder().video().unwrap();
    video.set_width(width.into());
    video.set_height(height.into());
    video.set_format(format::Pixel::YUV420P);
    video.set_time_base(Rational(1, FPS as i32));
    video.set_gop(SEGMENT as u32);
    video.set_max_b_frames(0);
    video.set_flags(codec::Flags::GLOBAL_HEADER);
    let mut options = Dictionary::new();
    for (key, value) in kind.settings {
        options.set(key, value);
    }
    let mut encoder = video.open_with(options).unwrap();
    let mut picture = frame::Video::new(format::Pixel::YUV420P, width.into(), height.into());
    let mut packets = Vec::new();
    for number in 0..seconds * FPS {
        paint(&mut picture, number);
        picture.set_pts(Some(number as i64));
        encoder.send_frame(&picture).unwrap();
        let mut packet = Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            packets.push(packet.clone());
        }
    }
    encoder.send_eof().unwrap();
    let mut packet = Packet::empty();
    while encoder.receive_packet(&mut packet).is_ok() {
        packets.push(packet.clone());
    }
    let config = config(&encoder, &packets, (width, height));
    let samples = packets.iter().zip(0..).map(|(packet, number)| Sample {
        data: sample(&config, packet.data().unwrap()),
        time: number * u64::from(TICKS),
        duration: TICKS,
        keyframe: packet.is_key(),
    });
    Film {
        samples: samples.collect(),
        config,
    }
}

fn sample(config: &TrackConfig, data: &[u8]) -> Bytes {
    match config {
        TrackConfig::H265 { .. } => {
            let mut sample = Vec::new();
            // Without parameter sets and messages.
            let of_pictures = |unit: &&[u8]| unit[0] >> 1 & 63 < 32;
            for unit in nal_units(data).into_iter().filter(of_pictures) {
                sample.extend((unit.len() as u32).to_be_bytes());
                sample.extend_from_slice(unit);
            }
            sample.into()
        }
        TrackConfig::Av1 { .. } => {
            // Without its temporal delimiter.
            Bytes::copy_from_slice(data.strip_prefix(&[0x12, 0]).unwrap_or(data))
        }
        _ => Bytes::copy_from_slice(data),
    }
}

/// Has libav write a file, and looks how it says what is in it.
fn config(
    encoder: &encoder::Video,
    packets: &[Packet],
    (width, height): (u16, u16),
) -> TrackConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let mut output = format::output(&path).unwrap();
    let mut stream = output.add_stream(encoder.codec()).unwrap();
    stream.set_time_base(Rational(1, FPS as i32));
    stream.set_parameters(encoder);
    output.write_header().unwrap();
    let base = output.stream(0).unwrap().time_base();
    for (packet, number) in packets.iter().zip(0..) {
        let mut packet = packet.clone();
        packet.set_stream(0);
        packet.set_pts(Some(number));
        packet.set_dts(Some(number));
        packet.rescale_ts(Rational(1, FPS as i32), base);
        packet.write_interleaved(&mut output).unwrap();
    }
    output.write_trailer().unwrap();
    let file = std::fs::read(&path).unwrap();
    let mut cursor = std::io::Cursor::new(&file[..]);
    let moov = loop {
        if let Any::Moov(moov) = Any::decode_maybe(&mut cursor).unwrap().unwrap() {
            break moov;
        }
    };
    let mut body = Vec::new();
    match &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] {
        Codec::Hev1(entry) => {
            entry.hvcc.encode_body(&mut body).unwrap();
            let hvcc = body.into();
            TrackConfig::H265 {
                hvcc,
                width,
                height,
            }
        }
        Codec::Vp09(entry) => {
            entry.vpcc.encode_body(&mut body).unwrap();
            let vpcc = body.into();
            TrackConfig::Vp9 {
                vpcc,
                width,
                height,
            }
        }
        Codec::Av01(entry) => {
            entry.av1c.encode_body(&mut body).unwrap();
            let av1c = body.into();
            TrackConfig::Av1 {
                av1c,
                width,
                height,
            }
        }
        other => panic!("{other:?}"),
    }
}
