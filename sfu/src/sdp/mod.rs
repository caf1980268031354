//! SDP offers and answers of WHIP and WHEP (RFC 8866, RFC 9429, RFC 9725).
//!
//! [`parse_offer`] reads an offer; [`accept_publisher`] and [`accept_viewer`] decide what of it is used and hold the
//! answer, which [`Local`] completes. The reader is ours, since an HTTP 400 must name the line that is wrong and every
//! list must be bounded; general SDP libraries offer neither.

mod accept;
mod answer;
mod candidate;
mod lines;
mod media;
mod offer;
mod payload;
mod sdpfrag;
mod streams;
mod transport;

pub use accept::{
    DataSection, IncomingTrack, OutgoingTrack, PublisherSession, ViewerSession, accept_publisher,
    accept_viewer,
};
pub use answer::{Local, MAX_MESSAGE_BYTES, SCTP_PORT, Ssrcs};
pub use media::{OfferedContent, OfferedMedia, OfferedRtp};
pub use offer::{Direction, Offer, Setup, parse_offer};
pub use payload::{FlexFec, Payload};
pub use sdpfrag::{MAX_CANDIDATES, SdpFrag, parse_sdpfrag, write_sdpfrag};
pub use streams::{MAX_RIDS, SsrcGroup};

pub use crate::dtls::Fingerprint;

/// The longest offer or fragment that is read; a browser's is about 8 KiB.
pub const MAX_SDP_BYTES: usize = 64 * 1024;
/// The most m-sections of an offer.
pub const MAX_MEDIA: usize = 16;

/// Why an offer isn't answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Not SDP. (HTTP 400)
    #[error("line {line} of the SDP: {reason}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Sound, but can't be served. (HTTP 422)
    #[error("{0}")]
    Unacceptable(String),
}
