//! What a publisher sends: frames that say which they are, in packets that parse as their codec.

use std::time::{Duration, Instant};

use super::{
    ms,
    offer::{DEPENDENCY_DESCRIPTOR, MID, OPUS, RID, TRANSPORT_SEQUENCE},
    scalability::{Frame, Scalability},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    H264,
    Vp8,
    Vp9,
    Av1,
}

impl Codec {
    pub fn payload_type(self) -> u8 {
        match self {
            Self::H264 => 102,
            Self::Vp8 => 96,
            Self::Vp9 => 98,
            Self::Av1 => 45,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        }
    }
}

/// Which frame, and which packet of it, a payload belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    pub source: u8,
    pub layer: u8,
    pub frame: u32,
    pub index: u8,
    /// Packets of the frame that bear a tag.
    pub of: u8,
    pub keyframe: bool,
    pub picture: u32,
    pub spatial: u8,
    pub temporal: u8,
    /// The frames that it refers to.
    pub references: [Option<u32>; 3],
}

const TAG: &[u8; 4] = b"\x01\x02sw";

impl Tag {
    fn write(self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(TAG);
        payload.extend_from_slice(&[self.source, self.layer, self.index, self.of]);
        payload.push(u8::from(self.keyframe));
        payload.extend_from_slice(&self.frame.to_be_bytes());
        payload.extend_from_slice(&self.picture.to_be_bytes());
        payload.extend_from_slice(&[self.spatial, self.temporal]);
        for reference in self.references {
            payload.extend_from_slice(&reference.unwrap_or(u32::MAX).to_be_bytes());
        }
    }

    /// The tag somewhere in the first bytes of a payload.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let at = payload.windows(4).take(64).position(|w| w == TAG)? + 4;
        let rest: &[u8; 27] = payload.get(at..)?.first_chunk()?;
        let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        Some(Self {
            source: rest[0],
            layer: rest[1],
            index: rest[2],
            of: rest[3],
            keyframe: rest[4] == 1,
            frame: number(5),
            picture: number(9),
            spatial: rest[13],
            temporal: rest[14],
            references: [15, 19, 23].map(|at| Some(number(at)).filter(|n| *n != u32::MAX)),
        })
    }
}

/// How a publisher takes keyframe requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    WithAKeyframe,
    /// As OBS.
    Never,
}

#[derive(Debug, Clone)]
pub struct Layer {
    pub rid: Option<&'static str>,
    pub ssrc: u32,
    pub size: (u16, u16),
    pub bitrate: u64,
    /// It sends.
    pub flowing: bool,
    pub wants_keyframe: bool,
    /// Extended number of the next packet.
    pub next: u64,
    pub frame: u32,
    pub picture: u32,
    /// Which picture of its group is next.
    phase: u32,
    base_pictures: u32,
    first_timestamp: u32,
}

/// A plain packet and the extended number that it is to be sealed under.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub packet: Vec<u8>,
    pub header: usize,
    pub index: u64,
}

/// A camera, a microphone and their encoders.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one trait of a client"
)]
pub struct Source {
    pub number: u8,
    pub codec: Codec,
    pub scalability: Scalability,
    /// Instead of the codec's usual one.
    pub payload_type: Option<u8>,
    pub layers: Vec<Layer>,
    pub audio: bool,
    pub audio_ssrc: u32,
    /// Of one packet's payload.
    pub audio_bytes: usize,
    /// A keyframe every so many frames.
    pub group: u32,
    pub answers: Answers,
    /// OBS sends no mid with audio.
    pub audio_mid: bool,
    pub transport_cc: bool,
    /// How far its wall clock is ahead of ours.
    pub clock_ahead: Duration,
    /// Nothing is sent while set.
    pub paused: bool,
    pub started: Instant,
    pub audio_next: u64,
    pub audio_frame: u32,
    pub video_frame: u32,
    pub transport_sequence: u16,
}

pub const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO_FIRST: u32 = 0xffff_f000;

