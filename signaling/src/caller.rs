//! Who is asking: the client's address and token, found once per request, before anything else happens.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    Origin,
    app::App,
    client_address::{client_address, was_forwarded},
    platform::{Action, BearerToken, Caller, MAX_USER_AGENT},
    problem::Problem,
};

/// Middleware: finds out who is asking, and refuses those who ask too often.
pub(crate) async fn identify(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(ConnectInfo(peer)) = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .copied()
    else {
        return Problem::internal("the router must be served with the connection's address")
            .into_response();
    };
    let config = &app.config;
    let headers = request.headers();
    let address = client_address(
        peer.ip(),
        headers,
        config.forwarded_header,
        &config.trusted_proxies,
    );
    if costs_work(request.method())
        && let Err(wait) = app.limiter.take(Instant::now(), address)
    {
        return Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests from your address; wait as long as Retry-After says",
        )
        .retry_after(wait)
        .into_response();
    }
    let caller = Caller {
        address,
        token: bearer_token(headers),
        user_agent: user_agent(headers),
        origin: Origin::of(
            peer.ip(),
            headers,
            config.country_header.as_ref(),
            &config.trusted_proxies,
        ),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn costs_work(method: &Method) -> bool {
    matches!(
        *method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    )
}

/// `Authorization: Bearer …` (RFC 6750 §2.1). Another scheme is no token.
fn bearer_token(headers: &HeaderMap) -> Option<BearerToken> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        .then(|| BearerToken(token.to_owned()))
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    // `to_str` lets only ASCII through, so any cut is a character boundary.
    Some(text.get(..MAX_USER_AGENT).unwrap_or(text).to_owned())
}

/// The caller, as `identify` found it.
pub(crate) struct Asking(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(caller) => Ok(Self(caller.clone())),
            None => Err(Problem::internal(
                "a route isn't behind the identify middleware",
            )),
        }
    }
}

/// The caller of what takes different rights for different things: the handler asks for the right one.
pub(crate) struct Petitioner {
    caller: Caller,
    is_operator: bool,
}

impl Petitioner {
    /// The platform lets the caller do that, or it's the operator of this machine.
    pub(crate) async fn may(&self, app: &App, action: Action<'_>) -> Result<(), Problem> {
        if !self.is_operator {
            app.platform.authorize(&self.caller, action).await?;
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<App>> for Petitioner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Asking(caller) = Asking::from_request_parts(parts, app).await?;
        let is_operator = app.config.admin_from_loopback && is_local_operator(parts);
        Ok(Self {
            caller,
            is_operator,
        })
    }
}

/// Proof that the caller is an administrator: handlers that take it run for nobody else.
pub(crate) struct Admin;

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let petitioner = Petitioner::from_request_parts(parts, app).await?;
        petitioner.may(app, Action::Administer).await?;
        Ok(Self)
    }
}

/// Proof that the caller is a sidecar, or an administrator; and who it is.
pub(crate) struct Service(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let petitioner = Petitioner::from_request_parts(parts, app).await?;
        petitioner.may(app, Action::Serve).await?;
        Ok(Self(petitioner.caller))
    }
}

/// A request from this machine itself. Not one that a proxy on this machine passed on; not one of another site's page in a
/// browser on this machine (`Origin`), nor of a page whose name was rebound to a loopback address (`Host`).
fn is_local_operator(parts: &Parts) -> bool {
    let from_loopback = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = parts.uri.authority().cloned().or(host);
    let same_origin = match parts
        .headers
        .get(header::ORIGIN)
        .map(|origin| origin.to_str())
    {
        None => true,
        Some(Ok(origin)) => host.as_ref().is_some_and(|host| {
            origin
                .split_once("://")
                .is_some_and(|(_, origin)| origin == host.as_str())
        }),
        Some(Err(_)) => false,
    };
    from_loopback
        && same_origin
        && host.is_some_and(|host| is_loopback_name(host.host()))
        && !was_forwarded(&parts.headers)
}

/// Whether a host is this machine itself.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_local_operator_connects_from_loopback_to_loopback() {
        let is_local = |peer: &str, host: &str| {
            let request = Request::builder()
                .header(header::HOST, host)
                .body(())
                .unwrap();
            let (mut parts, ()) = request.into_parts();
            let peer: SocketAddr = peer.parse().unwrap();
            parts.extensions.insert(ConnectInfo(peer));
            is_local_operator(&parts)
        };
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
        ] {
            assert!(is_local("127.0.0.1:9", host), "{host}");
            assert!(is_local("[::1]:9", host), "{host}");
            assert!(is_local("[::ffff:127.0.0.1]:9", host), "{host}");
            assert!(!is_local("192.0.2.1:9", host), "{host}");
        }
        for host in [
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "",
        ] {
            assert!(!is_local("127.0.0.1:9", host), "{host}");
        }
    }
}
