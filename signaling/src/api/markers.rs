//! Markers: moments of a broadcast that become chapters of its recording.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequest as _, Request, State},
    http::StatusCode,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::validate;
use crate::{
    BroadcastId, Marker, MarkerList, NewMarker,
    app::App,
    body::JsonBody,
    caller::Petitioner,
    names::ChannelName,
    paths::{InBroadcast, InChannel, MarkerPath},
    platform::Action,
    problem::{Problem, ProblemDetails},
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(add))
        .routes(routes!(delete))
}

/// Lists the markers of a broadcast by time.
#[utoipa::path(get, path = "/api/v1/broadcasts/{broadcast}/markers", tag = "recordings", operation_id = "list_markers",
    params(("broadcast" = String, Path)),
    responses(
        (status = 200, body = MarkerList, description = "All of them: at most 1000"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such broadcast"),
    ),
    security(("token" = [])))]
async fn list(
    petitioner: Petitioner,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
) -> Result<Json<MarkerList>, Problem> {
    let channel = channel_of(&app, &broadcast).await?;
    petitioner.may(&app, Action::SeeMarkers(&channel)).await?;
    let items = app.platform.markers(&broadcast).await?;
    Ok(Json(MarkerList { items }))
}

/// Sets a marker in the broadcast that is under way.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/markers", tag = "recordings", operation_id = "add_marker",
    params(("channel" = String, Path)), request_body = NewMarker,
    responses(
        (status = 201, body = Marker, description = "The marker"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "The channel isn't live, or the broadcast has as many markers as it may"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn add(
    petitioner: Petitioner,
    InChannel(channel): InChannel,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Marker>), Problem> {
    petitioner.may(&app, Action::Mark(&channel)).await?;
    let JsonBody(marker) = JsonBody::<NewMarker>::from_request(request, &app).await?;
    validate::marker(&marker)?;
    let marker = app.platform.add_marker(&channel, marker).await?;
    Ok((StatusCode::CREATED, Json(marker)))
}

/// Takes a marker out.
#[utoipa::path(delete, path = "/api/v1/broadcasts/{broadcast}/markers/{id}", tag = "recordings", operation_id = "delete_marker",
    params(("broadcast" = String, Path), ("id" = String, Path)),
    responses(
        (status = 204, description = "It's gone"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn delete(
    petitioner: Petitioner,
    MarkerPath { broadcast, marker }: MarkerPath,
    State(app): State<Arc<App>>,
) -> Result<StatusCode, Problem> {
    let channel = channel_of(&app, &broadcast).await?;
    petitioner.may(&app, Action::Mark(&channel)).await?;
    app.platform.delete_marker(&broadcast, &marker).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Its token decides.
async fn channel_of(app: &App, broadcast: &BroadcastId) -> Result<ChannelName, Problem> {
    Ok(app.platform.broadcast(broadcast.as_str()).await?.channel)
}
