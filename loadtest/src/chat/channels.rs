//! A WHEP session for its data channels. It takes the sound, which it must ask for, and makes nothing of it.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Duration, sleep, timeout};
use url::Url;

use super::line::LineError;
use crate::load::endpoint::{CONNECT_TIMEOUT, SessionError};
use crate::load::http::{Caller, Session};
use crate::load::socket::{Batch, Socket};
use crate::peer::{Credentials, Data, Identity, Label, Outbox, Peer, PeerError, Received};
use crate::sdp::{Answer, BASELINE, Offer};

/// Without anything due a peer is looked after this often.
const IDLE: Duration = Duration::from_secs(1);

/// What all sessions share.
pub struct Peers {
    identity: Identity,
    batch: RefCell<Batch>,
}

impl Peers {
    /// A certificate of their own, and room to receive.
    pub fn new() -> Result<Self, LineError> {
        let identity =
            Identity::random().map_err(|error| SessionError::from(PeerError::from(error)))?;
        Ok(Self {
            identity,
            batch: RefCell::default(),
        })
    }
}

/// Open data channels.
pub struct Channels {
    peers: Rc<Peers>,
    socket: Socket,
    /// The same, to wait for.
    readiness: UdpSocket,
    peer: Peer,
    caller: Caller,
    session: Session,
    /// The server said good-bye.
    is_closed: bool,
}

impl Channels {
    /// Begins a session, and opens its channels.
    pub async fn open(
        peers: Rc<Peers>,
        endpoint: &Url,
        caller: Caller,
    ) -> Result<Self, SessionError> {
        let any = match endpoint.host() {
            Some(url::Host::Ipv6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        let socket = Socket::bind(caller.from.unwrap_or(any), true)?;
        let credentials = Credentials::random();
        let fingerprint = peers.identity.fingerprint();
        let offer = Offer {
            credentials: &credentials,
            fingerprint: &fingerprint,
            sending: None,
            picture: false,
            data_channels: true,
            profile: BASELINE,
        };
        let session = caller.create(endpoint, offer.to_sdp()).await?;
        let answer = Answer::read(&session.answer)?;
        let mut channels = Self {
            readiness: UdpSocket::from_std(socket.try_clone()?)?,
            socket,
            peer: Peer::new(credentials, Data::Talk),
            peers,
            caller,
            session,
            is_closed: false,
        };
        let mut out = Outbox::new();
        let peers = channels.peers.clone();
        channels
            .peer
            .connect(Instant::now(), &peers.identity, answer.remote, &mut out);
        channels.send_all(&out);
        let connecting = async {
            while !channels.peer.has_data_channel() {
                channels.turn().await?;
            }
            Ok::<_, SessionError>(())
        };
        let connected = timeout(CONNECT_TIMEOUT, connecting).await;
        match connected.unwrap_or(Err(SessionError::TooLong)) {
            Ok(()) => Ok(channels),
            Err(error) => {
                channels.close().await;
                Err(error)
            }
        }
    }

    /// Says something.
    pub fn send(&mut self, on: Label, text: &str) -> Result<(), SessionError> {
        let mut out = Outbox::new();
        let taken = self.peer.send_text(Instant::now(), on, text, &mut out)?;
        self.send_all(&out);
        if taken {
            Ok(())
        } else {
            Err(SessionError::Ended)
        }
    }

    /// The next message of the server. What was received is kept when this is given up.
    pub async fn receive(&mut self) -> Result<String, SessionError> {
        loop {
            if let Some(message) = self.peer.poll_message() {
                // What isn't text isn't of the protocol either, and is counted as that.
                return Ok(String::from_utf8_lossy(&message).into_owned());
            }
            if self.is_closed {
                return Err(SessionError::Ended);
            }
            self.turn().await?;
        }
    }

    /// Ends the session.
    pub async fn close(mut self) {
        let mut out = Outbox::new();
        self.peer.close(Instant::now(), &mut out);
        self.send_all(&out);
        // It may be gone already.
        let _ = self.caller.delete(&self.session.url).await;
    }

    /// Takes what came, or does what is due.
    async fn turn(&mut self) -> Result<(), SessionError> {
        let wait = self.peer.next_timeout().map_or(IDLE, |at| {
            at.saturating_duration_since(Instant::now()).min(IDLE)
        });
        let mut out = Outbox::new();
        let result = tokio::select! {
            ready = self.readiness.readable() => {
                ready?;
                let mut result = Ok(false);
                // The error is its word for there being no more.
                let _ = self.readiness.try_io(Interest::READABLE, || {
                    let batch = &mut self.peers.batch.borrow_mut();
                    result = take(&self.socket, batch, &mut self.peer, &mut out);
                    Err::<(), _>(io::ErrorKind::WouldBlock.into())
                });
                result.map(|is_closed| self.is_closed |= is_closed)
            }
            () = sleep(wait) => {
                self.peer.handle_timeout(Instant::now(), &mut out).map_err(SessionError::from)
            }
        };
        self.send_all(&out);
        result
    }

    /// What isn't taken is lost, as on any path: SCTP repeats it.
    fn send_all(&self, out: &Outbox) {
        for (to, datagram) in out {
            let _ = self.socket.send(*to, datagram);
        }
    }
}

/// Takes all that a socket has. Whether the server said good-bye.
fn take(
    socket: &Socket,
    batch: &mut Batch,
    peer: &mut Peer,
    out: &mut Outbox,
) -> Result<bool, SessionError> {
    let (now, mut result) = (Instant::now(), Ok(false));
    socket.receive(batch, |burst| {
        for datagram in burst.datagrams() {
            match peer.receive(now, burst.from, datagram, out) {
                Ok(Received::Closed) => result = Ok(true),
                Ok(_) => {}
                Err(error) => result = Err(error.into()),
            }
        }
    })?;
    result
}
