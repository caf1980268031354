//! The platform of one node: lets sessions in and ends them, knows what is on air, and answers the HTTP face.
//!
//! [`Node`] implements [`Platform`] over a [`Store`], a [`Verifier`], a [`MediaPlane`] and [`Webhooks`]. Its own state is
//! one table behind a mutex that is never held across an await. Every session is known here from the moment that the
//! media plane has accepted it until the media plane has told its end ([`Node::on_media_event`]); that event is the only
//! thing that takes it out, whoever wanted the end.

mod api;
mod audience;
mod chat;
mod event_streams;
mod events;
mod extensions;
mod face;
mod hls;
mod markers;
mod on_air;
mod permission;
mod recordings;
mod refusals;
mod retention;
mod sessions;
mod sidecars;
#[cfg(test)]
mod tests;
mod video_layers;
mod viewing;
mod whip_whep;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use spillway_signaling::{Connections, IceServerLink, InvalidIceServer, api::model::Timestamp};
use tokio::sync::Notify;

use crate::{
    audience::AudienceDesk,
    auth::{AddressSigner, Verifier},
    chat::Chat,
    config::{Config, IceServer},
    media::MediaPlane,
    metrics::Metrics,
    storage::Storage,
    store::{Store, StoreError},
    time,
    webhooks::Webhooks,
};

use event_streams::EventStreams;
use on_air::OnAir;
use recordings::{KnownRecordings, StorageLog};
use sessions::{Bounds, Sessions};
use sidecars::{Admissions, Followers, Sidecars};

/// Everything that a node is made of.
pub struct Parts {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Where recordings are.
    pub storage: Storage,
    /// Whose tokens are believed.
    pub verifier: Arc<Verifier>,
    /// Where media goes.
    pub media: Arc<dyn MediaPlane>,
    /// Who is told and asked.
    pub webhooks: Webhooks,
    /// What is counted.
    pub metrics: Metrics,
    /// HTTP connections, for the metrics.
    pub connections: Connections,
}

/// The platform of one node.
pub struct Node {
    parts: Parts,
    rules: Rules,
    addresses: AddressSigner,
    chat: Chat,
    audience: AudienceDesk,
    since: Timestamp,
    state: Mutex<State>,
    /// A recording is to be deleted.
    doomed: Notify,
    storage_log: StorageLog,
}

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Clients can't be told of a STUN or TURN server; a valid configuration has none such.
    #[error("one of media.ice_servers {0}")]
    IceServer(#[from] InvalidIceServer),
}

/// What the configuration says about sessions, in the form that's needed here.
struct Rules {
    take_over: bool,
    grace: Duration,
    channels: usize,
    tokens: usize,
    keep: Keep,
    bounds: Bounds,
    ice_servers: Vec<IceServerLink>,
    workers: u32,
    /// Event streams of all viewers.
    event_streams: usize,
}

/// What the store keeps.
struct Keep {
    revoked: Duration,
    broadcasts: Duration,
    broadcasts_per_channel: usize,
    broadcasts_in_all: usize,
    /// For ever without.
    recordings: Option<Duration>,
    recording_bytes: Option<u64>,
    /// What was said off air.
    said: Duration,
    /// Entries of a channel's log.
    log_entries: u64,
}

struct State {
    sessions: Sessions,
    on_air: OnAir,
    streams: EventStreams,
    sidecars: Sidecars,
    followers: Followers,
    admissions: Admissions,
    recordings: KnownRecordings,
    /// Whether one runs beside this node.
    runs_sidecar: bool,
    draining: bool,
}

impl Node {
    /// A node that is ready for sessions. Broadcasts that a crash left open end now.
    pub async fn new(config: &Config, parts: Parts) -> Result<Self, NodeError> {
        let rules = Rules::new(config)?;
        let now = time::now();
        parts.store.end_open_broadcasts().await?;
        let state = State {
            sessions: Sessions::new(rules.bounds),
            on_air: OnAir::default(),
            streams: EventStreams::new(rules.event_streams),
            sidecars: Sidecars::default(),
            followers: Followers::default(),
            admissions: Admissions::default(),
            recordings: KnownRecordings::default(),
            runs_sidecar: config.hls.enabled,
            draining: false,
        };
        let audience = AudienceDesk::new(
            Arc::clone(&parts.store),
            parts.metrics.clone(),
            state.followers.watch(),
            config.audience.enabled,
        );
        let chat = Chat::new(
            chat::parts(config, &parts, state.followers.watch(), audience.clone()),
            parts.verifier.key(),
        );
        let addresses = AddressSigner::new(parts.verifier.key(), config.hls.signed_lifetime);
        Ok(Self {
            parts,
            rules,
            addresses,
            chat,
            audience,
            since: now,
            state: state.into(),
            doomed: Notify::new(),
            storage_log: StorageLog::default(),
        })
    }

    /// Refuses new sessions from now on, and tells viewers to go elsewhere; [`Node::drain`] does the rest.
    pub fn refuse_sessions(&self) {
        self.state().draining = true;
        self.tell_reconnect();
    }

    /// Refuses new sessions from now on, ends those that there are, and closes the broadcasts.
    pub async fn drain(&self) {
        self.refuse_sessions();
        let sessions: Vec<_> = {
            let state = self.state();
            state
                .sessions
                .iter_after(None)
                .map(|session| session.id)
                .collect()
        };
        for session in sessions {
            self.close(session).await;
        }
        let ended = {
            let mut state = self.state();
            let ended = state.on_air.end_all(time::now());
            state.tell_on_air();
            state.followers.end(|_| true);
            ended
        };
        self.save(&ended).await;
    }

    /// The webhooks of this node, for the shutdown.
    pub fn webhooks(&self) -> &Webhooks {
        &self.parts.webhooks
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the table as it was between two whole steps: going on is better than refusing all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    fn new(config: &Config) -> Result<Self, InvalidIceServer> {
        let limits = &config.limits;
        Ok(Self {
            take_over: config.channels.take_over,
            grace: config.channels.reconnect_grace,
            channels: limits.channels,
            tokens: limits.tokens,
            keep: Keep {
                revoked: config.auth.keep_revoked,
                broadcasts: config.channels.keep_broadcasts,
                broadcasts_per_channel: limits.broadcasts_per_channel,
                broadcasts_in_all: limits.broadcasts,
                recordings: config.vod.retention.0,
                recording_bytes: config.vod.quota.0,
                said: config.chat.keep,
                log_entries: config.chat.log_entries,
            },
            bounds: Bounds {
                publishers: limits.publishers,
                viewers: limits.viewers,
                sidecars: limits.sidecar_sessions(),
                per_address: limits.sessions_per_address,
            },
            ice_servers: config
                .media
                .ice_servers
                .iter()
                .map(IceServer::link)
                .collect::<Result<_, _>>()?,
            workers: config.media.worker_count().into(),
            event_streams: limits.event_streams(),
        })
    }
}
