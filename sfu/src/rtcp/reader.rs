//! Walks compound RTCP packets.

use std::slice;

use super::{
    ExtendedBlocks, REMB, ReportBlocks, TransportFeedback, format,
    packet_type::{
        EXTENDED_REPORT, GOODBYE, PAYLOAD_FEEDBACK, RECEIVER_REPORT, SENDER_REPORT,
        SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK,
    },
};
use crate::rtp::{
    NtpTime,
    wire::{take, take_u16, take_u32},
};

/// Why a datagram, or one packet in it, isn't RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The version isn't 2. The rest of the datagram is given up.
    #[error("the RTCP version isn't 2")]
    Version,
    /// The datagram ends before the packet does. The rest of the datagram is given up.
    #[error("the datagram ends inside an RTCP packet")]
    Truncated,
    /// The fields of a packet don't fit its length. The packets behind it can still be read.
    #[error("an RTCP packet of type {packet_type} is too short or contradicts itself")]
    Malformed {
        /// The packet's type.
        packet_type: u8,
    },
}

/// One packet of a compound.
#[derive(Debug, Clone)]
pub enum Rtcp<'a> {
    /// RFC 3550 §6.4.1.
    SenderReport {
        /// The sender.
        ssrc: u32,
        /// When the report was sent, by the sender's clock.
        ntp: NtpTime,
        /// The same moment as an RTP timestamp.
        rtp: u32,
        /// Packets sent so far.
        packets: u32,
        /// Payload bytes sent so far.
        octets: u32,
        /// What the sender receives itself.
        reports: ReportBlocks<'a>,
    },
    /// RFC 3550 §6.4.2.
    ReceiverReport {
        /// The receiver.
        ssrc: u32,
        /// What it receives.
        reports: ReportBlocks<'a>,
    },
    /// RFC 3550 §6.5. Its content means nothing to Spillway.
    SourceDescription,
    /// RFC 3550 §6.6.
    Goodbye {
        /// The sources that leave.
        ssrcs: Ssrcs<'a>,
    },
    /// RFC 4585 §6.2.1.
    Nack {
        /// Who misses the packets.
        sender: u32,
        /// The source that is to resend them.
        media: u32,
        /// The packets.
        lost: LostSequences<'a>,
    },
    /// RFC 4585 §6.3.1.
    PictureLoss {
        /// Who asks.
        sender: u32,
        /// The source that is asked for a keyframe.
        media: u32,
    },
    /// RFC 5104 §4.3.1.
    FullIntra {
        /// Who asks.
        sender: u32,
        /// The sources that are asked for a keyframe.
        requests: FullIntraRequests<'a>,
    },
    /// draft-alvestrand-rmcat-remb-03.
    Remb {
        /// Who estimates.
        sender: u32,
        /// Bits a second that the path to it is thought to carry.
        bitrate: u64,
        /// The sources that share them.
        ssrcs: Ssrcs<'a>,
    },
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.
    TransportFeedback(TransportFeedback<'a>),
    /// RFC 3611 §2.
    ExtendedReport {
        /// Who reports.
        sender: u32,
        /// What it says.
        blocks: ExtendedBlocks<'a>,
    },
    /// A packet that Spillway doesn't know.
    Other {
        /// Its type.
        packet_type: u8,
    },
}

/// Walks a compound packet (RFC 3550 §6.1). It may begin with any packet, as reduced-size RTCP does (RFC 5506).
pub const fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets { rest: datagram }
}

