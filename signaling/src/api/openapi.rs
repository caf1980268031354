//! `/api/openapi.json`: made from the very handlers that are routed, so that it can't miss one.

use std::sync::Arc;

use axum::{Json, Router, response::IntoResponse, routing::get};
use utoipa::{
    IntoParams, IntoResponses, Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::problem::ProblemDetails;

/// The document without its paths, which the routes bring along.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Spillway",
        description = "Live streaming: WHIP in, WHEP out. Errors are RFC 9457 problems. Every address may answer 429 with \
                       Retry-After to a client that asks too often, and 401 or 403 where a token is needed."
    ),
    components(schemas(ProblemDetails)),
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
        let signature = ApiKeyValue::new("Spillway-Signature");
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme(
                "signature",
                SecurityScheme::ApiKey(ApiKey::Header(signature)),
            );
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

/// The path of an event stream's URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "describes the path for OpenAPI; handlers take `EventStreamPath`"
)]
pub(crate) struct EventStreamParams {
    /// The channel.
    channel: String,
    /// The session's secret.
    session: String,
    /// The event stream's number in its session, as in the `Location` that it was made with.
    stream: u32,
}

/// What `POST` on an endpoint answers, whichever it is.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "describes answers for OpenAPI; `session::created` makes them"
)]
pub(crate) enum OfferResponses {
    /// The answer
    #[response(status = 201, content_type = "application/sdp", headers(
        ("Location" = String, description = "The session's URL. Whoever knows it may end the session."),
        ("ETag" = String, description = "Names the ICE session"),
        ("Link" = String, description = "STUN and TURN servers, and WHEP's extensions, one header each"),
    ))]
    Created(String),
    /// Another node takes it: repeat there
    #[response(status = 307)]
    Moved,
    /// The offer can't be served
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemDetails),
    /// The node is full
    #[response(status = 503, content_type = "application/problem+json")]
    Overloaded(ProblemDetails),
}

/// What `PATCH` on a session answers.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "describes answers for OpenAPI; `session::patch` makes them"
)]
pub(crate) enum PatchResponses {
    /// ICE was restarted
    #[response(status = 200, content_type = "application/trickle-ice-sdpfrag")]
    Restarted(String),
    /// The candidates were taken
    #[response(status = 204)]
    Taken,
    /// Another restart of ICE is under way
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
    /// The tag is stale
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(ProblemDetails),
    /// If-Match is missing
    #[response(status = 428, content_type = "application/problem+json")]
    Missing(ProblemDetails),
}

/// What `DELETE` on a session answers.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "describes answers for OpenAPI; `session::delete` makes them"
)]
pub(crate) enum EndResponses {
    /// It ended
    #[response(status = 200)]
    Ended,
    /// There's no such session
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(ProblemDetails),
}

/// What `GET` on a session answers.
#[derive(IntoResponses)]
#[expect(
    dead_code,
    reason = "describes answers for OpenAPI; `session::get` makes them"
)]
pub(crate) enum ShowResponses {
    /// It's there
    #[response(status = 204)]
    There,
    /// It isn't
    #[response(status = 404, content_type = "application/problem+json")]
    Gone(ProblemDetails),
}

/// `OpenAPI` has no sign for a variable of several parts, which the router calls `{*path}`.
fn with_plain_variables(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let paths = std::mem::take(&mut description.paths.paths);
    description.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    description
}

/// Serves the document.
pub(crate) fn routes(description: utoipa::openapi::OpenApi) -> Router {
    let description = Arc::new(with_plain_variables(description));
    let serve = move || {
        let description = Arc::clone(&description);
        async move { Json(&*description).into_response() }
    };
    Router::new().route("/api/openapi.json", get(serve))
}