impl Source {
    pub fn new(number: u8) -> Self {
        let base = u32::from(number) << 16;
        Self {
            number,
            codec: Codec::H264,
            scalability: Scalability::None,
            payload_type: None,
            layers: vec![Layer::new(base + 1, None, (1280, 720), 2_500_000)],
            audio: true,
            audio_ssrc: base + 0x100,
            audio_bytes: 160,
            group: 60,
            answers: Answers::WithAKeyframe,
            audio_mid: true,
            transport_cc: true,
            clock_ahead: Duration::from_secs(3600 * u64::from(number)),
            paused: false,
            started: Instant::now(),
            audio_next: 65_500,
            audio_frame: 0,
            video_frame: 0,
            transport_sequence: 65_000,
        }
    }

    /// Three layers, named and ordered as OBS does: the largest first.
    pub fn simulcast(number: u8) -> Self {
        let base = u32::from(number) << 16;
        Self {
            layers: vec![
                Layer::new(base + 1, Some("0"), (1280, 720), 2_500_000),
                Layer::new(base + 2, Some("1"), (640, 352), 800_000),
                Layer::new(base + 3, Some("2"), (320, 176), 200_000),
            ],
            ..Self::new(number)
        }
    }

    /// Three layers of 2.5, 1.0 and 0.3 Mbit/s, with keyframes only when they are asked for.
    pub fn three_rates() -> Self {
        let mut source = Self {
            group: 100_000,
            ..Self::simulcast(1)
        };
        let rates = [2_500_000, 1_000_000, 300_000];
        for (layer, bitrate) in source.layers.iter_mut().zip(rates) {
            layer.bitrate = bitrate;
        }
        source
    }

    pub fn timestamp(&self, layer: usize, at: Instant) -> u32 {
        let elapsed = (at - self.started).as_secs_f64() * 90_000.0;
        self.layers[layer]
            .first_timestamp
            .wrapping_add(elapsed.round() as u64 as u32)
    }

    pub fn audio_timestamp(&self, at: Instant) -> u32 {
        let elapsed = (at - self.started).as_secs_f64() * 48_000.0;
        AUDIO_FIRST.wrapping_add(elapsed.round() as u64 as u32)
    }

    fn next_audio(&self) -> Instant {
        self.started + ms(20) * self.audio_frame
    }

    fn next_video(&self) -> Instant {
        self.started + FRAME * self.video_frame
    }

    /// The next moment at which it has something: audio every 20 ms, video every 33.
    pub fn next(&self) -> Instant {
        self.next_audio().min(self.next_video())
    }

    /// What it sends at `now`.
    pub fn produce(&mut self, now: Instant) -> Vec<Outgoing> {
        let mut out = Vec::new();
        if now >= self.next_audio() {
            if self.audio && !self.paused {
                out.push(self.audio_packet(now));
            }
            self.audio_frame += 1;
        }
        if now >= self.next_video() {
            for layer in 0..self.layers.len() {
                if self.layers[layer].flowing && !self.paused {
                    self.video_frame(now, layer, &mut out);
                }
            }
            self.video_frame += 1;
        }
        out
    }

    fn audio_packet(&mut self, now: Instant) -> Outgoing {
        let index = self.audio_next;
        self.audio_next += 1;
        let mut payload = vec![0xfc];
        Tag {
            source: self.number,
            layer: 0,
            frame: self.audio_frame,
            index: 0,
            of: 1,
            keyframe: false,
            picture: self.audio_frame,
            spatial: 0,
            temporal: 0,
            references: [None; 3],
        }
        .write(&mut payload);
        payload.resize(self.audio_bytes, 0xa5);
        let mid = self.audio_mid.then_some("0");
        let timestamp = self.audio_timestamp(now);
        self.packet(
            OPUS,
            false,
            index,
            timestamp,
            self.audio_ssrc,
            (mid, None),
            &payload,
            None,
        )
    }

