//! Who comes into a channel's chat, and by which way.

use std::sync::Arc;

use serde_json::value::RawValue;
use spillway_sfu::SessionId;
use spillway_signaling::{
    BroadcastId, ChannelName, ChatLine, EventPlace, OnAir, Refusal, Said, SignedEvent,
    api::model::PageRequest,
    platform::{Caller, Role},
};

use tokio::sync::watch;

use super::{Node, Parts, refusals};
use crate::{
    audience::AudienceDesk,
    chat::{self, Holder},
    config::Config,
    store::StoredChannel,
    time,
};

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
        }
    }

    /// [`spillway_signaling::Platform::join_chat`].
    pub(super) async fn chat_line(
        &self,
        channel: &ChannelName,
        caller: &Caller,
    ) -> Result<ChatLine, Refusal> {
        self.check_draining()?;
        let channel = self.known_channel(channel).await?;
        let may_view = self.sees(caller, &channel).await?;
        Ok(self
            .chat
            .join(&channel.name, caller.address, caller.origin, may_view))
    }

    /// Whether what came with the request is enough to see the channel. Browsers can't send a token with a WebSocket: one in
    /// `hello` will do as well.
    async fn sees(&self, caller: &Caller, channel: &StoredChannel) -> Result<bool, Refusal> {
        match self.permit_viewing(caller, channel).await {
            Ok(_) => Ok(true),
            Err(Refusal::Unauthorized(_)) if caller.token.is_none() => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// [`spillway_signaling::Platform::take_event`].
    pub(super) async fn note_event(
        &self,
        channel: &ChannelName,
        event: &SignedEvent,
    ) -> Result<EventPlace, Refusal> {
        self.known_channel(channel).await?;
        self.chat.tell(channel, event).await
    }

    /// [`spillway_signaling::Platform::said`].
    pub(super) async fn list_said(
        &self,
        broadcast: &BroadcastId,
        page: PageRequest,
    ) -> Result<Said, Refusal> {
        let after = page.after.map_or(Ok(0), |after| after.parse());
        let after = after
            .map_err(|_| Refusal::Malformed("after is the `next` of the page before".into()))?;
        let most = page.limit as usize;
        let store = &self.parts.store;
        let entries = store.broadcast_entries(broadcast.as_str(), after, most);
        let entries = entries.await.map_err(refusals::from_store)?;
        let last = entries.last().filter(|_| entries.len() == most);
        let next = last.map(|entry| entry.seq.to_string());
        let shown = entries.iter().filter(|entry| entry.draft.shown);
        let items = shown.filter_map(|entry| RawValue::from_string(entry.to_json()).ok());
        Ok(Said {
            items: items.collect(),
            next,
        })
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
