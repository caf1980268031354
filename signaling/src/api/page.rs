//! The query of a list.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{ChannelName, api::model::PageRequest, app::App, problem::Problem};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
/// The most bytes of `after`.
const MAX_AFTER: usize = 256;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The most entries, 1 to 200; 50 without.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 256)]
    after: Option<String>,
}

/// Whose sessions or broadcasts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChannelQuery {
    /// Only this channel's.
    #[param(value_type = Option<String>)]
    channel: Option<ChannelName>,
}

/// A page within bounds.
pub(crate) struct Page(pub(crate) PageRequest);

impl FromRequestParts<Arc<App>> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Query(PageQuery { limit, after }) = Query::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::bad_request(format!("limit is 1 to {MAX_LIMIT}")));
        }
        if after.as_ref().is_some_and(|after| after.len() > MAX_AFTER) {
            return Err(Problem::bad_request(
                "after is the `next` of the page before",
            ));
        }
        Ok(Self(PageRequest { limit, after }))
    }
}

/// The channel that a list is narrowed to.
pub(crate) struct OfChannel(pub(crate) Option<ChannelName>);

impl FromRequestParts<Arc<App>> for OfChannel {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Query(ChannelQuery { channel }) = Query::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        Ok(Self(channel))
    }
}
