//! For whoever runs the node: liveness, readiness, metrics.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    body::text,
    caller::Admin,
    problem::{Problem, ProblemDetails},
};

const PLAIN: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// When to ask a node again that isn't ready.
const RETRY: Duration = Duration::from_secs(5);

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(liveness))
        .routes(routes!(readiness))
        .routes(routes!(metrics))
}

/// Liveness: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "liveness",
    responses((status = 200, body = String, content_type = "text/plain", description = "It lives")))]
async fn liveness() -> Response {
    text(StatusCode::OK, PLAIN, "ok\n".to_owned())
}

/// Readiness: the node takes new sessions.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readiness",
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "It's ready"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "It isn't, and why"),
    ))]
async fn readiness(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    match app.platform.readiness().await {
        Ok(()) => Ok(text(StatusCode::OK, PLAIN, "ready\n".to_owned())),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why).retry_after(RETRY)),
    }
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics 1.0")),
    security(("token" = [])))]
async fn metrics(_: Admin, State(app): State<Arc<App>>) -> Response {
    text(StatusCode::OK, OPEN_METRICS, app.platform.metrics().await)
}
