//! `/api/v1/events` and `/api/v1/sidecars`: what sidecars follow, and where they say that they are. See docs/sidecar.md.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::{Stream, unfold};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::model::{Sidecar, SidecarRegistration};
use crate::{
    app::App,
    body::{JSON, expect_type, read_json_within},
    caller::{Admin, Service},
    paths::Id,
    problem::{Problem, ProblemDetails},
    sidecars::{OnAirFeed, OnAirTeller, SidecarId},
};

/// How often something is sent on an idle event stream, so that a sidecar notices when the node is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The most channels of one sidecar.
const MAX_CHANNELS: usize = 10_000;
/// The most bytes of a registration: that many of the longest names.
const MAX_REGISTRATION: usize = 1 << 20;
/// Tells nginx not to hold events back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(follow))
        .routes(routes!(list))
        .routes(routes!(register, forget))
}

/// Follows which broadcasts are under way: first `snapshot` with all of them, then `live` and `ended`, one each.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "sidecars", operation_id = "follow_broadcasts",
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "One `data:` line of JSON per event"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "As many follow as may"),
    ),
    security(("token" = [])))]
async fn follow(
    service: Service,
    State(app): State<Arc<App>>,
    method: Method,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        return Ok([(header::CONTENT_TYPE, "text/event-stream")].into_response());
    }
    let feed = app.platform.follow_broadcasts(&service.0).await?;
    let events = Sse::new(tellings(feed)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(BUFFERING, HeaderValue::from_static("no"))], events).into_response())
}

/// Lists the sidecars that were heard of lately.
#[utoipa::path(get, path = "/api/v1/sidecars", tag = "sidecars", operation_id = "list_sidecars",
    responses((status = 200, body = Vec<Sidecar>, description = "All of them")),
    security(("token" = [])))]
async fn list(_: Admin, State(app): State<Arc<App>>) -> Result<Json<Vec<Sidecar>>, Problem> {
    Ok(Json(app.platform.sidecars().await?))
}

/// Says where a sidecar serves which channels. To be repeated every 3 s; after 10 s without it's forgotten.
#[utoipa::path(
    put, path = "/api/v1/sidecars/{id}", tag = "sidecars", operation_id = "register_sidecar",
    params(("id" = String, Path, description = "What the sidecar calls itself: 1 to 64 letters, digits, `_` or `-`")),
    request_body = SidecarRegistration,
    responses(
        (status = 204, description = "It's known"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "That's no registration"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "A sidecar with another token has that name"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "There are as many sidecars as may be"),
    ),
    security(("token" = [])))]
async fn register(
    Service(caller): Service,
    State(app): State<Arc<App>>,
    Id(id): Id,
    request: Request,
) -> Result<StatusCode, Problem> {
    let id = sidecar_id(&id)?;
    expect_type(request.headers(), JSON, header::ACCEPT)?;
    let registration: SidecarRegistration =
        read_json_within(request, &app, MAX_REGISTRATION).await?;
    if registration.channels.len() > MAX_CHANNELS {
        return Err(Problem::unprocessable(format!(
            "a sidecar has at most {MAX_CHANNELS} channels; start another one for the rest"
        )));
    }
    if registration.url.is_local() && !caller.address.is_loopback() {
        return Err(Problem::unprocessable(
            "url is on loopback, which is another machine here than where you are; start the sidecar with --advertise",
        ));
    }
    app.platform
        .register_sidecar(id, registration, &caller)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that a sidecar serves no more.
#[utoipa::path(
    delete, path = "/api/v1/sidecars/{id}", tag = "sidecars", operation_id = "forget_sidecar",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It's forgotten"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "It's another token's"),
    ),
    security(("token" = [])))]
async fn forget(
    Service(caller): Service,
    Id(id): Id,
    State(app): State<Arc<App>>,
) -> Result<StatusCode, Problem> {
    let id = sidecar_id(&id)?;
    app.platform.forget_sidecar(&id, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn sidecar_id(text: &str) -> Result<SidecarId, Problem> {
    text.parse()
        .map_err(|error: crate::InvalidSidecarId| Problem::bad_request(error.to_string()))
}

/// The events of a feed until its end. Only one that the connection has room for is made, of the latest state.
fn tellings(feed: OnAirFeed) -> impl Stream<Item = Result<Event, Infallible>> {
    let OnAirFeed { on_air, end } = feed;
    unfold(
        (on_air, end, OnAirTeller::default(), false),
        async |(mut on_air, mut end, mut teller, mut has_ended)| {
            loop {
                let telling = teller.next(&on_air.borrow_and_update());
                if let Some(telling) = telling {
                    let event = Event::default().event(telling.name).data(telling.data);
                    return Some((Ok(event), (on_air, end, teller, has_ended)));
                }
                // What was known before the end is told before it.
                if has_ended {
                    return None;
                }
                tokio::select! {
                    changed = on_air.changed() => has_ended = changed.is_err(),
                    _ = &mut end => has_ended = true,
                }
            }
        },
    )
}
