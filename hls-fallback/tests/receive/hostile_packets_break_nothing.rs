//! Whatever comes, nothing panics, memory stays bounded, and a good broadcast is received afterwards.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use spillway_hls::media::{Moment, VideoCodec};
use spillway_hls::receive::{Coding, Packet, ParameterSets, Receiver, TrackKind};

use crate::support::world::Sent;
use crate::support::{Source, World, seed};

const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
];

fn coding() -> impl Strategy<Value = Coding> {
    prop_oneof![
        1 => Just(Coding::Opus),
        5 => (0..CODECS.len()).prop_map(|i| Coding::Video(CODECS[i])),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let numbers = (0..3_u32, 0..40_u16, 0..4_u32);
    let flags = (any::<bool>(), any::<bool>());
    (
        coding(),
        numbers,
        flags,
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(
            |(coding, (ssrc, sequence, timestamp), (marker, resent), payload)| Packet {
                coding,
                ssrc,
                sequence,
                timestamp: timestamp.wrapping_mul(0x4000_0001),
                marker,
                resent,
                payload: payload.into(),
            },
        )
}

fn drain(receiver: &mut Receiver, now: Instant) {
    while receiver.poll(now).is_some() {}
    while receiver.poll_request(now).is_some() {}
    assert!(receiver.next_timeout().is_none_or(|at| at > now));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_packets_are_survived(
        packets in prop::collection::vec((packet(), 0..300_u64, any::<Option<(u64, u32)>>()), 0..60),
        sets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..10), 0..4),
    ) {
        let mut now = Instant::now();
        let mut receiver = Receiver::new(now, Moment(0));
        let sets: Vec<Bytes> = sets.into_iter().map(Bytes::from).collect();
        receiver.set_parameter_sets(&ParameterSets { h264: sets.clone(), h265: sets });
        for (packet, wait, report) in packets {
            now += Duration::from_millis(wait);
            if let Some((ntp, timestamp)) = report {
                receiver.on_sender_report(now, packet.coding.kind(), ntp, timestamp);
            }
            receiver.on_packet(now, packet);
            drain(&mut receiver, now);
        }
    }
}

#[test]
fn damaged_packets_are_survived() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    for source in Source::ALL {
        let mut now = Instant::now();
        let mut receiver = Receiver::new(now, Moment(0));
        let mut sequence = 0_u16;
        for frame in 0..300_u32 {
            let (_, payloads) = source.frame(&mut rng, frame % 10 == 0);
            now += Duration::from_millis(33);
            for payload in payloads {
                let mut payload = payload.to_vec();
                for _ in 0..rng.random_range(0..3) {
                    let place = rng.random_range(0..payload.len().min(8));
                    payload[place] = rng.random();
                }
                if rng.random_bool(0.05) {
                    payload.truncate(rng.random_range(0..payload.len()));
                }
                sequence = sequence.wrapping_add(1);
                receiver.on_packet(
                    now,
                    Packet {
                        coding: source.coding(),
                        ssrc: 1,
                        sequence,
                        timestamp: frame * 3000,
                        marker: rng.random_bool(0.1),
                        resent: false,
                        payload: payload.into(),
                    },
                );
                drain(&mut receiver, now);
            }
        }
    }
}

#[test]
fn endless_pictures_are_dropped() {
    let mut world = World::new(Source::H264, seed());
    world.run(Duration::from_secs(1));
    // An IDR picture that never ends: 6 MB of fragments.
    let payload = |start: u8| Bytes::from([&[0x7c, start | 5][..], &[0xff; 1_100]].concat());
    world.sent.push(Sent {
        captured: world.captured(),
        data: Vec::new(),
        key: true,
    });
    world.send_payloads(
        (0..6_000)
            .map(|i| payload(if i == 0 { 0x80 } else { 0 }))
            .collect(),
    );
    world.run(Duration::from_secs(3));
    world.finish();
    assert!(world.check() + 3 > world.sent.len());
    assert_eq!(world.receiver.statistics().video.dropped, 1);
}

#[test]
fn a_flood_of_jumps_stays_bounded() {
    let mut now = Instant::now();
    let mut receiver = Receiver::new(now, Moment(0));
    let mut rng = StdRng::seed_from_u64(seed());
    for _ in 0..200_000 {
        now += Duration::from_micros(50);
        receiver.on_packet(
            now,
            Packet {
                coding: Coding::Video(VideoCodec::Vp8),
                ssrc: 1,
                sequence: rng.random(),
                timestamp: rng.random(),
                marker: false,
                resent: rng.random(),
                payload: Bytes::from_static(&[0x10, 0x11, 0, 0]),
            },
        );
        receiver.on_sender_report(now, TrackKind::Video, rng.random(), rng.random());
        while receiver.poll(now).is_some() {}
        while receiver.poll_request(now).is_some() {}
    }
}
