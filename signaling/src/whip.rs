//! WHIP (RFC 9725): `/whip/{channel}` and the publishers' sessions below it.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Request, State},
    http::StatusCode,
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::openapi::{EndResponses, OfferResponses, PatchResponses, SessionParams, ShowResponses},
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
        OfferResponses,
        (status = 409, description = "The channel has a publisher", body = ProblemDetails, content_type = "application/problem+json"),
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
    responses(PatchResponses),
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
    delete,
    path = "/whip/{channel}/{session}",
    tag = "WHIP",
    operation_id = "end_publisher",
    params(SessionParams),
    responses(EndResponses)
)]
async fn end(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::delete(&app, &path.of(Role::Publisher)).await
}

/// Shows whether the session is there, and nothing else.
#[utoipa::path(
    get,
    path = "/whip/{channel}/{session}",
    tag = "WHIP",
    operation_id = "show_publisher",
    params(SessionParams),
    responses(ShowResponses)
)]
async fn show_session(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::get(&app, &path.of(Role::Publisher)).await
}
