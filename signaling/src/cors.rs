//! Pages of other sites may publish and watch here: nothing is guarded by cookies, only by tokens, so any origin is as good
//! as ours.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use tower_http::cors::{Any, CorsLayer};

use crate::{
    body::{JSON, SDP, SDPFRAG},
    session::ACCEPT_PATCH,
};

/// `Accept-Post` (RFC 9725 §4.2 wants it on `OPTIONS`).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
/// How long a browser may remember a preflight's answer.
const MAX_AGE: Duration = Duration::from_hours(24);

/// CORS on every answer, errors included.
pub(crate) fn layer() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        // Listed one by one: a `*` doesn't stand for Authorization.
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::ACCEPT,
            header::RANGE,
        ])
        .expose_headers([
            header::LOCATION,
            header::LINK,
            header::ETAG,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            header::CONTENT_RANGE,
            ACCEPT_POST,
            ACCEPT_PATCH,
        ])
        .max_age(MAX_AGE)
}

/// Middleware around the CORS layer, which answers `OPTIONS` itself: says what WHIP and WHEP URLs take.
pub(crate) async fn advertise(request: Request, next: Next) -> Response {
    let accepts = (request.method() == Method::OPTIONS)
        .then(|| accepts(request.uri().path()))
        .flatten();
    let mut response = next.run(request).await;
    if let Some((name, media_type)) = accepts {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(media_type));
    }
    response
}

fn accepts(path: &str) -> Option<(HeaderName, &'static str)> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["whip" | "whep", _] => Some((ACCEPT_POST, SDP)),
        ["whip" | "whep", _, _] => Some((ACCEPT_PATCH, SDPFRAG)),
        ["whep", _, _, "events" | "layer"] => Some((ACCEPT_POST, JSON)),
        _ => None,
    }
}
