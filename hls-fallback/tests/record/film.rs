//! Pictures and sound that are really encoded. Each second begins with a white flash and a beep of a tenth, and is grey and silent
//! then.

use bytes::Bytes;
use ffmpeg_next::{
    ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format, frame, picture,
};
use spillway_hls::media::{Rate, Sample, TrackConfig};

pub(crate) const FPS: u64 = 25;
pub(crate) const RATE: Rate = Rate {
    numerator: FPS as u32,
    denominator: 1,
};
/// Ticks a second, and of a picture.
pub(crate) const TIMESCALE: u32 = 10_000;
pub(crate) const TICKS: u32 = TIMESCALE / FPS as u32;
pub(crate) const SOUND_RATE: u32 = 48_000;
const AAC_FRAME: u64 = 1_024;

/// How samples are encoded, and they.
#[derive(Clone)]
pub(crate) struct Film {
    pub(crate) config: TrackConfig,
    pub(crate) samples: Vec<Sample>,
}

/// H.264 with keyframes at these pictures.
pub(crate) fn pictures(width: u16, height: u16, count: u64, keyframes: &[u64]) -> Film {
    let library = encoder::find_by_name("libx264").unwrap();
    let context = codec::Context::new_with_codec(library);
    let mut video = context.encoder().video().unwrap();
    video.set_width(width.into());
    video.set_height(height.into());
    video.set_format(format::Pixel::YUV420P);
    video.set_time_base(Rational(1, FPS as i32));
    video.set_gop(100_000);
    let mut options = Dictionary::new();
    for (key, value) in [
        ("preset", "ultrafast"),
        ("tune", "zerolatency"),
        ("forced-idr", "1"),
        ("x264-params", "scenecut=0:keyint=infinite"),
    ] {
        options.set(key, value);
    }
    let mut encoder = video.open_with(options).unwrap();
    let mut picture = frame::Video::new(format::Pixel::YUV420P, width.into(), height.into());
    let (mut samples, mut sets) = (Vec::new(), None);
    for number in 0..count {
        paint(&mut picture, number);
        picture.set_pts(Some(number as i64));
        let kind = if keyframes.contains(&number) {
            picture::Type::I
        } else {
            picture::Type::None
        };
        picture.set_kind(kind);
        encoder.send_frame(&picture).unwrap();
        let mut packet = Packet::empty();
        encoder.receive_packet(&mut packet).unwrap();
        let units = nal_units(packet.data().unwrap());
        let of_kind = |kind| units.iter().find(|unit| unit[0] & 31 == kind);
        if let (Some(sps), Some(pps)) = (of_kind(7), of_kind(8)) {
            sets.get_or_insert_with(|| (sps.to_vec(), pps.to_vec()));
        }
        let mut data = Vec::new();
        for unit in units.iter().filter(|unit| !matches!(unit[0] & 31, 6..=9)) {
            data.extend((unit.len() as u32).to_be_bytes());
            data.extend_from_slice(unit);
        }
        samples.push(Sample {
            data: data.into(),
            time: number * u64::from(TICKS),
            duration: TICKS,
            keyframe: packet.is_key(),
        });
    }
    let (sps, pps) = sets.unwrap();
    let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1];
    avcc.extend((sps.len() as u16).to_be_bytes());
    avcc.extend(&sps);
    avcc.push(1);
    avcc.extend((pps.len() as u16).to_be_bytes());
    avcc.extend(&pps);
    if !matches!(sps[1], 66 | 77 | 88) {
        // 4:2:0 of eight bits (ISO/IEC 14496-15 §5.3.3.1.2).
        avcc.extend([0xfd, 0xf8, 0xf8, 0]);
    }
    Film {
        config: TrackConfig::H264 {
            avcc: avcc.into(),
            width,
            height,
        },
        samples,
    }
}

/// White at the beginning of each second, grey else.
pub(crate) fn paint(picture: &mut frame::Video, number: u64) {
    let flash = number % FPS < FPS / 10;
    picture.data_mut(0).fill(if flash { 235 } else { 60 });
    for plane in [1, 2] {
        picture.data_mut(plane).fill(128);
    }
}

pub(crate) fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
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

/// AAC of so many seconds.
pub(crate) fn sound(seconds: u64) -> Film {
    let library = encoder::find(codec::Id::AAC).unwrap();
    let context = codec::Context::new_with_codec(library);
    let mut audio = context.encoder().audio().unwrap();
    audio.set_rate(SOUND_RATE as i32);
    audio.set_format(format::Sample::F32(format::sample::Type::Planar));
    audio.set_channel_layout(ChannelLayout::STEREO);
    audio.set_time_base(Rational(1, SOUND_RATE as i32));
    audio.set_bit_rate(96_000);
    let mut encoder = audio.open().unwrap();
    let mut samples = Vec::new();
    for number in 0..=seconds * u64::from(SOUND_RATE) / AAC_FRAME {
        let mut pcm = frame::Audio::new(
            format::Sample::F32(format::sample::Type::Planar),
            AAC_FRAME as usize,
            ChannelLayout::STEREO,
        );
        pcm.set_rate(SOUND_RATE);
        pcm.set_pts(Some((number * AAC_FRAME) as i64));
        for channel in 0..2 {
            let values = pcm.plane_mut::<f32>(channel);
            for (value, at) in values.iter_mut().zip(number * AAC_FRAME..) {
                let beeps = at % u64::from(SOUND_RATE) < u64::from(SOUND_RATE) / 10;
                let wave = (at as f32 * 0.13).sin() * 0.7;
                *value = if beeps { wave } else { 0.0 };
            }
        }
        encoder.send_frame(&pcm).unwrap();
        let mut packet = Packet::empty();
        while encoder.receive_packet(&mut packet).is_ok() {
            samples.push(Bytes::copy_from_slice(packet.data().unwrap()));
        }
    }
    // What the encoder gives first has nothing in it: its delay.
    let samples = samples
        .into_iter()
        .skip(1)
        .zip(0..)
        .map(|(data, number)| Sample {
            data,
            time: number * AAC_FRAME,
            duration: AAC_FRAME as u32,
            keyframe: true,
        });
    Film {
        config: TrackConfig::Aac {
            config: Bytes::from_static(&[0x11, 0x90]),
            sample_rate: SOUND_RATE,
            channels: 2,
        },
        samples: samples.collect(),
    }
}
