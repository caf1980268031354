//! Each function takes any bytes, and panics if what the readers promise isn't so.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    bitstream::Stream,
    codec_name,
    media::{Content, Moment, Rate, TrackConfig, VideoCodec},
    receive::{Coding, Packet, Receiver},
};

const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
];
const RATE: Rate = Rate {
    numerator: 30,
    denominator: 1,
};

/// The next piece of the input: what its first byte says, and the bytes behind its length in two bytes.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[flags, high, low], after) = rest.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([high, low])).min(after.len());
    let (piece, after) = after.split_at(len);
    *rest = after;
    Some((flags, piece))
}

/// A receiver gets the input as packets: of a codec by the lowest three bits, with bits for the marker, a new picture, and a packet
/// that is missing before it. What comes out is looked at as [`pictures`] are.
pub fn packets(data: &[u8]) {
    let mut now = Instant::now();
    let mut receiver = Receiver::new(now, Moment(0));
    let (mut sequence, mut timestamp) = (0_u16, 0_u32);
    let mut looked: Option<Stream> = None;
    let mut rest = data;
    while let Some((flags, payload)) = piece(&mut rest) {
        let coding = match CODECS.get(usize::from(flags & 7)) {
            Some(codec) => Coding::Video(*codec),
            None => Coding::Opus,
        };
        sequence = sequence.wrapping_add(if flags & 0x20 == 0 { 1 } else { 2 });
        timestamp = timestamp.wrapping_add(if flags & 0x10 == 0 { 0 } else { 3_000 });
        now += Duration::from_millis(10);
        let packet = Packet {
            coding,
            ssrc: u32::from(coding == Coding::Opus),
            sequence,
            timestamp,
            marker: flags & 0x08 != 0,
            resent: false,
            payload: Bytes::copy_from_slice(payload),
        };
        receiver.on_packet(now, packet);
        if flags & 0x40 != 0 {
            // What is missing is given up.
            now += Duration::from_secs(1);
        }
        while let Some(frame) = receiver.poll(now) {
            if let Content::Video { codec, keyframe } = frame.content {
                assert!(!frame.data.is_empty());
                look(&mut looked, codec, keyframe, &frame.data);
            }
        }
        while receiver.poll_request(now).is_some() {}
        assert!(receiver.next_timeout().is_none_or(|due| due > now));
    }
}

/// The input as pictures, of the codec that the first byte names; the first bit of each says whether it is a keyframe.
pub fn pictures(data: &[u8]) {
    let Some((codec, mut rest)) = data.split_first() else {
        return;
    };
    let codec = CODECS[usize::from(*codec) % CODECS.len()];
    let mut stream = None;
    while let Some((flags, picture)) = piece(&mut rest) {
        look(
            &mut stream,
            codec,
            flags & 1 == 1,
            &Bytes::copy_from_slice(picture),
        );
    }
}

/// A picture is looked at, and the track that it would begin is made.
fn look(stream: &mut Option<Stream>, codec: VideoCodec, keyframe: bool, data: &Bytes) {
    if stream.as_ref().is_none_or(|known| known.codec() != codec) {
        *stream = Stream::new(codec);
    }
    let Some(stream) = stream else {
        return;
    };
    let before = stream.config((64, 64), RATE);
    let picture = stream.look(keyframe, data);
    if codec == VideoCodec::H264 || codec == VideoCodec::H265 {
        check_lengths(&picture.data);
    } else {
        assert_eq!(picture.data, data);
    }
    let config = stream.config((64, 64), RATE);
    assert!(
        picture.is_new || before == config,
        "a track doesn't change by itself"
    );
    if let Some(config) = config {
        assert_eq!(config.size(), Some((64, 64)));
        assert!(matches!(config, TrackConfig::H264 { .. }) || codec != VideoCodec::H264);
        assert!(codec_name(&config).is_some(), "players can be told of it");
    }
}

/// NAL units with their lengths, and nothing else.
fn check_lengths(mut sample: &[u8]) {
    while let Some((len, rest)) = sample.split_first_chunk() {
        let len = u32::from_be_bytes(*len) as usize;
        assert!(len > 0);
        sample = &rest[len..];
    }
    assert!(sample.is_empty());
}
