//! One peer with its socket.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::http::{Caller, HttpError, Session};
use super::publisher::Publisher;
use super::socket::{Batch, Socket};
use super::totals::Totals;
use super::viewer::Viewer;
use crate::peer::{Outbox, Peer, PeerError, Received};
use crate::sdp::AnswerError;

/// A session that isn't connected by then has failed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Why one session came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The server said no, or nothing.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is of no use.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The connection failed.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The system refused something.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    /// See [`CONNECT_TIMEOUT`].
    #[error("not connected after {CONNECT_TIMEOUT:?}")]
    TooLong,
    /// The server said good-bye.
    #[error("the server ended the session")]
    Ended,
}

/// What a peer is there for.
pub enum Role {
    /// To send.
    Publisher(Box<Publisher>),
    /// To receive.
    Viewer(Box<Viewer>),
}

/// One peer with its socket.
pub struct Endpoint {
    /// Its own.
    pub socket: Socket,
    /// Its connection.
    pub peer: Peer,
    /// What it is there for.
    pub role: Role,
    /// How it speaks HTTP.
    pub caller: Caller,
    /// Its session on the server.
    pub session: Option<Session>,
    /// The seat that it has.
    pub seat: usize,
    /// When it began to join.
    pub born: Instant,
    /// Media can flow.
    pub connected: bool,
    /// The timer that is set for it.
    pub scheduled: Option<Instant>,
}

impl Endpoint {
    /// Takes what its socket has.
    pub fn receive(
        &mut self,
        now: Instant,
        batch: &mut Batch,
        totals: &mut Totals,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        let mut result = Ok(());
        let Endpoint {
            socket,
            peer,
            role,
            connected,
            ..
        } = self;
        let read = socket.receive(batch, |burst| {
            totals.messages += 1;
            for datagram in burst.datagrams() {
                totals.datagrams += 1;
                totals.bytes += datagram.len() as u64;
                let received = peer.receive(now, burst.from, datagram, out);
                match received {
                    Ok(Received::Rtp(sealed)) => {
                        if let (Role::Viewer(viewer), Some(opener)) = (&mut *role, peer.opener()) {
                            viewer.on_rtp(now, burst.arrived, sealed, opener, totals);
                        }
                    }
                    Ok(Received::Rtcp(packets)) => match role {
                        Role::Viewer(viewer) => viewer.on_rtcp(now, &packets),
                        Role::Publisher(publisher) => {
                            let again = publisher.on_rtcp(&packets);
                            send_rtp(peer, &again, out);
                        }
                    },
                    Ok(Received::Connected) => {
                        *connected = true;
                        if let Role::Publisher(publisher) = role {
                            publisher.start(now);
                        }
                    }
                    Ok(Received::Handled) => {}
                    Ok(Received::Broken) => totals.foreign += 1,
                    Ok(Received::Closed) => result = Err(SessionError::Ended),
                    Err(error) => result = Err(error.into()),
                }
            }
        });
        read.map_err(SessionError::from).and(result)
    }

    /// Says what is due: publishers nothing more once they are off air.
    pub fn speak(
        &mut self,
        now: Instant,
        on_air: bool,
        window: &Range<u64>,
        out: &mut Outbox,
    ) -> Result<(), SessionError> {
        if !self.connected && now.saturating_duration_since(self.born) > CONNECT_TIMEOUT {
            return Err(SessionError::TooLong);
        }
        self.peer.handle_timeout(now, out)?;
        if !self.connected {
            return Ok(());
        }
        match &mut self.role {
            Role::Viewer(viewer) => {
                for datagram in viewer.speak(now) {
                    self.peer.send_rtcp(&datagram, out)?;
                }
            }
            Role::Publisher(publisher) if on_air => {
                let speech = publisher.speak(now, window);
                send_rtp(&mut self.peer, &speech.rtp, out);
                for datagram in speech.rtcp {
                    self.peer.send_rtcp(&datagram, out)?;
                }
            }
            Role::Publisher(_) => {}
        }
        Ok(())
    }

    /// When there is something to say.
    pub fn next_timeout(&self, now: Instant, on_air: bool) -> Instant {
        let deadline = self.born + CONNECT_TIMEOUT + Duration::from_millis(1);
        let role = match &self.role {
            _ if !self.connected => Some(deadline),
            Role::Viewer(viewer) => Some(viewer.next_timeout()),
            Role::Publisher(publisher) if on_air => publisher.next_timeout(),
            Role::Publisher(_) => None,
        };
        [self.peer.next_timeout(), role]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + CONNECT_TIMEOUT)
    }
}

/// Seals packets for the path that ICE chose. What can't be sealed the viewers will miss.
fn send_rtp(peer: &mut Peer, packets: &[Vec<u8>], out: &mut Outbox) {
    let Some(to) = peer.path() else { return };
    out.extend(
        packets
            .iter()
            .filter_map(|packet| Some((to, peer.seal_rtp(packet).ok()?))),
    );
}
