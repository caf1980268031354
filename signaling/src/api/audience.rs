//! What players report, and how a broadcast's audience did: `docs/audience.md`.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Query, RawQuery, Request, State, rejection::QueryRejection},
    http::{StatusCode, header},
};
use serde::Deserialize;
use spillway_chat::protocol::parse_report;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Audience,
    app::App,
    body::{self, JSON},
    caller::{Asking, Petitioner},
    paths::{InBroadcast, InChannel},
    platform::Action,
    problem::{Problem, ProblemDetails},
    query_token,
};

/// What `navigator.sendBeacon` says of a text: a page of another origin needs no leave for it.
const PLAIN: &str = "text/plain";
/// The most bytes of a report.
const MAX_REPORT: usize = 4 << 10;
/// The most minutes of a point: a day.
const MAX_STEP: u32 = 24 * 60;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(show))
}

/// Takes a player's report from a page that is about to go, or has no chat. Off air nothing is kept of it.
#[utoipa::path(
    post, path = "/api/v1/channels/{channel}/reports", tag = "audience", operation_id = "report",
    params(
        ("channel" = String, Path, description = "The channel"),
        ("token" = Option<String>, Query, description = "A token for a restricted channel, where no header can be sent"),
    ),
    request_body(content = String, content_type = "application/json", description = "The report: see docs/audience.md. text/plain will do"),
    responses(
        (status = 204, description = "It was taken"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "It isn't a report"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel"),
        (status = 413, body = ProblemDetails, content_type = "application/problem+json", description = "It has more than 4 KiB"),
        (status = 415, body = ProblemDetails, content_type = "application/problem+json", description = "It's of neither type"),
    ),
    security((), ("token" = [])),
)]
async fn report(
    State(app): State<Arc<App>>,
    InChannel(channel): InChannel,
    Asking(caller): Asking,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<StatusCode, Problem> {
    if let Err(wait) = app.reports.take(Instant::now(), caller.address) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many reports from your address; wait as long as Retry-After says",
        )
        .retry_after(wait));
    }
    body::expect_type(request.headers(), PLAIN, header::ACCEPT)
        .or_else(|_| body::expect_type(request.headers(), JSON, header::ACCEPT))?;
    let told = body::read_bytes_within(request, &app, MAX_REPORT).await?;
    let told = parse_report(&told).map_err(|problem| Problem::bad_request(problem.text))?;
    let caller = query_token::viewer(caller, query.as_deref());
    app.platform.take_report(&channel, &caller, told).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// In which points.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StepQuery {
    /// Minutes of a point, 1 to 1440; without, the fewest that make at most 240 points.
    #[param(minimum = 1, maximum = 1440)]
    step: Option<u32>,
}

/// Shows how a broadcast's audience did, live figures included.
#[utoipa::path(get, path = "/api/v1/broadcasts/{broadcast}/audience", tag = "audience", operation_id = "show_audience",
    params(("broadcast" = String, Path), StepQuery),
    responses(
        (status = 200, body = Audience, description = "The figures"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "The step is out of bounds"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such broadcast"),
    ),
    security(("token" = [])))]
async fn show(
    petitioner: Petitioner,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
    query: Result<Query<StepQuery>, QueryRejection>,
) -> Result<Json<Audience>, Problem> {
    let channel = app.platform.broadcast(broadcast.as_str()).await?.channel;
    petitioner.may(&app, Action::SeeAudience(&channel)).await?;
    let Query(StepQuery { step }) =
        query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    if step.is_some_and(|step| !(1..=MAX_STEP).contains(&step)) {
        return Err(Problem::bad_request(format!("step is 1 to {MAX_STEP}")));
    }
    Ok(Json(app.platform.audience(&broadcast, step).await?))
}
