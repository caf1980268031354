//! One peer's transport: ICE-lite, DTLS, SRTP and SCTP over whichever path the peer nominated.

mod stats;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    IceCredentials, Path,
    dtls::{Association, Certificate, Failure, Fingerprint, Keys, Progress},
    ice::{IceLite, Moved, Refusal},
    sctp::{ChannelEvent, Sctp},
    srtp::{Opener, Profile, Sealer, SrtpError},
};
pub use crate::{
    dtls::DtlsRole,
    ice::stun_ufrag,
    sctp::{ChannelId, DataError, Delivery, MAX_BUFFERED, MAX_CHANNELS, MAX_MESSAGE_LEN},
};
pub use stats::{Rejection, TransportStats};

/// From the session's beginning until ICE and DTLS are done.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// So long a peer may say nothing authentic before its consent to receive media has expired (RFC 7675 §5.1). As a
/// lite agent we send no checks of our own: the peer's, and whatever else of it is authentic, show that it is there.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest DTLS record's content (RFC 6347 §4.1).
const MAX_RECORD: usize = 1 << 14;

/// What a [`Transport`] needs to know.
pub struct TransportConfig {
    /// Our credentials, made by [`crate::ice::local_credentials`].
    pub local_ice: IceCredentials,
    /// The peer's, from its offer.
    pub remote_ice: IceCredentials,
    /// The peer's certificate, from its offer.
    pub remote_fingerprint: Fingerprint,
    /// What our answer said.
    pub role: DtlsRole,
    /// Our certificate.
    pub certificate: Arc<Certificate>,
    /// The peer's `a=sctp-port`, if data channels were negotiated. Where the association runs is up to its INIT.
    pub data_channels: Option<u16>,
}

/// A transport can't be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// OpenSSL refused.
    #[error("OpenSSL can't begin a DTLS association: {0}")]
    Dtls(#[from] openssl::error::ErrorStack),
}

/// What a datagram was.
#[derive(Debug)]
pub enum Incoming<'d> {
    /// Dealt with. There may be something to send, and events.
    Handled,
    /// An authentic RTP packet, in the clear.
    Rtp(&'d mut [u8]),
    /// An authentic compound RTCP packet, in the clear.
    Rtcp(&'d mut [u8]),
    /// It changed nothing. There may be an error response to send.
    Rejected(Rejection),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// ICE and DTLS are done: media can flow.
    Connected {
        /// How media is protected.
        profile: Profile,
    },
    /// Media goes elsewhere from now on.
    PathChanged(Path),
    /// A data channel can be used: the peer opened it, or agreed to our opening it.
    ChannelOpened {
        /// The channel.
        id: ChannelId,
        /// Its label: `chat`, `reactions`.
        label: String,
        /// How it delivers, both ways.
        delivery: Delivery,
    },
    /// A message on a data channel.
    Data {
        /// The channel.
        channel: ChannelId,
        /// The message, at most [`MAX_MESSAGE_LEN`] bytes.
        data: Vec<u8>,
        /// Binary, or text, which the peer says is UTF-8.
        binary: bool,
    },
    /// A data channel is gone.
    ChannelClosed(ChannelId),
    /// The transport is over; there will be no more events.
    Closed(CloseReason),
}

/// Why a [`Transport`] is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing authentic came for [`CONSENT_TIMEOUT`].
    ConsentExpired,
    /// ICE and DTLS weren't done within [`HANDSHAKE_TIMEOUT`].
    HandshakeTimedOut,
    /// DTLS failed: nothing in common with the peer, or a fatal alert.
    HandshakeFailed,
    /// The peer's certificate isn't the one of its offer.
    FingerprintMismatch,
    /// The peer said good-bye.
    ByPeer,
    /// We did.
    Local,
}

