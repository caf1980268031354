//! Tests against an independent implementation, in both directions, and of mutated packets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use proptest::prelude::*;
use rtc_rtcp::{
    extended_report::{
        DLRRReport, DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock,
    },
    goodbye::Goodbye,
    packet::{Packet, unmarshal},
    payload_feedbacks::{
        full_intra_request::{FirEntry, FullIntraRequest},
        picture_loss_indication::PictureLossIndication,
        receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate,
    },
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription},
    transport_feedbacks::{
        transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc},
        transport_layer_nack::{NackPair, TransportLayerNack, nack_pairs_from_sequence_numbers},
    },
};

use super::*;
use crate::rtp::NtpTime;

fn theirs<P: Packet + Clone + 'static>(mut datagram: &[u8], index: usize) -> P {
    let all = unmarshal(&mut datagram).expect("they can't read what we wrote");
    let packet = all[index].as_any().downcast_ref::<P>();
    packet.expect("they take it for something else").clone()
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = Vec::new();
    write(&mut Writer::new(&mut buffer));
    assert_eq!(buffer.len() % 4, 0);
    buffer
}

fn marshalled(packet: impl Packet + 'static) -> Vec<u8> {
    rtc_rtcp::packet::marshal(&[Box::new(packet)])
        .unwrap()
        .to_vec()
}

fn only(datagram: &[u8]) -> Rtcp<'_> {
    let mut all = packets(datagram);
    let packet = all.next().unwrap().unwrap();
    assert!(all.next().is_none());
    packet
}

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 77,
        cumulative_lost: 0x12_3456,
        highest_sequence: 0x0001_0002,
        jitter: 3,
        last_sr: 0x0405_0607,
        delay_since_last_sr: 0x0809_0A0B,
    }
}

fn their_block(ssrc: u32) -> ReceptionReport {
    ReceptionReport {
        ssrc,
        fraction_lost: 77,
        total_lost: 0x12_3456,
        last_sequence_number: 0x0001_0002,
        jitter: 3,
        last_sender_report: 0x0405_0607,
        delay: 0x0809_0A0B,
    }
}

#[test]
fn sender_reports() {
    let ntp = NtpTime::from_bits(0x1122_3344_5566_7788);
    let blocks = [block(1), block(2)];
    let ours = written(|out| out.sender_report(9, ntp, 5, 6, 7, &blocks));
    let report: SenderReport = theirs(&ours, 0);
    assert_eq!((report.ssrc, report.ntp_time), (9, ntp.bits()));
    assert_eq!(
        (report.rtp_time, report.packet_count, report.octet_count),
        (5, 6, 7)
    );
    assert_eq!(report.reports, [their_block(1), their_block(2)]);
    let bytes = marshalled(report);
    let Rtcp::SenderReport { reports, ntp, .. } = only(&bytes) else {
        panic!("not a sender report");
    };
    assert_eq!(ntp.bits(), 0x1122_3344_5566_7788);
    assert_eq!(reports.collect::<Vec<_>>(), blocks);
}

