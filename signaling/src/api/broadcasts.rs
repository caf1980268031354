//! `/api/v1/broadcasts`: times on air.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Broadcast, Listing},
    page::{ChannelQuery, OfChannel, Page, PageQuery},
};
use crate::{
    app::App,
    caller::Admin,
    paths::Id,
    problem::{Problem, ProblemDetails},
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

/// Lists broadcasts, the latest first.
#[utoipa::path(get, path = "/api/v1/broadcasts", tag = "broadcasts", operation_id = "list_broadcasts",
    params(PageQuery, ChannelQuery),
    responses((status = 200, body = Listing<Broadcast>, description = "One page")),
    security(("token" = [])))]
async fn list(
    _: Admin,
    State(app): State<Arc<App>>,
    OfChannel(channel): OfChannel,
    Page(page): Page,
) -> Result<Json<Listing<Broadcast>>, Problem> {
    Ok(Json(app.platform.broadcasts(channel.as_ref(), page).await?))
}

/// Shows one broadcast.
#[utoipa::path(get, path = "/api/v1/broadcasts/{broadcast}", tag = "broadcasts", operation_id = "show_broadcast",
    params(("broadcast" = String, Path)),
    responses(
        (status = 200, body = Broadcast, description = "The broadcast"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn show(
    _: Admin,
    Id(id): Id,
    State(app): State<Arc<App>>,
) -> Result<Json<Broadcast>, Problem> {
    Ok(Json(app.platform.broadcast(&id).await?))
}
