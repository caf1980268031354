//! The HTTP face of a node: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep) with its
//! extensions, the REST API.
//!
//! The crate knows nothing of media or storage: it speaks to a [`Platform`]. [`router`] makes the whole of it.

pub mod api;
mod app;
mod audience;
mod body;
mod caller;
mod chat;
mod client_address;
mod config;
mod cors;
mod donations;
mod entity_tag;
mod events;
mod hls;
mod link;
mod log;
mod names;
mod operations;
mod origin;
mod pages;
mod paths;
pub mod platform;
mod problem;
mod query_token;
mod rate_limit;
mod recordings;
mod refusal;
mod rfc_3339;
mod session;
mod sidecars;
mod signed;
mod vod;
mod web_origin;
mod whep;
mod whep_extensions;
mod whip;

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware};
use hyper_util::{rt::TokioExecutor, server::conn::auto::Builder};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use api::said::Said;
use app::App;
pub use audience::{
    Audience, AudienceHeight, AudiencePoint, AudienceShare, AudienceSums, AudienceTotal, Audiences,
    Percentiles,
};
pub use chat::{ChatInlet, ChatLine};
pub use config::{Config, ForwardedHeader, RequestRate};
pub use donations::{EventPlace, SignedEvent};
pub use events::{Activity, ChannelNews, EventFeed, EventName, EventSet, FeedMemory, VideoLayer};
pub use link::{IceServerLink, InvalidIceServer};
pub use names::{ChannelName, InvalidChannelName, InvalidSessionKey, MAX_CHANNEL_NAME, SessionKey};
pub use origin::{Country, Device, InvalidCountry, Origin};
pub use platform::Platform;
pub use problem::ProblemDetails;
pub use recordings::{
    BroadcastId, InvalidBroadcastId, Marker, MarkerList, NewMarker, ObjectPart, ObjectRead,
    Recording, RecordingReport, RecordingState, Recordings, VodSource,
};
pub use refusal::Refusal;
pub use sidecars::{
    BroadcastOnAir, HlsSource, InvalidSidecarId, InvalidSidecarUrl, OnAir, OnAirFeed, SidecarId,
    SidecarUrl,
};
pub use signed::{InvalidSignature, Signature, Ticket};
pub use spillway_connections::{
    BoundedAcceptor, ConnectionBound, ConnectionLimits, Connections, SeatedStream,
};
pub use vod::{InvalidVodObject, VodObject};
pub use web_origin::{InvalidWebOrigin, WebOrigin};

/// The HTTP face: everything under `/whip`, `/whep`, `/hls`, `/vod/{broadcast}/`, `/signed`, `/api`, `/healthz`, `/readyz` and
/// `/metrics`; `pages` answers the rest.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, since rate limits need the client's address, and
/// bound what each connection may cost with [`bound_connections`] and how many there may be with [`Connections`].
pub fn router(platform: Arc<dyn Platform>, config: Config, pages: Router) -> Router {
    let pages = pages::routes(pages, &config.other_nodes);
    let app = Arc::new(App::new(platform, config));
    let (routes, description) = described().split_for_parts();
    routes
        .with_state(Arc::clone(&app))
        .merge(api::openapi::routes(description))
        .method_not_allowed_fallback(pages::wrong_method)
        .fallback_service(pages)
        // The last is the outermost: a request passes from the bottom to the top.
        .layer(middleware::from_fn_with_state(app, caller::identify))
        .layer(cors::layer())
        .layer(middleware::from_fn(cors::advertise))
        .layer(middleware::map_response(pages::no_sniffing))
        .layer(middleware::from_fn(log::requests))
}

/// Puts the bounds of a connection on a server: a client that sends its head slowly, or nothing at all, is cut off after
/// `header_timeout_s`. For the builder of `axum_server::Server::http_builder`.
pub fn bound_connections(builder: &mut Builder<TokioExecutor>, config: &Config) {
    spillway_connections::bound(builder, Duration::from_secs(config.header_timeout_s));
}

fn described() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(api::openapi::Description::openapi())
        .merge(whip::routes())
        .merge(whep::routes())
        .merge(whep_extensions::routes())
        .merge(hls::routes())
        .merge(vod::routes())
        .merge(chat::routes())
        .merge(donations::routes())
        .merge(api::routes())
        .merge(operations::routes())
}
