//! What a viewer makes of what it hears.

use std::{collections::BTreeMap, time::Instant};

use spillway_sfu::{
    MediaKind,
    rtp::{Packet, rtx},
};

use super::{
    Codec,
    offer::{DEPENDENCY_DESCRIPTOR, MID, OPUS, SEND_TIME, TRANSPORT_SEQUENCE},
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
            kind: if payload_type == OPUS {
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
        };
        if let Some(codec) = codec(1) {
            let (sequence, payload) = rtx::unwrap(packet.payload())?;
            heard.sequence = sequence;
            heard.payload = payload.to_vec();
            heard.payload_type = codec.payload_type();
            heard.repaired_by = Some(packet.ssrc());
        }
        Some(heard)
    }
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