#[test]
fn more_reports_than_fit_one_packet() {
    let blocks: Vec<_> = (0..40).map(block).collect();
    for ours in [
        written(|out| out.receiver_report(9, &blocks)),
        written(|out| out.sender_report(9, NtpTime::default(), 5, 6, 7, &blocks)),
    ] {
        let second: ReceiverReport = theirs(&ours, 1);
        assert_eq!(second.reports.len(), 9);
        let all: Vec<_> = packets(&ours)
            .flat_map(|packet| match packet.unwrap() {
                Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports, .. } => {
                    reports.collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(all, blocks);
    }
}

#[test]
fn losses_are_signed_and_clamped() {
    for (lost, expected) in [(-1, -1), (i32::MAX, 0x7F_FFFF), (i32::MIN, -0x80_0000)] {
        let mut report = block(1);
        report.cumulative_lost = lost;
        let ours = written(|out| out.receiver_report(9, &[report]));
        let Rtcp::ReceiverReport {
            ssrc: 9,
            mut reports,
        } = only(&ours)
        else {
            panic!("not a receiver report");
        };
        let read = reports.next().unwrap();
        assert_eq!((read.cumulative_lost, read.fraction_lost), (expected, 77));
    }
}

#[test]
fn source_descriptions_and_goodbyes() {
    for name in ["", "a", "ab", "abc", "channel", &"ö".repeat(200)] {
        let ours = written(|out| {
            out.cname(5, name);
            out.goodbye(&[1, 2, 3]);
        });
        let described: SourceDescription = theirs(&ours, 0);
        assert_eq!(described.chunks[0].source, 5);
        let item = &described.chunks[0].items[0];
        assert_eq!(item.sdes_type, SdesType::SdesCname);
        let expected = if name.len() > 255 { &name[..254] } else { name };
        assert_eq!(item.text, expected.as_bytes());
        let goodbye: Goodbye = theirs(&ours, 1);
        assert_eq!(goodbye.sources, [1, 2, 3]);
        let mut all = packets(&ours);
        assert!(matches!(all.next(), Some(Ok(Rtcp::SourceDescription))));
        assert!(matches!(all.next(), Some(Ok(Rtcp::Goodbye { .. }))));
    }
    let bytes = marshalled(Goodbye {
        sources: vec![8, 9],
        reason: Bytes::from_static(b"gone"),
    });
    let Rtcp::Goodbye { ssrcs } = only(&bytes) else {
        panic!("not a goodbye");
    };
    assert_eq!(ssrcs.collect::<Vec<_>>(), [8, 9]);
}

#[test]
fn keyframe_requests() {
    let ours = written(|out| {
        out.picture_loss(1, 2);
        out.full_intra(1, 2, 3);
    });
    let loss: PictureLossIndication = theirs(&ours, 0);
    assert_eq!((loss.sender_ssrc, loss.media_ssrc), (1, 2));
    let request: FullIntraRequest = theirs(&ours, 1);
    let entry = FirEntry {
        ssrc: 2,
        sequence_number: 3,
    };
    assert_eq!(request.fir, [entry]);
    let bytes = marshalled(request);
    let Rtcp::FullIntra {
        sender: 1,
        requests,
    } = only(&bytes)
    else {
        panic!("not a full intra request");
    };
    assert_eq!(requests.collect::<Vec<_>>(), [(2, 3)]);
}

#[test]
fn estimated_bitrates() {
    for bitrate in [0, 1, 0x3_FFFF, 0x4_0000, 5_000_000, 123_456_789, u64::MAX] {
        let ours = written(|out| out.remb(1, bitrate, &[5, 6]));
        let Rtcp::Remb {
            sender: 1,
            bitrate: read,
            ssrcs,
        } = only(&ours)
        else {
            panic!("not an estimate");
        };
        assert!(read <= bitrate && bitrate - read <= bitrate >> 17);
        assert_eq!(ssrcs.collect::<Vec<_>>(), [5, 6]);
        let estimate: ReceiverEstimatedMaximumBitrate = theirs(&ours, 0);
        assert_eq!(estimate.ssrcs, [5, 6]);
        if (1..1 << 60).contains(&bitrate) {
            assert!((estimate.bitrate / read as f32 - 1.0).abs() < 1e-6);
        }
    }
}

/// What a report of the other implementation says, in our words.
fn their_statuses(report: &TransportLayerCc) -> Vec<(u16, Option<i64>)> {
    let symbols = report.packet_chunks.iter().flat_map(|chunk| match chunk {
        PacketStatusChunk::RunLengthChunk(run) => {
            vec![run.packet_status_symbol; usize::from(run.run_length)]
        }
        PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
    });
    let mut deltas = report.recv_deltas.iter();
    let (mut arrival, mut sequence) = (0, report.base_sequence_number);
    symbols
        .take(usize::from(report.packet_status_count))
        .map(|symbol| {
            let at = (symbol != SymbolTypeTcc::PacketNotReceived).then(|| {
                arrival += deltas.next().unwrap().delta / 250;
                arrival
            });
            let status = (sequence, at);
            sequence = sequence.wrapping_add(1);
            status
        })
        .collect()
}

fn arrivals() -> impl Strategy<Value = Vec<Option<i64>>> {
    let step = prop_oneof![0..4_i64, 0..300_i64, -400..400_i64, -32_000..32_000_i64];
    let run = (prop::option::weighted(0.7, step), 1..40_usize);
    prop::collection::vec(run, 1..60).prop_map(|runs| {
        let mut at = 10_000_000;
        let steps = runs.into_iter().flat_map(|(step, len)| vec![step; len]);
        steps
            .map(|step| {
                at += step?;
                Some(at)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn negative_acknowledgements(first: u16, steps in prop::collection::vec(1..40_u16, 0..80)) {
        let mut lost = vec![first];
        for step in steps {
            lost.push(lost.last().unwrap().wrapping_add(step));
        }
        let ours = written(|out| out.nack(1, 2, &lost));
        let nack: TransportLayerNack = theirs(&ours, 0);
        prop_assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
        let read: Vec<u16> = nack.nacks.iter().flat_map(NackPair::packet_list).collect();
        prop_assert_eq!(&read, &lost);
        let bytes = marshalled(TransportLayerNack {
            sender_ssrc: 1,
            media_ssrc: 2,
            nacks: nack_pairs_from_sequence_numbers(&lost),
        });
        let Rtcp::Nack { sender: 1, media: 2, lost: read } = only(&bytes) else {
            panic!("not a NACK");
        };
        prop_assert_eq!(read.collect::<Vec<_>>(), lost);
    }

    #[test]
    fn transport_feedback(base: u16, count: u8, arrivals in arrivals()) {
        let mut reported = 0;
        let ours = written(|out| {
            reported = out.transport_feedback(1, 2, base, count, arrivals.iter().copied());
        });
        prop_assume!(reported > 0);
        prop_assert!(ours.len() <= 1100);
        let theirs: TransportLayerCc = theirs(&ours, 0);
        let Rtcp::TransportFeedback(feedback) = only(&ours) else {
            panic!("not feedback");
        };
        prop_assert_eq!((feedback.sender, feedback.media), (1, 2));
        prop_assert_eq!(feedback.feedback_count, count);
        prop_assert_eq!(theirs.fb_pkt_count, count);
        let statuses: Vec<_> = feedback.statuses().collect();
        prop_assert_eq!(&their_statuses(&theirs), &statuses);
        let reference = i64::from(feedback.reference_time) * TICKS_PER_REFERENCE;
        let expected: Vec<_> = (0..reported)
            .map(|index| {
                let sequence = base.wrapping_add(index as u16);
                (sequence, arrivals[index].map(|at| at - reference))
            })
            .collect();
        prop_assert_eq!(&statuses, &expected);
        let again = marshalled(theirs);
        let Rtcp::TransportFeedback(feedback) = only(&again) else {
            panic!("not feedback");
        };
        prop_assert_eq!(feedback.statuses().collect::<Vec<_>>(), statuses);
    }

    #[test]
    fn mutated_and_truncated_compounds_never_panic(
        cut in 0..400_usize,
        mutations in prop::collection::vec((0..400_usize, any::<u8>()), 0..6),
        arrivals in arrivals(),
    ) {
        let mut bytes = written(|out| {
            out.sender_report(9, NtpTime::default(), 5, 6, 7, &[block(1), block(2)]);
            out.cname(9, "name");
            out.nack(1, 2, &[1, 2, 3, 40, 90]);
            out.full_intra(1, 2, 3);
            out.remb(1, 1_000_000, &[5, 6]);
            out.transport_feedback(1, 2, 3, 4, arrivals.iter().copied());
            out.goodbye(&[1]);
        });
        for (at, value) in mutations {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        for packet in packets(&bytes).flatten() {
            match packet {
                Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports, .. } => {
                    prop_assert!(reports.count() <= 31);
                }
                Rtcp::Nack { lost, .. } => {
                    lost.for_each(drop);
                }
                Rtcp::FullIntra { requests, .. } => requests.for_each(drop),
                Rtcp::Goodbye { ssrcs } | Rtcp::Remb { ssrcs, .. } => ssrcs.for_each(drop),
                Rtcp::TransportFeedback(feedback) => feedback.statuses().for_each(drop),
                Rtcp::ExtendedReport { blocks, .. } => drop(blocks.count()),
                Rtcp::SourceDescription | Rtcp::PictureLoss { .. } | Rtcp::Other { .. } => {}
            }
        }
    }
}

#[test]
fn extended_reports() {
    let ntp = NtpTime::from_bits(0x1122_3344_5566_7788);
    let ours = written(|out| out.reference_time(9, ntp));
    let report: ExtendedReport = theirs(&ours, 0);
    assert_eq!(report.sender_ssrc, 9);
    let block = report.reports[0]
        .as_any()
        .downcast_ref::<ReceiverReferenceTimeReportBlock>();
    assert_eq!(block.unwrap().ntp_timestamp, ntp.bits());
    let delays = DLRRReportBlock {
        reports: vec![
            DLRRReport {
                ssrc: 1,
                last_rr: 2,
                dlrr: 3,
            },
            DLRRReport {
                ssrc: 4,
                last_rr: 5,
                dlrr: 6,
            },
        ],
    };
    let reports = ExtendedReport {
        sender_ssrc: 7,
        reports: vec![report.reports[0].clone(), Box::new(delays)],
    };
    let bytes = marshalled(reports);
    let Rtcp::ExtendedReport { sender, blocks } = only(&bytes) else {
        panic!("not an extended report");
    };
    let delay = |ssrc, last, delay| ExtendedBlock::Delay(ReferenceDelay { ssrc, last, delay });
    assert_eq!(sender, 7);
    assert_eq!(
        blocks.collect::<Vec<_>>(),
        [
            ExtendedBlock::ReferenceTime(ntp),
            delay(1, 2, 3),
            delay(4, 5, 6)
        ]
    );
}
