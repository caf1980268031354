//! `/hls/{channel}/…`: LL-HLS, from the sidecar that has the channel. What is on this machine is passed on, since nobody
//! else reaches it; to another machine viewers are sent.

mod proxy;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, OriginalUri, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ChannelName,
    app::App,
    caller::Asking,
    platform::Caller,
    problem::{Problem, ProblemDetails},
    query_token,
    sidecars::HlsSource,
    signed::{self, Signature, Ticket},
};
use proxy::NoAnswer;

pub(crate) use proxy::SidecarProxy;

/// When to ask again after a sidecar that isn't there yet, or no more: it's being started.
const RETRY: Duration = Duration::from_secs(1);
/// When to ask again for a channel that isn't live.
const IDLE_RETRY: Duration = Duration::from_secs(5);
/// How many sidecars a request is tried at.
const ATTEMPTS: usize = 2;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(serve))
        .routes(routes!(serve_signed))
}

/// What is asked for: a file of a channel.
struct Asked {
    channel: ChannelName,
    /// From `/hls/` on.
    path: String,
    /// Of a signed address.
    signature: Option<Signature>,
}

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, app)
            .await
            .unwrap_or_else(|never| match never {});
        let (signature, path) = signed::split(uri.path())?;
        let channel = path.split('/').nth(2).unwrap_or_default();
        let channel = channel.parse().map_err(|why| {
            Problem::not_found(format!("there is no channel of that name: {why}"))
        })?;
        if !is_plain(path) {
            return Err(Problem::not_found("no file of a channel is called that"));
        }
        Ok(Self {
            channel,
            path: path.to_owned(),
            signature,
        })
    }
}

impl Asked {
    /// Whether a player begins there.
    fn is_beginning(&self) -> bool {
        let file = self.path.splitn(4, '/').nth(3);
        matches!(file, Some("index.m3u8" | "plain.m3u8" | "manifest.mpd"))
    }
}

/// Whether a path means what it says: nothing that a sidecar could read as a way to another channel.
fn is_plain(path: &str) -> bool {
    path.split('/').skip(1).all(|part| {
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        !matches!(part, "" | "." | "..") && part.bytes().all(is_safe)
    })
}

/// Serves LL-HLS: playlists, segments, parts. Begin with `index.m3u8`.
#[utoipa::path(
    get, path = "/hls/{channel}/{*path}", tag = "HLS", operation_id = "serve_hls",
    params(
        ("channel" = String, Path, description = "The channel to watch"),
        ("path" = String, Path, description = "The file, such as `index.m3u8`"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.apple.mpegurl", description = "A playlist or media"),
        (status = 307, description = "The sidecar on another machine that has it, or the signed address for who may watch a restricted channel"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel, it isn't live, or nobody makes HLS of it"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json", description = "The sidecar broke off"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "No sidecar has the channel yet, or the node is full"),
    ),
    security((), ("token" = [])))]
async fn serve(
    State(app): State<Arc<App>>,
    asked: Asked,
    Asking(caller): Asking,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = query_token::viewer(caller, uri.query());
    let query = query_token::without(uri.query());
    for _ in 0..ATTEMPTS {
        let source = find(&app, &asked, &caller).await?;
        let target = format!("{}{}{query}", source.sidecar.as_str(), asked.path);
        if !source.sidecar.is_local() {
            return moved(&target);
        }
        if let Some(signature) = &source.signature
            && asked.is_beginning()
        {
            return signed::moved(signature, &asked.path, &query);
        }
        let request = proxy::request(method.clone(), &target, &headers)?;
        match app.sidecars.pass(request).await {
            Ok(response) => return Ok(limited(response, &source)),
            Err(NoAnswer::Unreachable) => app.platform.pass_over(&source.sidecar).await,
            Err(NoAnswer::Other(problem)) => return Err(uncached(problem)),
        }
    }
    Err(uncached(unavailable(
        "the sidecar that has this channel can't be reached; it's about to be replaced",
    )))
}

/// The same by a signed address, which needs no token until it expires.
#[utoipa::path(
    get, path = "/signed/{signature}/hls/{channel}/{*path}", tag = "HLS", operation_id = "serve_signed_hls",
    params(
        ("signature" = String, Path, description = "From the `Location` that a token was answered with"),
        ("channel" = String, Path, description = "The channel to watch"),
        ("path" = String, Path, description = "The file, such as `index.m3u8`"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.apple.mpegurl", description = "A playlist or media"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "The address has expired, or isn't signed by this server"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel, it isn't live, or nobody makes HLS of it"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "No sidecar has the channel yet, or the node is full"),
    ))]
async fn serve_signed(
    app: State<Arc<App>>,
    asked: Asked,
    caller: Asking,
    uri: OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    serve(app, asked, caller, uri, method, headers).await
}

async fn find(app: &App, asked: &Asked, caller: &Caller) -> Result<HlsSource, Problem> {
    let ticket = Ticket::new(asked.signature.as_ref(), caller);
    let source = app.platform.find_hls(&asked.channel, ticket).await;
    source
        .map_err(Problem::from)
        .and_then(|source| source.ok_or_else(|| not_live(&asked.channel)))
        .map_err(uncached)
}

fn moved(target: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(target)
        .map_err(|error| Problem::internal(format_args!("a sidecar's address: {error}")))?;
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// What only some may watch is kept by nobody but the viewer's own browser, unless its address is signed.
fn limited(mut response: Response, source: &HlsSource) -> Response {
    if source.signature.is_some() {
        let headers = response.headers_mut();
        let said = headers.get(header::CACHE_CONTROL);
        let said = said
            .and_then(|value| value.to_str().ok())
            .unwrap_or("no-cache");
        let kept = said.split(',').map(str::trim).filter(|word| {
            !word.eq_ignore_ascii_case("public")
                && !word.to_ascii_lowercase().starts_with("s-maxage")
        });
        let limited: Vec<&str> = std::iter::once("private").chain(kept).collect();
        let limited = HeaderValue::try_from(limited.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static("private, no-store"));
        headers.insert(header::CACHE_CONTROL, limited);
    }
    response
}

/// What is wrong now may be right in a second, also for those behind a cache.
fn uncached(problem: Problem) -> Problem {
    problem.with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Unlike a channel that doesn't exist, one that isn't live may be later: players go by `Retry-After`.
fn not_live(channel: &ChannelName) -> Problem {
    Problem::not_found(format!(
        "\"{channel}\" isn't live; ask again in a while (/api/v1/live lists the public channels that are)"
    ))
    .retry_after(IDLE_RETRY)
}

fn unavailable(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_lead_elsewhere_is_none() {
        assert!(is_plain("/hls/demo/720p/part-12.3.m4s"));
        for path in [
            "/hls/demo/../other/index.m3u8",
            "/hls/demo/./index.m3u8",
            "/hls/demo/%2e%2e/other/index.m3u8",
            "/hls/demo/..%2fother",
            "/hls/demo//index.m3u8",
            "/hls/demo/a\\b",
            "/hls/demo/",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