/// One peer: ICE-lite, DTLS, SRTP, SCTP over the path that authenticated STUN last named.
///
/// Follows the crate's driving contract: after each call that takes `now` (and after [`Self::restart_ice`]), call
/// [`Self::poll_transmit`] and [`Self::poll_event`] until they return `None`, then ask for [`Self::next_timeout`].
/// Nothing of it allocates per media packet.
pub struct Transport {
    ice: IceLite,
    dtls: Association,
    media: Option<Media>,
    sctp: Option<Sctp>,
    state: State,
    stats: TransportStats,
    /// STUN responses, each with its way back.
    responses: VecDeque<(Path, Vec<u8>)>,
    events: VecDeque<TransportEvent>,
}

/// The two directions of SRTP.
struct Media {
    sealer: Sealer,
    opener: Opener,
}

enum State {
    Connecting { deadline: Instant },
    Connected { heard: Instant },
    Closed,
}

impl Transport {
    /// Begins to wait for the peer's connectivity checks.
    pub fn new(now: Instant, config: TransportConfig) -> Result<Self, TransportError> {
        let dtls = Association::new(&config.certificate, config.role, config.remote_fingerprint)?;
        Ok(Self {
            ice: IceLite::new(config.local_ice, config.remote_ice),
            dtls,
            media: None,
            sctp: config.data_channels.map(|_| Sctp::new(config.role)),
            state: State::Connecting {
                deadline: now + HANDSHAKE_TIMEOUT,
            },
            stats: TransportStats::default(),
            responses: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// Takes one datagram of this peer in. STUN, DTLS, SRTP and SRTCP are told apart by the first byte (RFC 7983 §7).
    /// Media is opened in place.
    pub fn handle<'d>(&mut self, now: Instant, path: Path, datagram: &'d mut [u8]) -> Incoming<'d> {
        let outcome = match (&self.state, datagram.first()) {
            (State::Closed, _) => Err(Rejection::Closed),
            (_, Some(0..=3)) => self.handle_stun(now, path, datagram),
            (_, Some(20..=63)) => self.handle_dtls(now, path, datagram),
            (_, Some(128..=191)) => return self.handle_media(now, path, datagram),
            _ => Err(Rejection::Unknown),
        };
        match outcome {
            Ok(()) => Incoming::Handled,
            Err(rejection) => self.reject(rejection),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        let patience = match self.state {
            State::Connecting { deadline } => deadline,
            State::Connected { heard } => heard + CONSENT_TIMEOUT,
            State::Closed => return None,
        };
        let sctp = self.sctp.as_ref().and_then(Sctp::next_timeout);
        [Some(patience), self.dtls.next_timeout(), sctp]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what has come due. Harmless when nothing has.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Connecting { deadline } if now >= deadline => {
                return self.end(CloseReason::HandshakeTimedOut);
            }
            State::Connected { heard } if now >= heard + CONSENT_TIMEOUT => {
                return self.end(CloseReason::ConsentExpired);
            }
            State::Closed => return,
            State::Connecting { .. } | State::Connected { .. } => {}
        }
        let progress = self.dtls.handle_timeout(now);
        self.on_progress(now, progress);
        if let Some(sctp) = self
            .sctp
            .as_mut()
            .filter(|sctp| sctp.next_timeout().is_some_and(|at| at <= now))
        {
            sctp.handle_timeout(now);
        }
        self.collect_channel_events();
    }

    /// The next datagram to send, written into `buffer` (cleared first), and where to. Call until `None`.
    pub fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Path> {
        buffer.clear();
        if let Some((path, response)) = self.responses.pop_front() {
            buffer.extend_from_slice(&response);
            return Some(path);
        }
        let path = self.ice.path()?;
        let datagram = self.dtls.poll_transmit().or_else(|| {
            let packet = self.sctp.as_mut()?.poll_transmit()?;
            self.dtls.write(&packet);
            self.dtls.poll_transmit()
        })?;
        buffer.extend_from_slice(&datagram);
        Some(path)
    }

    /// The next event. Call until `None`.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    /// Whether this is where the peer is: its path, over which something authentic came within `recently`.
    pub fn holds(&self, now: Instant, path: Path, recently: Duration) -> bool {
        let fresh = |at| now.saturating_duration_since(at) < recently;
        self.ice.path() == Some(path) && self.ice.last_heard().is_some_and(fresh)
    }

    /// Where media goes: the path of the last nomination, or before there was one, of an authentic check.
    pub fn path(&self) -> Option<Path> {
        self.ice.path()
    }

    /// Seals media. `Some` from [`TransportEvent::Connected`] to [`TransportEvent::Closed`].
    pub fn sealer(&mut self) -> Option<&mut Sealer> {
        self.media.as_mut().map(|media| &mut media.sealer)
    }

    /// What was negotiated and what was rejected.
    pub fn stats(&self) -> &TransportStats {
        &self.stats
    }

    /// The peer restarts ICE (RFC 8445 §9): new credentials, while DTLS and media go on. The old ones hold until the
    /// peer uses the new ones.
    pub fn restart_ice(&mut self, local: IceCredentials, remote: IceCredentials) {
        self.ice.restart(local, remote);
    }

    /// Opens a data channel. It can be used from its [`TransportEvent::ChannelOpened`] on.
    pub fn open_channel(
        &mut self,
        now: Instant,
        label: &str,
        delivery: Delivery,
    ) -> Result<ChannelId, DataError> {
        self.sctp
            .as_mut()
            .ok_or(DataError::NotConnected)?
            .open(now, label, delivery)
    }

    /// Sends one message. At most [`MAX_BUFFERED`] bytes wait to be acknowledged by the peer.
    pub fn send_data(
        &mut self,
        now: Instant,
        channel: ChannelId,
        data: &[u8],
        binary: bool,
    ) -> Result<(), DataError> {
        self.sctp
            .as_mut()
            .ok_or(DataError::NotConnected)?
            .send(now, channel, data, binary)
    }

    /// Closes one channel, after what was sent on it.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) -> Result<(), DataError> {
        self.sctp
            .as_mut()
            .ok_or(DataError::NotConnected)?
            .close_channel(now, channel)
    }

