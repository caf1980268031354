//! `/api/v1/sessions`: who publishes and watches on this node, and how it goes.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Listing, Session},
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
        .routes(routes!(show, kick))
}

/// Lists the sessions of this node with their figures.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", operation_id = "list_sessions",
    params(PageQuery, ChannelQuery),
    responses((status = 200, body = Listing<Session>, description = "One page")),
    security(("token" = [])))]
async fn list(
    _: Admin,
    State(app): State<Arc<App>>,
    OfChannel(channel): OfChannel,
    Page(page): Page,
) -> Result<Json<Listing<Session>>, Problem> {
    Ok(Json(app.platform.sessions(channel.as_ref(), page).await?))
}

/// Shows one session with its figures.
#[utoipa::path(get, path = "/api/v1/sessions/{session}", tag = "sessions", operation_id = "show_session",
    params(("session" = String, Path, description = "Its `id` in the list")),
    responses(
        (status = 200, body = Session, description = "The session"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn show(_: Admin, Id(id): Id, State(app): State<Arc<App>>) -> Result<Json<Session>, Problem> {
    Ok(Json(app.platform.session(&id).await?))
}

/// Ends a session. Its client may come back at once, as encoders do: to keep a publisher out, revoke its token, which
/// ends its session too.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", tag = "sessions", operation_id = "kick",
    params(("session" = String, Path, description = "Its `id` in the list")),
    responses(
        (status = 204, description = "It ended"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn kick(_: Admin, Id(id): Id, State(app): State<Arc<App>>) -> Result<StatusCode, Problem> {
    app.platform.kick(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
