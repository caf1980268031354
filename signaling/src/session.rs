//! What WHIP and WHEP sessions have in common: the answer to the offer, and the requests on the session's URL.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::{
    Refusal,
    app::App,
    body::{SDP, SDPFRAG, expect_type, read_text, text},
    entity_tag::{IfMatch, entity_tag},
    platform::{NewSession, Role, SessionRef},
    problem::Problem,
    whep_extensions,
};

/// `Accept-Patch` (RFC 5789 §3.1): what a session's `PATCH` takes.
pub(crate) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The `201` with the answer (RFC 9725 §4.2).
pub(crate) fn created(
    role: Role,
    channel: &crate::ChannelName,
    session: NewSession,
) -> Result<Response, Problem> {
    // Root-relative: right behind any proxy, and resolved by every client (OBS from the host root).
    let path = format!("/{}/{channel}/{}", role.path(), session.key.as_str());
    let mut response = text(StatusCode::CREATED, SDP, session.answer);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, header_value(&path)?);
    headers.insert(header::ETAG, entity_tag(&session.ice_tag)?);
    for server in &session.ice_servers {
        headers.append(header::LINK, server.value());
    }
    if role == Role::Viewer {
        for link in whep_extensions::links(&path) {
            headers.append(header::LINK, header_value(&link)?);
        }
    }
    Ok(response)
}

fn header_value(text: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(text)
        .map_err(|error| Problem::internal(format_args!("a session's location: {error}")))
}

/// The refusal of an offer. A client that's sent to another node keeps its query: `?wait=0`, `?token=`.
pub(crate) fn refused(refusal: Refusal, uri: &Uri) -> Problem {
    match (refusal, uri.query()) {
        (Refusal::Moved { location }, Some(query)) if !location.contains('?') => Refusal::Moved {
            location: format!("{location}?{query}"),
        }
        .into(),
        (refusal, _) => refusal.into(),
    }
}

/// `PATCH`: more candidates, or an ICE restart (RFC 9725 §4.3).
pub(crate) async fn patch(
    app: &Arc<App>,
    session: SessionRef,
    request: Request,
) -> Result<Response, Problem> {
    let current = app.platform.ice_tag(&session).await?;
    expect_type(request.headers(), SDPFRAG, ACCEPT_PATCH)?;
    match IfMatch::required(request.headers())? {
        IfMatch::Any => restart_ice(app, &session, request).await,
        IfMatch::Tags(tags) if tags.contains(&current) => {
            let sdpfrag = read_text(request, app).await?;
            app.platform.trickle(&session, sdpfrag).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        IfMatch::Tags(_) => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "ICE was restarted since; use the ETag of the latest answer",
        )),
    }
}

/// RFC 9725 §4.3.3. With the credentials that the client has already it's no restart, only more candidates.
async fn restart_ice(
    app: &Arc<App>,
    session: &SessionRef,
    request: Request,
) -> Result<Response, Problem> {
    let sdpfrag = read_text(request, app).await?;
    let Some(restarted) = app.platform.restart_ice(session, sdpfrag).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut response = text(StatusCode::OK, SDPFRAG, restarted.sdpfrag);
    response
        .headers_mut()
        .insert(header::ETAG, entity_tag(&restarted.ice_tag)?);
    Ok(response)
}

/// `DELETE`: always 200 with no content, since OBS retries on 204. `If-Match` is ignored (RFC 9725 §4.3.1).
pub(crate) async fn delete(app: &Arc<App>, session: &SessionRef) -> Result<Response, Problem> {
    app.platform.end(session).await?;
    Ok(StatusCode::OK.into_response())
}

/// `GET`: nothing to show (RFC 9725 §4.2), but a session that's gone is said to be.
pub(crate) async fn get(app: &Arc<App>, session: &SessionRef) -> Result<Response, Problem> {
    app.platform.ice_tag(session).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