    fn video_frame(&mut self, now: Instant, layer: usize, out: &mut Vec<Outgoing>) {
        let timestamp = self.timestamp(layer, now);
        let state = &mut self.layers[layer];
        let keyframe = state.picture == 0
            || state.wants_keyframe
            || self.video_frame.is_multiple_of(self.group);
        state.wants_keyframe = false;
        if keyframe {
            state.phase = 0;
        }
        let (first, picture) = (state.frame, state.picture);
        let mut frames = self
            .scalability
            .frames(self.codec, keyframe, state.phase, first, picture);
        state.phase += 1;
        state.picture += 1;
        state.frame += frames.len() as u32;
        state.base_pictures += u32::from(frames[0].temporal == 0);
        for frame in &mut frames {
            frame.base_pictures = state.base_pictures;
        }
        let count = frames.len();
        for (place, frame) in frames.iter().enumerate() {
            self.frame(layer, frame, timestamp, place + 1 == count, out);
        }
    }

    fn frame(
        &mut self,
        layer: usize,
        frame: &Frame,
        timestamp: u32,
        last: bool,
        out: &mut Vec<Outgoing>,
    ) {
        let (codec, number) = (self.codec, self.number);
        let state = &self.layers[layer];
        let (ssrc, rid, size) = (state.ssrc, state.rid, state.size);
        let keyframe = frame.keyframe;
        let bytes = self
            .scalability
            .share(state.bitrate as usize / 8 / 30, frame);
        let bytes = if keyframe { bytes * 4 } else { bytes };
        let of = bytes.div_ceil(1100).max(1) as u8;
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        if keyframe && codec == Codec::H264 {
            payloads.push(sequence_parameters(size));
            payloads.push(vec![0x68, 0xce, 0x3c, 0x80]);
        }
        for index in 0..of {
            let (first, end) = (index == 0, index + 1 == of);
            let mut payload = match self.scalability {
                Scalability::None => head(codec, keyframe, first, end, size),
                _ => frame.head(codec, first, end, size),
            };
            Tag {
                source: number,
                layer: layer as u8,
                frame: frame.number,
                index,
                of,
                keyframe,
                picture: frame.picture,
                spatial: frame.spatial,
                temporal: frame.temporal,
                references: frame.references,
            }
            .write(&mut payload);
            payload.resize((bytes / usize::from(of)).max(80), index);
            payloads.push(payload);
        }
        let end = payloads.len() - 1;
        for (at, payload) in payloads.iter().enumerate() {
            let index = self.layers[layer].next;
            self.layers[layer].next += 1;
            let descriptor = self
                .scalability
                .descriptor(codec, frame, at == 0, at == end, size);
            let packet = self.packet(
                self.payload_type.unwrap_or(codec.payload_type()),
                last && at == end,
                index,
                timestamp,
                ssrc,
                (Some("1"), rid),
                payload,
                descriptor,
            );
            out.push(packet);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a packet")]
    fn packet(
        &mut self,
        payload_type: u8,
        marker: bool,
        index: u64,
        timestamp: u32,
        ssrc: u32,
        (mid, rid): (Option<&str>, Option<&str>),
        payload: &[u8],
        descriptor: Option<Vec<u8>>,
    ) -> Outgoing {
        let mut extensions = Vec::new();
        extensions.extend(descriptor.map(|value| (DEPENDENCY_DESCRIPTOR, value)));
        if self.transport_cc {
            self.transport_sequence = self.transport_sequence.wrapping_add(1);
            extensions.push((
                TRANSPORT_SEQUENCE,
                self.transport_sequence.to_be_bytes().to_vec(),
            ));
        }
        for (id, text) in [(MID, mid), (RID, rid)] {
            extensions.extend(text.map(|text| (id, text.as_bytes().to_vec())));
        }
        rtp(
            payload_type,
            marker,
            index,
            timestamp,
            ssrc,
            &extensions,
            payload,
        )
    }
}

impl Layer {
    pub fn new(ssrc: u32, rid: Option<&'static str>, size: (u16, u16), bitrate: u64) -> Self {
        Self {
            rid,
            ssrc,
            size,
            bitrate,
            flowing: true,
            wants_keyframe: false,
            // Just before the sequence numbers and the timestamps wrap.
            next: 65_500,
            frame: 0,
            picture: 0,
            phase: 0,
            // Just before TL0PICIDX wraps.
            base_pictures: 250,
            first_timestamp: u32::MAX - 90_000,
        }
    }

    pub fn starting_at(self, first_timestamp: u32) -> Self {
        Self {
            first_timestamp,
            ..self
        }
    }
}

/// An RTP packet, with extensions of the two-byte form where a long one asks for it.
pub fn rtp(
    payload_type: u8,
    marker: bool,
    index: u64,
    timestamp: u32,
    ssrc: u32,
    extensions: &[(u8, Vec<u8>)],
    payload: &[u8],
) -> Outgoing {
    let mut packet = vec![
        if extensions.is_empty() { 0x80 } else { 0x90 },
        payload_type | u8::from(marker) << 7,
    ];
    packet.extend_from_slice(&(index as u16).to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    if !extensions.is_empty() {
        let mut elements = Vec::new();
        let long = extensions.iter().any(|(_, value)| value.len() > 16);
        for (id, value) in extensions {
            if long {
                elements.extend_from_slice(&[*id, value.len() as u8]);
            } else {
                elements.push(id << 4 | (value.len() as u8 - 1));
            }
            elements.extend_from_slice(value);
        }
        elements.resize(elements.len().next_multiple_of(4), 0);
        let profile = if long { [0x10, 0] } else { [0xbe, 0xde] };
        packet.extend_from_slice(&profile);
        packet.extend_from_slice(&[0, (elements.len() / 4) as u8]);
        packet.extend_from_slice(&elements);
    }
    let header = packet.len();
    packet.extend_from_slice(payload);
    Outgoing {
        packet,
        header,
        index,
    }
}

/// What a payload begins with, so that it parses as a part of a frame.
fn head(codec: Codec, keyframe: bool, first: bool, last: bool, size: (u16, u16)) -> Vec<u8> {
    match codec {
        // FU-A of an IDR slice, or of another.
        Codec::H264 => vec![
            if keyframe { 0x7c } else { 0x5c },
            u8::from(first) << 7 | u8::from(last) << 6 | if keyframe { 5 } else { 1 },
        ],
        Codec::Vp8 if !first => vec![0x00],
        Codec::Vp8 if keyframe => {
            let mut head = vec![0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a];
            head.extend_from_slice(&size.0.to_le_bytes());
            head.extend_from_slice(&size.1.to_le_bytes());
            head
        }
        Codec::Vp8 => vec![0x10, 0x11, 0, 0],
        Codec::Vp9 | Codec::Av1 => unreachable!("these are sent with layers only"),
    }
}

/// An H.264 sequence parameter set (ITU-T H.264 §7.3.2.1.1) of Baseline, for a size in whole macroblocks.
fn sequence_parameters((width, height): (u16, u16)) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put =
        |value: u32, count: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1));
    let golomb = |put: &mut dyn FnMut(u32, u32), value: u32| {
        let length = 32 - (value + 1).leading_zeros();
        put(value + 1, 2 * length - 1);
    };
    put(66 << 16 | 0xc0 << 8 | 31, 24);
    for value in [0, 0, 2, 1] {
        golomb(&mut put, value);
    }
    put(0, 1);
    golomb(&mut put, u32::from(width) / 16 - 1);
    golomb(&mut put, u32::from(height) / 16 - 1);
    // Frames only, direct 8x8, no cropping, no VUI, stop bit.
    put(0b11001, 5);
    bits.resize(bits.len().next_multiple_of(8), 0);
    let bytes = bits
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | *bit as u8));
    std::iter::once(0x67).chain(bytes).collect()
}
