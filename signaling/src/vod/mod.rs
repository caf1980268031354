//! `/vod/{broadcast}/…`: recordings, from the storage.

mod conditions;
mod object;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::{FromRequestParts, OriginalUri, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use headers::{HeaderMapExt as _, LastModified};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    caller::Asking,
    problem::{Problem, ProblemDetails},
    query_token,
    recordings::{BroadcastId, ObjectPart, ObjectRead, VodSource},
    signed::{self, Signature, Ticket},
};
use conditions::{Conditions, Verdict, Version};

pub use object::{InvalidVodObject, VodObject};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(serve))
        .routes(routes!(serve_signed))
}

/// What is asked for: an object of a broadcast's recording.
struct Asked {
    broadcast: BroadcastId,
    object: VodObject,
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
        // As it's written: no name has a character that would have to be encoded.
        let (broadcast, object) = path
            .strip_prefix("/vod/")
            .and_then(|rest| rest.split_once('/'))
            .unwrap_or_default();
        let broadcast = broadcast.parse().map_err(|_| no_recording())?;
        let object = object
            .parse()
            .map_err(|why: InvalidVodObject| uncached(Problem::not_found(why.to_string())))?;
        Ok(Self {
            broadcast,
            object,
            signature,
        })
    }
}

/// Serves a recording: HLS (begin with `index.m3u8`), one MP4 file, chapters, pictures.
#[utoipa::path(
    get, path = "/vod/{broadcast}/{*path}", tag = "VOD", operation_id = "serve_vod",
    params(
        ("broadcast" = String, Path, description = "The broadcast that was recorded"),
        ("path" = String, Path, description = "The file, such as `index.m3u8` or `video.mp4`"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.apple.mpegurl", description = "A playlist, media, text or a picture"),
        (status = 206, body = Vec<u8>, content_type = "video/mp4", description = "The part that was asked for"),
        (status = 304, description = "The client has it"),
        (status = 307, description = "The signed address, for who may watch a restricted channel"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such recording, or no such file"),
        (status = 416, body = ProblemDetails, content_type = "application/problem+json", description = "It isn't that long"),
        (status = 502, body = ProblemDetails, content_type = "application/problem+json", description = "The storage failed"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "The storage doesn't answer, or has as much to do as it may"),
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
    let ticket = Ticket::new(asked.signature.as_ref(), &caller);
    let source = app.platform.find_vod(&asked.broadcast, ticket).await;
    let source = source.map_err(Problem::from).map_err(uncached)?;
    if let Some(signature) = &source.signature {
        return signed::moved(signature, uri.path(), &query_token::without(uri.query()));
    }
    let wish = Wish {
        conditions: Conditions::of(&headers),
        is_look: method == Method::HEAD,
    };
    answer(&app, &asked, &source, &wish).await.map_err(uncached)
}

/// The same by a signed address, which needs no token until it expires.
#[utoipa::path(
    get, path = "/signed/{signature}/vod/{broadcast}/{*path}", tag = "VOD", operation_id = "serve_signed_vod",
    params(
        ("signature" = String, Path, description = "From the `Location` that a token was answered with"),
        ("broadcast" = String, Path, description = "The broadcast that was recorded"),
        ("path" = String, Path, description = "The file, such as `index.m3u8` or `video.mp4`"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.apple.mpegurl", description = "A playlist, media, text or a picture"),
        (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "The address has expired, or isn't signed by this server"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "There's no such recording, or no such file"),
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

/// How it's asked for.
struct Wish {
    conditions: Conditions,
    /// `HEAD`: no byte of it, whatever the range (RFC 9110 §14.2).
    is_look: bool,
}

impl Wish {
    fn part(&self) -> ObjectPart {
        if self.is_look {
            ObjectPart::Nothing
        } else {
            self.conditions.range().unwrap_or(ObjectPart::Whole)
        }
    }
}

async fn answer(
    app: &App,
    asked: &Asked,
    source: &VodSource,
    wish: &Wish,
) -> Result<Response, Problem> {
    let read = async |part| {
        let object = app.platform.read_vod(&asked.broadcast, &asked.object, part);
        object.await.map_err(Problem::from)
    };
    let mut part = wish.part();
    let mut object = read(part).await?;
    let is_part = |part| matches!(part, ObjectPart::From { .. } | ObjectPart::Last(_));
    if is_part(part) && wish.conditions.is_range_of_another(&version(&object)) {
        part = ObjectPart::Whole;
        object = read(part).await?;
    }
    let version = version(&object);
    let mut response = match wish.conditions.verdict(&version) {
        Verdict::Go if is_part(part) && object.range.is_empty() => {
            return Err(not_that_long(object.size));
        }
        Verdict::Go => sent(object, is_part(part), wish.is_look),
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Failed => {
            return Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "the file isn't the one that If-Match or If-Unmodified-Since names; ask without them",
            ));
        }
    };
    describe(response.headers_mut(), &asked.object, source, version);
    Ok(response)
}

fn describe(headers: &mut HeaderMap, object: &VodObject, source: &VodSource, version: Version) {
    for (name, value) in [
        (header::CONTENT_TYPE, object.content_type()),
        (header::CACHE_CONTROL, object.cache_control(source.is_final)),
        (header::ACCEPT_RANGES, "bytes"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.typed_insert(LastModified::from(version.modified));
    if let Some(tag) = version.tag {
        headers.typed_insert(tag);
    }
}

fn version(object: &ObjectRead) -> Version {
    Version {
        tag: object.tag.as_ref().and_then(|tag| tag.parse().ok()),
        modified: UNIX_EPOCH + Duration::from_millis(object.modified.0),
    }
}

/// The bytes, and how many they are.
fn sent(object: ObjectRead, is_part: bool, is_look: bool) -> Response {
    let ObjectRead {
        size, range, body, ..
    } = object;
    let length = if is_look {
        size
    } else {
        range.end - range.start
    };
    let mut response = Response::new(if is_look { Body::empty() } else { body });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    if is_part {
        let place = format!(
            "bytes {}-{}/{size}",
            range.start,
            range.end.saturating_sub(1)
        );
        insert(headers, header::CONTENT_RANGE, &place);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

#[expect(clippy::expect_used, reason = "what is inserted is made of digits")]
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("what is inserted is visible ASCII");
    headers.insert(name, value);
}

/// RFC 9110 §15.5.17.
fn not_that_long(size: u64) -> Problem {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format!("the file has {size} bytes, and none of those that Range names"),
    );
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(length) => problem.with_header(header::CONTENT_RANGE, length),
        Err(_) => problem,
    }
}

fn no_recording() -> Problem {
    uncached(Problem::not_found(
        "there is no such recording; it may have been deleted",
    ))
}

/// What is wrong now may be right in a second, also for those behind a cache.
fn uncached(problem: Problem) -> Problem {
    problem.with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
