//! Request bodies: their type, size, time and encoding are checked before anything reads them.

use std::sync::Arc;

use axum::{
    Json, RequestExt,
    body::{Bytes, HttpBody as _},
    extract::{DefaultBodyLimit, FromRequest, Request, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{app::App, problem::Problem};

/// `application/sdp` (RFC 8866 §8.1).
pub(crate) const SDP: &str = "application/sdp";
/// `application/trickle-ice-sdpfrag` (RFC 8840 §9).
pub(crate) const SDPFRAG: &str = "application/trickle-ice-sdpfrag";

/// `application/json` (RFC 8259).
pub(crate) const JSON: &str = "application/json";
/// The most bytes that are told of what's wrong with a JSON body: it may quote a long text.
const MAX_JSON_COMPLAINT: usize = 300;

/// An SDP offer.
pub(crate) struct Offer(pub(crate) String);

impl FromRequest<Arc<App>> for Offer {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        expect_type(request.headers(), SDP, header::ACCEPT)?;
        read_text(request, app).await.map(Self)
    }
}

/// Answers 415 unless the body is of that media type, and says in `accept` which one is wanted.
pub(crate) fn expect_type(
    headers: &HeaderMap,
    wanted: &'static str,
    accept: HeaderName,
) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_wanted = given
        .and_then(|given| given.parse::<mime::Mime>().ok())
        .is_some_and(|given| given.essence_str() == wanted);
    if is_wanted {
        return Ok(());
    }
    let detail = format!(
        "send Content-Type: {wanted}, not {}",
        given.map_or_else(
            || "a body without a type".to_owned(),
            |given| format!("{given:?}")
        )
    );
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .with_header(accept, HeaderValue::from_static(wanted)))
}

/// Reads a body of text within the bounds for SDP.
pub(crate) async fn read_text(request: Request, app: &App) -> Result<String, Problem> {
    let limit = app.config.max_sdp_bytes;
    let body = in_time(app, bounded(request, limit).extract::<Bytes, _>())
        .await?
        .map_err(|rejection| read_failure(rejection.status(), rejection.body_text(), limit))?;
    String::from_utf8(body.into()).map_err(|_| Problem::bad_request("the body isn't UTF-8 text"))
}

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let limit = app.config.max_json_bytes;
        let Json(value) = in_time(app, bounded(request, limit).extract::<Json<T>, _>())
            .await?
            .map_err(|rejection: JsonRejection| {
                read_failure(rejection.status(), rejection.body_text(), limit)
            })?;
        Ok(Self(value))
    }
}

/// Whether a request has neither a body nor a word about one.
pub(crate) fn is_absent(request: &Request) -> bool {
    !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream()
}

/// Reads a JSON body as it came.
pub(crate) async fn read_bytes(request: Request, app: &App) -> Result<Bytes, Problem> {
    read_bytes_within(request, app, app.config.max_json_bytes).await
}

/// The same with a bound of its own.
pub(crate) async fn read_bytes_within(
    request: Request,
    app: &App,
    limit: usize,
) -> Result<Bytes, Problem> {
    in_time(app, bounded(request, limit).extract::<Bytes, _>())
        .await?
        .map_err(|rejection| read_failure(rejection.status(), rejection.body_text(), limit))
}

/// Reads a JSON body whose type was checked before: 400 for whatever is wrong with it, which WHEP wants.
pub(crate) async fn read_json<T: DeserializeOwned>(
    request: Request,
    app: &App,
) -> Result<T, Problem> {
    read_json_within(request, app, app.config.max_json_bytes).await
}

/// The same with a bound of its own.
pub(crate) async fn read_json_within<T: DeserializeOwned>(
    request: Request,
    app: &App,
    limit: usize,
) -> Result<T, Problem> {
    let body = in_time(app, bounded(request, limit).extract::<Bytes, _>())
        .await?
        .map_err(|rejection| read_failure(rejection.status(), rejection.body_text(), limit))?;
    serde_json::from_slice(&body).map_err(|error| {
        let complaint: String = error.to_string().chars().take(MAX_JSON_COMPLAINT).collect();
        Problem::bad_request(complaint)
    })
}

fn bounded(mut request: Request, limit: usize) -> Request {
    DefaultBodyLimit::apply(DefaultBodyLimit::max(limit), &mut request);
    request
}

/// A body that trickles in holds a connection and a task: cut it off.
async fn in_time<F: Future>(app: &App, read: F) -> Result<F::Output, Problem> {
    let limit = app.config.body_timeout();
    timeout(limit, read).await.map_err(|_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body didn't arrive within {} s", limit.as_secs()),
        )
    })
}

fn read_failure(status: StatusCode, detail: String, limit: usize) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(status, format!("the body is larger than {limit} bytes"))
    } else {
        Problem::new(status, detail)
    }
}

/// A response of text with its media type. Its length is known, so it's sent with `Content-Length`, which `FFmpeg` needs.
pub(crate) fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
}
