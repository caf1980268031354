//! Tests against an independent implementation, in both directions, and of mutated packets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use proptest::prelude::*;
use rtc_rtp::{
    extension::{
        abs_send_time_extension::AbsSendTimeExtension,
        playout_delay_extension::PlayoutDelayExtension,
    },
    header::{EXTENSION_PROFILE_ONE_BYTE, EXTENSION_PROFILE_TWO_BYTE, Header},
};
use rtc_shared::marshal::{Marshal, Unmarshal};

use super::*;

type TheirPacket = rtc_rtp::packet::Packet;

/// What both implementations say of a packet.
#[derive(Debug, PartialEq)]
struct Contents {
    payload_type: u8,
    marker: bool,
    numbers: (u16, u32, u32),
    extensions: Vec<(u8, Vec<u8>)>,
    payload: Vec<u8>,
}

fn ours(datagram: &[u8]) -> Option<Contents> {
    let packet = Packet::parse(datagram).ok()?;
    let total = packet.header_len() + packet.payload().len() + packet.padding_len();
    assert_eq!(total, datagram.len());
    assert_eq!(header_len(datagram), Ok(packet.header_len()));
    Some(Contents {
        payload_type: packet.payload_type(),
        marker: packet.marker(),
        numbers: (packet.sequence(), packet.timestamp(), packet.ssrc()),
        extensions: packet
            .extensions()
            .map(|(id, value)| (id, value.to_vec()))
            .collect(),
        payload: packet.payload().to_vec(),
    })
}

fn theirs(packet: &TheirPacket) -> Contents {
    let header = &packet.header;
    Contents {
        payload_type: header.payload_type,
        marker: header.marker,
        numbers: (header.sequence_number, header.timestamp, header.ssrc),
        extensions: header
            .extensions
            .iter()
            .map(|extension| (extension.id, extension.payload.to_vec()))
            .collect(),
        payload: packet.payload.to_vec(),
    }
}

fn packet() -> impl Strategy<Value = TheirPacket> {
    let values = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..16), 0..6);
    let header = (
        (any::<bool>(), any::<bool>(), 0..128_u8),
        (any::<u16>(), any::<u32>(), any::<u32>()),
        prop::collection::vec(any::<u32>(), 0..16),
        (any::<bool>(), values),
    );
    let payload = prop::collection::vec(any::<u8>(), 0..100);
    (header, payload).prop_map(|((flags, numbers, csrc, (two_byte, values)), payload)| {
        let mut header = Header {
            version: 2,
            padding: flags.0,
            marker: flags.1,
            payload_type: flags.2,
            sequence_number: numbers.0,
            timestamp: numbers.1,
            ssrc: numbers.2,
            csrc,
            extension: !values.is_empty(),
            extension_profile: if two_byte {
                EXTENSION_PROFILE_TWO_BYTE
            } else {
                EXTENSION_PROFILE_ONE_BYTE
            },
            ..Header::default()
        };
        for (id, value) in (1..).zip(values) {
            header.set_extension(id, value.into()).unwrap();
        }
        TheirPacket {
            header,
            payload: payload.into(),
        }
    })
}

#[test]
fn playout_delays() {
    let ours = PlayoutDelay {
        min: 0x123,
        max: 0xABC,
    };
    let theirs = PlayoutDelayExtension::new(0x123, 0xABC).marshal().unwrap();
    assert_eq!(&theirs[..], ours.to_bytes());
    let read = PlayoutDelayExtension::unmarshal(&mut &ours.to_bytes()[..]).unwrap();
    assert_eq!((read.min_delay, read.max_delay), (0x123, 0xABC));
}

proptest! {
    #[test]
    fn abs_send_times(bits: u64) {
        let ours = NtpTime::from_bits(bits).abs_send_time();
        let theirs = AbsSendTimeExtension::unmarshal(&mut &ours[..]).unwrap();
        prop_assert_eq!(theirs.timestamp, (bits >> 14) & 0xFF_FFFF);
    }

    #[test]
    fn packets_read_alike(packet in packet()) {
        let datagram = packet.marshal().unwrap();
        prop_assert_eq!(ours(&datagram), Some(theirs(&packet)));
    }

    #[test]
    fn mutated_and_truncated_packets_never_panic(
        packet in packet(),
        mutations in prop::collection::vec((0..200_usize, any::<u8>()), 0..5),
        len in 0..300_usize,
    ) {
        let mut datagram = packet.marshal().unwrap().to_vec();
        for (at, value) in mutations {
            if let Some(byte) = datagram.get_mut(at) {
                *byte = value;
            }
        }
        datagram.truncate(len);
        ours(&datagram);
        for (_, value) in Packet::parse(&datagram).iter().flat_map(Packet::extensions) {
            DependencyDescriptor::parse(value);
            AbsCaptureTime::parse(value);
        }
    }

    #[test]
    fn arbitrary_datagrams_never_panic(mut datagram: Vec<u8>) {
        ours(&datagram);
        if let Some(first) = datagram.first_mut() {
            *first = 0x80 | (*first & 0x3F);
        }
        if let (Some(ours), Ok(packet)) =
            (ours(&datagram), TheirPacket::unmarshal(&mut Bytes::from(datagram)))
        {
            prop_assert_eq!(ours.payload, theirs(&packet).payload);
        }
    }
}
