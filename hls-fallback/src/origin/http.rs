//! The routes: playlists, blocked until they have what is asked for, and media.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse, Response},
    routing,
};
use tokio::time::{Instant, timeout_at};

use super::{
    Origin, Presentation, captions,
    directives::{BadDirective, Directives, Wanted},
    growing::{self, Growing},
    resource::{self, File, Resource},
    response::{self, Caching, Refusal},
    state::{Follow, Manifest, Masters, View},
};

/// A row of segments is waited for no longer than so: hls.js waits 10 s for a playlist to begin.
const MOST_ROW: Duration = Duration::from_secs(6);

impl Origin {
    /// The routes `/hls/{channel}/…`: GET, HEAD and OPTIONS, for pages of any origin.
    pub fn router(&self) -> Router {
        Router::new()
            .route(
                "/hls/{channel}/{*file}",
                routing::get(answer).options(preflight),
            )
            .with_state(self.clone())
    }
}

async fn preflight() -> Response {
    response::preflight()
}

async fn answer(State(origin): State<Origin>, request: Request) -> Response {
    respond(&origin, &request.into_parts().0)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn respond(origin: &Origin, request: &Parts) -> Result<Response, Refusal> {
    let (channel, resource) = resource::parse(request.uri.path()).ok_or(Refusal::NotFound)?;
    let headers = &request.headers;
    if let (Resource::Rendition { name, .. }, Some(presentation)) = (&resource, origin.get(channel))
    {
        presentation.ask(name);
    }
    match resource {
        Resource::Multivariant { plain } => multivariant(origin, channel, plain, headers).await,
        Resource::Manifest => manifest(origin, channel, headers).await,
        Resource::Time => find(origin, channel).map(|_| response::time(SystemTime::now())),
        Resource::Rendition {
            name,
            file: File::Playlist { plain: true },
        } => plain_playlist(origin, channel, name, headers).await,
        Resource::Rendition {
            name,
            file: File::Playlist { plain: false },
        } => {
            let directives = Directives::parse(request.uri.query())?;
            media_playlist(origin, channel, name, directives, headers).await
        }
        Resource::Rendition { name, file } => media(origin, channel, name, file, headers).await,
    }
}

async fn multivariant(
    origin: &Origin,
    channel: &str,
    plain: bool,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let presentation = find(origin, channel)?;
    let follow = presentation.follow_masters().ok_or(Refusal::NotFound)?;
    let masters = begun(origin, follow, |masters: &Masters| masters.settled).await?;
    let page = if plain {
        &masters.plain
    } else {
        &masters.low_latency
    };
    let caching = if masters.ended {
        Caching::Ended
    } else {
        Caching::Never
    };
    Ok(response::playlist(page, caching, headers))
}

async fn manifest(
    origin: &Origin,
    channel: &str,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let presentation = find(origin, channel)?;
    let follow = presentation.follow_manifest().ok_or(Refusal::NotFound)?;
    let manifest = begun(origin, follow, |manifest: &Manifest| manifest.settled).await?;
    let caching = if manifest.ended {
        Caching::Ended
    } else {
        Caching::Never
    };
    Ok(response::manifest(&manifest.page, caching, headers))
}

async fn plain_playlist(
    origin: &Origin,
    channel: &str,
    rendition: &str,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let presentation = find(origin, channel)?;
    let view = match presentation.view(rendition) {
        Some(view) if view.plain.is_some() => view,
        _ => {
            let follow = presentation.follow(rendition).ok_or(Refusal::NotFound)?;
            // Several segments are one of a plain playlist: who asks for a rendition first waits until it has those, since many players
            // don't ask again.
            let row = Duration::from_micros(presentation.timing().three_targets());
            let patience = origin.limits().start_wait + row.min(MOST_ROW);
            let has_row = |view: &View| view.plain.is_some();
            begun_within(origin, follow, patience, has_row).await?
        }
    };
    let page = view.plain.as_ref().ok_or(Refusal::TooLate)?;
    Ok(response::playlist(
        page,
        live_caching(&view, Caching::Never),
        headers,
    ))
}

async fn media_playlist(
    origin: &Origin,
    channel: &str,
    rendition: &str,
    directives: Directives,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let view = match directives.wanted {
        None => current(origin, &find(origin, channel)?, rendition).await?,
        Some(wanted) => wait_for(origin, channel, rendition, wanted).await?,
    };
    let caching = if directives.wanted.is_some() {
        Caching::Briefly
    } else {
        Caching::Never
    };
    let delta = view.delta.as_ref().filter(|_| directives.skip);
    Ok(response::playlist(
        delta.unwrap_or(&view.full),
        live_caching(&view, caching),
        headers,
    ))
}

fn live_caching(view: &View, live: Caching) -> Caching {
    if view.ended { Caching::Ended } else { live }
}

/// The playlist as it is; that of a rendition that has just begun is waited for.
async fn current(
    origin: &Origin,
    presentation: &Presentation,
    rendition: &str,
) -> Result<Arc<View>, Refusal> {
    if let Some(view) = presentation.view(rendition) {
        return Ok(view);
    }
    if let Some(follow) = presentation.follow(rendition) {
        return begun(origin, follow, |_| true).await;
    }
    // A new presentation gets its renditions one by one.
    let masters = presentation.follow_masters().ok_or(Refusal::NotFound)?;
    begun(origin, masters, |masters: &Masters| masters.settled).await?;
    presentation.view(rendition).ok_or(Refusal::NotFound)
}

/// What is followed, once there is any and it's `good`, or when the wait for that is over whatever there is.
async fn begun<T>(
    origin: &Origin,
    follow: Follow<T>,
    good: impl Fn(&T) -> bool,
) -> Result<Arc<T>, Refusal> {
    begun_within(origin, follow, origin.limits().start_wait, good).await
}

async fn begun_within<T>(
    origin: &Origin,
    mut follow: Follow<T>,
    patience: Duration,
    good: impl Fn(&T) -> bool,
) -> Result<Arc<T>, Refusal> {
    let good = |value: &Option<Arc<T>>| value.as_deref().is_some_and(&good);
    if !good(&follow.borrow()) {
        let _permit = origin.wait_permit().ok_or(Refusal::TooManyWaiting)?;
        let deadline = Instant::now() + patience;
        if let Ok(Err(_)) = timeout_at(deadline, follow.wait_for(good)).await {
            return Err(Refusal::NotFound);
        }
    }
    let value = follow.borrow().clone();
    value.ok_or(Refusal::TooLate)
}

/// A blocking reload (RFC 8216bis §6.2.5.2). A channel that gets another presentation meanwhile answers with that one's.
async fn wait_for(
    origin: &Origin,
    channel: &str,
    rendition: &str,
    wanted: Wanted,
) -> Result<Arc<View>, Refusal> {
    loop {
        let presentation = find(origin, channel)?;
        let view = current(origin, &presentation, rendition).await?;
        if view.ended || view.position.has(wanted) {
            return Ok(view);
        }
        let timing = presentation.timing();
        if view
            .position
            .is_too_far(wanted, timing.advance_part_limit())
        {
            return Err(BadDirective::TooFar.into());
        }
        let _permit = origin.wait_permit().ok_or(Refusal::TooManyWaiting)?;
        let follow = presentation.follow(rendition).ok_or(Refusal::NotFound)?;
        let patience = Duration::from_micros(timing.three_targets());
        let has_it = |view: &View| view.ended || view.position.has(wanted);
        match follow_until(follow, patience, has_it).await {
            Followed::There(view) => return Ok(view),
            Followed::TimedOut => return Err(Refusal::TooLate),
            Followed::Gone if find(origin, channel)?.is(&presentation) => {
                return Err(Refusal::NotFound);
            }
            Followed::Gone => {}
        }
    }
}

/// Media of the channel's presentation, or of the one before it: players fetch the last of that when the next has begun.
async fn media(
    origin: &Origin,
    channel: &str,
    rendition: &str,
    file: File,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let present = find(origin, channel)?;
    let found = media_of(origin, &present, rendition, file, headers).await;
    match (found, origin.get_before(channel)) {
        (Err(refusal @ (Refusal::NotFound | Refusal::Never)), Some(before)) => {
            match media_of(origin, &before, rendition, file, headers).await {
                Err(Refusal::NotFound) => Err(refusal),
                found => found,
            }
        }
        (found, _) => found,
    }
}

async fn media_of(
    origin: &Origin,
    presentation: &Presentation,
    rendition: &str,
    file: File,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    if let (captions::NAME, File::Caption(number)) = (rendition, file) {
        let text = presentation.caption(number);
        return text.map(response::captions).ok_or(Refusal::NotFound);
    }
    let video = presentation.is_video(rendition).ok_or(Refusal::NotFound)?;
    let data = match file {
        File::Init(segment) => presentation.init(rendition, segment),
        File::Segment(number) => match presentation.segment(rendition, number) {
            None => {
                let growing = Growing::begin(origin, presentation, rendition, number).await?;
                return Ok(response::growing(growing.parts(), video));
            }
            whole => whole,
        },
        File::Part(segment, index) => {
            Some(growing::part(origin, presentation, rendition, (segment, index)).await?)
        }
        File::Row(first, last) => {
            let row = presentation.row(rendition, first, last);
            return row
                .map(|row| response::row(row, video))
                .ok_or(Refusal::NotFound);
        }
        File::Playlist { .. } | File::Caption(_) => None,
    };
    let data = data.ok_or(Refusal::NotFound)?;
    Ok(response::media(data, video, headers))
}

pub(super) enum Followed {
    There(Arc<View>),
    TimedOut,
    /// The rendition was removed, or the presentation replaced.
    Gone,
}

pub(super) async fn follow_until(
    mut follow: Follow<View>,
    patience: Duration,
    good: impl Fn(&View) -> bool,
) -> Followed {
    let good = |view: &Option<Arc<View>>| view.as_deref().is_some_and(&good);
    match timeout_at(Instant::now() + patience, follow.wait_for(good)).await {
        Err(_) => Followed::TimedOut,
        Ok(Err(_)) => Followed::Gone,
        Ok(Ok(view)) => (*view).clone().map_or(Followed::Gone, Followed::There),
    }
}

fn find(origin: &Origin, channel: &str) -> Result<Presentation, Refusal> {
    origin.get(channel).ok_or(Refusal::NotFound)
}
