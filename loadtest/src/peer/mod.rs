//! A WebRTC peer without sockets or clock: ICE, DTLS and SRTP toward one server.
//!
//! It shares no code with the media core that it tests: ICE is made of `rtc-stun`, DTLS is `dimpl`, SRTP is `rtc-srtp`.
//! Received media stays sealed until somebody asks for more than its header ([`Opener`]), so that one core can receive
//! for a thousand viewers.

mod datachannel;
mod dtls;
mod ice;
mod opener;
mod srtp;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_rtcp::packet::Packet;

pub use datachannel::{Data, Label};
pub use dtls::Identity;
pub use ice::Credentials;
pub use opener::{Opener, PEEK};
pub use srtp::SrtpError;

use datachannel::DataChannels;
use dtls::Handshake;
use ice::Agent;
use srtp::Sealing;

/// First bytes of each protocol on the socket (RFC 7983 §7).
mod first_byte {
    use std::ops::RangeInclusive;

    pub(super) const STUN: RangeInclusive<u8> = 0..=3;
    pub(super) const DTLS: RangeInclusive<u8> = 20..=63;
    pub(super) const SRTP: RangeInclusive<u8> = 128..=191;
}

/// Payload types that are RTCP packet types when both share a port (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;

/// Datagrams to send, each with where to.
pub type Outbox = Vec<(SocketAddr, Vec<u8>)>;

/// What the other side told in its SDP.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its ICE user name and password.
    pub credentials: Credentials,
    /// Where it may be reached by UDP.
    pub candidates: Vec<SocketAddr>,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// It opens the DTLS handshake (`a=setup:active`).
    pub opens_dtls: bool,
    /// It takes data channels.
    pub data_channels: bool,
}

/// What a datagram turned out to be.
pub enum Received<'a> {
    /// A matter between the two peers, dealt with.
    Handled,
    /// Media can flow from now on.
    Connected,
    /// Sealed RTP.
    Rtp(&'a [u8]),
    /// Opened RTCP.
    Rtcp(Vec<Box<dyn Packet>>),
    /// RTCP that can't be opened. It may be for somebody else: who had this port before and left without a word is sent to
    /// for a while. RFC 3711 §3.3 has it discarded.
    Broken,
    /// The other side said good-bye.
    Closed,
}

