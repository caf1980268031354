//! Everything that isn't ours is the pages': static files and single-page routes that the platform hands in.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::Response,
};
use tower_http::compression::CompressionLayer;

use crate::problem::Problem;

/// Scripts, styles and connections of this origin only. Media comes as blob URLs and over WebRTC, which no directive covers.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
     worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
/// The studio needs camera, microphone and screen; nobody needs more.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), \
     picture-in-picture=(self), autoplay=(self), geolocation=(), payment=(), usb=()";
/// A page's address may name a channel that isn't public.
const REFERRER_POLICY: &str = "same-origin";

/// The pages with their security headers, compressed; what they don't know is a 404 problem.
pub(crate) fn routes(pages: Router) -> Router {
    pages
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(secured))
}

async fn secured(mut response: Response) -> Response {
    let policies = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, REFERRER_POLICY),
        (
            HeaderName::from_static("permissions-policy"),
            PERMISSIONS_POLICY,
        ),
    ];
    for (name, value) in policies {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Middleware for every answer: a browser shall not guess types.
pub(crate) async fn no_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

async fn nothing_here() -> Problem {
    Problem::not_found("there is nothing at this address; /api/openapi.json lists what there is")
}

/// The router adds `Allow`.
pub(crate) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address doesn't take that method; Allow lists those that it takes",
    )
}
