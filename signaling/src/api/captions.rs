//! What was said in a broadcast, as a sidecar hears it: for those who watch it over WebRTC.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    body::JsonBody,
    caller::Service,
    paths::InBroadcast,
    problem::{Problem, ProblemDetails},
};

/// The most cues at once.
const MAX_CUES: usize = 16;
/// The most characters of a cue.
const MAX_TEXT: usize = 500;
/// The longest cue, in milliseconds.
const LONGEST: u64 = 30_000;
/// The longest tag of a language.
const MAX_LANGUAGE: usize = 35;

/// Captions, as soon as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCaptions {
    /// What is spoken: a tag of RFC 5646.
    #[schema(max_length = 35, example = "en")]
    pub language: String,
    /// In order; 1 to 16.
    #[schema(min_items = 1, max_items = 16)]
    pub cues: Vec<NewCue>,
}

/// What was said from one moment of a broadcast to another. Stream times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCue {
    /// From when: within 60 s of the broadcast's present stream time.
    pub from: u64,
    /// Until when: at most 30 s later.
    pub to: u64,
    /// The words, in lines. At most 500 characters.
    #[schema(max_length = 500)]
    pub text: String,
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(tell))
}

/// Tells those who are in the chat of a broadcast's channel what was said, once.
#[utoipa::path(post, path = "/api/v1/broadcasts/{broadcast}/captions", tag = "sidecars", operation_id = "tell_captions",
    params(("broadcast" = String, Path)), request_body = NewCaptions,
    responses(
        (status = 204, description = "Those who are there are told"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such broadcast"),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "It's over"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json", description = "A value is out of bounds, or too far from the present"),
    ),
    security(("token" = [])))]
async fn tell(
    _: Service,
    InBroadcast(broadcast): InBroadcast,
    State(app): State<Arc<App>>,
    JsonBody(captions): JsonBody<NewCaptions>,
) -> Result<StatusCode, Problem> {
    check(&captions).map_err(Problem::unprocessable)?;
    app.platform.caption(&broadcast, captions).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(NewCaptions { language, cues }: &NewCaptions) -> Result<(), String> {
    let is_tag = (1..=MAX_LANGUAGE).contains(&language.len())
        && language
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_tag {
        return Err("language is a tag such as en or pt-BR".into());
    }
    if !(1..=MAX_CUES).contains(&cues.len()) {
        return Err(format!("there are 1 to {MAX_CUES} cues at a time"));
    }
    cues.iter().try_for_each(check_cue)
}

fn check_cue(cue: &NewCue) -> Result<(), String> {
    if cue.to < cue.from || cue.to - cue.from > LONGEST {
        return Err(format!(
            "a cue ends with its beginning or later, by {LONGEST} ms at most"
        ));
    }
    if cue.text.trim().is_empty() || cue.text.chars().count() > MAX_TEXT {
        return Err(format!("a cue's text has 1 to {MAX_TEXT} characters"));
    }
    if cue.text.chars().any(|c| c.is_control() && c != '\n') {
        return Err("a cue's text has no control characters but line feeds".into());
    }
    Ok(())
}
