//! The REST API, one file per kind of thing.

mod audience;
mod broadcasts;
mod channels;
mod live;
mod markers;
pub mod model;
mod node;
pub(crate) mod openapi;
mod page;
mod recordings;
pub(crate) mod said;
mod sessions;
mod sidecars;
mod tokens;
mod validate;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(live::routes())
        .merge(channels::routes())
        .merge(sessions::routes())
        .merge(broadcasts::routes())
        .merge(audience::routes())
        .merge(recordings::routes())
        .merge(markers::routes())
        .merge(said::routes())
        .merge(tokens::routes())
        .merge(sidecars::routes())
        .merge(node::routes())
}
