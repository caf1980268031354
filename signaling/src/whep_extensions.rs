//! WHEP's extensions (draft-ietf-wish-whep §"WHEP protocol extensions"): server-sent events and layer selection, below a
//! viewer's session. Whoever knows the session's URL may use them.

use std::{
    convert::Infallible, fmt, marker::PhantomData, num::NonZeroU32, sync::Arc, time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::{Stream, unfold};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::openapi::{EndResponses, EventStreamParams, SessionParams},
    app::App,
    body::{JSON, expect_type, is_absent, read_json},
    events::{EventFeed, EventName, EventSet, Teller},
    paths::{EventStreamPath, SessionPath},
    platform::{LayerChoice, Role, SessionRef},
    problem::{Problem, ProblemDetails},
};

/// The relation of the URL that makes event streams.
const EVENTS_RELATION: &str = "urn:ietf:params:whep:ext:core:server-sent-events";
/// The relation of the URL that takes a choice of layers.
const LAYER_RELATION: &str = "urn:ietf:params:whep:ext:core:layer";
/// How often something is sent on an idle event stream, so that proxies keep it open and a dead client is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most bytes of a rid (the same as `?layer=`).
const MAX_RID: usize = 64;
/// Tells nginx not to hold events back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(open_events))
        .routes(routes!(follow_events, end_events))
        .routes(routes!(select_layer))
}

/// The `Link` headers that tell a viewer's client of the extensions. `location` is its session's.
pub(crate) fn links(location: &str) -> [String; 2] {
    let events = EventName::ALL.map(EventName::as_str).join(",");
    [
        format!("<{location}/events>; rel=\"{EVENTS_RELATION}\"; events=\"{events}\""),
        format!("<{location}/layer>; rel=\"{LAYER_RELATION}\""),
    ]
}

/// Makes an event stream for the events of these names: `active`, `inactive`, `layers`, `reconnect`, `viewercount`; for all
/// of them without a body.
#[utoipa::path(
    post, path = "/whep/{channel}/{session}/events", tag = "WHEP", operation_id = "open_events",
    params(SessionParams),
    request_body(content = Vec<EventName>),
    responses(
        (status = 201, description = "Follow it at its Location", headers(("Location" = String))),
        (status = 400, description = "There's no event of that name", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "There's no such session", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 429, description = "The session has as many event streams as it may", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The node has as many event streams as it may", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn open_events(
    State(app): State<Arc<App>>,
    path: SessionPath,
    request: Request,
) -> Result<Response, Problem> {
    let session = existing(&app, path).await?;
    let events = if is_absent(&request) {
        EventSet::all()
    } else {
        expect_type(request.headers(), JSON, header::ACCEPT)?;
        let names: Vec<EventName> = read_json(request, &app).await?;
        if names.is_empty() {
            return Err(Problem::bad_request("name at least one event"));
        }
        names.into_iter().collect()
    };
    let number = app.platform.open_events(&session, events).await?;
    let (channel, key) = (&session.channel, session.key.as_str());
    let location = HeaderValue::from_str(&format!("/whep/{channel}/{key}/events/{number}"))
        .map_err(|error| Problem::internal(format_args!("an event stream's location: {error}")))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

/// Follows an event stream: first what holds now, then what changes. A second request takes the first one's place.
#[utoipa::path(
    get, path = "/whep/{channel}/{session}/events/{stream}", tag = "WHEP", operation_id = "follow_events",
    params(EventStreamParams),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "One `data:` line of JSON per event"),
        (status = 404, description = "There's no such session or event stream", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn follow_events(
    State(app): State<Arc<App>>,
    path: EventStreamPath,
    method: Method,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        // A look at it takes nobody's place.
        app.platform.ice_tag(&path.session).await?;
        return Ok([(header::CONTENT_TYPE, "text/event-stream")].into_response());
    }
    let feed = app
        .platform
        .follow_events(&path.session, path.number)
        .await?;
    let events = Sse::new(tellings(feed)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(BUFFERING, HeaderValue::from_static("no"))], events).into_response())
}

/// Ends an event stream.
#[utoipa::path(
    delete,
    path = "/whep/{channel}/{session}/events/{stream}",
    tag = "WHEP",
    operation_id = "end_events",
    params(EventStreamParams),
    responses(EndResponses)
)]
async fn end_events(
    State(app): State<Arc<App>>,
    path: EventStreamPath,
) -> Result<StatusCode, Problem> {
    app.platform.end_events(&path.session, path.number).await?;
    Ok(StatusCode::OK)
}

