//! The HTTP listener and what answers on it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use axum_server::{Handle, tls_rustls::RustlsConfig};
use spillway_signaling::{
    ConnectionLimits, Connections, Platform, RequestRate, bound_connections, router,
};
use tokio::task::JoinHandle;

use crate::{
    config::{Config, ForwardedHeader, Http},
    pages,
};

/// Why nobody can be listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Somebody else does.
    #[error("port {} on {} is already in use; stop the program that holds it (`ss -ltnp | grep :{}` names it) or choose another with --http {}:{}", .0.port(), .0.ip(), .0.port(), .0.ip(), .0.port().saturating_add(1))]
    Busy(SocketAddr),
    /// The port is for the administrator.
    #[error("port {} needs a privilege; choose one above 1023 with --http, or grant it with `setcap cap_net_bind_service=+ep`", .0.port())]
    Forbidden(SocketAddr),
    /// Another reason.
    #[error("can't listen on {address}: {source}; choose another address with --http")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Connections that the system holds until they are taken, where it allows so many (`net.core.somaxconn`): a full channel's viewers
/// come back all at once.
const BACKLOG: i32 = 4_096;

/// Opens the port.
pub(super) fn listen(http: &Http) -> Result<TcpListener, ListenError> {
    let address = http.listen;
    let open = || {
        let listener = TcpListener::bind(address)?;
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Busy(address),
        io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
        _ => ListenError::Other { address, source },
    })
}

/// The URL by which this machine reaches itself at `address`.
pub(super) fn local_url(config: &Config, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if config.http.tls().is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

/// The running HTTP server.
pub(super) struct Server {
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(super) fn start(
        listener: TcpListener,
        tls: Option<RustlsConfig>,
        platform: Arc<dyn Platform>,
        connections: &Connections,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let face = face(config);
        let router: Router = router(platform, face.clone(), pages::routes());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let opened = "can't serve on the HTTP port";
        let task = if let Some(tls) = tls {
            let server = axum_server::from_tcp_rustls(listener, tls).context(opened)?;
            let bounded = connections.acceptor_below_tls();
            let mut server = server
                .map(|tls| tls.acceptor(bounded))
                .handle(handle.clone());
            bound_connections(server.http_builder(), &face);
            tokio::spawn(server.serve(service))
        } else {
            let server = axum_server::from_tcp(listener).context(opened)?;
            let mut server = server
                .acceptor(connections.acceptor())
                .handle(handle.clone());
            bound_connections(server.http_builder(), &face);
            tokio::spawn(server.serve(service))
        };
        Ok(Self { handle, task })
    }

    /// Lets requests finish, but not longer than `deadline`.
    pub(super) async fn stop(self, deadline: Duration) {
        self.handle.graceful_shutdown(Some(deadline));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the HTTP server failed"),
            Err(error) => tracing::error!(%error, "the HTTP server broke off"),
        }
    }
}

/// The count of connections, none so far.
pub(super) fn connections(config: &Config) -> Connections {
    Connections::new(ConnectionLimits {
        total: config.limits.connections,
        per_address: config.limits.connections_per_address,
        exempt: config.http.trusted_proxies.clone(),
    })
}

fn face(config: &Config) -> spillway_signaling::Config {
    let (http, limits) = (&config.http, &config.limits);
    let per_address = limits.sessions_per_address;
    spillway_signaling::Config {
        max_sdp_bytes: limits.sdp_bytes,
        max_json_bytes: limits.json_bytes,
        max_hls_requests: limits.hls_requests,
        body_timeout_s: limits.body_timeout.as_secs(),
        header_timeout_s: limits.header_timeout.as_secs(),
        requests: RequestRate {
            burst: limits.request_burst,
            per_second: limits.requests_per_second.into(),
            addresses: limits.rate_addresses,
        },
        reports: RequestRate {
            burst: u32::try_from(per_address).unwrap_or(u32::MAX),
            per_second: per_address as f64 / 8.0,
            addresses: limits.rate_addresses,
        },
        country_header: config.audience.header(),
        trusted_proxies: http.trusted_proxies.clone(),
        forwarded_header: match http.forwarded_header {
            ForwardedHeader::XForwardedFor => spillway_signaling::ForwardedHeader::XForwardedFor,
            ForwardedHeader::Forwarded => spillway_signaling::ForwardedHeader::Forwarded,
        },
        admin_from_loopback: config.auth.admin_from_loopback,
        other_nodes: http.other_nodes(),
    }
}
