//! What the path of a URL names.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::{
    BroadcastId, ChannelName, InvalidBroadcastId, SessionKey,
    app::App,
    platform::{Role, SessionRef},
    problem::Problem,
};

/// The channel of `/…/{channel}`. A name that no channel can have is 404.
pub(crate) struct InChannel(pub(crate) ChannelName);

impl FromRequestParts<Arc<App>> for InChannel {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let name = one(parts, app).await?;
        name.parse()
            .map(Self)
            .map_err(|why| Problem::not_found(format!("there is no channel of that name: {why}")))
    }
}

/// The identifier of `/…/{id}`: any text of 1 to 128 bytes.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let id = one(parts, app).await?;
        if id.len() > 128 {
            return Err(Problem::not_found("no identifier is that long"));
        }
        Ok(Self(id))
    }
}

/// The broadcast of `/…/{broadcast}`. An identifier that no broadcast can have is 404.
pub(crate) struct InBroadcast(pub(crate) BroadcastId);

impl FromRequestParts<Arc<App>> for InBroadcast {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let id = one(parts, app).await?;
        id.parse().map(Self).map_err(no_broadcast)
    }
}

/// The two variables of `/…/{broadcast}/markers/{id}`.
pub(crate) struct MarkerPath {
    pub(crate) broadcast: BroadcastId,
    pub(crate) marker: String,
}

impl FromRequestParts<Arc<App>> for MarkerPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path((broadcast, marker)) = Path::<(String, String)>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let broadcast = broadcast.parse().map_err(no_broadcast)?;
        Ok(Self { broadcast, marker })
    }
}

fn no_broadcast(why: InvalidBroadcastId) -> Problem {
    Problem::not_found(format!("there is no such broadcast: {why}"))
}

async fn one(parts: &mut Parts, app: &Arc<App>) -> Result<String, Problem> {
    let Path(text) = Path::<String>::from_request_parts(parts, app)
        .await
        .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(text)
}

/// The two variables of `/whip/{channel}/{session}` and `/whep/{channel}/{session}`.
pub(crate) struct SessionPath {
    channel: ChannelName,
    key: SessionKey,
}

impl SessionPath {
    pub(crate) fn of(self, role: Role) -> SessionRef {
        SessionRef {
            role,
            channel: self.channel,
            key: self.key,
        }
    }
}

impl FromRequestParts<Arc<App>> for SessionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path((channel, key)) = Path::<(String, String)>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        match (channel.parse(), key.parse()) {
            (Ok(channel), Ok(key)) => Ok(Self { channel, key }),
            _ => Err(Problem::not_found(
                "there is no such session; it may have ended",
            )),
        }
    }
}

/// The three variables of `/whep/{channel}/{session}/events/{stream}`.
pub(crate) struct EventStreamPath {
    pub(crate) session: SessionRef,
    pub(crate) number: u32,
}

impl FromRequestParts<Arc<App>> for EventStreamPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path((channel, key, number)) =
            Path::<(String, String, String)>::from_request_parts(parts, app)
                .await
                .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        match (channel.parse(), key.parse(), number.parse()) {
            (Ok(channel), Ok(key), Ok(number)) => Ok(Self {
                session: SessionPath { channel, key }.of(Role::Viewer),
                number,
            }),
            _ => Err(Problem::not_found(
                "there is no such event stream; its session may have ended",
            )),
        }
    }
}
