//! Donations and subscriptions, as payment providers tell of them: `docs/donations.md`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    body,
    paths::InChannel,
    problem::{Problem, ProblemDetails},
};

/// A request that somebody says is a payment provider's.
#[derive(Clone)]
pub struct SignedEvent {
    /// The body as it came: it's signed, byte by byte.
    pub body: Vec<u8>,
    /// `Spillway-Signature`.
    pub signature: Option<String>,
    /// `Stripe-Signature`.
    pub stripe_signature: Option<String>,
    /// `Idempotency-Key`: what `Spillway-Signature` signs with the body.
    pub idempotency_key: Option<String>,
}

/// Where an event is in the channel's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventPlace {
    /// Its number; none if there's nothing to show.
    pub seq: Option<u64>,
    /// It was there before.
    pub known: bool,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(take_event))
}

/// Takes a donation or subscription. When it's acknowledged it's on the disk; what isn't is to be told again.
#[utoipa::path(
    post, path = "/api/v1/channels/{channel}/events", tag = "Chat", operation_id = "take_event",
    params(
        ("channel" = String, Path, description = "The channel"),
        ("Spillway-Signature" = Option<String>, Header, description = "t=SECONDS,v1=HMAC, over the channel, the key and the body"),
        ("Stripe-Signature" = Option<String>, Header, description = "As Stripe signs"),
        ("Idempotency-Key" = Option<String>, Header, description = "What makes it the same event when it's told again"),
    ),
    request_body(content = String, content_type = "application/json", description = "The event: see docs/donations.md"),
    responses(
        (status = 201, body = EventPlace, description = "It's in the log"),
        (status = 200, body = EventPlace, description = "It was there before, or is nothing to show"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "It can't be read"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "Nobody who may signed it, or too long ago"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "It can't be stored now"),
    ),
    security(("signature" = [])),
)]
async fn take_event(
    State(app): State<Arc<App>>,
    InChannel(channel): InChannel,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let event = SignedEvent {
        signature: text("Spillway-Signature"),
        stripe_signature: text("Stripe-Signature"),
        idempotency_key: text("Idempotency-Key"),
        body: body::read_bytes(request, &app).await?.into(),
    };
    let place = app.platform.take_event(&channel, event).await?;
    let status = if place.known || place.seq.is_none() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(place)).into_response())
}
