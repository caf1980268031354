//! The words that the media core and its callers share.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Instant,
};

use zeroize::Zeroize as _;

use crate::media::{Burst, PublishedLayers, SenderClock};

/// One worker thread of a node: the index of its media port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u8);

/// One WHIP or WHEP session, unique on its node for the node's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// The worker on which the session lives for life.
    pub worker: WorkerId,
    /// Counts up on that worker and is never reused.
    pub serial: u64,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.worker.0, self.serial)
    }
}

/// The lasting name that streamers publish to and viewers watch: `[A-Za-z0-9_-]{1,64}`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// A channel name that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a channel name has 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidChannelName;

impl FromStr for ChannelName {
    type Err = InvalidChannelName;

    fn from_str(name: &str) -> Result<Self, InvalidChannelName> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidChannelName)
        }
    }
}

impl ChannelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// An `m=audio` section.
    Audio,
    /// An `m=video` section.
    Video,
}

/// What carries a session's datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Plain UDP.
    Udp,
    /// ICE-TCP (RFC 6544) with RFC 4571 framing; the number names the connection on its worker.
    Tcp(u32),
}

/// Where a datagram came from, and where the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// UDP, or which TCP connection.
    pub protocol: Protocol,
    /// Our address that the datagram was sent to, so that the answer leaves from it. IPv4-mapped addresses are unmapped.
    pub local: IpAddr,
    /// The peer's address. IPv4-mapped addresses are unmapped.
    pub remote: SocketAddr,
}

/// The ICE user name fragment and password of one side (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// 4 to 256 ice-chars. Ours begin with the worker's number, see [`crate::ice`].
    pub ufrag: String,
    /// 22 to 256 ice-chars. Secret: never logged, and wiped when dropped.
    pub pwd: String,
}

impl Drop for IceCredentials {
    fn drop(&mut self) {
        self.pwd.zeroize();
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceCredentials({}, …)", self.ufrag)
    }
}

/// One address at which this worker can be reached: becomes an `a=candidate` line (RFC 8839 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// UDP, or passive TCP (RFC 6544 §4.5).
    pub transport: CandidateTransport,
    /// The address that clients are told.
    pub address: SocketAddr,
    /// The address behind a NAT that `address` maps to: makes it a server-reflexive candidate.
    pub base: Option<SocketAddr>,
}

/// The transport of a [`Candidate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateTransport {
    /// `udp`
    Udp,
    /// `tcp … tcptype passive`
    TcpPassive,
}

/// Where the media core sends everything that leaves it.
pub trait Output {
    /// Sends `datagrams` to one peer: datagrams of `segment` bytes each, one behind the other; the last may be shorter.
    fn send(&mut self, path: Path, datagrams: &[u8], segment: usize);
    /// Hands a message to another worker of this node, in order.
    fn peer(&mut self, worker: WorkerId, message: PeerMessage);
    /// Tells the platform that something happened.
    fn event(&mut self, event: Event);
    /// The time by now, which was `since` a moment ago. Sending to many viewers takes a while; where time stands still
    /// meanwhile it is `since`.
    fn clock(&self, since: Instant) -> Instant {
        since
    }
}

/// A new publisher.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The channel to publish to.
    pub channel: ChannelName,
    /// The SDP offer.
    pub offer: String,
    /// Ends the channel's present publisher, if there is one, in favour of this one. Without it a live channel is
    /// [`Reject::AlreadyLive`].
    pub take_over: bool,
}

/// A new viewer.
#[derive(Debug, Clone)]
pub struct WatchRequest {
    /// The channel to watch.
    pub channel: ChannelName,
    /// The SDP offer.
    pub offer: String,
    /// What the viewer asks to see.
    pub selection: LayerSelection,
    /// Whether a channel that isn't live is waited for, or answered with [`Reject::NotLive`].
    pub wait: bool,
    /// Many watch by this one: it is let in where workers are too late for further viewers.
    pub for_others: bool,
}

/// What a viewer asks to see: the best that its path carries within these ceilings, none of which is set by default.
///
/// All are ceilings, also a named layer: what a path doesn't carry would freeze, and who asks for a layer wants to see
/// it (decision 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerSelection {
    /// This simulcast layer, or a worse one. Without effect while the layer doesn't flow.
    pub rid: Option<String>,
    /// The highest spatial layer of an encoding, 0 the smallest.
    pub max_spatial: Option<u8>,
    /// The highest temporal layer of an encoding, 0 the slowest.
    pub max_temporal: Option<u8>,
    /// The widest picture, in pixels; the smallest there is if all are wider.
    pub max_width: Option<u16>,
    /// The highest picture, in pixels; the smallest there is if all are higher.
    pub max_height: Option<u16>,
}

