//! RTCP (RFC 3550 §6, RFC 3611, RFC 4585, RFC 5104): reading and writing packets, and the state behind reports and requests.
//!
//! Reading and writing allocate nothing but what the caller's buffer grows by.

mod extended;
mod feedback_recorder;
#[cfg(test)]
mod interop;
mod keyframe_requests;
mod nack_generator;
mod reader;
mod receive_statistics;
mod report;
mod round_trip;
mod transport_feedback;
mod writer;

pub use extended::{ExtendedBlock, ExtendedBlocks, ReferenceDelay};
pub use feedback_recorder::FeedbackRecorder;
pub use keyframe_requests::KeyframeRequests;
pub use nack_generator::{Late, NackGenerator};
pub use reader::{FullIntraRequests, LostSequences, Packets, ParseError, Rtcp, Ssrcs, packets};
pub use receive_statistics::ReceiveStatistics;
pub use report::{ReportBlock, ReportBlocks};
pub use round_trip::RoundTrip;
pub use transport_feedback::{Statuses, TICK, TICKS_PER_REFERENCE, TransportFeedback};
pub use writer::Writer;

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2).
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const GOODBYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
    pub(super) const EXTENDED_REPORT: u8 = 207;
}

/// Feedback message types: FMT of transport (205) and payload-specific (206) feedback.
mod format {
    /// Generic NACK, transport (RFC 4585 §6.2.1).
    pub(super) const NACK: u8 = 1;
    /// Transport-wide congestion control, transport (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
    pub(super) const TRANSPORT_WIDE: u8 = 15;
    /// Picture loss indication, payload (RFC 4585 §6.3.1).
    pub(super) const PICTURE_LOSS: u8 = 1;
    /// Full intra request, payload (RFC 5104 §4.3.1).
    pub(super) const FULL_INTRA: u8 = 4;
    /// Application layer feedback, payload (RFC 4585 §6.4).
    pub(super) const APPLICATION: u8 = 15;
}

/// Names REMB among application layer feedback (draft-alvestrand-rmcat-remb-03 §2.2).
const REMB: [u8; 4] = *b"REMB";
/// The most that the 5-bit count of a header can say (RFC 3550 §6.4.1).
const MAX_COUNT: usize = 31;
