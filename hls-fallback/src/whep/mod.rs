//! The WHEP client (draft-ietf-wish-whep).

mod codecs;
mod follow;
mod http;
mod parameter_sets;
mod peer;
mod sources;
mod tap;

use std::io;
use std::time::{Duration, Instant};

use reqwest::{StatusCode, Url};
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};

pub use follow::{KeyframeWishes, Update, follow};
pub use http::Token;

use crate::receive::{Packet, ParameterSets, TrackKind};
use http::Session;
use peer::{Connection, Peer};
use sources::Sources;

/// How long ICE and DTLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which channel of which node to watch.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node, as `http://127.0.0.1:8080`.
    pub node: Url,
    /// The channel's name.
    pub channel: String,
    /// What allows to watch it, if it isn't open to all.
    pub token: Option<Token>,
}

/// Why there is no subscription, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The node's address is none to ask at.
    #[error("the node's address must be an http or https URL, as http://127.0.0.1:8080")]
    Address,
    /// HTTP failed.
    #[error("the node can't be reached: {}", with_causes(.0))]
    Unreachable(#[source] reqwest::Error),
    /// The node doesn't want to.
    #[error("the node refused: {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it said of it, 300 characters at most.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The node's answer is of no use.
    #[error("the node's answer can't be used: {0}")]
    Answer(&'static str),
    /// The peer connection failed.
    #[error("the connection to the node failed: {0}")]
    Connection(#[from] rtc::shared::error::Error),
    /// There is no socket.
    #[error("no UDP socket toward the node: {0}")]
    Socket(#[from] io::Error),
    /// ICE or DTLS came to nothing.
    #[error("no connection to the node within 10 s; are its UDP ports reachable?")]
    NotConnected,
    /// The node has said good-bye.
    #[error("the node closed the session")]
    Closed,
    /// Nothing comes any more.
    #[error("the path to the node is lost")]
    Lost,
}

impl Ended {
    /// Asking again would have the same answer.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Address => true,
            Self::Refused { status, .. } => {
                let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT];
                status.is_client_error()
                    && *status != StatusCode::TOO_MANY_REQUESTS
                    && !later.contains(status)
            }
            _ => false,
        }
    }

    /// When the node wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An error with those behind it: the first alone says little.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What a subscription brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Media can flow. The channel needn't be on air.
    Connected,
    /// A packet of media.
    Packet(Packet),
    /// A sender report (RFC 3550 §6.4.1).
    SenderReport {
        /// Of this track.
        kind: TrackKind,
        /// On the node's clock.
        ntp: u64,
        /// On the track's RTP clock.
        timestamp: u32,
    },
}

/// A session with a node, as one of its viewers.
///
/// Call [`Self::next`] again and again: it is what drives the connection. Dropping the subscription ends it at the node, too.
pub struct Subscription {
    connection: Connection,
    /// Until it is ended.
    session: Option<Session>,
    sources: Sources,
    parameter_sets: ParameterSets,
    /// Requests for a refresh so far; none where the node doesn't take them.
    refreshes: Option<u8>,
    is_connected: bool,
    give_up: Instant,
}

