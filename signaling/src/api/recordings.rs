//! `/api/v1/recordings`, and the recordings of channels and broadcasts.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::Listing,
    page::{Page, PageQuery},
    validate,
};
use crate::{
    Recording, RecordingReport,
    app::App,
    body::JsonBody,
    caller::{Admin, Petitioner, Service},
    paths::{InBroadcast, InChannel},
    platform::Action,
    problem::{Problem, ProblemDetails},
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(report, delete))
}

/// Lists the recordings of a channel, the latest first, for whoever may watch it. What is being recorded is among them.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/recordings", tag = "recordings", operation_id = "list_recordings",
    params(("channel" = String, Path), PageQuery),
    responses(
        (status = 200, body = Listing<Recording>, description = "One page"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel"),
    ),
    security((), ("token" = [])))]
async fn list(
    petitioner: Petitioner,
    InChannel(channel): InChannel,
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Listing<Recording>>, Problem> {
    petitioner.may(&app, Action::View(&channel)).await?;
    let is_owner = petitioner.may(&app, Action::Mark(&channel)).await.is_ok();
    let mut recordings = app.platform.recordings(&channel, page).await?;
    for recording in &mut recordings.items {
        told(recording, is_owner);
    }
    Ok(Json(recordings))
}

/// Shows the recording of a broadcast to whoever may watch its channel.
#[utoipa::path(get, path = "/api/v1/recordings/{broadcast}", tag = "recordings", operation_id = "show_recording",
    params(("broadcast" = String, Path)),
    responses(
        (status = 200, body = Recording, description = "The recording"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security((), ("token" = [])))]
async fn show(
    petitioner: Petitioner,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
) -> Result<Json<Recording>, Problem> {
    let mut recording = app.platform.recording(&broadcast).await?;
    let channel = &recording.channel;
    petitioner.may(&app, Action::View(channel)).await?;
    let is_owner = petitioner.may(&app, Action::Mark(channel)).await.is_ok();
    told(&mut recording, is_owner);
    Ok(Json(recording))
}

/// What went wrong may name what is nobody's business but the owner's.
fn told(recording: &mut Recording, is_owner: bool) {
    if !is_owner {
        recording.problem = None;
    }
}

/// Says how a recording goes: at each change of state, and every 10 s while it's recorded.
#[utoipa::path(put, path = "/api/v1/broadcasts/{broadcast}/recording", tag = "recordings", operation_id = "report_recording",
    params(("broadcast" = String, Path)), request_body = RecordingReport,
    responses(
        (status = 204, description = "It's noted"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such broadcast, or its recording was deleted"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn report(
    _: Service,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
    JsonBody(report): JsonBody<RecordingReport>,
) -> Result<StatusCode, Problem> {
    validate::report(&report)?;
    app.platform.note_recording(&broadcast, report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a recording: nobody finds it any more, and its media goes within minutes.
#[utoipa::path(delete, path = "/api/v1/broadcasts/{broadcast}/recording", tag = "recordings", operation_id = "delete_recording",
    params(("broadcast" = String, Path)),
    responses(
        (status = 204, description = "It's deleted"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "It's being made"),
    ),
    security(("token" = [])))]
async fn delete(
    _: Admin,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
) -> Result<StatusCode, Problem> {
    app.platform.delete_recording(&broadcast).await?;
    Ok(StatusCode::NO_CONTENT)
}
