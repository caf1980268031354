//! A client's connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::channels::Channels;
use crate::load::endpoint::SessionError;
use crate::peer::Label;

/// A server that takes longer to open a connection isn't usable, nor one that doesn't read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a frame; the protocol has 32 KiB.
const MOST_BYTES: usize = 64 << 10;
/// Bytes that are read at a time. The library clears so many before each reading, and has 128 KiB by itself.
const READ_BYTES: usize = 8 << 10;
/// Characters of a refusal that are worth showing.
const REASON: usize = 200;

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The server said no.
    #[error("{status}: {reason}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The system or the server ended it.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// What came isn't a WebSocket's.
    #[error("WebSocket: {0}")]
    Protocol(String),
    /// The server closed it.
    #[error("the server closed the connection{0}")]
    Closed(String),
    /// The session came to nothing, or to an end.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// See [`PATIENCE`].
    #[error("the server took more than {PATIENCE:?}")]
    TooLong,
}

impl From<Error> for LineError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed(String::new()),
            Error::Http(response) => Self::Refused {
                status: response.status().as_u16(),
                reason: readable(&String::from_utf8_lossy(
                    response.body().as_deref().unwrap_or_default(),
                )),
            },
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// An open connection.
pub enum Line {
    /// A WebSocket.
    Socket(Box<WebSocketStream<TcpStream>>),
    /// Data channels.
    Channels(Box<Channels>),
}

impl Line {
    /// Opens a WebSocket to a channel's chat, from an address.
    pub async fn websocket(
        node: &Url,
        channel: &str,
        from: Option<IpAddr>,
    ) -> Result<Self, LineError> {
        let open = async {
            let stream = connect(node, from).await?;
            stream.set_nodelay(true)?;
            let mut url = node.clone();
            url.set_path(&format!("/api/v1/channels/{channel}/chat"));
            let url = url.as_str().replacen("http", "ws", 1);
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BYTES)
                .max_message_size(Some(MOST_BYTES))
                .max_frame_size(Some(MOST_BYTES));
            let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
            Ok(Self::Socket(Box::new(socket)))
        };
        timeout(PATIENCE, open)
            .await
            .unwrap_or(Err(LineError::TooLong))
    }

    /// Says something; a WebSocket has one way for all.
    pub async fn send(&mut self, on: Label, frame: String) -> Result<(), LineError> {
        match self {
            Self::Socket(socket) => {
                let sent = timeout(PATIENCE, socket.send(Message::text(frame))).await;
                Ok(sent.map_err(|_| LineError::TooLong)??)
            }
            Self::Channels(channels) => Ok(channels.send(on, &frame)?),
        }
    }

    /// The next frame of the server. What was received is kept when this is given up.
    pub async fn receive(&mut self) -> Result<String, LineError> {
        match self {
            Self::Socket(socket) => next_text(socket).await,
            Self::Channels(channels) => Ok(channels.receive().await?),
        }
    }

    /// Ends it as a page does that is closed.
    pub async fn close(self) {
        match self {
            // It's over either way.
            Self::Socket(mut socket) => drop(timeout(PATIENCE, (*socket).close(None)).await),
            Self::Channels(channels) => channels.close().await,
        }
    }
}

async fn next_text(socket: &mut WebSocketStream<TcpStream>) -> Result<String, LineError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(why))) => {
                let why = why.map_or(String::new(), |why| {
                    format!(" ({}: {})", u16::from(why.code), readable(&why.reason))
                });
                return Err(LineError::Closed(why));
            }
            // Pings are answered by the library; binary messages there are none.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(LineError::Closed(String::new())),
        }
    }
}

async fn connect(node: &Url, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let host = node.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = node.port_or_known_default().unwrap_or(80);
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let fits = |address: &&SocketAddr| from.is_none_or(|from| from.is_ipv4() == address.is_ipv4());
    let Some(address) = addresses.iter().find(fits) else {
        let text = format!("{host} has no address that can be reached from there");
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(from) = from {
        socket.bind((from, 0).into())?;
    }
    socket.connect(*address).await
}

/// It is shown on a terminal.
fn readable(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(REASON).collect()
}
