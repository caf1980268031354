//! `/api/v1/live`: what's on air, for everybody.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{Listing, LiveChannel},
    page::{Page, PageQuery},
};
use crate::{app::App, problem::Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists the channels on air, the most watched first. Channels of restricted viewing aren't among them.
#[utoipa::path(get, path = "/api/v1/live", tag = "live", operation_id = "list_live", params(PageQuery),
    responses((status = 200, body = Listing<LiveChannel>, description = "One page")))]
async fn list(
    State(app): State<Arc<App>>,
    Page(page): Page,
) -> Result<Json<Listing<LiveChannel>>, Problem> {
    Ok(Json(app.platform.live(page).await?))
}
