//! `/api/openapi.json`: made from the very handlers that are routed, so that it can't miss one.

use std::sync::Arc;

use axum::{Json, Router, response::IntoResponse, routing::get};
use utoipa::{
    IntoParams, Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// The document without its paths, which the routes bring along.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Spillway",
        description = "Live streaming: WHIP in, WHEP out. Errors are RFC 9457 problems. Every address may answer 429 with \
                       Retry-After to a client that asks too often, and 401 or 403 where a token is needed."
    ),
    components(schemas(crate::problem::ProblemDetails)),
    modifiers(&Tokens),
)]
pub(crate) struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("From `spillway token`, or POST /api/v1/tokens"))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The path of a session's URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "describes the path for OpenAPI; handlers take `SessionPath`"
)]
pub(crate) struct SessionParams {
    /// The channel.
    channel: String,
    /// The session's secret, as in the `Location` that it was made with.
    session: String,
}

/// Serves the document.
pub(crate) fn routes(description: utoipa::openapi::OpenApi) -> Router {
    let description = Arc::new(description);
    let serve = move || {
        let description = Arc::clone(&description);
        async move { Json(&*description).into_response() }
    };
    Router::new().route("/api/openapi.json", get(serve))
}
