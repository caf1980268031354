//! The real router on a real socket.

use std::{net::SocketAddr, ops::Deref, sync::Arc};

use axum::{Router, response::Html, routing::get};
use spillway_signaling::{Config, router};
use tokio::net::TcpListener;

use crate::{
    client::{Reply, Request, request},
    fake::{Fake, channel},
};

pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n";
pub(crate) const SDP: &str = "application/sdp";
pub(crate) const SDPFRAG: &str = "application/trickle-ice-sdpfrag";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) platform: Arc<Fake>,
}

impl Deref for Server {
    type Target = Fake;

    fn deref(&self) -> &Fake {
        &self.platform
    }
}

/// A server that knows the channel `demo`.
pub(crate) async fn start() -> Server {
    start_with(Config::default()).await
}

pub(crate) async fn start_with(config: Config) -> Server {
    let platform = Arc::new(Fake::default());
    platform.add(channel("demo"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(platform.clone(), config, pages());
    tokio::spawn(async move {
        axum::serve(
            listener,
            router.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .await
        .unwrap();
    });
    Server { address, platform }
}

/// Stands for the web client.
pub(crate) fn pages() -> Router {
    Router::new()
        .route("/", get(|| async { Html("front") }))
        .route("/watch/{channel}", get(|| async { Html("watch") }))
        .route("/long", get(|| async { Html("long ".repeat(1000)) }))
}

impl Server {
    pub(crate) async fn send(&self, request: Request) -> Reply {
        request.send(self.address).await
    }

    /// Publishes to `demo` and gives the session's URL.
    pub(crate) async fn publish(&self) -> String {
        let reply = self.send(whip("demo")).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.get("location").to_owned()
    }
}

/// A sound `POST` to a channel's WHIP endpoint.
pub(crate) fn whip(channel: &str) -> Request {
    request("POST", format!("/whip/{channel}"))
        .token(&format!("publish:{channel}"))
        .body(SDP, OFFER)
}

/// A sound `POST` to a WHEP endpoint.
pub(crate) fn whep(channel_and_query: &str) -> Request {
    request("POST", format!("/whep/{channel_and_query}")).body(SDP, OFFER)
}
