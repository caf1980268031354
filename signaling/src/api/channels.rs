//! `/api/v1/channels`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Channel, ChannelEdit, ChannelProfile, Listing, NewChannel},
    page::{Page, PageQuery},
    validate,
};
use crate::{
    app::App,
    body::JsonBody,
    caller::{Admin, Asking},
    paths::InChannel,
    platform::Action,
    problem::{Problem, ProblemDetails},
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, put, edit, delete))
}

/// Lists all channels by name.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels", operation_id = "list_channels", params(PageQuery),
    responses((status = 200, body = Listing<Channel>, description = "One page")),
    security(("token" = [])))]
async fn list(
    _: Admin,
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Listing<Channel>>, Problem> {
    Ok(Json(app.platform.channels(page).await?))
}

/// Makes a channel.
#[utoipa::path(post, path = "/api/v1/channels", tag = "channels", operation_id = "create_channel",
    request_body = NewChannel,
    responses(
        (status = 201, body = Channel, description = "It's made", headers(("Location" = String))),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "There's one of that name"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn create(
    _: Admin,
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<NewChannel>,
) -> Result<Response, Problem> {
    let profile = ChannelProfile {
        title: new.title,
        tags: new.tags,
        settings: new.settings,
    };
    validate::profile(&profile)?;
    Ok(made(app.platform.create_channel(new.name, profile).await?))
}

/// Shows a channel to whoever may watch it.
#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "channels", operation_id = "show_channel",
    params(("channel" = String, Path)),
    responses(
        (status = 200, body = Channel, description = "The channel"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security((), ("token" = [])))]
async fn show(
    InChannel(name): InChannel,
    Asking(caller): Asking,
    State(app): State<Arc<App>>,
) -> Result<Json<Channel>, Problem> {
    app.platform.authorize(&caller, Action::View(&name)).await?;
    Ok(Json(app.platform.channel(&name).await?))
}

/// Makes a channel, or replaces all that's said of it.
#[utoipa::path(put, path = "/api/v1/channels/{channel}", tag = "channels", operation_id = "put_channel",
    params(("channel" = String, Path)), request_body = ChannelProfile,
    responses(
        (status = 200, body = Channel, description = "It's replaced"),
        (status = 201, body = Channel, description = "It's made", headers(("Location" = String))),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn put(
    _: Admin,
    InChannel(name): InChannel,
    State(app): State<Arc<App>>,
    JsonBody(profile): JsonBody<ChannelProfile>,
) -> Result<Response, Problem> {
    validate::profile(&profile)?;
    let put = app.platform.put_channel(&name, profile).await?;
    Ok(if put.created {
        made(put.channel)
    } else {
        Json(put.channel).into_response()
    })
}

/// Changes some of what's said of a channel.
#[utoipa::path(patch, path = "/api/v1/channels/{channel}", tag = "channels", operation_id = "edit_channel",
    params(("channel" = String, Path)), request_body = ChannelEdit,
    responses(
        (status = 200, body = Channel, description = "As it is now"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn edit(
    _: Admin,
    InChannel(name): InChannel,
    State(app): State<Arc<App>>,
    JsonBody(edit): JsonBody<ChannelEdit>,
) -> Result<Json<Channel>, Problem> {
    validate::edit(&edit)?;
    Ok(Json(app.platform.edit_channel(&name, edit).await?))
}

/// Deletes a channel with its recordings, and ends its sessions. Its broadcasts stay in the list.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "channels", operation_id = "delete_channel",
    params(("channel" = String, Path)),
    responses(
        (status = 204, description = "It's gone"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn delete(
    _: Admin,
    InChannel(name): InChannel,
    State(app): State<Arc<App>>,
) -> Result<StatusCode, Problem> {
    app.platform.delete_channel(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn made(channel: Channel) -> Response {
    let location = format!("/api/v1/channels/{}", channel.name);
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(channel),
    )
        .into_response()
}
