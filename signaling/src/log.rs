//! One line a request. The route is logged and not the URL: a query may hold a token, and a session's path is its key.

use std::time::Instant;

use axum::{
    extract::{ConnectInfo, MatchedPath, Request},
    middleware::Next,
    response::Response,
};

/// Middleware: logs a request when it's answered.
pub(crate) async fn requests(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request
        .extensions()
        .get::<ConnectInfo<std::net::SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let response = next.run(request).await;
    tracing::debug!(
        %method,
        route = route.as_ref().map_or("page", |route| route.as_str()),
        status = response.status().as_u16(),
        peer = peer.map(tracing::field::display),
        micros = began.elapsed().as_micros() as u64,
        "request"
    );
    response
}
