//! Bounds of what administrators, streamers and sidecars may write.

use crate::{
    NewMarker, RecordingReport,
    api::model::{ChannelEdit, ChannelProfile, TokenKind, TokenRequest},
    problem::Problem,
};

const MAX_TITLE: usize = 200;
const MAX_TAGS: usize = 16;
const MAX_TAG: usize = 40;
const MAX_NOTE: usize = 200;
const MAX_PROBLEM: usize = 500;
/// What JSON numbers hold exactly (RFC 8259 §6).
const MAX_NUMBER: u64 = 1 << 53;
/// Ten years.
const MAX_EXPIRY_S: u64 = 315_360_000;

pub(crate) fn profile(profile: &ChannelProfile) -> Result<(), Problem> {
    line("title", &profile.title, MAX_TITLE)?;
    tags(&profile.tags)
}

pub(crate) fn edit(edit: &ChannelEdit) -> Result<(), Problem> {
    if let Some(title) = &edit.title {
        line("title", title, MAX_TITLE)?;
    }
    edit.tags.as_deref().map_or(Ok(()), tags)
}

pub(crate) fn token(request: &TokenRequest) -> Result<(), Problem> {
    let on_the_server = match request.kind {
        TokenKind::Admin => Some("admin"),
        TokenKind::Service => Some("service"),
        TokenKind::Publish | TokenKind::View | TokenKind::Moderate => None,
    };
    if let Some(kind) = on_the_server {
        return Err(Problem::unprocessable(format!(
            "{kind} tokens are issued on the server only: run `spillway token {kind}` there"
        )));
    }
    if request
        .expires_in_s
        .is_some_and(|seconds| !(1..=MAX_EXPIRY_S).contains(&seconds))
    {
        return Err(Problem::unprocessable(format!(
            "expires_in_s is 1 to {MAX_EXPIRY_S}; leave it out for a token that doesn't expire"
        )));
    }
    line("note", &request.note, MAX_NOTE)
}

pub(crate) fn marker(marker: &NewMarker) -> Result<(), Problem> {
    if marker.title.trim().is_empty() {
        return Err(Problem::unprocessable("a title has at least one character"));
    }
    line("title", &marker.title, MAX_TITLE)
}

pub(crate) fn report(report: &RecordingReport) -> Result<(), Problem> {
    for (name, value) in [("duration_ms", report.duration_ms), ("bytes", report.bytes)] {
        if value > MAX_NUMBER {
            return Err(Problem::unprocessable(format!(
                "{name} is at most {MAX_NUMBER}"
            )));
        }
    }
    report
        .problem
        .as_ref()
        .map_or(Ok(()), |problem| line("problem", problem, MAX_PROBLEM))
}

fn tags(tags: &[String]) -> Result<(), Problem> {
    if tags.len() > MAX_TAGS {
        return Err(Problem::unprocessable(format!(
            "there are at most {MAX_TAGS} tags"
        )));
    }
    for tag in tags {
        if tag.is_empty() {
            return Err(Problem::unprocessable("a tag has at least one character"));
        }
        line("tag", tag, MAX_TAG)?;
    }
    Ok(())
}

/// One line of text: control characters would garble lists and logs.
fn line(what: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.chars().count() > most {
        return Err(Problem::unprocessable(format!(
            "a {what} has at most {most} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::unprocessable(format!(
            "a {what} is one line without control characters"
        )));
    }
    Ok(())
}
