//! `/hls/{channel}/…`: LL-HLS, from the sidecar that has the channel. What is on this machine is passed on, since nobody
//! else reaches it; to another machine viewers are sent.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, OriginalUri, Path, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header,
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ChannelName,
    app::App,
    caller::Asking,
    platform::{BearerToken, Caller},
    problem::{Problem, ProblemDetails},
    sidecars::{HlsSource, SidecarUrl},
};

/// How long connecting to a sidecar on this machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a sidecar may take to begin its answer. A blocking reload waits for up to three target durations of a playlist
/// with 6 s segments (RFC 8216bis §6.2.5.2).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection to a sidecar is kept, and how many are.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 256;
/// When to ask again after a sidecar that isn't there yet, or no more: it's being started.
const RETRY: Duration = Duration::from_secs(1);
/// When to ask again for a channel that isn't live.
const IDLE_RETRY: Duration = Duration::from_secs(5);

/// What a sidecar hears of the client's request: nothing that says who asks.
const PASSED_ON: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    header::USER_AGENT,
];
/// What doesn't leave its connection (RFC 9110 §7.6.1), and what is not a sidecar's to say.
const HELD_BACK: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::SET_COOKIE,
];

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(serve))
}

/// Passes requests on to sidecars on this machine.
pub(crate) struct SidecarProxy {
    client: Client<HttpConnector, Body>,
    room: Arc<Semaphore>,
}

impl SidecarProxy {
    /// For at most so many requests at a time.
    pub(crate) fn new(most: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self {
            client,
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The sidecar's answer. Its place is given back when the answer is sent, or when the client goes, which also ends
    /// the request to the sidecar.
    async fn pass(&self, request: Request<Body>) -> Result<Response, Problem> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            unavailable("this server passes on as many requests as it may (limits.hls_requests)")
        })?;
        match timeout(ANSWER_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(seated(response, place)),
            Ok(Err(error)) if error.is_connect() => Err(unavailable(
                "the sidecar that has this channel can't be reached; it's about to be replaced",
            )),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a sidecar's answer broke off");
                Err(Problem::new(
                    StatusCode::BAD_GATEWAY,
                    "the sidecar that has this channel broke off; try again",
                )
                .retry_after(RETRY))
            }
            Err(_) => Err(unavailable(
                "the sidecar that has this channel doesn't answer",
            )),
        }
    }
}

/// Keeps the place for as long as the body is sent.
fn seated(response: Response<hyper::body::Incoming>, place: OwnedSemaphorePermit) -> Response {
    let (mut parts, body) = response.into_parts();
    hold_back(&mut parts.headers);
    let body = body.map_frame(move |frame| {
        let _taken = &place;
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

fn hold_back(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HELD_BACK) {
        headers.remove(name);
    }
    // Answered here, the same for all addresses.
    let cross_origin: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in &cross_origin {
        headers.remove(name);
    }
}

/// What is asked for: a file of a channel.
struct HlsPath(ChannelName);

impl FromRequestParts<Arc<App>> for HlsPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path((channel, _)) = Path::<(String, String)>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let channel = channel.parse().map_err(|why| {
            Problem::not_found(format!("there is no channel of that name: {why}"))
        })?;
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, app)
            .await
            .unwrap_or_else(|never| match never {});
        if !is_plain(uri.path()) {
            return Err(Problem::not_found("no file of a channel is called that"));
        }
        Ok(Self(channel))
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
        (status = 307, description = "The sidecar on another machine that has it"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such channel, or it isn't live"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json", description = "The sidecar broke off"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "No sidecar has the channel yet, or the node is full"),
    ),
    security((), ("token" = [])))]
async fn serve(
    State(app): State<Arc<App>>,
    HlsPath(channel): HlsPath,
    Asking(caller): Asking,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = viewer(caller, uri.query());
    let source = app.platform.find_hls(&channel, &viewer).await;
    let source = source
        .map_err(Problem::from)
        .and_then(|source| source.ok_or_else(|| not_live(&channel)))
        .map_err(uncached)?;
    let target = target(&source.sidecar, &uri);
    if !source.sidecar.is_local() {
        return moved(&target);
    }
    let request = request(method, &target, &headers)?;
    let response = app.sidecars.pass(request).await.map_err(uncached)?;
    Ok(limited(response, &source))
}

/// Who asks. Players that can't set a header give their token in the query; the header wins.
fn viewer(mut caller: Caller, query: Option<&str>) -> Caller {
    let in_query = || {
        let mut pairs = query?.split('&');
        let token = pairs.find_map(|pair| pair.strip_prefix("token="))?;
        Some(BearerToken(token.to_owned()))
    };
    caller.token = caller.token.or_else(in_query);
    caller
}

/// The same address at the sidecar, without the token.
fn target(sidecar: &SidecarUrl, uri: &Uri) -> String {
    let mut target = format!("{}{}", sidecar.as_str(), uri.path());
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("token="));
    for (place, pair) in kept.enumerate() {
        target.push(if place == 0 { '?' } else { '&' });
        target.push_str(pair);
    }
    target
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

fn request(method: Method, target: &str, headers: &HeaderMap) -> Result<Request<Body>, Problem> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(Body::empty())
        .map_err(|error| Problem::internal(format_args!("a sidecar's address: {error}")))?;
    for name in PASSED_ON {
        for value in headers.get_all(&name) {
            request.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(request)
}

/// What only some may watch is kept by nobody but the viewer's own browser.
fn limited(mut response: Response, source: &HlsSource) -> Response {
    if source.is_restricted {
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_token_stays_here_and_the_rest_of_the_query_goes_on() {
        let sidecar = "http://127.0.0.1:9".parse().unwrap();
        for (asked, there) in [
            ("/hls/demo/v.m3u8", "/hls/demo/v.m3u8"),
            (
                "/hls/demo/v.m3u8?_HLS_msn=3&_HLS_part=1",
                "/hls/demo/v.m3u8?_HLS_msn=3&_HLS_part=1",
            ),
            (
                "/hls/demo/v.m3u8?token=secret&_HLS_msn=3",
                "/hls/demo/v.m3u8?_HLS_msn=3",
            ),
            ("/hls/demo/v.m3u8?token=secret", "/hls/demo/v.m3u8"),
        ] {
            let target = target(&sidecar, &asked.parse().unwrap());
            assert_eq!(target, format!("http://127.0.0.1:9{there}"));
        }
    }

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
