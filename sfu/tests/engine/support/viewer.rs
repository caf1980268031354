//! What a viewer makes of what it hears.

use std::{collections::BTreeMap, time::Instant};

use spillway_sfu::{
    MediaKind,
    rtp::{Packet, rtx},
};

use super::{
    Codec,
    offer::{DEPENDENCY_DESCRIPTOR, MID, OPUS, RED, SEND_TIME, TRANSPORT_SEQUENCE},
    source::Tag,
};

/// One packet of media that arrived, retransmissions unwrapped.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: Instant,
    pub kind: MediaKind,
    pub ssrc: u32,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub descriptor: Option<Vec<u8>>,
    pub payload: Vec<u8>,
    pub tag: Option<Tag>,
    pub mid: Option<String>,
    pub transport_sequence: Option<u16>,
    /// abs-send-time.
    pub send_time: Option<u32>,
    /// It came as RTX, from this SSRC.
    pub repaired_by: Option<u32>,
    /// Copies of packets before that came with it (RFC 2198): their timestamps and payloads.
    pub copies: Vec<(u32, Vec<u8>)>,
    /// It is RTX of nothing: padding, to fill a probe.
    pub padding: bool,
}

impl Heard {
    pub fn read(at: Instant, datagram: &[u8]) -> Option<Self> {
        let packet = Packet::parse(datagram).ok()?;
        let extension = |id| packet.extensions().find(|e| e.0 == id).map(|e| e.1);
        let payload_type = packet.payload_type();
        let codec = |offset| {
            [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1]
                .into_iter()
                .find(|codec| codec.payload_type() + offset == payload_type)
        };
        let mut heard = Self {
            at,
            kind: if matches!(payload_type, OPUS | RED) {
                MediaKind::Audio
            } else {
                MediaKind::Video
            },
            ssrc: packet.ssrc(),
            payload_type,
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
            marker: packet.marker(),
            descriptor: extension(DEPENDENCY_DESCRIPTOR).map(<[u8]>::to_vec),
            payload: packet.payload().to_vec(),
            tag: Tag::read(packet.payload()),
            mid: extension(MID).map(|mid| String::from_utf8_lossy(mid).into_owned()),
            transport_sequence: extension(TRANSPORT_SEQUENCE)
                .and_then(|value| Some(u16::from_be_bytes(value.try_into().ok()?))),
            send_time: extension(SEND_TIME).and_then(|value| {
                let [a, b, c] = value.try_into().ok()?;
                Some(u32::from_be_bytes([0, a, b, c]))
            }),
            repaired_by: None,
            copies: Vec::new(),
            padding: false,
        };
        if payload_type == RED {
            let (copies, primary) = unwrap_red(packet.payload(), heard.timestamp);
            heard.tag = Tag::read(&primary);
            (heard.copies, heard.payload) = (copies, primary);
        }
        if let Some(codec) = codec(1) {
            let Some((sequence, payload)) = rtx::unwrap(packet.payload()) else {
                heard.padding = true;
                return Some(heard);
            };
            heard.sequence = sequence;
            heard.payload = payload.to_vec();
            heard.payload_type = codec.payload_type();
            heard.repaired_by = Some(packet.ssrc());
        }
        Some(heard)
    }
}

/// Splits a redundant payload of Opus alone (RFC 2198 §3) into copies, with their timestamps, and the primary payload.
fn unwrap_red(payload: &[u8], timestamp: u32) -> (Vec<(u32, Vec<u8>)>, Vec<u8>) {
    let (mut heads, mut at) = (Vec::new(), 0);
    while payload[at] & 0x80 != 0 {
        assert_eq!(payload[at] & 0x7f, OPUS);
        let head = u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        heads.push((head >> 10 & 0x3fff, (head & 0x3ff) as usize));
        at += 4;
    }
    assert_eq!(payload[at], OPUS);
    at += 1;
    let mut copies = Vec::new();
    for (offset, length) in heads {
        assert!(offset > 0 && length > 0);
        let copy = payload[at..at + length].to_vec();
        copies.push((timestamp.wrapping_sub(offset), copy));
        at += length;
    }
    (copies, payload[at..].to_vec())
}

/// The packets of one kind, by extended sequence number, the first that came of each.
pub fn in_order(heard: &[Heard], kind: MediaKind) -> BTreeMap<i64, &Heard> {
    let mut ordered = BTreeMap::new();
    let mut highest: Option<i64> = None;
    for packet in heard.iter().filter(|p| p.kind == kind) {
        let sequence = match highest {
            None => i64::from(packet.sequence),
            Some(highest) => {
                highest + i64::from(packet.sequence.wrapping_sub(highest as u16) as i16)
            }
        };
        highest = Some(highest.map_or(sequence, |h| h.max(sequence)));
        ordered.entry(sequence).or_insert(packet);
    }
    ordered
}

/// The frames that came whole, in the order of their sequence numbers.
pub fn whole_frames(heard: &[Heard]) -> Vec<Tag> {
    let mut parts: BTreeMap<(u8, u8, u32), u8> = BTreeMap::new();
    let mut frames = Vec::new();
    for packet in in_order(heard, MediaKind::Video).values() {
        let Some(tag) = packet.tag else { continue };
        let seen = parts.entry((tag.source, tag.layer, tag.frame)).or_default();
        *seen += 1;
        if *seen == tag.of {
            frames.push(tag);
        }
    }
    frames
}
