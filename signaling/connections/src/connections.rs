//! How many connections there may be at a time, in all and from one address.

use std::{
    collections::HashMap,
    future::{Future, ready},
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

use crate::Customer;

/// What a client is told that comes when there are as many connections as there may be.
const REFUSAL: &str = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"there are as many connections as this server takes, in all or from your address; close some, or try again later"}"#;
/// When it may try again.
const RETRY_AFTER_S: u32 = 5;
/// How long such a client may take to read that.
const REFUSAL_TIME: Duration = Duration::from_secs(2);
/// The most bytes of its request that are read, lest the reset for unread bytes overtakes the answer.
const REFUSAL_READ: u64 = 64 * 1024;
/// The most clients that are told so at a time; others are closed without a word.
const REFUSALS: usize = 64;

/// The bounds.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// All connections.
    pub total: usize,
    /// Those of one IPv4 address, or of one IPv6 /64.
    pub per_address: usize,
    /// Proxies, behind which many clients are: bounded by the total alone.
    pub exempt: Vec<IpNet>,
}

/// Which bound a connection was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionBound {
    /// [`ConnectionLimits::total`]
    Total,
    /// [`ConnectionLimits::per_address`]
    PerAddress,
}

/// The connections of a server, counted and bounded. Clones count together.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    limits: ConnectionLimits,
    counts: Mutex<Counts>,
    refused_total: AtomicU64,
    refused_per_address: AtomicU64,
    refusals: Semaphore,
}

#[derive(Default)]
struct Counts {
    total: usize,
    customers: HashMap<Customer, usize>,
}

impl Connections {
    /// None yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Shared {
            limits,
            counts: Mutex::default(),
            refused_total: AtomicU64::new(0),
            refused_per_address: AtomicU64::new(0),
            refusals: Semaphore::new(REFUSALS),
        }))
    }

    /// How many there are now.
    pub fn open(&self) -> usize {
        self.0.counts().total
    }

    /// How many were refused so far for that bound.
    pub fn refused(&self, bound: ConnectionBound) -> u64 {
        self.0.refused_for(bound).load(Ordering::Relaxed)
    }

    /// For `axum_server::Server::acceptor` of a server without TLS: a connection too many is answered with 503.
    pub fn acceptor(&self) -> BoundedAcceptor {
        BoundedAcceptor {
            connections: self.clone(),
            answers: true,
        }
    }

    /// For the acceptor below that of TLS: a connection too many is closed, since an answer would cost a handshake.
    pub fn acceptor_below_tls(&self) -> BoundedAcceptor {
        BoundedAcceptor {
            connections: self.clone(),
            answers: false,
        }
    }

    fn admit(&self, address: IpAddr) -> Result<Seat, ConnectionBound> {
        let limits = &self.0.limits;
        let address = address.to_canonical();
        let is_exempt = limits.exempt.iter().any(|net| net.contains(&address));
        let customer = (!is_exempt).then(|| Customer::of(address));
        let mut counts = self.0.counts();
        if counts.total >= limits.total {
            return Err(ConnectionBound::Total);
        }
        if let Some(customer) = customer {
            let count = counts.customers.entry(customer).or_default();
            if *count >= limits.per_address {
                return Err(ConnectionBound::PerAddress);
            }
            *count += 1;
        }
        counts.total += 1;
        drop(counts);
        Ok(Seat {
            shared: Arc::clone(&self.0),
            customer,
        })
    }

    async fn refuse(self, stream: TcpStream) {
        let Ok(_place) = self.0.refusals.try_acquire() else {
            return;
        };
        // A client that goes away first needs no answer.
        let _ = timeout(REFUSAL_TIME, answer(stream)).await;
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts change in whole steps, so a panic elsewhere leaves them right.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused_for(&self, bound: ConnectionBound) -> &AtomicU64 {
        match bound {
            ConnectionBound::Total => &self.refused_total,
            ConnectionBound::PerAddress => &self.refused_per_address,
        }
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let length = REFUSAL.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Retry-After: {RETRY_AFTER_S}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n{REFUSAL}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(REFUSAL_READ);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

/// A connection's place, free again when it's dropped.
struct Seat {
    shared: Arc<Shared>,
    customer: Option<Customer>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.total -= 1;
        let Some(customer) = self.customer else {
            return;
        };
        if let Some(count) = counts.customers.get_mut(&customer) {
            *count -= 1;
            if *count == 0 {
                counts.customers.remove(&customer);
            }
        }
    }
}

/// Lets connections in while there is room.
#[derive(Clone)]
pub struct BoundedAcceptor {
    connections: Connections,
    answers: bool,
}

impl<S: Send + 'static> Accept<TcpStream, S> for BoundedAcceptor {
    type Stream = SeatedStream;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(SeatedStream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let peer = match stream.peer_addr() {
            Ok(peer) => peer.ip(),
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let connections = self.connections.clone();
        match connections.admit(peer) {
            Ok(seat) => Box::pin(ready(Ok((
                SeatedStream {
                    stream,
                    _seat: seat,
                },
                service,
            )))),
            Err(bound) => {
                connections
                    .0
                    .refused_for(bound)
                    .fetch_add(1, Ordering::Relaxed);
                let answers = self.answers;
                Box::pin(async move {
                    if answers {
                        connections.refuse(stream).await;
                    }
                    Err(io::ErrorKind::QuotaExceeded.into())
                })
            }
        }
    }
}

/// A connection that was let in.
pub struct SeatedStream {
    stream: TcpStream,
    _seat: Seat,
}

impl AsyncRead for SeatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for SeatedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn connections(total: usize, per_address: usize) -> Connections {
        Connections::new(ConnectionLimits {
            total,
            per_address,
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
        })
    }

    fn admit(connections: &Connections, address: &str) -> Result<Seat, ConnectionBound> {
        connections.admit(address.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_bound_and_an_ipv6_network_is_one() {
        let connections = connections(9, 1);
        let _seats = [
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8:1:2::1",
            "2001:db8:1:3::1",
        ]
        .map(|address| admit(&connections, address).ok().unwrap());
        for address in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8:1:2:ffff::1"] {
            let refused = admit(&connections, address).err();
            assert_eq!(refused, Some(ConnectionBound::PerAddress), "{address}");
        }
    }

    #[test]
    fn a_proxy_is_bounded_by_the_total_alone() {
        let connections = connections(2, 1);
        let _seats = [(); 2].map(|()| admit(&connections, "10.0.0.1").ok().unwrap());
        let refused = admit(&connections, "10.0.0.1").err();
        assert_eq!(refused, Some(ConnectionBound::Total));
    }

    #[test]
    fn a_seat_is_free_again_and_nothing_is_left_of_it() {
        let connections = connections(1, 1);
        for _ in 0..3 {
            let seat = admit(&connections, "192.0.2.1").ok().unwrap();
            assert_eq!(connections.open(), 1);
            drop(seat);
        }
        assert_eq!(connections.open(), 0);
        assert!(connections.0.counts().customers.is_empty());
    }
}
