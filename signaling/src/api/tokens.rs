//! `/api/v1/tokens`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{IssuedToken, Listing, Token, TokenRequest},
    page::{Page, PageQuery},
    validate,
};
use crate::{
    app::App,
    body::JsonBody,
    caller::Admin,
    paths::Id,
    problem::{Problem, ProblemDetails},
};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, issue))
        .routes(routes!(revoke))
}

/// Lists the tokens that were issued, without their text.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", operation_id = "list_tokens", params(PageQuery),
    responses((status = 200, body = Listing<Token>, description = "One page")),
    security(("token" = [])))]
async fn list(
    _: Admin,
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Listing<Token>>, Problem> {
    Ok(Json(app.platform.tokens(page).await?))
}

/// Issues a token to publish, view or moderate. Its text is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", operation_id = "issue_token",
    request_body = TokenRequest,
    responses(
        (status = 201, body = IssuedToken, description = "The token"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "There are as many tokens as the node keeps"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
    ),
    security(("token" = [])))]
async fn issue(
    _: Admin,
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<TokenRequest>,
) -> Result<Response, Problem> {
    validate::token(&request)?;
    let issued = app.platform.issue_token(request).await?;
    // RFC 6749 §5.1: a token is never to be kept by a cache.
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(issued)).into_response())
}

/// Revokes a token and ends the sessions that were made with it.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", operation_id = "revoke_token",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It's revoked"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's none"),
    ),
    security(("token" = [])))]
async fn revoke(_: Admin, Id(id): Id, State(app): State<Arc<App>>) -> Result<StatusCode, Problem> {
    app.platform.revoke_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
