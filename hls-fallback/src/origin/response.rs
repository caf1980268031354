//! Answers: headers, caching, compression, byte ranges.

use std::{convert::Infallible, io, ops::Range, time::SystemTime};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{directives::BadDirective, page::Page};

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const MANIFEST: HeaderValue = HeaderValue::from_static("application/dash+xml");
const WEB_VTT: HeaderValue = HeaderValue::from_static("text/vtt; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const ANY: HeaderValue = HeaderValue::from_static("*");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// How long an answer may be kept by caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// Its URL will never mean anything else.
    Forever,
    /// It's what was waited for, or can come no more: a cache may give it to all who ask for the same.
    Briefly,
    /// The broadcast is over. Another one may follow under the same URL.
    Ended,
    /// Ask again each time.
    Never,
    /// It's wrong as soon as it's sent.
    Nowhere,
}

impl Caching {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Briefly => "public, max-age=6",
            Self::Ended => "public, max-age=10",
            Self::Never => "no-cache",
            Self::Nowhere => "no-store",
        })
    }
}

/// Why there's no answer but a status.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there's nothing of this name")]
    NotFound,
    #[error(
        "there's nothing of this name, and won't be: it's too old, or its segment ended before it"
    )]
    Never,
    #[error(transparent)]
    BadDirective(#[from] BadDirective),
    #[error("it didn't come in time: ask again")]
    TooLate,
    #[error("too many requests are waiting: ask again a little later")]
    TooManyWaiting,
    #[error("the range isn't within the {0} bytes that there are")]
    Range(usize),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound | Self::Never => StatusCode::NOT_FOUND,
            Self::BadDirective(_) => StatusCode::BAD_REQUEST,
            Self::TooLate | Self::TooManyWaiting => StatusCode::SERVICE_UNAVAILABLE,
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
        };
        let caching = match self {
            // A cache that keeps nothing of it would pass on the requests of all who were told of it.
            Self::Never => Caching::Briefly,
            _ => Caching::Never,
        };
        let mut response = respond(status, TEXT, caching, Body::from(format!("{self}\n")));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::Range(length) = self {
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
        }
        response
    }
}

/// A playlist of HLS, as [`page`] sends it.
pub(super) fn playlist(text: &Page, caching: Caching, request: &HeaderMap) -> Response {
    page(text, PLAYLIST, caching, request)
}

/// The manifest of DASH, as [`page`] sends it.
pub(super) fn manifest(text: &Page, caching: Caching, request: &HeaderMap) -> Response {
    page(text, MANIFEST, caching, request)
}

/// What time it is, for players whose clock is wrong.
pub(super) fn time(now: SystemTime) -> Response {
    let now = humantime::format_rfc3339_millis(now).to_string();
    respond(StatusCode::OK, TEXT, Caching::Nowhere, Body::from(now))
}

/// A page, compressed if the client takes that; 304 if it has it already.
fn page(page: &Page, kind: HeaderValue, caching: Caching, request: &HeaderMap) -> Response {
    let has_it = request
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| matches_tag(known.as_bytes(), page.entity_tag.as_bytes()));
    let gzip = if has_it || !accepts_gzip(request) {
        None
    } else {
        page.gzip()
    };
    let compressed = gzip.is_some();
    let mut response = if has_it {
        respond(StatusCode::NOT_MODIFIED, kind, caching, Body::empty())
    } else {
        let body = gzip.unwrap_or_else(|| page.text.clone());
        respond(StatusCode::OK, kind, caching, Body::from(body))
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, page.entity_tag.clone());
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A part, a segment or an initialization segment; of it the range that is asked for.
pub(super) fn media(data: Bytes, video: bool, request: &HeaderMap) -> Response {
    // Without a validator that could be compared, a conditional range is the whole (RFC 9110 §13.1.5).
    let range = request
        .get(header::RANGE)
        .filter(|_| !request.contains_key(header::IF_RANGE));
    let mut response = match range.and_then(|range| byte_range(range.to_str().ok()?, data.len())) {
        None => respond(
            StatusCode::OK,
            media_type(video),
            Caching::Forever,
            Body::from(data),
        ),
        Some(Err(refusal)) => return refusal.into_response(),
        Some(Ok(Range { start, end })) => {
            let length = data.len();
            let body = Body::from(data.slice(start..end));
            let mut response = respond(
                StatusCode::PARTIAL_CONTENT,
                media_type(video),
                Caching::Forever,
                body,
            );
            let range = format!("bytes {start}-{}/{length}", end - 1);
            set(response.headers_mut(), header::CONTENT_RANGE, &range);
            response
        }
    };
    response.headers_mut().insert(header::ACCEPT_RANGES, BYTES);
    response
}

