//! Pictures and sound of the right form, packetized by `rtc-rtp` and by the load test's publisher.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;
use rtc::rtp::codec::av1::Av1Payloader;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::h265::HevcPayloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::codec::vp9::Vp9Payloader;
use rtc::rtp::packetizer::Payloader;
use spillway_hls::media::VideoCodec;
use spillway_hls::receive::Coding;

const MAX_PAYLOAD: usize = 1_160;

/// What a publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Opus,
    H264,
    /// Cut by the load test's packetizer.
    H264Loadtest,
    H265,
    Vp8,
    Vp9,
    Av1,
}

impl Source {
    pub(crate) const ALL: [Self; 7] = [
        Self::Opus,
        Self::H264,
        Self::H264Loadtest,
        Self::H265,
        Self::Vp8,
        Self::Vp9,
        Self::Av1,
    ];

    pub(crate) fn coding(self) -> Coding {
        match self {
            Self::Opus => Coding::Opus,
            Self::H264 | Self::H264Loadtest => Coding::Video(VideoCodec::H264),
            Self::H265 => Coding::Video(VideoCodec::H265),
            Self::Vp8 => Coding::Video(VideoCodec::Vp8),
            Self::Vp9 => Coding::Video(VideoCodec::Vp9),
            Self::Av1 => Coding::Video(VideoCodec::Av1),
        }
    }

    /// A frame as it is to come out, and its payloads.
    pub(crate) fn frame(self, rng: &mut StdRng, key: bool) -> (Vec<u8>, Vec<Bytes>) {
        let size = if key {
            rng.random_range(8_000..60_000)
        } else {
            rng.random_range(300..8_000)
        };
        match self {
            Self::Opus => {
                let size = rng.random_range(3..200);
                let packet = noise(rng, size);
                (packet.clone(), vec![packet.into()])
            }
            Self::H264 => cut(annexb(&h264(rng, key, size)), H264Payloader::default()),
            Self::H264Loadtest => {
                let units = h264(rng, key, size);
                let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
                let payloads = spillway_loadtest::media::packets::payloads(&slices);
                (
                    annexb(&units),
                    payloads.into_iter().map(Bytes::from).collect(),
                )
            }
            Self::H265 => cut(annexb(&h265(rng, key, size)), HevcPayloader),
            Self::Vp8 => {
                let mut frame = vec![0x10 | u8::from(!key), 0, 0];
                if key {
                    frame.extend([0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02]);
                }
                frame.extend(noise(rng, size));
                let mut payloader = Vp8Payloader::default();
                payloader.enable_picture_id = true;
                cut(frame, payloader)
            }
            Self::Vp9 => {
                let mut frame = vec![if key { 0x82 } else { 0x86 }];
                frame.extend(noise(rng, size));
                cut(frame, Vp9Payloader::default())
            }
            Self::Av1 => av1(rng, key, size),
        }
    }
}

fn cut(frame: Vec<u8>, mut payloader: impl Payloader) -> (Vec<u8>, Vec<Bytes>) {
    let payloads = payloader
        .payload(MAX_PAYLOAD, &frame.clone().into())
        .unwrap();
    (frame, payloads)
}

/// Bytes without start codes.
fn noise(rng: &mut StdRng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.random_range(1..=255)).collect()
}

pub(crate) fn annexb(units: &[Vec<u8>]) -> Vec<u8> {
    let unit = |unit: &Vec<u8>| [&[0, 0, 0, 1], unit.as_slice()].concat();
    units.iter().flat_map(unit).collect()
}

/// A picture of one to three slices, for keyframes behind its parameter sets.
fn h264(rng: &mut StdRng, key: bool, size: usize) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    if key {
        units.push([&[0x67, 0x64, 0x00, 0x1f][..], &noise(rng, 12)].concat());
        units.push([&[0x68, 0xee][..], &noise(rng, 3)].concat());
    }
    let slices = rng.random_range(1..=3);
    for slice in 0..slices {
        let header = if key { 0x65 } else { 0x41 };
        let first = if slice == 0 { 0x88 } else { 0x42 };
        units.push([&[header, first][..], &noise(rng, size / slices)].concat());
    }
    units
}

fn h265(rng: &mut StdRng, key: bool, size: usize) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    if key {
        for kind in [32, 33, 34] {
            units.push([&[kind << 1, 0x01][..], &noise(rng, 20)].concat());
        }
    }
    let slices = rng.random_range(1..=3);
    for slice in 0..slices {
        let kind: u8 = if key { 19 } else { 1 };
        let first = if slice == 0 { 0xaf } else { 0x2f };
        units.push([&[kind << 1, 0x01, first][..], &noise(rng, size / slices)].concat());
    }
    units
}

/// A temporal unit: what comes out lacks the delimiter.
fn av1(rng: &mut StdRng, key: bool, size: usize) -> (Vec<u8>, Vec<Bytes>) {
    let mut unit = Vec::new();
    if key {
        unit.extend(obu(1, &noise(rng, 11)));
    }
    let head = if key { 0x10 } else { 0x30 };
    unit.extend(obu(6, &[&[head][..], &noise(rng, size)].concat()));
    let whole: Bytes = [&[0x12, 0x00][..], &unit].concat().into();
    let payloads = Av1Payloader {}.payload(MAX_PAYLOAD, &whole).unwrap();
    (unit, payloads)
}

pub(crate) fn obu(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut obu = vec![kind << 3 | 0x02];
    let mut size = payload.len();
    while size >= 0x80 {
        obu.push(size as u8 | 0x80);
        size >>= 7;
    }
    obu.push(size as u8);
    obu.extend(payload);
    obu
}