/// Iterates over the packets of a compound. Goes on behind a packet that is [`ParseError::Malformed`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Rtcp<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = *self.rest.first()?;
        let packet = if first >> 6 == 2 {
            self.split_packet().ok_or(ParseError::Truncated)
        } else {
            Err(ParseError::Version)
        };
        match packet {
            Ok((packet_type, body)) => {
                let malformed = ParseError::Malformed { packet_type };
                Some(parse_packet(first, packet_type, body).ok_or(malformed))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl<'a> Packets<'a> {
    /// The next packet's type and what follows its 4-byte header, padding included.
    fn split_packet(&mut self) -> Option<(u8, &'a [u8])> {
        let [_, packet_type, words @ ..] = *take::<4>(&mut self.rest)?;
        let len = 4 * usize::from(u16::from_be_bytes(words));
        let (body, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some((packet_type, body))
    }
}

fn parse_packet(first: u8, packet_type: u8, body: &[u8]) -> Option<Rtcp<'_>> {
    let count = first & 0x1F;
    let mut body = if first & 0x20 == 0 {
        body
    } else {
        strip_padding(body)?
    };
    match packet_type {
        SENDER_REPORT => sender_report(body, count),
        RECEIVER_REPORT => Some(Rtcp::ReceiverReport {
            ssrc: take_u32(&mut body)?,
            reports: ReportBlocks::parse(body, count)?,
        }),
        SOURCE_DESCRIPTION => Some(Rtcp::SourceDescription),
        GOODBYE => Some(Rtcp::Goodbye {
            ssrcs: Ssrcs::parse(body, count)?,
        }),
        TRANSPORT_FEEDBACK => transport_feedback(body, count),
        PAYLOAD_FEEDBACK => payload_feedback(body, count),
        EXTENDED_REPORT => Some(Rtcp::ExtendedReport {
            sender: take_u32(&mut body)?,
            blocks: ExtendedBlocks::parse(body),
        }),
        _ => Some(Rtcp::Other { packet_type }),
    }
}

/// RFC 3550 §6.4.1: the last byte counts the padding, itself included.
fn strip_padding(body: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*body.last()?);
    if padding == 0 {
        return None;
    }
    body.get(..body.len().checked_sub(padding)?)
}

fn sender_report(mut body: &[u8], count: u8) -> Option<Rtcp<'_>> {
    Some(Rtcp::SenderReport {
        ssrc: take_u32(&mut body)?,
        ntp: NtpTime::from_bits(u64::from_be_bytes(*take(&mut body)?)),
        rtp: take_u32(&mut body)?,
        packets: take_u32(&mut body)?,
        octets: take_u32(&mut body)?,
        reports: ReportBlocks::parse(body, count)?,
    })
}

fn transport_feedback(mut body: &[u8], format: u8) -> Option<Rtcp<'_>> {
    let (sender, media) = (take_u32(&mut body)?, take_u32(&mut body)?);
    match format {
        format::NACK => Some(Rtcp::Nack {
            sender,
            media,
            lost: LostSequences::parse(body),
        }),
        format::TRANSPORT_WIDE => {
            TransportFeedback::parse(sender, media, body).map(Rtcp::TransportFeedback)
        }
        _ => Some(Rtcp::Other {
            packet_type: TRANSPORT_FEEDBACK,
        }),
    }
}

fn payload_feedback(mut body: &[u8], format: u8) -> Option<Rtcp<'_>> {
    let (sender, media) = (take_u32(&mut body)?, take_u32(&mut body)?);
    match format {
        format::PICTURE_LOSS => Some(Rtcp::PictureLoss { sender, media }),
        format::FULL_INTRA => Some(Rtcp::FullIntra {
            sender,
            requests: FullIntraRequests(body.as_chunks().0.iter()),
        }),
        format::APPLICATION if body.starts_with(&REMB) => remb(sender, body),
        _ => Some(Rtcp::Other {
            packet_type: PAYLOAD_FEEDBACK,
        }),
    }
}

/// draft-alvestrand-rmcat-remb-03 §2.2: a 6-bit exponent and an 18-bit mantissa.
fn remb(sender: u32, mut body: &[u8]) -> Option<Rtcp<'_>> {
    take::<4>(&mut body)?;
    let [count, high, low @ ..] = *take::<4>(&mut body)?;
    let mantissa = (u64::from(high & 0x03) << 16) | u64::from(u16::from_be_bytes(low));
    let bitrate = u128::from(mantissa) << (high >> 2);
    Some(Rtcp::Remb {
        sender,
        bitrate: u64::try_from(bitrate).unwrap_or(u64::MAX),
        ssrcs: Ssrcs::parse(body, count)?,
    })
}

/// Iterates over SSRCs.
#[derive(Debug, Clone)]
pub struct Ssrcs<'a>(slice::Iter<'a, [u8; 4]>);

impl<'a> Ssrcs<'a> {
    fn parse(body: &'a [u8], count: u8) -> Option<Self> {
        let (ssrcs, _) = body.as_chunks();
        Some(Self(ssrcs.get(..usize::from(count))?.iter()))
    }
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0.next().map(|ssrc| u32::from_be_bytes(*ssrc))
    }
}

/// Iterates over the (SSRC, request number) pairs of a full intra request (RFC 5104 §4.3.1.1).
#[derive(Debug, Clone)]
pub struct FullIntraRequests<'a>(slice::Iter<'a, [u8; 8]>);

impl Iterator for FullIntraRequests<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let [a, b, c, d, number, ..] = *self.0.next()?;
        Some((u32::from_be_bytes([a, b, c, d]), number))
    }
}

