//! Sessions: made, changed and ended on behalf of WHIP and WHEP clients.

use spillway_sfu::{Accepted, PublishRequest, Reject, SessionId, WatchRequest, sdp};
use spillway_signaling::{
    ChannelName, Refusal, SessionKey,
    api::model::{ChannelProfile, ChannelSettings},
    platform::{Caller, NewSession, PublishCall, RestartedIce, Role, SessionRef, WatchCall},
};

use super::{
    Node,
    permission::Permit,
    refusals,
    sessions::{Place, Session},
};
use crate::{
    metrics::{RefusalLabel, RoleLabel, role},
    store::{Creation, StoredChannel},
    time,
};

/// A place that's given back unless a session takes it, also when the client goes away while the media plane decides.
struct Reservation<'a> {
    node: &'a Node,
    place: Option<Place>,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.node.state().sessions.release(place);
        }
    }
}

impl Node {
    pub(super) async fn make_publisher(&self, call: PublishCall) -> Result<NewSession, Refusal> {
        let result = self.try_publish(call).await;
        self.count(Role::Publisher, &result);
        result
    }

    pub(super) async fn make_viewer(&self, call: WatchCall) -> Result<NewSession, Refusal> {
        let result = self.try_watch(call).await;
        self.count(Role::Viewer, &result);
        result
    }

    async fn try_publish(&self, call: PublishCall) -> Result<NewSession, Refusal> {
        self.check_draining()?;
        let permit = self.permit_publishing(&call.caller, &call.channel).await?;
        let channel = self.channel_of_publisher(&call.channel).await?;
        let reservation = self.reserve(Role::Publisher, &call.caller)?;
        let request = PublishRequest {
            channel: media_name(&call.channel)?,
            offer: call.offer,
            take_over: channel.profile.settings.takeover && self.holds(&call.channel, &permit),
        };
        let accepted = self
            .parts
            .media
            .publish(request)
            .await
            .map_err(refusals::from_media)?;
        let Permit { holder, token } = permit;
        self.admit(
            reservation,
            accepted,
            call.channel,
            call.caller,
            Some(holder),
            token,
        )
    }

    async fn try_watch(&self, call: WatchCall) -> Result<NewSession, Refusal> {
        self.check_draining()?;
        let channel = self.known_channel(&call.channel).await?;
        let token = self.permit_viewing(&call.caller, &channel).await?;
        // A publisher that was let in but sends nothing yet isn't live.
        if !call.wait && self.state().on_air.live_since(&call.channel).is_none() {
            return Err(refusals::from_media(Reject::NotLive));
        }
        let reservation = self.reserve(Role::Viewer, &call.caller)?;
        let request = WatchRequest {
            channel: media_name(&call.channel)?,
            offer: call.offer,
            layer: call.layer,
            wait: call.wait,
        };
        let accepted = self
            .parts
            .media
            .watch(request)
            .await
            .map_err(refusals::from_media)?;
        self.admit(
            reservation,
            accepted,
            call.channel,
            call.caller,
            None,
            token,
        )
    }

    fn admit(
        &self,
        mut reservation: Reservation<'_>,
        accepted: Accepted,
        channel: ChannelName,
        caller: Caller,
        holder: Option<String>,
        token: Option<String>,
    ) -> Result<NewSession, Refusal> {
        let mut state = self.state();
        let Some(place) = reservation.place.take() else {
            return Err(Refusal::Internal("the session's place was lost".into()));
        };
        let key = SessionKey::random();
        let session = Session {
            id: accepted.session,
            key: key.clone(),
            role: place.role(),
            channel,
            address: caller.address,
            user_agent: caller.user_agent,
            holder,
            token,
            since: time::now(),
            ice_tag: accepted.ufrag.clone(),
            connected: false,
        };
        if !state.sessions.insert(place, session) {
            return Err(Refusal::conflict(
                "another publisher took the channel over at the same moment; try again",
            ));
        }
        Ok(NewSession {
            key,
            answer: accepted.answer,
            ice_tag: accepted.ufrag,
            ice_servers: self.rules.ice_servers.clone(),
        })
    }