/// Limits the video layers that are sent. What is named is a ceiling: what the path can't carry isn't sent. An object that
/// names nothing lifts the limits.
#[utoipa::path(
    post, path = "/whep/{channel}/{session}/layer", tag = "WHEP", operation_id = "select_layer",
    params(SessionParams),
    request_body(content = LayerBody),
    responses(
        (status = 200, description = "It holds from the next keyframe on"),
        (status = 400, description = "That's no choice of layers", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "There's no such session", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 422, description = "The broadcast on air has no layer of that rid", body = ProblemDetails, content_type = "application/problem+json"),
    ),
)]
async fn select_layer(
    State(app): State<Arc<App>>,
    path: SessionPath,
    request: Request,
) -> Result<StatusCode, Problem> {
    let session = existing(&app, path).await?;
    expect_type(request.headers(), JSON, header::ACCEPT)?;
    let Object(body): Object<LayerBody> = read_json(request, &app).await?;
    app.platform.select_layers(&session, body.choice()?).await?;
    Ok(StatusCode::OK)
}

/// Whoever doesn't know a session's URL is turned away before anything of the body is read.
async fn existing(app: &App, path: SessionPath) -> Result<SessionRef, Problem> {
    let session = path.of(Role::Viewer);
    app.platform.ice_tag(&session).await?;
    Ok(session)
}

/// A JSON object: as such, an array of its members in their order would do too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A choice of layers as the draft writes it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LayerBody {
    /// The number of the video's m-line; the first video without.
    media_id: Option<String>,
    /// A simulcast encoding.
    #[serde(alias = "encodingId", alias = "encoding")]
    rid: Option<String>,
    /// A spatial layer, 0 the smallest.
    spatial_layer_id: Option<u8>,
    /// A temporal layer, 0 the slowest.
    temporal_layer_id: Option<u8>,
    /// The highest spatial layer.
    max_spatial_layer_id: Option<u8>,
    /// The highest temporal layer.
    max_temporal_layer_id: Option<u8>,
    /// The largest width of the picture.
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_width: Option<NonZeroU32>,
    /// The largest height of the picture.
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_height: Option<NonZeroU32>,
}

impl LayerBody {
    fn choice(self) -> Result<LayerChoice, Problem> {
        let media_line = self
            .media_id
            .map(|line| line.parse::<usize>())
            .transpose()
            .map_err(|_| {
                Problem::bad_request(
                    "mediaId is the number of an m-line as a string, such as \"0\"",
                )
            })?;
        let is_rid = |rid: &String| (1..=MAX_RID).contains(&rid.len());
        if !self.rid.as_ref().is_none_or(is_rid) {
            return Err(Problem::bad_request(format!(
                "a rid has 1 to {MAX_RID} bytes; leave it out for any"
            )));
        }
        let pixels = |most: NonZeroU32| u16::try_from(most.get()).unwrap_or(u16::MAX);
        Ok(LayerChoice {
            media_line,
            rid: self.rid,
            max_spatial: lower(self.spatial_layer_id, self.max_spatial_layer_id),
            max_temporal: lower(self.temporal_layer_id, self.max_temporal_layer_id),
            max_width: self.max_width.map(pixels),
            max_height: self.max_height.map(pixels),
        })
    }
}

fn lower(one: Option<u8>, other: Option<u8>) -> Option<u8> {
    one.into_iter().chain(other).min()
}

/// The events of a feed until its end. Only one that the connection has room for is made, of the latest state.
fn tellings(feed: EventFeed) -> impl Stream<Item = Result<Event, Infallible>> {
    let teller = Teller::new(feed.events, feed.video_line, feed.memory);
    unfold((feed.news, feed.end, teller, false), async |state| {
        let (mut news, mut end, mut teller, mut has_ended) = state;
        loop {
            let telling = teller.next(&news.borrow_and_update());
            if let Some(telling) = telling {
                let event = Event::default()
                    .event(telling.name.as_str())
                    .data(telling.data);
                return Some((Ok(event), (news, end, teller, has_ended)));
            }
            // What was known before the end is told before it: above all where to go.
            if has_ended || teller.is_over() {
                return None;
            }
            tokio::select! {
                changed = news.changed() => has_ended = changed.is_err(),
                _ = &mut end => has_ended = true,
            }
        }
    })
}
