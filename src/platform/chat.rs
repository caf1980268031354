//! Who comes into a channel's chat, and by which way.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;
use spillway_chat::{Entry, Millis, protocol::Caption};
use spillway_sfu::SessionId;
use spillway_signaling::{
    BroadcastId, ChannelName, ChatLine, Chats, EventPlace, NewCaptions, NewCue, OnAir, Refusal,
    Said, SignedEvent,
    api::model::PageRequest,
    platform::{Caller, Role},
};
use tokio::sync::watch;

use super::{Node, Parts, permission::Admission, recordings::no_broadcast, refusals};
use crate::{
    audience::AudienceDesk,
    chat::{self, Holder, Pass, Visitor},
    config::Config,
    store::StoredChannel,
    time,
};

/// How far from the present what was said may be, in milliseconds.
const NEAR: Millis = 60_000;
/// Entries that are forgotten at once: others want to write meanwhile.
const FORGOTTEN: usize = 1000;

/// What chat needs of the node.
pub(super) fn parts(
    config: &Config,
    parts: &Parts,
    on_air: watch::Receiver<OnAir>,
    audience: AudienceDesk,
) -> chat::Parts {
    chat::Parts {
        audience,
        store: Arc::clone(&parts.store),
        verifier: Arc::clone(&parts.verifier),
        media: Arc::clone(&parts.media),
        on_air,
        limits: config.chat.room_limits(),
        followers: config.chat.followers,
        sources: config.chat.sources.clone(),
        replay_window: config.chat.replay_window,
    }
}

#[async_trait]
impl Chats for Node {
    async fn join_chat(&self, channel: &ChannelName, caller: &Caller) -> Result<ChatLine, Refusal> {
        self.check_draining()?;
        let channel = self.known_channel(channel).await?;
        let admission = self.sees(caller, &channel).await?;
        let visitor = Visitor {
            address: caller.address,
            origin: caller.origin,
            may_view: admission.is_some(),
            pass: admission.and_then(Admission::pass),
        };
        let is_by_token = visitor.pass.is_some();
        let line = self.chat.join(&channel.name, visitor)?;
        // It's noted now, and may have been revoked before.
        if is_by_token {
            self.permit_still(Role::Viewer, caller, &channel.name)
                .await?;
        }
        Ok(line)
    }

    async fn take_event(
        &self,
        channel: &ChannelName,
        event: SignedEvent,
    ) -> Result<EventPlace, Refusal> {
        self.known_channel(channel).await?;
        self.chat.tell(channel, &event).await
    }

    async fn said(&self, broadcast: &BroadcastId, page: PageRequest) -> Result<Said, Refusal> {
        let (after, most) = (place(&page)?.unwrap_or(0), page.limit as usize);
        let store = &self.parts.store;
        let entries = store.broadcast_entries(broadcast.as_str(), after, most);
        Ok(listed(&entries.await.map_err(refusals::from_store)?, most))
    }

    async fn actions(&self, channel: &ChannelName, page: PageRequest) -> Result<Said, Refusal> {
        self.known_channel(channel).await?;
        let (before, most) = (place(&page)?, page.limit as usize);
        let entries = self.parts.store.actions(channel, before, most);
        Ok(listed(&entries.await.map_err(refusals::from_store)?, most))
    }

    async fn caption(&self, broadcast: &BroadcastId, captions: NewCaptions) -> Result<(), Refusal> {
        let on_air = {
            let state = self.state();
            let mut under_way = state.on_air.broadcasts();
            under_way.find(|on| on.id == broadcast.as_str()).cloned()
        };
        let Some(on_air) = on_air else {
            let stored = self.parts.store.broadcast(broadcast.as_str()).await;
            stored
                .map_err(refusals::from_store)?
                .ok_or_else(no_broadcast)?;
            return Err(Refusal::conflict(
                "the broadcast is over; its captions are told while it's on air",
            ));
        };
        let present = self.chat.stream_time(on_air.started_at);
        let NewCaptions { language, cues } = captions;
        if cues.iter().any(|cue| cue.from.abs_diff(present) > NEAR) {
            return Err(Refusal::Unprocessable(format!(
                "from is within {NEAR} ms of the broadcast's present stream time, which is {present}"
            )));
        }
        let caption = |NewCue { from, to, text }| Caption {
            language: language.clone(),
            from,
            to,
            text,
        };
        let captions = cues.into_iter().map(caption).collect();
        self.chat.caption(&on_air.channel, on_air.id, captions);
        Ok(())
    }
}

