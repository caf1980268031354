//! What the media plane tells, and what time brings.

use spillway_sfu::{EndReason, Event, SessionId};
use spillway_signaling::{
    ChannelName,
    api::model::{Broadcast, Timestamp},
    platform::Role,
};

use super::{Node, sessions::Session};
use crate::{
    config::WebhookEvent,
    metrics::{EndLabel, role},
    store::Retention,
    time,
    webhooks::Notice,
};

/// Why a session ended whose worker can't say it any more, as logs and metrics call it.
const WORKER_GONE: &str = "worker_gone";

impl Node {
    /// Takes one event of the media plane. To be called in the order of events, by one task.
    pub async fn on_media_event(&self, event: Event) {
        match event {
            Event::Connected { session } => self.on_connected(session),
            Event::Ended { session, reason } => self.on_ended(session, reason),
            Event::Live { channel, session } => self.on_live(&channel, session).await,
            Event::Offline { channel, session } => self.on_offline(&channel, session),
            Event::ChannelOpened { session, id, label } => {
                self.on_channel_opened(session, id, &label);
            }
            Event::Data {
                session, id, data, ..
            } => self.chat.data(session, id, data),
        }
    }

    /// Ends broadcasts whose publisher didn't return, and sessions whose worker is gone. To be called about once a second.
    pub async fn on_tick(&self) {
        self.end_orphans();
        self.expire_sidecars();
        self.tell_chat();
        self.count_sessions();
        let ended = {
            let mut state = self.state();
            let ended = state.on_air.expire(self.rules.grace, time::now());
            state.tell_on_air();
            ended
        };
        for broadcast in &ended {
            self.tell_activity(&broadcast.channel);
        }
        self.save(&ended).await;
    }

    /// Writes down that the broadcasts under way are alive. To be called every few seconds.
    pub async fn save_on_air(&self) {
        let on_air: Vec<_> = self.state().on_air.broadcasts().cloned().collect();
        self.save(&on_air).await;
    }

    /// Forgets what the store isn't to keep. To be called every few minutes.
    pub async fn tidy(&self) {
        let keep = &self.rules.keep;
        let now = time::now();
        let retention = Retention {
            ended_since: time::before(now, keep.broadcasts),
            per_channel: keep.broadcasts_per_channel,
            total: keep.broadcasts_in_all,
        };
        let store = &self.parts.store;
        let tokens = store.forget_tokens(now, time::before(now, keep.revoked));
        let broadcasts = store.forget_broadcasts(retention);
        self.tidy_chat().await;
        for done in [tokens.await, broadcasts.await] {
            if let Err(error) = done {
                tracing::error!(%error, "old tokens or broadcasts can't be forgotten");
            }
        }
    }

    fn on_connected(&self, session: SessionId) {
        let mut state = self.state();
        let Some(session) = state.sessions.connect(session).cloned() else {
            return;
        };
        tracing::info!(session = %session.id, role = role(session.role), channel = %session.channel, "connected");
        if session.is_audience() {
            let viewers = state.sessions.viewers(&session.channel);
            state.on_air.note_viewers(&session.channel, viewers);
            drop(state);
            self.notify(WebhookEvent::OnViewerJoin, &session);
        }
    }

    /// A worker that broke off took its sessions with it and tells of no end.
    fn end_orphans(&self) {
        let media = &self.parts.media;
        if media.is_healthy() {
            return;
        }
        let orphans: Vec<_> = self
            .state()
            .sessions
            .iter_after(None)
            .map(|session| session.id)
            .filter(|session| !media.is_running(session.worker))
            .collect();
        for session in orphans {
            self.take_out(session, WORKER_GONE);
        }
    }

    pub(super) fn on_ended(&self, session: SessionId, reason: EndReason) {
        self.take_out(session, word(reason));
    }