    /// Says good-bye: SCTP ABORT, DTLS `close_notify`.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if let Some(sctp) = &mut self.sctp {
            sctp.close(now);
            while let Some(packet) = sctp.poll_transmit() {
                self.dtls.write(&packet);
            }
        }
        self.dtls.close();
        self.end(CloseReason::Local);
    }

    fn handle_stun(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Result<(), Rejection> {
        let handled = self
            .ice
            .handle(now, path, datagram)
            .map_err(Rejection::from)?;
        self.responses.push_back((path, handled.response));
        let Moved(moved) = handled.outcome.map_err(Rejection::from)?;
        self.heard(now, path);
        if moved {
            self.events.push_back(TransportEvent::PathChanged(path));
            let progress = self.dtls.start(now);
            self.on_progress(now, progress);
        }
        Ok(())
    }

    fn handle_dtls(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Result<(), Rejection> {
        // A handshake isn't authentic until it is done. What keeps strangers out of it is that they don't know the
        // ICE password.
        if !self.ice.knows(path) {
            return Err(Rejection::UnknownPath);
        }
        let progress = self.dtls.handle(now, datagram);
        let readable = matches!(progress, Ok(Progress::Established | Progress::Connected(_)));
        self.on_progress(now, progress);
        if readable && !matches!(self.state, State::Closed) {
            self.read_dtls(now, path);
        }
        Ok(())
    }

    fn on_progress(&mut self, now: Instant, progress: Result<Progress, Failure>) {
        match progress {
            Ok(Progress::Connected(keys)) => self.connect(now, &keys),
            Ok(Progress::Handshaking | Progress::Established) => {}
            Err(failure) => {
                self.dtls.close();
                self.end(failure.into());
            }
        }
    }

    fn connect(&mut self, now: Instant, keys: &Keys) {
        let sealer = Sealer::new(keys.profile, &keys.local.key, &keys.local.salt);
        let opener = Opener::new(keys.profile, &keys.remote.key, &keys.remote.salt);
        let (Ok(sealer), Ok(opener)) = (sealer, opener) else {
            return self.end(CloseReason::HandshakeFailed);
        };
        self.media = Some(Media { sealer, opener });
        self.state = State::Connected { heard: now };
        self.stats.profile = Some(keys.profile);
        self.events.push_back(TransportEvent::Connected {
            profile: keys.profile,
        });
        if let Some(sctp) = &mut self.sctp {
            sctp.start(now);
        }
    }

    /// Hands what DTLS carried to SCTP.
    fn read_dtls(&mut self, now: Instant, path: Path) {
        let mut record = [0; MAX_RECORD];
        loop {
            match self.dtls.read(&mut record) {
                Ok(Some(len)) => {
                    self.heard(now, path);
                    if let (Some(sctp), Some(packet)) = (&mut self.sctp, record.get(..len)) {
                        sctp.handle(now, packet);
                    }
                }
                Ok(None) => break,
                Err(failure) => {
                    self.dtls.close();
                    return self.end(failure.into());
                }
            }
        }
        self.collect_channel_events();
    }

    fn handle_media<'d>(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &'d mut [u8],
    ) -> Incoming<'d> {
        let Some(media) = &mut self.media else {
            return self.reject(Rejection::NoKeys);
        };
        let rtcp = is_rtcp(datagram);
        let opened = if rtcp {
            media.opener.open_rtcp(datagram)
        } else {
            media.opener.open_rtp(datagram)
        };
        let plain = match opened {
            Ok(len) => datagram.get_mut(..len),
            Err(error) => return self.reject(error.into()),
        };
        self.dtls.peer_is_done();
        self.heard(now, path);
        match plain {
            Some(plain) if rtcp => Incoming::Rtcp(plain),
            Some(plain) => Incoming::Rtp(plain),
            None => self.reject(Rejection::MalformedMedia),
        }
    }

    /// Something authentic came.
    fn heard(&mut self, now: Instant, path: Path) {
        self.ice.heard(now, path);
        if let State::Connected { heard } = &mut self.state {
            *heard = now;
        }
    }

    fn reject<'d>(&mut self, rejection: Rejection) -> Incoming<'d> {
        self.stats.count(rejection);
        Incoming::Rejected(rejection)
    }

    fn collect_channel_events(&mut self) {
        let Some(sctp) = &mut self.sctp else {
            return;
        };
        while let Some(event) = sctp.poll_event() {
            self.events.push_back(event.into());
        }
    }

    fn end(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        self.media = None;
        self.sctp = None;
        self.events.push_back(TransportEvent::Closed(reason));
    }
}