/// The entry that a page begins behind.
fn place(page: &PageRequest) -> Result<Option<u64>, Refusal> {
    let after = page.after.as_deref().map(str::parse).transpose();
    after.map_err(|_| Refusal::Malformed("after is the `next` of the page before".into()))
}

/// Entries as clients see them; those that aren't shown to anybody are left out.
fn listed(entries: &[Entry], most: usize) -> Said {
    let last = entries.last().filter(|_| entries.len() == most);
    let next = last.map(|entry| entry.seq.to_string());
    let shown = entries.iter().filter(|entry| entry.draft.shown);
    let items = shown.filter_map(|entry| RawValue::from_string(entry.to_json()).ok());
    Said {
        items: items.collect(),
        next,
    }
}

impl Admission {
    /// The token that may be taken back, for the chat to let its bearer go then.
    fn pass(self) -> Option<Pass> {
        let expires_at = self.expires_at;
        self.token.map(|token| Pass { token, expires_at })
    }
}

impl Node {
    /// A peer opened a data channel.
    pub(super) fn on_channel_opened(&self, session: SessionId, id: u16, label: &str) {
        let holder = {
            let state = self.state();
            // A sidecar watches for others, and says nothing.
            state
                .sessions
                .get(session)
                .filter(|session| !session.is_sidecar)
                .map(|session| Holder {
                    session: session.id,
                    channel: session.channel.clone(),
                    address: session.address,
                    origin: session.origin,
                    is_streamer: session.role == Role::Publisher,
                })
        };
        if let Some(holder) = holder {
            self.chat.channel_opened(&holder, id, label);
            // It may have ended meanwhile, before there was anybody to let go.
            if self.state().sessions.get(session).is_none() {
                self.chat.session_ended(session);
            }
        }
    }

    /// On what the caller may see the channel, if what came with the request is enough. Browsers can't send a token with a WebSocket:
    /// one in `hello` will do as well.
    async fn sees(
        &self,
        caller: &Caller,
        channel: &StoredChannel,
    ) -> Result<Option<Admission>, Refusal> {
        match self.permit_viewing(caller, channel).await {
            Ok(admission) => Ok(Some(admission)),
            Err(Refusal::Unauthorized(_)) if caller.token.is_none() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Ends the chat of a channel that is deleted: its moderation and followers are forgotten, and nobody stays in the room.
    pub(super) async fn close_chat(&self, channel: &ChannelName) -> Result<(), Refusal> {
        self.chat.close(channel);
        let forgotten = self.parts.store.forget_room(channel).await;
        forgotten.map_err(refusals::from_store)
    }

    /// Forgets what was said long ago, and beyond what a channel may have, a part at a time.
    pub(super) async fn tidy_chat(&self) {
        let (most, keep) = (self.rules.keep.log_entries, self.rules.keep.said);
        let before = time::before(time::now(), keep);
        loop {
            match self
                .parts
                .store
                .forget_entries(before, most, FORGOTTEN)
                .await
            {
                Ok(forgotten) if forgotten < FORGOTTEN => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "old entries of chats can't be forgotten");
                    return;
                }
            }
        }
    }

    /// Tells rooms how many watch.
    pub(super) fn tell_chat(&self) {
        self.chat
            .tell_viewers(|channel| self.state().sessions.viewers(channel));
    }
}
