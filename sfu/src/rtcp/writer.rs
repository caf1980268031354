//! Writes RTCP packets.

use super::{
    MAX_COUNT, REMB, ReportBlock, extended, format,
    packet_type::{
        EXTENDED_REPORT, GOODBYE, PAYLOAD_FEEDBACK, RECEIVER_REPORT, SENDER_REPORT,
        SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK,
    },
};
use crate::rtp::NtpTime;

/// The CNAME item of a source description (RFC 3550 §6.5.1).
const CNAME: u8 = 1;
/// The longest item of a source description (RFC 3550 §6.5).
const MAX_CNAME_LEN: usize = 255;
/// The largest mantissa of a REMB bitrate.
const MAX_REMB_MANTISSA: u64 = 0x3_FFFF;
/// The most sources that a REMB can name.
const MAX_REMB_SSRCS: usize = 255;

/// Appends RTCP packets to a buffer that the caller keeps and reuses. What one datagram may hold is the caller's care.
#[derive(Debug)]
pub struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Writes behind what `buffer` holds already.
    pub const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self(buffer)
    }

    /// Bytes in the buffer.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the buffer holds nothing yet.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a sender report (RFC 3550 §6.4.1). Reports beyond the 31st go into receiver reports behind it.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        ntp: NtpTime,
        rtp: u32,
        packets: u32,
        octets: u32,
        reports: &[ReportBlock],
    ) {
        let (first, rest) = reports
            .split_at_checked(MAX_COUNT)
            .unwrap_or((reports, &[]));
        self.packet(first.len() as u8, SENDER_REPORT, |out| {
            out.extend_from_slice(&ssrc.to_be_bytes());
            out.extend_from_slice(&ntp.bits().to_be_bytes());
            for word in [rtp, packets, octets] {
                out.extend_from_slice(&word.to_be_bytes());
            }
            for report in first {
                report.write(out);
            }
        });
        if !rest.is_empty() {
            self.receiver_report(ssrc, rest);
        }
    }

    /// Appends a receiver report (RFC 3550 §6.4.2), and one more for each 31 blocks.
    pub fn receiver_report(&mut self, ssrc: u32, reports: &[ReportBlock]) {
        let (first, rest) = reports
            .split_at_checked(MAX_COUNT)
            .unwrap_or((reports, &[]));
        self.packet(first.len() as u8, RECEIVER_REPORT, |out| {
            out.extend_from_slice(&ssrc.to_be_bytes());
            for report in first {
                report.write(out);
            }
        });
        if !rest.is_empty() {
            self.receiver_report(ssrc, rest);
        }
    }

    /// Appends a source description with the canonical name of one source (RFC 3550 §6.5.1), cut to 255 bytes.
    pub fn cname(&mut self, ssrc: u32, name: &str) {
        let name = &name.as_bytes()[..name.floor_char_boundary(MAX_CNAME_LEN)];
        self.packet(1, SOURCE_DESCRIPTION, |out| {
            out.extend_from_slice(&ssrc.to_be_bytes());
            out.extend_from_slice(&[CNAME, name.len() as u8]);
            out.extend_from_slice(name);
            // Ends the list of items; the zeros up to the next word follow.
            out.push(0);
        });
    }

    /// Appends an extended report with the time at which it is sent (RFC 3611 §4.4): a source that answers it tells the
    /// round trip.
    pub fn reference_time(&mut self, sender: u32, now: NtpTime) {
        self.packet(0, EXTENDED_REPORT, |out| {
            out.extend_from_slice(&sender.to_be_bytes());
            // The block's type, a reserved byte, and its length of two words.
            out.extend_from_slice(&[extended::REFERENCE_TIME, 0, 0, 2]);
            out.extend_from_slice(&now.bits().to_be_bytes());
        });
    }

    /// Appends a good-bye of sources (RFC 3550 §6.6), one for each 31.
    pub fn goodbye(&mut self, ssrcs: &[u32]) {
        for ssrcs in ssrcs.chunks(MAX_COUNT) {
            self.packet(ssrcs.len() as u8, GOODBYE, |out| write_words(out, ssrcs));
        }
    }

    /// Appends a request to resend `lost`, which ascends (across the wrap as well; RFC 4585 §6.2.1). Nothing is
    /// written if there is nothing lost.
    pub fn nack(&mut self, sender: u32, media: u32, lost: &[u16]) {
        let Some((&first, rest)) = lost.split_first() else {
            return;
        };
        self.packet(format::NACK, TRANSPORT_FEEDBACK, |out| {
            write_words(out, &[sender, media]);
            let (mut first, mut following) = (first, 0_u16);
            for &sequence in rest {
                match sequence.wrapping_sub(first) {
                    0 => {}
                    distance @ 1..=16 => following |= 1 << (distance - 1),
                    _ => {
                        write_words(out, &[u32::from(first) << 16 | u32::from(following)]);
                        (first, following) = (sequence, 0);
                    }
                }
            }
            write_words(out, &[u32::from(first) << 16 | u32::from(following)]);
        });
    }

    /// Appends a picture loss indication (RFC 4585 §6.3.1).
    pub fn picture_loss(&mut self, sender: u32, media: u32) {
        self.packet(format::PICTURE_LOSS, PAYLOAD_FEEDBACK, |out| {
            write_words(out, &[sender, media]);
        });
    }

    /// Appends a full intra request (RFC 5104 §4.3.1). `number` goes up with each new request and stays the same when
    /// one is repeated.
    pub fn full_intra(&mut self, sender: u32, media: u32, number: u8) {
        self.packet(format::FULL_INTRA, PAYLOAD_FEEDBACK, |out| {
            // The media source of the header is unused and 0 (RFC 5104 §4.3.1.2).
            write_words(out, &[sender, 0, media, u32::from(number) << 24]);
        });
    }

    /// Appends a receiver estimated maximum bitrate in bits a second for at most 255 sources
    /// (draft-alvestrand-rmcat-remb-03 §2.2). The bitrate is rounded down to 18 significant bits.
    pub fn remb(&mut self, sender: u32, bitrate: u64, ssrcs: &[u32]) {
        let ssrcs = &ssrcs[..ssrcs.len().min(MAX_REMB_SSRCS)];
        let exponent = (bitrate | MAX_REMB_MANTISSA).ilog2() - MAX_REMB_MANTISSA.ilog2();
        let rate = exponent << 18 | (bitrate >> exponent) as u32;
        self.packet(format::APPLICATION, PAYLOAD_FEEDBACK, |out| {
            write_words(out, &[sender, 0, u32::from_be_bytes(REMB)]);
            write_words(out, &[(ssrcs.len() as u32) << 24 | rate]);
            write_words(out, ssrcs);
        });
    }

    /// Appends a packet: its header, what `body` writes, and zeros up to the next word.
    pub(super) fn packet(&mut self, count: u8, packet_type: u8, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
        body(self.0);
        let len = (self.0.len() - start).next_multiple_of(4);
        self.0.resize(start + len, 0);
        let words = (len / 4 - 1) as u16;
        self.0[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

fn write_words(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}
