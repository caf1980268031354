//! The pages: files that Vite built from `web-client/`, embedded in the binary.

use std::{fmt::Display, str::FromStr};

use axum::{
    Router,
    extract::{OriginalUri, Path},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};
use spillway_signaling::{BroadcastId, ChannelName};

#[derive(RustEmbed)]
#[folder = "web-client/dist"]
struct Files;

/// The names of files below it contain a hash of their content.
const HASHED: &str = "assets/";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const ASK_FIRST: &str = "no-cache";

const NOT_BUILT: &str = "This build has no pages. Run `make web` in Spillway's source directory, then build the server \
                         again. WHIP, WHEP and the API work without them.\n";

/// Routes of all pages and their files.
pub fn routes() -> Router {
    Router::new()
        .route(
            "/",
            get(async |headers: HeaderMap| file(&headers, "index.html")),
        )
        .route(
            "/watch/{channel}",
            get(async |channel: Path<String>, headers: HeaderMap| {
                page_of::<ChannelName>(&channel, &headers, "watch.html")
            }),
        )
        .route("/watch/{channel}/", get(without_slash))
        .route(
            "/studio/{channel}",
            get(async |channel: Path<String>, headers: HeaderMap| {
                page_of::<ChannelName>(&channel, &headers, "studio.html")
            }),
        )
        .route("/studio/{channel}/", get(without_slash))
        .route(
            "/overlay/{channel}",
            get(async |channel: Path<String>, headers: HeaderMap| {
                page_of::<ChannelName>(&channel, &headers, "overlay.html")
            }),
        )
        .route("/overlay/{channel}/", get(without_slash))
        .route(
            "/vod/{broadcast}",
            get(async |Path(broadcast): Path<String>, headers: HeaderMap| {
                page_of::<BroadcastId>(&broadcast, &headers, "vod.html")
            }),
        )
        .route("/vod/{broadcast}/", get(without_slash))
        .route(
            "/dashboard",
            get(async |headers: HeaderMap| file(&headers, "dashboard.html")),
        )
        .route(
            "/dashboard/",
            get(async || Redirect::permanent("/dashboard")),
        )
        .route(
            "/assets/{*path}",
            get(async |Path(path): Path<String>, headers: HeaderMap| {
                file(&headers, &format!("{HASHED}{path}"))
            }),
        )
        .route(
            "/{file}",
            get(async |Path(name): Path<String>, headers: HeaderMap| file(&headers, &name)),
        )
}

/// The page's address has no slash at its end; a browser may have kept one that somebody typed, so it's told for good.
async fn without_slash(Path(name): Path<String>, OriginalUri(uri): OriginalUri) -> Response {
    // Names of channels and identifiers of broadcasts are written alike.
    if let Err(error) = name.parse::<ChannelName>() {
        return (StatusCode::NOT_FOUND, format!("{error}\n")).into_response();
    }
    let path = uri.path().trim_end_matches('/');
    let query = uri
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    Redirect::permanent(&format!("{path}{query}")).into_response()
}

/// The page of something that has such a name.
fn page_of<Named>(name: &str, headers: &HeaderMap, page: &'static str) -> Response
where
    Named: FromStr,
    Named::Err: Display,
{
    match name.parse::<Named>() {
        Ok(_) => file(headers, page),
        Err(error) => (StatusCode::NOT_FOUND, format!("{error}\n")).into_response(),
    }
}

fn file(headers: &HeaderMap, name: &str) -> Response {
    match Files::get(name) {
        Some(file) => serve(headers, name, file),
        None if Files::get("index.html").is_none() => {
            (StatusCode::NOT_FOUND, NOT_BUILT).into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is no such page or file.\n").into_response(),
    }
}

fn serve(headers: &HeaderMap, name: &str, file: EmbeddedFile) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let cached = if name.starts_with(HASHED) {
        FOR_GOOD
    } else {
        ASK_FIRST
    };
    let described = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, cached.into()),
    ];
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|sent| sent.as_bytes() == tag.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, described).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())];
    (described, kind, file.data.into_owned()).into_response()
}
