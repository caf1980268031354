//! Errors as RFC 9457 problems.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Refusal;

/// When to ask again for what broke behind this node.
const BROKEN_RETRY: Duration = Duration::from_secs(5);

/// What went wrong, and what to do (RFC 9457 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Always `about:blank`: the status says which kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What's wrong with this very request, and what to do.
    pub detail: String,
}

/// A problem with the headers that belong to it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// Logs what broke and tells the client no more than that something did.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(%what, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something broke on the server; its log says what",
        )
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Whole seconds, rounded up: never so early that the client is refused again for that.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, seconds.max(1).into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(detail) => Self::bad_request(detail),
            // RFC 6750 §3: every 401 names the scheme.
            Refusal::Unauthorized(detail) => Self::new(StatusCode::UNAUTHORIZED, detail)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Refusal::Forbidden(detail) => Self::new(StatusCode::FORBIDDEN, detail),
            Refusal::NotFound(detail) => Self::not_found(detail),
            Refusal::Conflict {
                detail,
                retry_after,
            } => {
                let problem = Self::new(StatusCode::CONFLICT, detail);
                match retry_after {
                    Some(wait) => problem.retry_after(wait),
                    None => problem,
                }
            }
            Refusal::Unprocessable(detail) => Self::unprocessable(detail),
            Refusal::TooMany {
                detail,
                retry_after,
            } => Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after),
            Refusal::Overloaded {
                detail,
                retry_after,
            } => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_after),
            Refusal::Broken(detail) => {
                Self::new(StatusCode::BAD_GATEWAY, detail).retry_after(BROKEN_RETRY)
            }
            Refusal::Moved { location } => match HeaderValue::from_str(&location) {
                Ok(value) => Self::new(
                    StatusCode::TEMPORARY_REDIRECT,
                    format!("repeat the request at {location}"),
                )
                .with_header(header::LOCATION, value),
                Err(error) => Self::internal(format_args!(
                    "the location {location:?} of another node: {error}"
                )),
            },
            Refusal::Internal(what) => Self::internal(what),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = ProblemDetails {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (5000, "5")] {
            let response = Problem::bad_request("")
                .retry_after(Duration::from_millis(wait))
                .into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn what_broke_is_not_told() {
        let problem = Problem::from(Refusal::Internal("disk /secret is full".into()));
        assert!(!problem.detail.contains("secret"));
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
