//! WHIP (RFC 9725): `/whip/{channel}` and the publishers' sessions below it.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Request, State},
    http::StatusCode,
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::openapi::SessionParams,
    app::App,
    body::Offer,
    caller::Asking,
    paths::{InChannel, SessionPath},
    platform::{PublishCall, Role},
    problem::{Problem, ProblemDetails},
    session,
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(publish, show_endpoint))
        .routes(routes!(patch, end, show_session))
}

/// Publishes to a channel: an SDP offer for an answer.
#[utoipa::path(
    post, path = "/whip/{channel}", tag = "WHIP", operation_id = "publish",
    params(("channel" = String, Path, description = "The channel to publish to")),
    request_body(content = String, content_type = "application/sdp", description = "The offer: sendonly or sendrecv"),
    responses(
        (status = 201, description = "The answer", body = String, content_type = "application/sdp", headers(
            ("Location" = String, description = "The session's URL. Whoever knows it may end the session."),
            ("ETag" = String, description = "Names the ICE session"),
            ("Link" = String, description = "STUN and TURN servers, one header each"),
        )),
        (status = 307, description = "Another node takes it: repeat there"),
        (status = 409, description = "The channel has a publisher", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 422, description = "The offer can't be served", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The node is full", body = ProblemDetails, content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
async fn publish(
    State(app): State<Arc<App>>,
    InChannel(channel): InChannel,
    Asking(caller): Asking,
    OriginalUri(uri): OriginalUri,
    Offer(offer): Offer,
) -> Result<Response, Problem> {
    let call = PublishCall {
        channel: channel.clone(),
        offer,
        caller,
    };
    let session = app
        .platform
        .publish(call)
        .await
        .map_err(|refusal| session::refused(refusal, &uri))?;
    session::created(Role::Publisher, &channel, session)
}

/// Shows that there's an endpoint, and nothing else.
#[utoipa::path(
    get, path = "/whip/{channel}", tag = "WHIP", operation_id = "show_whip",
    params(("channel" = String, Path)),
    responses((status = 204, description = "Publish here with POST")),
)]
async fn show_endpoint(InChannel(_): InChannel) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Adds candidates (`If-Match` with the `ETag`) or restarts ICE (`If-Match: *` and another ufrag and password).
#[utoipa::path(
    patch, path = "/whip/{channel}/{session}", tag = "WHIP", operation_id = "patch_publisher",
    params(SessionParams, ("If-Match" = String, Header, description = "The ETag, or *")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses(
        (status = 200, description = "ICE was restarted", body = String, content_type = "application/trickle-ice-sdpfrag"),
        (status = 204, description = "The candidates were taken"),
        (status = 409, description = "Another restart of ICE is under way", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 412, description = "The tag is stale", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn patch(
    State(app): State<Arc<App>>,
    path: SessionPath,
    request: Request,
) -> Result<Response, Problem> {
    session::patch(&app, path.of(Role::Publisher), request).await
}

/// Ends the session.
#[utoipa::path(
    delete, path = "/whip/{channel}/{session}", tag = "WHIP", operation_id = "end_publisher",
    params(SessionParams),
    responses(
        (status = 200, description = "It ended"),
        (status = 404, description = "There's no such session", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn end(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::delete(&app, &path.of(Role::Publisher)).await
}

/// Shows whether the session is there, and nothing else.
#[utoipa::path(
    get, path = "/whip/{channel}/{session}", tag = "WHIP", operation_id = "show_publisher",
    params(SessionParams),
    responses(
        (status = 204, description = "It's there"),
        (status = 404, description = "It isn't", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn show_session(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::get(&app, &path.of(Role::Publisher)).await
}
