use crate::srtp::Profile;

/// Why a datagram changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Its first byte is none of STUN's, DTLS's or RTP's (RFC 7983 §7), or it is empty.
    Unknown,
    /// Begins like STUN, but isn't.
    MalformedStun,
    /// A STUN keepalive or response: harmless, and unauthenticated.
    NotARequest,
    /// A binding request without the right credentials.
    Unauthenticated,
    /// An authentic binding request that we can't serve; the peer was told why.
    Unserved,
    /// DTLS from where no authentic STUN came from.
    UnknownPath,
    /// Media before DTLS was done.
    NoKeys,
    /// Neither RTP nor RTCP.
    MalformedMedia,
    /// Media that isn't authentic.
    ForgedMedia,
    /// Media that was received before.
    ReplayedMedia,
    /// Media of more SSRCs than a peer may have.
    TooManySsrcs,
    /// After the end.
    Closed,
}

impl Rejection {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::Unknown,
        Self::MalformedStun,
        Self::NotARequest,
        Self::Unauthenticated,
        Self::Unserved,
        Self::UnknownPath,
        Self::NoKeys,
        Self::MalformedMedia,
        Self::ForgedMedia,
        Self::ReplayedMedia,
        Self::TooManySsrcs,
        Self::Closed,
    ];
}

/// What a transport negotiated and counted.
#[derive(Debug, Clone, Default)]
pub struct TransportStats {
    pub(super) profile: Option<Profile>,
    rejected: [u64; Rejection::ALL.len()],
}

impl TransportStats {
    /// How media is protected, once DTLS is done.
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// Datagrams that were rejected for this reason.
    pub fn rejected(&self, reason: Rejection) -> u64 {
        self.rejected[reason as usize]
    }

    pub(super) fn count(&mut self, reason: Rejection) {
        self.rejected[reason as usize] += 1;
    }
}
