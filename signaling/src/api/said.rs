//! What was said in a broadcast, for its recording, and what moderators did in a channel.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::page::{Page, PageQuery};
use crate::{
    app::App,
    caller::Petitioner,
    paths::{InBroadcast, InChannel},
    platform::Action,
    problem::{Problem, ProblemDetails},
};

/// A part of a channel's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Said {
    /// Entries, as clients of the chat are sent them (docs/chat-protocol.md).
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Box<RawValue>>,
    /// The `after` of the next part; none behind the last.
    pub next: Option<String>,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(actions))
}

/// Lists what was said in a broadcast, in order, to whoever may watch its channel.
#[utoipa::path(get, path = "/api/v1/broadcasts/{broadcast}/chat", tag = "Chat", operation_id = "list_said",
    params(("broadcast" = String, Path), PageQuery),
    responses(
        (status = 200, body = Said, description = "One page"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such broadcast"),
    ),
    security((), ("token" = [])))]
async fn list(
    petitioner: Petitioner,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Said>, Problem> {
    let channel = app.platform.broadcast(broadcast.as_str()).await?.channel;
    petitioner.may(&app, Action::Watch(&channel)).await?;
    Ok(Json(app.platform.said(&broadcast, page).await?))
}

/// Lists what moderators and streamers did in a channel, the latest first, to whoever moderates it.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/actions", tag = "Chat", operation_id = "list_actions",
    params(("channel" = String, Path), PageQuery),
    responses(
        (status = 200, body = Said, description = "One page"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel"),
    ),
    security(("token" = [])))]
async fn actions(
    petitioner: Petitioner,
    InChannel(channel): InChannel,
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Said>, Problem> {
    petitioner.may(&app, Action::Mark(&channel)).await?;
    Ok(Json(app.platform.actions(&channel, page).await?))
}