    fn reserve(&self, role: Role, caller: &Caller) -> Result<Reservation<'_>, Refusal> {
        let place = self
            .state()
            .sessions
            .reserve(role, caller.address)
            .map_err(|full| refusals::full(full, role))?;
        Ok(Reservation {
            node: self,
            place: Some(place),
        })
    }

    fn check_draining(&self) -> Result<(), Refusal> {
        if self.state().draining {
            return Err(refusals::overloaded(
                "this server is about to stop; try again in a moment",
            ));
        }
        Ok(())
    }

    /// Whether the channel's present publisher came with the same key.
    fn holds(&self, channel: &ChannelName, permit: &Permit) -> bool {
        let state = self.state();
        state
            .sessions
            .publisher(channel)
            .is_some_and(|present| present.holder.as_ref() == Some(&permit.holder))
    }

    /// The channel, made if there's none.
    async fn channel_of_publisher(&self, name: &ChannelName) -> Result<StoredChannel, Refusal> {
        if let Some(channel) = self
            .parts
            .store
            .channel(name)
            .await
            .map_err(refusals::from_store)?
        {
            return Ok(channel);
        }
        let channel = StoredChannel {
            name: name.clone(),
            profile: ChannelProfile {
                settings: ChannelSettings {
                    takeover: self.rules.take_over,
                    ..ChannelSettings::default()
                },
                ..ChannelProfile::default()
            },
            created_at: time::now(),
        };
        match self
            .parts
            .store
            .create_channel(&channel, self.rules.channels)
            .await
            .map_err(refusals::from_store)?
        {
            Creation::Created => Ok(channel),
            Creation::Exists => self.known_channel(name).await,
            Creation::Full => Err(refusals::overloaded(
                "this server has as many channels as it may; delete some, or raise limits.channels",
            )),
        }
    }

    pub(super) async fn known_channel(&self, name: &ChannelName) -> Result<StoredChannel, Refusal> {
        let channel = self
            .parts
            .store
            .channel(name)
            .await
            .map_err(refusals::from_store)?;
        channel.ok_or_else(|| refusals::no_channel(name))
    }

    pub(super) fn tag_of(&self, session: &SessionRef) -> Result<String, Refusal> {
        self.find(session, |session| session.ice_tag.clone())
    }

    /// An ICE-lite server sends no checks, so it has no use for the client's candidates (RFC 8445 §2.5): the body is
    /// only held to its form, and to the ICE session that it says it's for.
    pub(super) fn take_candidates(
        &self,
        session: &SessionRef,
        sdpfrag: &str,
    ) -> Result<(), Refusal> {
        self.find(session, |_| ())?;
        sdp::parse_sdpfrag(sdpfrag).map_err(|error| Refusal::Malformed(error.to_string()))?;
        Ok(())
    }

    pub(super) async fn renew_ice(
        &self,
        session: &SessionRef,
        sdpfrag: &str,
    ) -> Result<RestartedIce, Refusal> {
        let id = self.find(session, |session| session.id)?;
        let fragment =
            sdp::parse_sdpfrag(sdpfrag).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let remote = fragment.ice.ok_or_else(|| {
            Refusal::Malformed(
                "an ICE restart needs a=ice-ufrag and a=ice-pwd (RFC 9725 §4.3.3)".into(),
            )
        })?;
        let restarted = self
            .parts
            .media
            .restart_ice(id, remote)
            .await
            .map_err(refusals::from_media)?;
        self.state()
            .sessions
            .set_ice_tag(id, restarted.ufrag.clone());
        Ok(RestartedIce {
            ice_tag: restarted.ufrag,
            sdpfrag: restarted.sdpfrag,
        })
    }

    pub(super) async fn end_by_key(&self, session: &SessionRef) -> Result<(), Refusal> {
        let found = self.find(session, |session| session.id);
        if let Ok(id) = found {
            // Gone for the client from now on; the event that follows finds nothing more to do.
            self.close(id).await;
        }
        // One that ended by itself can be ended once more: the client couldn't know.
        let known = self
            .state()
            .sessions
            .forget(&session.key, session.role, &session.channel);
        if known { Ok(()) } else { found.map(|_| ()) }
    }

    /// Ends a session, whoever wants it. One that has ended meanwhile is fine.
    pub(super) async fn close(&self, session: SessionId) {
        if let Err(reject) = self.parts.media.close(session).await {
            tracing::debug!(%session, %reject, "a session that was to end had ended");
        }
        self.on_ended(session, spillway_sfu::EndReason::Closed);
    }

    fn find<T>(&self, named: &SessionRef, read: impl FnOnce(&Session) -> T) -> Result<T, Refusal> {
        let state = self.state();
        state
            .sessions
            .by_key(&named.key)
            .filter(|session| session.role == named.role && session.channel == named.channel)
            .map(read)
            .ok_or_else(|| Refusal::NotFound("there is no such session; it may have ended".into()))
    }

    fn count(&self, of: Role, result: &Result<NewSession, Refusal>) {
        match result {
            Ok(_) => self
                .parts
                .metrics
                .joins
                .get_or_create(&RoleLabel::new(of))
                .inc(),
            Err(refusal) => {
                let label = RefusalLabel {
                    role: role(of),
                    reason: refusals::reason(refusal),
                };
                self.parts.metrics.refusals.get_or_create(&label).inc()
            }
        };
    }
}

/// Both crates hold names to the same form, each with its own type, since neither knows the other.
fn media_name(name: &ChannelName) -> Result<spillway_sfu::ChannelName, Refusal> {
    name.as_str()
        .parse()
        .map_err(|error: spillway_sfu::InvalidChannelName| Refusal::Malformed(error.to_string()))
}