impl Subscription {
    /// Asks the node for a session. The channel needn't be on air: the node lets viewers wait. It must be known, though.
    pub async fn open(options: &Options) -> Result<Self, Ended> {
        let now = Instant::now();
        let mut peer = Peer::new(now)?;
        let offer = peer.offer(now)?;
        let session = http::subscribe(options, offer).await?;
        let parameter_sets = parameter_sets::find(&session.answer);
        let refreshes = takes_fir(&session.answer).then_some(0);
        let connected = peer.connect(&session.answer).await;
        let connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                session.end().await;
                return Err(error);
            }
        };
        Ok(Self {
            connection,
            session: Some(session),
            sources: Sources::default(),
            parameter_sets,
            refreshes,
            is_connected: false,
            give_up: Instant::now() + CONNECT_TIMEOUT,
        })
    }

    /// The parameter sets in the node's answer.
    pub fn parameter_sets(&self) -> &ParameterSets {
        &self.parameter_sets
    }

    /// Drives the connection until there is an event, or an end. Loses nothing when it is dropped before.
    pub async fn next(&mut self) -> Result<Event, Ended> {
        loop {
            self.connection.flush();
            if let Some(event) = self.poll()? {
                return Ok(event);
            }
            self.connection.wait().await?;
        }
    }

    /// Asks for a keyframe since pictures are missing (PLI, RFC 4585 §6.3.1), once there is video. A node may answer with what it sent
    /// already.
    pub fn request_keyframe(&mut self) -> Result<(), Ended> {
        let Some(media_ssrc) = self.sources.video() else {
            return Ok(());
        };
        self.connection.send_rtcp(PictureLossIndication {
            sender_ssrc: self.sources.own(),
            media_ssrc,
        })
    }

    /// Asks for a new keyframe, though no picture is missing (FIR, RFC 5104 §4.3.1), once there is video.
    pub fn request_refresh(&mut self) -> Result<(), Ended> {
        let (Some(ssrc), Some(before)) = (self.sources.video(), self.refreshes) else {
            return self.request_keyframe();
        };
        // Another number is another request.
        let sequence_number = before.wrapping_add(1);
        self.refreshes = Some(sequence_number);
        self.connection.send_rtcp(FullIntraRequest {
            sender_ssrc: self.sources.own(),
            // It stands in the entry (§4.3.1.2).
            media_ssrc: 0,
            fir: vec![FirEntry {
                ssrc,
                sequence_number,
            }],
        })
    }

    /// Asks for packets of the source `ssrc` once more (NACK, RFC 4585 §6.2.1).
    pub fn request_resend(&mut self, ssrc: u32, sequences: &[u16]) -> Result<(), Ended> {
        self.connection.send_rtcp(TransportLayerNack {
            sender_ssrc: self.sources.own(),
            media_ssrc: ssrc,
            nacks: nack_pairs_from_sequence_numbers(sequences),
        })
    }

    fn poll(&mut self) -> Result<Option<Event>, Ended> {
        match self.connection.poll_state() {
            Some(RTCPeerConnectionState::Connected) if !self.is_connected => {
                self.is_connected = true;
                return Ok(Some(Event::Connected));
            }
            Some(RTCPeerConnectionState::Closed) => return Err(Ended::Closed),
            Some(RTCPeerConnectionState::Failed) if self.is_connected => return Err(Ended::Lost),
            Some(RTCPeerConnectionState::Failed) => return Err(Ended::NotConnected),
            _ if !self.is_connected && Instant::now() > self.give_up => {
                return Err(Ended::NotConnected);
            }
            _ => {}
        }
        while let Some(incoming) = self.connection.poll() {
            self.sources.take(incoming);
        }
        Ok(self.sources.poll())
    }
}

/// Whether an answer takes full intra requests of its video (RFC 5104 §7.1).
fn takes_fir(answer: &str) -> bool {
    answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtcp-fb:"))
        .any(|line| line.trim_end().ends_with(" ccm fir"))
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.connection.close();
        // Without a runtime the node has heard the good-bye, which does as well.
        if let (Some(session), Ok(runtime)) =
            (self.session.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(session.end());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn refused(status: u16) -> Ended {
        Ended::Refused {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            reason: String::new(),
            retry_after: Some(Duration::from_secs(3)),
        }
    }

    #[test]
    fn full_intra_requests_are_made_where_they_are_taken() {
        assert!(takes_fir(
            "m=video 9 X 98\r\na=rtcp-fb:98 ccm fir\r\na=rtcp-fb:98 nack pli\r\n"
        ));
        assert!(!takes_fir(
            "m=video 9 X 98\r\na=rtcp-fb:98 nack pli\r\na=rtcp-fb:98 ccm tmmbr\r\n"
        ));
    }

    #[test]
    fn only_what_would_be_refused_again_is_final() {
        for status in [400, 401, 403, 404, 406, 415, 422] {
            assert!(refused(status).is_final(), "{status}");
        }
        for status in [408, 409, 429, 500, 502, 503] {
            assert!(!refused(status).is_final(), "{status}");
        }
        assert!(!Ended::Lost.is_final());
        assert_eq!(refused(503).retry_after(), Some(Duration::from_secs(3)));
    }
}