/// Why a connection came to nothing, or to an end.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No answer to a connectivity check, or none any more (RFC 7675).
    #[error("no answer to ICE checks for {0:?}")]
    Unreachable(Duration),
    /// The handshake failed.
    #[error("DTLS: {0}")]
    Dtls(#[from] dtls::DtlsError),
    /// Keys or packets that can't be used.
    #[error(transparent)]
    Srtp(#[from] SrtpError),
}

/// One peer connection.
pub struct Peer {
    ice: Agent,
    handshake: Option<Handshake>,
    sealing: Option<Sealing>,
    opener: Option<Opener>,
    data: Option<DataChannels>,
    wanted: Data,
}

impl Peer {
    /// A peer that has made an offer with these credentials.
    pub fn new(local: Credentials, wanted: Data) -> Self {
        Self {
            ice: Agent::new(local),
            handshake: None,
            sealing: None,
            opener: None,
            data: None,
            wanted,
        }
    }

    /// The answer has come: begins to connect.
    pub fn connect(&mut self, now: Instant, identity: &Identity, remote: Remote, out: &mut Outbox) {
        if !remote.data_channels {
            self.wanted = Data::None;
        }
        let handshake = Handshake::new(now, identity, remote.fingerprint, !remote.opens_dtls);
        self.handshake = Some(handshake);
        self.ice
            .start(now, remote.credentials, remote.candidates, out);
    }

    /// The path that ICE chose, once it did.
    pub fn path(&self) -> Option<SocketAddr> {
        self.ice.selected()
    }

    /// Whether all data channels that it wants are open.
    pub fn has_data_channel(&self) -> bool {
        self.data.as_ref().is_some_and(DataChannels::is_open)
    }

    /// Reads a datagram.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
        out: &mut Outbox,
    ) -> Result<Received<'a>, PeerError> {
        let Some(&[first, second]) = datagram.first_chunk::<2>() else {
            return Ok(Received::Handled);
        };
        if first_byte::SRTP.contains(&first) {
            if !RTCP_TYPES.contains(&second) {
                return Ok(Received::Rtp(datagram));
            }
            return Ok(match &mut self.sealing {
                Some(sealing) => sealing
                    .open_rtcp(datagram)
                    .map_or(Received::Broken, Received::Rtcp),
                None => Received::Handled,
            });
        }
        if first_byte::STUN.contains(&first) {
            let had_path = self.path().is_some();
            self.ice.receive(now, from, datagram, out);
            if !had_path && self.path().is_some() {
                return self.drive_dtls(now, out);
            }
        } else if first_byte::DTLS.contains(&first) {
            if let Some(handshake) = &mut self.handshake {
                handshake.receive(now, datagram)?;
            }
            return self.drive_dtls(now, out);
        }
        Ok(Received::Handled)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        let handshake = self.handshake.as_ref().and_then(Handshake::next_timeout);
        let data = self.data.as_ref().and_then(DataChannels::next_timeout);
        [
            self.ice.next_timeout(),
            handshake.filter(|_| self.path().is_some()),
            data,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Repeats what wasn't answered, and keeps the path open.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> Result<(), PeerError> {
        self.ice.handle_timeout(now, out)?;
        if self.path().is_none() {
            return Ok(());
        }
        if let Some(handshake) = &mut self.handshake
            && handshake.next_timeout().is_some_and(|at| at <= now)
        {
            handshake.handle_timeout(now)?;
        }
        if let Some(data) = &mut self.data {
            data.handle_timeout(now);
        }
        self.drive_dtls(now, out).map(|_| ())
    }

    /// Seals an RTP packet for the path that ICE chose.
    pub fn seal_rtp(&mut self, packet: &[u8]) -> Result<Vec<u8>, PeerError> {
        let sealing = self.sealing.as_mut().ok_or(SrtpError::NoKeys)?;
        Ok(sealing.seal_rtp(packet)?)
    }

    /// Sends RTCP packets as one datagram.
    pub fn send_rtcp(
        &mut self,
        packets: &[Box<dyn Packet>],
        out: &mut Outbox,
    ) -> Result<(), PeerError> {
        let (Some(sealing), Some(to)) = (&mut self.sealing, self.ice.selected()) else {
            return Ok(());
        };
        out.push((to, sealing.seal_rtcp(packets)?));
        Ok(())
    }

    /// Says something on a data channel. False: it can't be said, now or any more.
    pub fn send_text(
        &mut self,
        now: Instant,
        on: Label,
        text: &str,
        out: &mut Outbox,
    ) -> Result<bool, PeerError> {
        let taken = self
            .data
            .as_mut()
            .is_some_and(|data| data.send(now, on, text));
        self.drive_dtls(now, out)?;
        Ok(taken)
    }

    /// What the server said on a data channel, of those who [`Data::Talk`].
    pub fn poll_message(&mut self) -> Option<Vec<u8>> {
        self.data.as_mut()?.poll_message()
    }

    /// Opens received media.
    pub fn opener(&mut self) -> Option<&mut Opener> {
        self.opener.as_mut()
    }

    /// Says good-bye.
    pub fn close(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(handshake) = &mut self.handshake {
            handshake.close();
            // What can't be said any more needn't be.
            let _ = self.drive_dtls(now, out);
        }
    }

    fn drive_dtls(
        &mut self,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<Received<'static>, PeerError> {
        let (Some(handshake), Some(to)) = (&mut self.handshake, self.ice.selected()) else {
            return Ok(Received::Handled);
        };
        let mut result = Received::Handled;
        let progress = handshake.poll(now, self.data.as_mut(), |datagram| {
            out.push((to, datagram));
        })?;
        if let Some(keys) = progress.keys {
            self.sealing = Some(Sealing::new(&keys)?);
            self.opener = Some(Opener::new(&keys)?);
            if self.wanted != Data::None {
                self.data = Some(DataChannels::new(keys.is_client, self.wanted));
            }
            result = Received::Connected;
        }
        if let Some(data) = &mut self.data {
            while let Some(packet) = data.poll(now) {
                handshake.send(&packet)?;
            }
            handshake.poll(now, None, |datagram| out.push((to, datagram)))?;
        }
        if progress.closed {
            result = Received::Closed;
        }
        Ok(result)
    }
}
