//! `/api/v1/node` and `/api/v1/webhooks`: the state of this node.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::model::{Node, Webhook};
use crate::{app::App, caller::Admin, problem::Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(webhooks))
}

/// Shows this node's load and bounds.
#[utoipa::path(get, path = "/api/v1/node", tag = "node", operation_id = "show_node",
    responses((status = 200, body = Node, description = "The node")),
    security(("token" = [])))]
async fn show(_: Admin, State(app): State<Arc<App>>) -> Result<Json<Node>, Problem> {
    Ok(Json(app.platform.node().await?))
}

/// Lists the configured webhooks and how their deliveries go.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "node", operation_id = "list_webhooks",
    responses((status = 200, body = Vec<Webhook>, description = "All of them")),
    security(("token" = [])))]
async fn webhooks(_: Admin, State(app): State<Arc<App>>) -> Result<Json<Vec<Webhook>>, Problem> {
    Ok(Json(app.platform.webhooks().await?))
}