/// A session was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The session.
    pub session: SessionId,
    /// The SDP answer.
    pub answer: String,
    /// Our ICE credentials' user name fragment: names the ICE session (the HTTP `ETag`).
    pub ufrag: String,
}

/// Why a session was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The offer isn't SDP. The text names the line. (HTTP 400)
    #[error("{0}")]
    Malformed(String),
    /// The offer is sound but can't be served. The text says why. (HTTP 422)
    #[error("{0}")]
    Unacceptable(String),
    /// Another publisher holds the channel. (HTTP 409)
    #[error(
        "the channel already has a publisher; end it first, or publish with the same key to take over"
    )]
    AlreadyLive,
    /// The channel isn't live and the viewer won't wait. (HTTP 409)
    #[error("the channel isn't live; try again later, or without wait=0")]
    NotLive,
    /// No session of that name. (HTTP 404)
    #[error("there is no such session; it may have ended")]
    NoSession,
    /// A bound is reached. The text names it. (HTTP 503)
    #[error("{0}")]
    Overloaded(String),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The platform closed it: DELETE, kick, shutdown.
    Closed,
    /// The peer said good-bye (DTLS `close_notify`).
    ByPeer,
    /// Nothing authentic came for 30 s (RFC 7675 consent).
    ConsentExpired,
    /// ICE or DTLS wasn't done in time.
    HandshakeTimedOut,
    /// The peer's certificate isn't the one of its offer, or DTLS failed.
    HandshakeFailed,
    /// Another publisher took the channel over.
    TakenOver,
    /// The broadcast changed to a codec that this viewer didn't offer.
    CodecUnsupported,
}

/// What the media core tells the platform.
#[derive(Debug, Clone)]
pub enum Event {
    /// ICE and DTLS are done.
    Connected {
        /// The session.
        session: SessionId,
    },
    /// The session is gone; its identifier means nothing any more.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// A connected publisher's first media packet came: the channel is on air.
    Live {
        /// The channel.
        channel: ChannelName,
        /// Its publisher.
        session: SessionId,
    },
    /// The channel's publisher is gone.
    Offline {
        /// The channel.
        channel: ChannelName,
        /// The publisher that is gone.
        session: SessionId,
    },
    /// A data channel was opened by the peer.
    ChannelOpened {
        /// The session.
        session: SessionId,
        /// The SCTP stream.
        id: u16,
        /// The channel's label: `chat`, `reactions`.
        label: String,
    },
    /// A data channel is gone, whoever closed it; the session goes on.
    ChannelClosed {
        /// The session.
        session: SessionId,
        /// The SCTP stream.
        id: u16,
    },
    /// A message on a data channel.
    Data {
        /// The session.
        session: SessionId,
        /// The SCTP stream.
        id: u16,
        /// The message.
        data: Vec<u8>,
        /// Binary, or UTF-8 text.
        binary: bool,
    },
}

/// What one worker's engine tells another's. Messages from one worker arrive in the order they were sent.
#[derive(Debug, Clone)]
pub enum PeerMessage {
    /// A publisher was accepted.
    Published {
        /// The channel.
        channel: ChannelName,
        /// Its publisher.
        feed: SessionId,
        /// What it announced.
        tracks: Arc<PublishedLayers>,
    },
    /// A publisher is gone.
    Unpublished {
        /// The channel.
        channel: ChannelName,
        /// Its publisher.
        feed: SessionId,
    },
    /// The sender has viewers for a publisher of the receiver.
    Subscribe {
        /// The channel.
        channel: ChannelName,
    },
    /// The sender's last viewer left.
    Unsubscribe {
        /// The channel.
        channel: ChannelName,
    },
    /// Packets that arrived together.
    Burst(Arc<Burst>),
    /// How a layer's RTP time relates to the node's wall clock.
    Clock {
        /// The channel.
        channel: ChannelName,
        /// Its publisher.
        feed: SessionId,
        /// Audio or video.
        kind: MediaKind,
        /// The layer's place in its track.
        layer: u8,
        /// The relation.
        clock: SenderClock,
    },
    /// A viewer of the sender needs a keyframe.
    KeyframeRequest {
        /// The channel.
        channel: ChannelName,
        /// The layer's place in the video track.
        layer: u8,
    },
}