    fn take_out(&self, session: SessionId, reason: &'static str) {
        let session = {
            let mut state = self.state();
            state.streams.session_ended(session);
            state.sessions.remove(session)
        };
        let Some(session) = session else {
            return;
        };
        self.chat.session_ended(session.id);
        tracing::info!(session = %session.id, role = role(session.role), channel = %session.channel, reason, "ended");
        self.parts
            .metrics
            .ends
            .get_or_create(&EndLabel {
                role: role(session.role),
                reason,
            })
            .inc();
        match session.role {
            Role::Publisher => self.leave_air(&session),
            Role::Viewer if session.connected && session.is_audience() => {
                self.notify(WebhookEvent::OnViewerLeave, &session);
            }
            Role::Viewer => {}
        }
    }

    async fn on_live(&self, channel: &spillway_sfu::ChannelName, session: SessionId) {
        let Ok(channel) = channel.as_str().parse::<ChannelName>() else {
            return;
        };
        let title = match self.parts.store.channel(&channel).await {
            Ok(stored) => stored
                .map(|stored| stored.profile.title)
                .unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, %channel, "the broadcast has no title");
                String::new()
            }
        };
        let (publisher, went_live) = {
            let mut state = self.state();
            let Some(publisher) = state.sessions.get(session).cloned() else {
                return;
            };
            let went_live = state.on_air.go_live(
                &channel,
                session,
                publisher.holder.clone(),
                title,
                time::now(),
            );
            let viewers = state.sessions.viewers(&channel);
            state.on_air.note_viewers(&channel, viewers);
            state.tell_on_air();
            (publisher, went_live)
        };
        tracing::info!(%channel, %session, broadcast = went_live.broadcast.id, "live");
        self.tell_activity(&channel);
        self.save(went_live.ended.as_slice()).await;
        self.save(std::slice::from_ref(&went_live.broadcast)).await;
        if went_live.has_returned {
            self.mark_return(&went_live.broadcast.id).await;
        }
        self.notify(WebhookEvent::OnPublish, &publisher);
    }

    fn on_offline(&self, channel: &spillway_sfu::ChannelName, session: SessionId) {
        tracing::debug!(%channel, %session, "offline");
        let publisher = self.state().sessions.get(session).cloned();
        if let Some(publisher) = publisher {
            self.leave_air(&publisher);
        }
    }

    /// The first of a publisher's `Offline` and `Ended` counts.
    fn leave_air(&self, publisher: &Session) {
        if self
            .state()
            .on_air
            .go_offline(&publisher.channel, publisher.id, time::now())
        {
            self.tell_activity(&publisher.channel);
            self.notify(WebhookEvent::OnUnpublish, publisher);
        }
    }

    fn notify(&self, event: WebhookEvent, session: &Session) {
        let notice = {
            let state = self.state();
            Notice {
                event,
                channel: session.channel.clone(),
                session: session.id.to_string(),
                address: session.address,
                broadcast: state
                    .on_air
                    .broadcast(&session.channel)
                    .map(|broadcast| broadcast.id.clone()),
                viewers: state.sessions.viewers(&session.channel),
                at: time::now().0,
            }
        };
        self.parts.webhooks.notify(&notice);
    }

    pub(super) async fn save(&self, broadcasts: &[Broadcast]) {
        for broadcast in broadcasts {
            let alive_at = broadcast.ended_at.unwrap_or_else(time::now);
            self.save_one(broadcast, alive_at).await;
        }
        if broadcasts
            .iter()
            .any(|broadcast| broadcast.ended_at.is_some())
        {
            self.audience.write().await;
        }
    }

    async fn save_one(&self, broadcast: &Broadcast, alive_at: Timestamp) {
        if let Err(error) = self.parts.store.save_broadcast(broadcast, alive_at).await {
            tracing::error!(%error, broadcast = broadcast.id, "a broadcast can't be written down");
        }
    }
}

/// One word for logs and metrics.
fn word(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Closed => "closed",
        EndReason::ByPeer => "by_peer",
        EndReason::ConsentExpired => "consent_expired",
        EndReason::HandshakeTimedOut => "handshake_timed_out",
        EndReason::HandshakeFailed => "handshake_failed",
        EndReason::TakenOver => "taken_over",
        EndReason::CodecUnsupported => "codec_unsupported",
    }
}