/// Iterates over the sequence numbers of a NACK (RFC 4585 §6.2.1), in the order of the packet.
#[derive(Debug, Clone)]
pub struct LostSequences<'a> {
    rest: &'a [u8],
    /// Of the entry being read: bit `n` stands for `first + n`; 0 when it is used up.
    pending: u32,
    first: u16,
}

impl<'a> LostSequences<'a> {
    const fn parse(rest: &'a [u8]) -> Self {
        Self {
            rest,
            pending: 0,
            first: 0,
        }
    }
}

impl Iterator for LostSequences<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.pending == 0 {
            self.first = take_u16(&mut self.rest)?;
            let following = take_u16(&mut self.rest)?;
            self.pending = (u32::from(following) << 1) | 1;
        }
        let offset = self.pending.trailing_zeros();
        self.pending &= self.pending - 1;
        Some(self.first.wrapping_add(offset as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads everything that a datagram offers.
    fn exhaust(datagram: &[u8]) -> usize {
        packets(datagram)
            .map(|packet| match packet {
                Ok(Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports, .. }) => {
                    reports.count()
                }
                Ok(Rtcp::Goodbye { ssrcs } | Rtcp::Remb { ssrcs, .. }) => ssrcs.count(),
                Ok(Rtcp::Nack { lost, .. }) => lost.count(),
                Ok(Rtcp::FullIntra { requests, .. }) => requests.count(),
                Ok(Rtcp::TransportFeedback(feedback)) => feedback.statuses().count(),
                Ok(Rtcp::ExtendedReport { blocks, .. }) => blocks.count(),
                Ok(_) => 1,
                Err(_) => 0,
            })
            .sum()
    }

    #[test]
    fn a_malformed_packet_does_not_hide_the_next() {
        // A goodbye that claims a source it doesn't carry, then a picture loss indication.
        let datagram = [0x81, 203, 0, 0, 0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let mut all = packets(&datagram);
        assert!(matches!(
            all.next(),
            Some(Err(ParseError::Malformed { packet_type: 203 }))
        ));
        assert!(matches!(
            all.next(),
            Some(Ok(Rtcp::PictureLoss {
                sender: 1,
                media: 2
            }))
        ));
        assert!(all.next().is_none());
    }

    #[test]
    fn broken_framing_ends_the_walk() {
        let mut all = packets(&[0x80, 201, 0, 2, 0, 0, 0, 1]);
        assert!(matches!(all.next(), Some(Err(ParseError::Truncated))));
        assert!(all.next().is_none());
        let mut all = packets(&[0x00, 201, 0, 1, 0, 0, 0, 1]);
        assert!(matches!(all.next(), Some(Err(ParseError::Version))));
        assert!(all.next().is_none());
    }

    #[test]
    fn padding_is_stripped() {
        let datagram = [0xA1, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
        let Some(Ok(Rtcp::Goodbye { ssrcs })) = packets(&datagram).next() else {
            panic!("not a goodbye");
        };
        assert_eq!(ssrcs.collect::<Vec<_>>(), [7]);
        for count in [0, 5, 9, 255] {
            let mut wrong = datagram;
            wrong[11] = count;
            assert!(matches!(packets(&wrong).next(), Some(Err(_))));
        }
    }

    #[test]
    fn unknown_packets_are_named() {
        for (first, packet_type) in [(0x80, 204), (0x80, 208), (0x83, 205), (0x8F, 206)] {
            let datagram = [first, packet_type, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 9, 9, 9, 9];
            assert!(matches!(
                packets(&datagram).next(),
                Some(Ok(Rtcp::Other { packet_type: found })) if found == packet_type
            ));
        }
    }

    #[test]
    fn an_endless_bitrate_is_capped() {
        let mut datagram = vec![0x8F, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0];
        datagram.extend_from_slice(b"REMB\x00\xFF\xFF\xFF");
        assert!(matches!(
            packets(&datagram).next(),
            Some(Ok(Rtcp::Remb {
                bitrate: u64::MAX,
                ..
            }))
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            exhaust(&bytes);
        }

        #[test]
        fn arbitrary_bodies_never_panic(
            first in 0x80_u8..0xC0,
            packet_type in 198_u8..208,
            body in prop::collection::vec(any::<[u8; 4]>(), 0..40),
        ) {
            let mut datagram = vec![first, packet_type, 0, body.len() as u8];
            datagram.extend(body.into_iter().flatten());
            exhaust(&datagram);
        }
    }
}
