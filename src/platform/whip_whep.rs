//! Sessions: made, changed and ended on behalf of WHIP and WHEP clients.

use spillway_sfu::{
    Accepted, IceCredentials, LayerSelection, MediaKind, PublishRequest, Reject, SessionId,
    WatchRequest,
    sdp::{self, OfferedContent},
};
use spillway_signaling::{
    ChannelName, Refusal, SessionKey,
    api::model::{ChannelProfile, ChannelSettings},
    platform::{Caller, NewSession, PublishCall, RestartedIce, Role, SessionRef, WatchCall},
};

use super::{
    Node, State,
    permission::{Admission, Permit},
    refusals,
    sessions::{Place, Seat, Session},
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

/// What a session is made on, besides what the media plane says.
struct Terms {
    channel: ChannelName,
    caller: Caller,
    remote_ice: Option<IceCredentials>,
    video_line: Option<usize>,
    holder: Option<String>,
    token: Option<String>,
    is_sidecar: bool,
}

/// An ICE restart under way, which is over when this goes, also when the client goes away.
struct Restart<'a> {
    node: &'a Node,
    session: SessionId,
    renewed: Option<(String, IceCredentials)>,
}

impl Drop for Restart<'_> {
    fn drop(&mut self) {
        let renewed = self.renewed.take();
        self.node
            .state()
            .sessions
            .end_restart(self.session, renewed);
    }
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
        let reservation = self.reserve(Seat::Publisher, &call.caller)?;
        let Offered { remote_ice, .. } = Offered::read(&call.offer);
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
        let terms = Terms {
            channel: call.channel,
            caller: call.caller,
            remote_ice,
            video_line: None,
            holder: Some(holder),
            token,
            is_sidecar: false,
        };
        self.admit(reservation, accepted, terms).await
    }

    async fn try_watch(&self, call: WatchCall) -> Result<NewSession, Refusal> {
        self.check_draining()?;
        let channel = self.known_channel(&call.channel).await?;
        let Admission {
            token, is_sidecar, ..
        } = self.permit_viewing(&call.caller, &channel).await?;
        // A publisher that was let in but sends nothing yet isn't live.
        if !call.wait && self.state().on_air.live_since(&call.channel).is_none() {
            return Err(refusals::from_media(Reject::NotLive));
        }
        let seat = if is_sidecar {
            Seat::Sidecar
        } else {
            Seat::Viewer
        };
        let reservation = self.reserve(seat, &call.caller)?;
        let Offered {
            remote_ice,
            video_line,
        } = Offered::read(&call.offer);
        let request = WatchRequest {
            channel: media_name(&call.channel)?,
            offer: call.offer,
            selection: LayerSelection {
                rid: call.layer,
                ..LayerSelection::default()
            },
            wait: call.wait,
            for_others: is_sidecar,
        };
        let accepted = self
            .parts
            .media
            .watch(request)
            .await
            .map_err(refusals::from_media)?;
        let terms = Terms {
            channel: call.channel,
            caller: call.caller,
            remote_ice,
            video_line,
            holder: None,
            token,
            is_sidecar,
        };
        self.admit(reservation, accepted, terms).await
    }

    /// Takes a session into the table. What was revoked, restricted or deleted while it was made didn't find it there, so
    /// it's judged once more.
    async fn admit(
        &self,
        reservation: Reservation<'_>,
        accepted: Accepted,
        terms: Terms,
    ) -> Result<NewSession, Refusal> {
        let id = accepted.session;
        let (channel, caller) = (terms.channel.clone(), terms.caller.clone());
        let (role, session) = self.insert(reservation, accepted, terms)?;
        if let Err(refusal) = self.permit_still(role, &caller, &channel).await {
            self.close(id).await;
            return Err(refusal);
        }
        Ok(session)
    }

    fn insert(
        &self,
        mut reservation: Reservation<'_>,
        accepted: Accepted,
        terms: Terms,
    ) -> Result<(Role, NewSession), Refusal> {
        let mut state = self.state();
        let Some(place) = reservation.place.take() else {
            return Err(Refusal::Internal("the session's place was lost".into()));
        };
        let key = SessionKey::random();
        let session = Session {
            id: accepted.session,
            key: key.clone(),
            role: place.role(),
            channel: terms.channel,
            address: terms.caller.address,
            user_agent: terms.caller.user_agent,
            origin: terms.caller.origin,
            holder: terms.holder,
            token: terms.token,
            is_sidecar: terms.is_sidecar,
            since: time::now(),
            ice_tag: accepted.ufrag.clone(),
            remote_ice: terms.remote_ice,
            video_line: terms.video_line,
            restarting: false,
            connected: false,
        };
        if !state.sessions.insert(place, session) {
            return Err(Refusal::conflict(
                "another publisher took the channel over at the same moment; try again",
            ));
        }
        let made = NewSession {
            key,
            answer: accepted.answer,
            ice_tag: accepted.ufrag,
            ice_servers: self.rules.ice_servers.clone(),
        };
        Ok((place.role(), made))
    }

    fn reserve(&self, seat: Seat, caller: &Caller) -> Result<Reservation<'_>, Refusal> {
        let place = self
            .state()
            .sessions
            .reserve(seat, caller.address)
            .map_err(|full| refusals::full(full, seat))?;
        Ok(Reservation {
            node: self,
            place: Some(place),
        })
    }

    pub(super) fn check_draining(&self) -> Result<(), Refusal> {
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
    ) -> Result<Option<RestartedIce>, Refusal> {
        self.find(session, |_| ())?;
        let fragment =
            sdp::parse_sdpfrag(sdpfrag).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let remote = fragment.ice.ok_or_else(|| {
            Refusal::Malformed(
                "an ICE restart needs a=ice-ufrag and a=ice-pwd (RFC 9725 §4.3.3)".into(),
            )
        })?;
        let Some(mut restart) = self.begin_restart(session, &remote)? else {
            return Ok(None);
        };
        let restarted = self
            .parts
            .media
            .restart_ice(restart.session, remote.clone())
            .await
            .map_err(refusals::from_media)?;
        restart.renewed = Some((restarted.ufrag.clone(), remote));
        Ok(Some(RestartedIce {
            ice_tag: restarted.ufrag,
            sdpfrag: restarted.sdpfrag,
        }))
    }

    /// None: the client has these credentials already.
    fn begin_restart(
        &self,
        session: &SessionRef,
        remote: &IceCredentials,
    ) -> Result<Option<Restart<'_>>, Refusal> {
        let (id, is_same) = self.find(session, |session| {
            (session.id, session.remote_ice.as_ref() == Some(remote))
        })?;
        if is_same {
            return Ok(None);
        }
        if !self.state().sessions.begin_restart(id) {
            return Err(Refusal::Conflict {
                detail: "another ICE restart of this session is under way; wait for its answer"
                    .into(),
                retry_after: Some(refusals::RETRY_AFTER),
            });
        }
        Ok(Some(Restart {
            node: self,
            session: id,
            renewed: None,
        }))
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

    pub(super) fn find<T>(
        &self,
        named: &SessionRef,
        read: impl FnOnce(&Session) -> T,
    ) -> Result<T, Refusal> {
        self.state().named(named, read)
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

/// What the platform itself needs of an offer. The media plane says what's wrong with one that lacks it.
#[derive(Default)]
struct Offered {
    /// The client's ICE credentials.
    remote_ice: Option<IceCredentials>,
    /// The number of the first video's m-line.
    video_line: Option<usize>,
}

impl Offered {
    fn read(offer: &str) -> Self {
        let Ok(offer) = sdp::parse_offer(offer) else {
            return Self::default();
        };
        let is_video = |content: &OfferedContent| matches!(content, OfferedContent::Rtp(rtp) if rtp.kind == MediaKind::Video);
        Self {
            video_line: offer
                .media
                .iter()
                .position(|media| !media.rejected && is_video(&media.content)),
            remote_ice: Some(offer.ice),
        }
    }
}

/// Both crates hold names to the same form, each with its own type, since neither knows the other.
fn media_name(name: &ChannelName) -> Result<spillway_sfu::ChannelName, Refusal> {
    name.as_str()
        .parse()
        .map_err(|error: spillway_sfu::InvalidChannelName| Refusal::Malformed(error.to_string()))
}

impl State {
    /// Reads the session that is meant by its URL.
    pub(super) fn named<T>(
        &self,
        named: &SessionRef,
        read: impl FnOnce(&Session) -> T,
    ) -> Result<T, Refusal> {
        self.sessions
            .by_key(&named.key)
            .filter(|session| session.role == named.role && session.channel == named.channel)
            .map(read)
            .ok_or_else(|| Refusal::NotFound("there is no such session; it may have ended".into()))
    }
}
