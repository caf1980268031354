use std::collections::BTreeSet;

use spillway_sfu::rtcp::{self, Rtcp, Writer};

/// RTCP: every packet of a compound with everything in it; what we would write of it can be read again.
pub fn rtcp(data: &[u8]) {
    let mut length = 0;
    for packet in rtcp::packets(data) {
        length += 1;
        match packet {
            Ok(packet) => read(packet),
            Err(error) => drop(error.to_string()),
        }
    }
    assert!(length <= data.len(), "each packet takes at least a byte");
}

fn read(packet: Rtcp<'_>) {
    match packet {
        Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports, .. } => {
            let reports: Vec<_> = reports.collect();
            assert!(reports.len() <= 31, "the header counts in 5 bits");
            let again = rewritten(
                |writer| writer.receiver_report(1, &reports),
                |again| match again {
                    Rtcp::ReceiverReport { reports, .. } => reports.collect::<Vec<_>>(),
                    other => panic!("{other:?}"),
                },
            );
            assert_eq!(again, reports);
        }
        Rtcp::Goodbye { ssrcs } => assert!(ssrcs.count() <= 31, "the header counts in 5 bits"),
        Rtcp::Nack {
            sender,
            media,
            lost,
        } => {
            // Entries of a hostile packet may overlap and go backwards; the writer takes them in order.
            let lost: Vec<u16> = lost.collect::<BTreeSet<_>>().into_iter().collect();
            if lost.is_empty() {
                return;
            }
            let again = rewritten(
                |writer| writer.nack(sender, media, &lost),
                |again| match again {
                    Rtcp::Nack { lost, .. } => lost.collect::<BTreeSet<_>>(),
                    other => panic!("{other:?}"),
                },
            );
            assert!(again.iter().eq(&lost));
        }
        Rtcp::ExtendedReport { blocks, .. } => drop(blocks.count()),
        Rtcp::FullIntra { requests, .. } => drop(requests.count()),
        Rtcp::Remb { ssrcs, .. } => assert!(ssrcs.count() <= 255, "one byte counts them"),
        Rtcp::TransportFeedback(feedback) => {
            let mut expected = feedback.base_sequence;
            for (sequence, _) in feedback.statuses() {
                assert_eq!(sequence, expected, "statuses come without gaps");
                expected = expected.wrapping_add(1);
            }
        }
        Rtcp::SourceDescription | Rtcp::PictureLoss { .. } | Rtcp::Other { .. } => {}
    }
}

/// What is read of what was written.
fn rewritten<T>(write: impl FnOnce(&mut Writer<'_>), read: impl FnOnce(Rtcp<'_>) -> T) -> T {
    let mut written = Vec::new();
    write(&mut Writer::new(&mut written));
    let mut packets = rtcp::packets(&written);
    let first = packets.next().expect("a packet was written");
    assert!(packets.next().is_none());
    read(first.expect("what we write is sound"))
}
