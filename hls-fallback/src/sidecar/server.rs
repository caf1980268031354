//! The sidecar's HTTP server.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};
use spillway_connections::{ConnectionLimits, Connections, bound};

/// Connections that the system holds until they are taken, where it allows so many: players' requests end and come again together.
const BACKLOG: i32 = 4_096;
/// A client that sends nothing, or its head slowly, is cut off after that. The node keeps what it doesn't use for 30 s.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// Files that are for others than connections: the spool's, and sockets toward the node and the storage.
const OTHER_FILES: u64 = 512;

/// How many connections there may be at a time. More are answered with 503.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// In all.
    pub total: usize,
    /// From one IPv4 address, or one IPv6 /64.
    pub per_address: usize,
    /// Proxies, behind which many viewers are. This machine's node is one.
    pub proxies: Vec<IpNet>,
}

impl Crowd {
    /// No more than this process may open files, at least one.
    #[must_use]
    pub fn within(self, files: u64) -> Self {
        let most = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        Self {
            total: self.total.min(most.max(1)),
            ..self
        }
    }
}

/// Listens.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A sidecar that is started again mustn't wait for what is left of the connections of before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until the future is dropped.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    crowd: Crowd,
) -> io::Result<()> {
    let mut exempt = crowd.proxies;
    for net in ["127.0.0.0/8", "::1/128"] {
        exempt.extend(net.parse::<IpNet>());
    }
    let connections = Connections::new(ConnectionLimits {
        total: crowd.total,
        per_address: crowd.per_address,
        exempt,
    });
    let mut server = axum_server::from_tcp(listener)?.acceptor(connections.acceptor());
    bound(server.http_builder(), HEADER_TIMEOUT);
    server.serve(router.into_make_service()).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    fn crowd(total: usize) -> Crowd {
        Crowd {
            total,
            per_address: 1,
            proxies: Vec::new(),
        }
    }

    #[test]
    fn there_are_no_more_connections_than_files() {
        assert_eq!(crowd(10_000).within(4_096).total, 3_584);
        assert_eq!(crowd(100).within(4_096).total, 100);
        assert_eq!(crowd(100).within(256).total, 1);
    }

    async fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A connection that is let in, and kept.
    async fn occupy(address: SocketAddr) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        match &answer {
            b"HTTP/1.1 200" => Ok(stream),
            other => Err(String::from_utf8_lossy(other).into_owned()),
        }
    }

    /// The node on this machine stands for many.
    #[tokio::test]
    async fn a_crowd_is_let_in_as_far_as_there_is_room() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(serve(listener, router, crowd(3)));
        let mut idle = Vec::new();
        for _ in 0..2 {
            idle.push(occupy(address).await.unwrap());
        }
        assert!(ask(address).await.ends_with("here"));
        // Until that one is seen to have gone.
        while idle.len() < 3 {
            idle.extend(occupy(address).await.ok());
        }
        let full = ask(address).await;
        assert!(full.starts_with("HTTP/1.1 503"), "{full}");
        drop(idle);
        let mut answer = ask(address).await;
        // That they have gone takes a moment to be seen.
        while answer.starts_with("HTTP/1.1 503") {
            answer = ask(address).await;
        }
        assert!(answer.ends_with("here"), "{answer}");
    }
}
