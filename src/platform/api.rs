//! The REST API: channels, sessions, broadcasts, tokens, the node.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use spillway_sfu::{SessionId, WorkerId};
use spillway_signaling::{
    ChannelName, Refusal,
    api::model::{
        self, Broadcast, Channel, ChannelEdit, ChannelProfile, IssuedToken, Listing, LiveChannel,
        PageRequest, SessionFigures, Token, TokenRequest,
    },
    platform::{PutChannel, Role},
};
use tokio::runtime::Handle;

use super::{
    Node, State, refusals,
    sessions::{Seat, Session},
};
use crate::{
    auth,
    metrics::Snapshot,
    store::{Creation, Page, RecordingTotals, StoredChannel},
    time,
};

/// Tokens that are read from the store at a time.
const TOKENS_AT_A_TIME: usize = 200;

/// Revocations that are looked for in the store are at most this old.
const REVOKED_LATELY: Duration = Duration::from_mins(1);

impl Node {
    /// Restricted channels are left out, so the whole list is made and then cut: there are `limits.publishers` at most.
    pub(super) async fn live_channels(
        &self,
        page: PageRequest,
    ) -> Result<Listing<LiveChannel>, Refusal> {
        let mut on_air: Vec<(u32, Broadcast)> = {
            let state = self.state();
            state
                .on_air
                .live()
                .map(|on| (state.sessions.viewers(&on.channel), on.clone()))
                .collect()
        };
        on_air.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.channel.cmp(&y.channel)));
        let mut live = Vec::new();
        for (viewers, broadcast) in on_air {
            let stored = self
                .parts
                .store
                .channel(&broadcast.channel)
                .await
                .map_err(refusals::from_store)?;
            let Some(StoredChannel { name, profile, .. }) = stored else {
                continue;
            };
            if !profile.settings.restricted_viewing {
                let since = broadcast.started_at;
                live.push(LiveChannel {
                    name,
                    title: profile.title,
                    tags: profile.tags,
                    viewers,
                    since,
                });
            }
        }
        let begin = match &page.after {
            None => 0,
            Some(after) => {
                1 + live
                    .iter()
                    .position(|on| on.name.as_str() == after)
                    .ok_or_else(bad_page)?
            }
        };
        let rest = live.into_iter().skip(begin).collect();
        Ok(listing(rest, page.limit, |channel| {
            channel.name.to_string()
        }))
    }

    pub(super) async fn list_channels(
        &self,
        page: PageRequest,
    ) -> Result<Listing<Channel>, Refusal> {
        let stored = self
            .parts
            .store
            .channels(&one_more(&page))
            .await
            .map_err(refusals::from_store)?;
        let state = self.state();
        let channels = stored
            .into_iter()
            .map(|stored| state.describe(stored))
            .collect();
        Ok(listing(channels, page.limit, |channel: &Channel| {
            channel.name.to_string()
        }))
    }

    pub(super) async fn describe_channel(&self, name: &ChannelName) -> Result<Channel, Refusal> {
        let stored = self.known_channel(name).await?;
        Ok(self.state().describe(stored))
    }

    pub(super) async fn make_channel(
        &self,
        name: ChannelName,
        profile: ChannelProfile,
    ) -> Result<Channel, Refusal> {
        match self.add_channel(&name, profile).await? {
            Some(channel) => Ok(channel),
            None => Err(Refusal::conflict(format!(
                "the channel \"{name}\" exists; change it with PUT or PATCH"
            ))),
        }
    }

    pub(super) async fn replace_channel(
        &self,
        name: &ChannelName,
        profile: ChannelProfile,
    ) -> Result<PutChannel, Refusal> {
        if let Some(channel) = self.add_channel(name, profile.clone()).await? {
            return Ok(PutChannel {
                channel,
                created: true,
            });
        }
        let channel = self.write_profile(name, &profile).await?;
        Ok(PutChannel {
            channel,
            created: false,
        })
    }

    pub(super) async fn change_channel(
        &self,
        name: &ChannelName,
        edit: ChannelEdit,
    ) -> Result<Channel, Refusal> {
        let mut profile = self.known_channel(name).await?.profile;
        profile.title = edit.title.unwrap_or(profile.title);
        profile.tags = edit.tags.unwrap_or(profile.tags);
        if let Some(edit) = edit.settings {
            let settings = &mut profile.settings;
            settings.restricted_viewing = edit
                .restricted_viewing
                .unwrap_or(settings.restricted_viewing);
            settings.takeover = edit.takeover.unwrap_or(settings.takeover);
        }
        self.write_profile(name, &profile).await
    }

    pub(super) async fn remove_channel(&self, name: &ChannelName) -> Result<(), Refusal> {
        self.known_channel(name).await?;
        // Or an encoder that comes back would make the channel anew, open to everybody.
        self.revoke_tokens_of(name).await?;
        self.doom_recordings_of(name).await?;
        if !self
            .parts
            .store
            .delete_channel(name)
            .await
            .map_err(refusals::from_store)?
        {
            return Err(refusals::no_channel(name));
        }
        self.close_all(|session| session.channel == *name).await;
        self.close_chat(name).await?;
        let ended = {
            let mut state = self.state();
            state.admissions.forget();
            let ended = state.on_air.end(name, time::now());
            state.tell_on_air();
            ended
        };
        self.save(ended.as_slice()).await;
        Ok(())
    }

    async fn revoke_tokens_of(&self, channel: &ChannelName) -> Result<(), Refusal> {
        let store = &self.parts.store;
        let mut page = Page {
            after: None,
            limit: TOKENS_AT_A_TIME,
        };
        loop {
            let now = time::now();
            let tokens = store
                .tokens(now, &page)
                .await
                .map_err(refusals::from_store)?;
            for token in tokens
                .iter()
                .filter(|token| token.channel.as_ref() == Some(channel))
            {
                store
                    .revoke_token(&token.id, now)
                    .await
                    .map_err(refusals::from_store)?;
            }
            match tokens.last() {
                Some(last) if tokens.len() == page.limit => page.after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    pub(super) async fn list_sessions(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<model::Session>, Refusal> {
        let after = page
            .after
            .as_deref()
            .map(|id| session_id(id).ok_or_else(bad_page))
            .transpose()?;
        let mut figures = self.parts.media.figures().await.sessions;
        let state = self.state();
        let wanted = state
            .sessions
            .iter_after(after)
            .filter(|session| channel.is_none_or(|name| session.channel == *name));
        let sessions = wanted
            .take(page.limit as usize + 1)
            .map(|session| describe(session, &mut figures))
            .collect();
        Ok(listing(sessions, page.limit, |session: &model::Session| {
            session.id.clone()
        }))
    }

    pub(super) async fn describe_session(&self, id: &str) -> Result<model::Session, Refusal> {
        let id = session_id(id).ok_or_else(no_session)?;
        let mut figures = self.parts.media.figures().await.sessions;
        let state = self.state();
        state
            .sessions
            .get(id)
            .map(|session| describe(session, &mut figures))
            .ok_or_else(no_session)
    }

    pub(super) async fn end_by_id(&self, id: &str) -> Result<(), Refusal> {
        let id = session_id(id).ok_or_else(no_session)?;
        if self.state().sessions.get(id).is_none() {
            return Err(no_session());
        }
        self.close(id).await;
        Ok(())
    }

    pub(super) async fn list_broadcasts(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<Broadcast>, Refusal> {
        let stored = self
            .parts
            .store
            .broadcasts(channel, &one_more(&page))
            .await
            .map_err(refusals::from_store)?;
        let state = self.state();
        let broadcasts = stored
            .into_iter()
            .map(|stored| state.freshest(stored))
            .collect();
        Ok(listing(broadcasts, page.limit, |broadcast: &Broadcast| {
            broadcast.id.clone()
        }))
    }

    pub(super) async fn describe_broadcast(&self, id: &str) -> Result<Broadcast, Refusal> {
        let stored = self
            .parts
            .store
            .broadcast(id)
            .await
            .map_err(refusals::from_store)?;
        let stored =
            stored.ok_or_else(|| Refusal::NotFound("there is no such broadcast".into()))?;
        Ok(self.state().freshest(stored))
    }

    pub(super) async fn make_token(&self, request: TokenRequest) -> Result<IssuedToken, Refusal> {
        let TokenRequest {
            kind,
            channel,
            expires_in_s,
            note,
        } = request;
        let lifetime = expires_in_s.map(std::time::Duration::from_secs);
        let issued = auth::issue(
            self.parts.verifier.key(),
            kind,
            Some(channel),
            lifetime,
            note,
        )
        .map_err(|error| Refusal::Internal(error.to_string()))?;
        match self
            .parts
            .store
            .add_token(&issued.details, self.rules.tokens)
            .await
            .map_err(refusals::from_store)?
        {
            Creation::Created | Creation::Exists => Ok(issued),
            Creation::Full => Err(Refusal::conflict(
                "there are as many tokens as limits.tokens allows; revoke some, and wait for auth.keep_revoked",
            )),
        }
    }

    pub(super) async fn list_tokens(&self, page: PageRequest) -> Result<Listing<Token>, Refusal> {
        let tokens = self
            .parts
            .store
            .tokens(time::now(), &one_more(&page))
            .await
            .map_err(refusals::from_store)?;
        Ok(listing(tokens, page.limit, |token: &Token| {
            token.id.clone()
        }))
    }

    pub(super) async fn withdraw_token(&self, id: &str) -> Result<(), Refusal> {
        if !self
            .parts
            .store
            .revoke_token(id, time::now())
            .await
            .map_err(refusals::from_store)?
        {
            return Err(Refusal::NotFound(
                "there is no such token; list them to see their identifiers".into(),
            ));
        }
        self.forget_tokens(|token| token == id);
        self.close_all(|session| session.token.as_deref() == Some(id))
            .await;
        Ok(())
    }

    pub(super) fn describe_node(&self) -> model::Node {
        let state = self.state();
        let bounds = self.rules.bounds;
        model::Node {
            version: env!("CARGO_PKG_VERSION").into(),
            since: self.since,
            draining: state.draining,
            workers: self.rules.workers,
            live_channels: state.on_air.live().count() as u32,
            publishers: state.sessions.count(Seat::Publisher) as u32,
            viewers: state.sessions.count(Seat::Viewer) as u32,
            max_viewers: bounds.viewers as u32,
            max_sessions_per_address: bounds.per_address as u32,
        }
    }

    pub(super) async fn snapshot(&self) -> Snapshot {
        let media = self.parts.media.figures().await;
        let recordings = self.parts.store.recording_totals().await;
        let recordings = recordings.unwrap_or_else(|error| {
            tracing::error!(%error, "recordings can't be counted");
            RecordingTotals::default()
        });
        let state = self.state();
        let count = |seats: &[Seat]| {
            let sessions: usize = seats.iter().map(|&seat| state.sessions.count(seat)).sum();
            sessions as u64
        };
        Snapshot {
            sessions: [
                (Role::Publisher, count(&[Seat::Publisher])),
                (Role::Viewer, count(&[Seat::Viewer, Seat::Sidecar])),
            ],
            live_channels: state.on_air.live().count() as u64,
            event_streams: state.streams.count() as u64,
            sidecars: state.sidecars.count() as u64,
            recordings,
            connections: self.parts.connections.clone(),
            tasks: Handle::current().metrics().num_alive_tasks() as u64,
            media,
        }
    }

    /// None: it exists.
    async fn add_channel(
        &self,
        name: &ChannelName,
        profile: ChannelProfile,
    ) -> Result<Option<Channel>, Refusal> {
        let stored = StoredChannel {
            name: name.clone(),
            profile,
            created_at: time::now(),
        };
        match self
            .parts
            .store
            .create_channel(&stored, self.rules.channels)
            .await
            .map_err(refusals::from_store)?
        {
            Creation::Created => Ok(Some(self.state().describe(stored))),
            Creation::Exists => Ok(None),
            Creation::Full => Err(Refusal::conflict(
                "there are as many channels as limits.channels allows; delete some",
            )),
        }
    }

    async fn write_profile(
        &self,
        name: &ChannelName,
        profile: &ChannelProfile,
    ) -> Result<Channel, Refusal> {
        self.parts
            .store
            .update_channel(name, profile)
            .await
            .map_err(refusals::from_store)?;
        self.state().admissions.forget();
        if profile.settings.restricted_viewing {
            self.close_all(|session| {
                session.channel == *name && session.role == Role::Viewer && session.token.is_none()
            })
            .await;
        }
        self.describe_channel(name).await
    }

    /// Ends sessions whose token was revoked by another process: the command line writes to the store alone; and lets those
    /// go from chats whose token has expired. To be called more often than [`REVOKED_LATELY`].
    pub async fn end_revoked(&self) {
        self.chat.forget_expired(time::now());
        let since = time::before(time::now(), REVOKED_LATELY);
        let revoked: HashSet<String> = match self.parts.store.revoked_since(since).await {
            Ok(revoked) => revoked.into_iter().collect(),
            Err(error) => {
                tracing::error!(%error, "it can't be told which tokens were revoked");
                return;
            }
        };
        if !revoked.is_empty() {
            self.forget_tokens(|token| revoked.contains(token));
            self.close_all(|session| session.token.as_ref().is_some_and(|t| revoked.contains(t)))
                .await;
        }
    }

    /// Nothing of what such a token let in goes on, sessions aside.
    fn forget_tokens(&self, is_void: impl Fn(&str) -> bool) {
        let mut state = self.state();
        state.admissions.forget();
        state.followers.end(|token| token.is_some_and(&is_void));
        self.chat.forget_tokens(&is_void);
    }

    async fn close_all(&self, doomed: impl Fn(&Session) -> bool) {
        let doomed: Vec<_> = {
            let state = self.state();
            state
                .sessions
                .iter_after(None)
                .filter(|session| doomed(session))
                .map(|session| session.id)
                .collect()
        };
        for session in doomed {
            self.close(session).await;
        }
    }
}

impl State {
    fn describe(&self, stored: StoredChannel) -> Channel {
        let StoredChannel {
            name,
            profile,
            created_at,
        } = stored;
        Channel {
            live_since: self.on_air.live_since(&name),
            viewers: self.sessions.viewers(&name),
            name,
            title: profile.title,
            tags: profile.tags,
            settings: profile.settings,
            created_at,
        }
    }

    /// The store lags behind a broadcast that's under way.
    fn freshest(&self, stored: Broadcast) -> Broadcast {
        match self.on_air.broadcast(&stored.channel) {
            Some(on_air) if on_air.id == stored.id => on_air.clone(),
            _ => stored,
        }
    }
}

fn describe(session: &Session, figures: &mut HashMap<SessionId, SessionFigures>) -> model::Session {
    model::Session {
        id: session.id.to_string(),
        channel: session.channel.clone(),
        role: session.role,
        since: session.since,
        connected: session.connected,
        address: session.address,
        user_agent: session.user_agent.clone(),
        figures: figures.remove(&session.id),
    }
}

/// A session's public identifier, as [`SessionId`] writes it.
fn session_id(text: &str) -> Option<SessionId> {
    let (worker, serial) = text.split_once('-')?;
    let id = SessionId {
        worker: WorkerId(worker.parse().ok()?),
        serial: serial.parse().ok()?,
    };
    (id.to_string() == text).then_some(id)
}

/// One entry more than asked for tells whether there's another page.
pub(super) fn one_more(page: &PageRequest) -> Page {
    Page {
        after: page.after.clone(),
        limit: page.limit as usize + 1,
    }
}

pub(super) fn listing<T>(mut items: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Listing<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = if more { items.last().map(name) } else { None };
    Listing { items, next }
}

fn bad_page() -> Refusal {
    Refusal::Malformed(
        "\"after\" isn't a value that an earlier page gave as \"next\"; begin without it".into(),
    )
}

fn no_session() -> Refusal {
    Refusal::NotFound("there is no such session; it may have ended".into())
}