/// A segment of captions.
pub(super) fn captions(text: Bytes) -> Response {
    respond(StatusCode::OK, WEB_VTT, Caching::Forever, Body::from(text))
}

/// A segment that isn't whole, as it grows. Whoever caches it has it whole, or hears that it broke off.
pub(super) fn growing(
    parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    video: bool,
) -> Response {
    let body = Body::from_stream(parts);
    respond(StatusCode::OK, media_type(video), Caching::Forever, body)
}

/// Segments one behind the other.
pub(super) fn row(segments: Vec<Bytes>, video: bool) -> Response {
    let length: usize = segments.iter().map(Bytes::len).sum();
    let body = Body::from_stream(stream::iter(segments.into_iter().map(Ok::<_, Infallible>)));
    let mut response = respond(StatusCode::OK, media_type(video), Caching::Forever, body);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    response
}

/// What a browser asks before a request of another origin.
pub(super) fn preflight() -> Response {
    let mut response = respond(StatusCode::NO_CONTENT, TEXT, Caching::Never, Body::empty());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    let methods = HeaderValue::from_static("GET, HEAD, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ANY);
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    );
    response
}

fn respond(status: StatusCode, kind: HeaderValue, caching: Caching, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, caching.header());
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    // Players measure their path with what the browser knows of a request.
    headers.insert(TIMING_ALLOW_ORIGIN, ANY);
    response
}

fn media_type(video: bool) -> HeaderValue {
    HeaderValue::from_static(if video { "video/mp4" } else { "audio/mp4" })
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Weak comparison with a list of entity tags (RFC 9110 §13.1.2).
fn matches_tag(list: &[u8], tag: &[u8]) -> bool {
    let strip = |tag: &[u8]| {
        tag.strip_prefix(b"W/")
            .map(<[u8]>::to_vec)
            .unwrap_or(tag.to_vec())
    };
    list.split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || strip(known) == strip(tag))
}

/// RFC 9110 §12.5.3.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lists = request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| {
            weight
                .trim()
                .parse::<f32>()
                .is_ok_and(|weight| weight <= 0.0)
        });
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// A single range (RFC 9110 §14.1.2). Nothing if it's none, or of another unit: then the whole is the answer.
fn byte_range(range: &str, length: usize) -> Option<Result<Range<usize>, Refusal>> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        super::directives::decimal(text).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    };
    let range = if first.is_empty() {
        let suffix = number(last)?;
        length.saturating_sub(suffix)..length
    } else {
        let first = number(first)?;
        let last = if last.is_empty() {
            usize::MAX
        } else {
            number(last)?
        };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(length)
    };
    Some(if range.start < range.end {
        Ok(range)
    } else {
        Err(Refusal::Range(length))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_used_where_it_is_accepted() {
        assert!(accepts_gzip(&accepting("deflate, gzip;q=0.5")));
        assert!(accepts_gzip(&accepting("GZIP")));
        assert!(!accepts_gzip(&accepting("gzip;q=0, br")));
        assert!(!accepts_gzip(&accepting("identity")));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        let range = |text| byte_range(text, 100).map(Result::ok);
        assert_eq!(range("bytes=0-9"), Some(Some(0..10)));
        assert_eq!(range("bytes=90-"), Some(Some(90..100)));
        assert_eq!(range("bytes=-10"), Some(Some(90..100)));
        assert_eq!(range("bytes=-1000"), Some(Some(0..100)));
        assert_eq!(range("bytes=50-1000"), Some(Some(50..100)));
        assert_eq!(range("bytes=100-"), Some(None));
        assert_eq!(range("bytes=-0"), Some(None));
        assert_eq!(range("bytes=9-0"), None);
        assert_eq!(range("bytes=0-1,5-6"), None);
        assert_eq!(range("lines=0-1"), None);
    }

    #[test]
    fn an_entity_tag_is_found_in_a_list() {
        assert!(matches_tag(b"\"a\", W/\"b\"", b"W/\"b\""));
        assert!(matches_tag(b"\"b\"", b"W/\"b\""));
        assert!(matches_tag(b"*", b"W/\"b\""));
        assert!(!matches_tag(b"\"a\"", b"W/\"b\""));
    }
}
