//! WHEP (draft-ietf-wish-whep-04): `/whep/{channel}` and the viewers' sessions below it.
//!
//! Of what the draft allows, one thing isn't done: answering an offer with a counter-offer (406). Every player that we know
//! offers first.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ChannelName, Refusal, Ticket,
    api::openapi::{EndResponses, OfferResponses, PatchResponses, SessionParams, ShowResponses},
    app::App,
    body::{Offer, SDP},
    caller::Asking,
    paths::{InChannel, SessionPath},
    platform::{BearerToken, Caller, Role, WatchCall},
    problem::{Problem, ProblemDetails},
    session,
};

/// The most bytes of `?layer=`: a rid is far shorter.
const MAX_LAYER: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(watch, show_endpoint, discover))
        .routes(routes!(patch, end, show_session))
}

/// The query of `POST /whep/{channel}`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WatchQuery {
    /// `0`: don't wait for a channel that isn't live, but answer 409.
    wait: Option<String>,
    /// The rid of the simulcast layer that's wanted; the best one without.
    layer: Option<String>,
    /// The viewer's token, for players that can't set a header. The header wins.
    token: Option<String>,
}

/// Watches a channel: an SDP offer for an answer.
#[utoipa::path(
    post, path = "/whep/{channel}", tag = "WHEP", operation_id = "watch",
    params(("channel" = String, Path, description = "The channel to watch"), WatchQuery),
    request_body(content = String, content_type = "application/sdp", description = "The offer: recvonly or sendrecv"),
    responses(
        OfferResponses,
        (status = 404, description = "There's no such channel", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The channel isn't live, and wait=0", body = ProblemDetails, content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
async fn watch(
    State(app): State<Arc<App>>,
    InChannel(channel): InChannel,
    Asking(mut caller): Asking,
    OriginalUri(uri): OriginalUri,
    query: Result<Query<WatchQuery>, QueryRejection>,
    Offer(offer): Offer,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let wait = match query.wait.as_deref() {
        None | Some("1" | "true") => true,
        Some("0" | "false") => false,
        Some(_) => return Err(Problem::bad_request("wait is 0 or 1")),
    };
    if query
        .layer
        .as_ref()
        .is_some_and(|layer| layer.len() > MAX_LAYER)
    {
        return Err(Problem::bad_request(format!(
            "layer has more than {MAX_LAYER} bytes"
        )));
    }
    caller.token = caller.token.or(query.token.map(BearerToken));
    let call = WatchCall {
        channel: channel.clone(),
        offer,
        caller: caller.clone(),
        layer: query.layer,
        wait,
    };
    match app.platform.watch(call).await {
        Ok(session) => session::created(Role::Viewer, &channel, session),
        Err(refusal @ Refusal::Overloaded { .. }) => {
            let problem = session::refused(refusal, &uri);
            Err(spill_over(&app, &channel, &caller, problem).await)
        }
        Err(refusal) => Err(session::refused(refusal, &uri)),
    }
}

/// Tells a viewer whom this server has no room for where the channel's LL-HLS is, if it has any (RFC 8288, `rel="alternate"`).
async fn spill_over(
    app: &App,
    channel: &ChannelName,
    caller: &Caller,
    problem: Problem,
) -> Problem {
    let Ok(Some(_)) = app.platform.find_hls(channel, Ticket::Caller(caller)).await else {
        return problem;
    };
    let link = format!(
        "</hls/{channel}/index.m3u8>; rel=\"alternate\"; type=\"application/vnd.apple.mpegurl\""
    );
    match HeaderValue::from_str(&link) {
        Ok(link) => problem.with_header(header::LINK, link),
        Err(_) => problem,
    }
}

/// Shows that there's an endpoint, and nothing else.
#[utoipa::path(
    get, path = "/whep/{channel}", tag = "WHEP", operation_id = "show_whep",
    params(("channel" = String, Path)),
    responses((status = 204, description = "Watch here with POST")),
)]
async fn show_endpoint(InChannel(_): InChannel) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Tells a player that this URL speaks WHEP, by its content type.
#[utoipa::path(
    head, path = "/whep/{channel}", tag = "WHEP", operation_id = "discover_whep",
    params(("channel" = String, Path)),
    responses((status = 200, description = "It does", content_type = "application/sdp")),
)]
async fn discover(InChannel(_): InChannel) -> Response {
    [(header::CONTENT_TYPE, SDP)].into_response()
}

/// Adds candidates (`If-Match` with the `ETag`) or restarts ICE (`If-Match: *` and another ufrag and password).
#[utoipa::path(
    patch, path = "/whep/{channel}/{session}", tag = "WHEP", operation_id = "patch_viewer",
    params(SessionParams, ("If-Match" = String, Header, description = "The ETag, or *")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses(PatchResponses),
)]
async fn patch(
    State(app): State<Arc<App>>,
    path: SessionPath,
    request: Request,
) -> Result<Response, Problem> {
    session::patch(&app, path.of(Role::Viewer), request).await
}

/// Ends the session.
#[utoipa::path(
    delete,
    path = "/whep/{channel}/{session}",
    tag = "WHEP",
    operation_id = "end_viewer",
    params(SessionParams),
    responses(EndResponses)
)]
async fn end(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::delete(&app, &path.of(Role::Viewer)).await
}

/// Shows whether the session is there, and nothing else.
#[utoipa::path(
    get,
    path = "/whep/{channel}/{session}",
    tag = "WHEP",
    operation_id = "show_viewer",
    params(SessionParams),
    responses(ShowResponses)
)]
async fn show_session(State(app): State<Arc<App>>, path: SessionPath) -> Result<Response, Problem> {
    session::get(&app, &path.of(Role::Viewer)).await
}
