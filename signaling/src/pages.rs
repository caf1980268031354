//! Everything that isn't ours is the pages': static files and single-page routes that the platform hands in.

use std::future::ready;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::Response,
};
use tower_http::compression::CompressionLayer;

use crate::{WebOrigin, problem::Problem};

/// Scripts, styles and connections of this origin only. Media comes as blob URLs and over WebRTC, which no directive covers.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
     worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
/// The studio needs camera, microphone and screen; nobody needs more.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), \
     picture-in-picture=(self), autoplay=(self), geolocation=(), payment=(), usb=()";
/// A page's address may name a channel that isn't public.
const REFERRER_POLICY: &str = "same-origin";

/// The pages with their security headers, compressed; what they don't know is a 404 problem. They may connect to this
/// origin and to `other_nodes`.
pub(crate) fn routes(pages: Router, other_nodes: &[WebOrigin]) -> Router {
    let policy = content_security_policy(other_nodes);
    pages
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(move |response| {
            ready(secured(response, &policy))
        }))
}

#[expect(clippy::expect_used, reason = "an origin is visible ASCII")]
fn content_security_policy(other_nodes: &[WebOrigin]) -> HeaderValue {
    let mut policy = CONTENT_SECURITY_POLICY.to_owned();
    if !other_nodes.is_empty() {
        policy.push_str("; connect-src 'self'");
        for node in other_nodes {
            policy.push(' ');
            policy.push_str(node.as_str());
        }
    }
    HeaderValue::try_from(policy).expect("an origin is visible ASCII")
}

fn secured(mut response: Response, content_security_policy: &HeaderValue) -> Response {
    let policies = [
        (
            header::CONTENT_SECURITY_POLICY,
            content_security_policy.clone(),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static(REFERRER_POLICY),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(PERMISSIONS_POLICY),
        ),
    ];
    for (name, value) in policies {
        response.headers_mut().entry(name).or_insert(value);
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
