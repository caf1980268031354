//! Why a request isn't served.

use std::time::Duration;

/// Why the platform doesn't do what was asked. Each becomes an RFC 9457 problem with the HTTP status in brackets; the text
/// is shown to the client and tells it what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The offer, the sdpfrag or another body isn't what it claims to be. The text names the line. (400)
    #[error("{0}")]
    Malformed(String),
    /// A token is needed and there is none, or it's expired, revoked or forged. (401)
    #[error("{0}")]
    Unauthorized(String),
    /// The token is sound, but not for this. (403)
    #[error("{0}")]
    Forbidden(String),
    /// There's no such channel, session, broadcast or token. (404)
    #[error("{0}")]
    NotFound(String),
    /// It can't be done in the present state: a channel that already has a publisher, that isn't live, or that exists. (409)
    #[error("{detail}")]
    Conflict {
        /// What's in the way.
        detail: String,
        /// When to try again, if waiting helps.
        retry_after: Option<Duration>,
    },
    /// It's well formed but can't be served, and trying again won't help. (422)
    #[error("{0}")]
    Unprocessable(String),
    /// This address has too many sessions. (429)
    #[error("{detail}")]
    TooMany {
        /// Which bound is reached.
        detail: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The node is full or draining. (503)
    #[error("{detail}")]
    Overloaded {
        /// Which bound is reached.
        detail: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// What stands behind this node, as the storage, failed. (502)
    #[error("{0}")]
    Broken(String),
    /// Another node serves this: the absolute URL to repeat the request at. (307; RFC 9725 §4.5 forbids 301 and 302)
    #[error("repeat the request at {location}")]
    Moved {
        /// The absolute URL.
        location: String,
    },
    /// Something broke on our side. The text is logged, and not shown to the client. (500)
    #[error("{0}")]
    Internal(String),
}

impl Refusal {
    /// A conflict that waiting doesn't solve.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict {
            detail: detail.into(),
            retry_after: None,
        }
    }
}
