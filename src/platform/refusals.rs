//! Errors of the parts, as refusals that tell the client what to do.

use std::time::Duration;

use spillway_sfu::Reject;
use spillway_signaling::{ChannelName, Refusal};

use super::sessions::{Full, Seat};
use crate::{auth::TokenError, store::StoreError};

/// When a client may try again after a bound was reached.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

#[expect(clippy::needless_pass_by_value, reason = "it's for `map_err`")]
pub(super) fn from_store(error: StoreError) -> Refusal {
    Refusal::Internal(error.to_string())
}

pub(super) fn from_token(error: TokenError) -> Refusal {
    match error {
        TokenError::Store(error) => from_store(error),
        error => Refusal::Unauthorized(error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it's for `map_err`")]
pub(super) fn from_media(reject: Reject) -> Refusal {
    let detail = reject.to_string();
    match reject {
        Reject::Malformed(_) => Refusal::Malformed(detail),
        Reject::Unacceptable(_) => Refusal::Unprocessable(detail),
        Reject::AlreadyLive => Refusal::conflict(detail),
        Reject::NotLive => Refusal::Conflict {
            detail,
            retry_after: Some(RETRY_AFTER),
        },
        Reject::NoSession => Refusal::NotFound(detail),
        Reject::Overloaded(_) => overloaded(detail),
    }
}

pub(super) fn full(full: Full, seat: Seat) -> Refusal {
    match (full, seat) {
        (Full::Seat, Seat::Publisher) => overloaded("this server has as many publishers as it may (limits.publishers)"),
        (Full::Seat, Seat::Viewer) => overloaded("this server has as many viewers as it may; try again later"),
        (Full::Seat, Seat::Sidecar) => overloaded("this server has as many sessions of sidecars as it may (it follows from limits.publishers)"),
        (Full::Address, _) => Refusal::TooMany {
            detail: "your address has as many sessions as it may; close some, or ask the operator to raise \
                     limits.sessions_per_address"
                .into(),
            retry_after: RETRY_AFTER,
        },
    }
}

pub(super) fn overloaded(detail: impl Into<String>) -> Refusal {
    Refusal::Overloaded {
        detail: detail.into(),
        retry_after: RETRY_AFTER,
    }
}

pub(super) fn no_channel(name: &ChannelName) -> Refusal {
    Refusal::NotFound(format!(
        "there is no channel \"{name}\"; check the name, or create it by publishing with the key that \
         `spillway token publish {name}` prints"
    ))
}

/// One word for the metrics.
pub(super) fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "malformed",
        Refusal::Unauthorized(_) => "unauthorized",
        Refusal::Forbidden(_) => "forbidden",
        Refusal::NotFound(_) => "not_found",
        Refusal::Conflict { .. } => "conflict",
        Refusal::Unprocessable(_) => "unprocessable",
        Refusal::TooMany { .. } => "too_many",
        Refusal::Overloaded { .. } => "overloaded",
        Refusal::Broken(_) => "broken",
        Refusal::Moved { .. } => "moved",
        Refusal::Internal(_) => "internal",
    }
}