impl From<Failure> for CloseReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::FingerprintMismatch => Self::FingerprintMismatch,
            Failure::Handshake => Self::HandshakeFailed,
            Failure::ClosedByPeer => Self::ByPeer,
        }
    }
}

impl From<ChannelEvent> for TransportEvent {
    fn from(event: ChannelEvent) -> Self {
        match event {
            ChannelEvent::Opened {
                id,
                label,
                delivery,
            } => Self::ChannelOpened {
                id,
                label,
                delivery,
            },
            ChannelEvent::Data {
                channel,
                data,
                binary,
            } => Self::Data {
                channel,
                data,
                binary,
            },
            ChannelEvent::Closed(id) => Self::ChannelClosed(id),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Self::MalformedStun,
            Refusal::NotARequest => Self::NotARequest,
            Refusal::Unauthenticated => Self::Unauthenticated,
            Refusal::Unserved => Self::Unserved,
        }
    }
}

impl From<SrtpError> for Rejection {
    fn from(error: SrtpError) -> Self {
        match error {
            SrtpError::Replayed => Self::ReplayedMedia,
            SrtpError::Forged | SrtpError::Unencrypted => Self::ForgedMedia,
            SrtpError::TooManySsrcs => Self::TooManySsrcs,
            SrtpError::Malformed | SrtpError::KeyLength => Self::MalformedMedia,
        }
    }
}

/// Whether a datagram is (S)RTCP: its packet types lie where RTP would have the payload types 64 to 95 (RFC 5761 §4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}
