//! A platform in memory: channels, sessions and tokens, but no media.
//!
//! Tokens are words: `admin`, and `publish:demo`, `view:demo`. An offer that begins with `v=0` is SDP; one that holds
//! `unserved` can't be served. Every client's ICE ufrag is `abcd` at first.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use spillway_signaling::{
    ChannelName, EventFeed, EventSet, HlsSource, IceServerLink, OnAirFeed, Platform, Refusal,
    SessionKey, SidecarId, SidecarUrl, Ticket,
    api::model::{
        Broadcast, Channel, ChannelEdit, ChannelProfile, IssuedToken, Listing, LiveChannel, Node,
        PageRequest, Session, Sidecar, SidecarRegistration, Timestamp, Token, TokenKind,
        TokenRequest, Webhook,
    },
    platform::{
        Action, Caller, LayerChoice, NewSession, PublishCall, PutChannel, RestartedIce, Role,
        SessionRef, WatchCall,
    },
};

use crate::{
    fake_audiences::FakeAudiences, fake_chat::FakeChat, fake_events::FakeEvents,
    fake_recordings::FakeRecordings, fake_sidecars::FakeSidecars,
};

/// The token of one whom an outside service lets watch nothing.
pub(crate) const BARRED: &str = "barred";

#[derive(Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
    /// What viewers are told; every channel has the same news.
    pub(crate) events: FakeEvents,
    pub(crate) sidecars: FakeSidecars,
    pub(crate) audiences: FakeAudiences,
    pub(crate) recordings: FakeRecordings,
    pub(crate) chat: FakeChat,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<ChannelName, Channel>,
    sessions: HashMap<SessionRef, FakeSession>,
    tokens: Vec<Token>,
    refuse: Option<Refusal>,
    not_ready: Option<String>,
    last_watch: Option<WatchCall>,
    last_caller: Option<Caller>,
    last_choice: Option<LayerChoice>,
}

struct FakeSession {
    public: Session,
    restarts: u32,
    candidates: Vec<String>,
}

pub(crate) fn not_found(what: &str) -> Refusal {
    Refusal::NotFound(format!("there is no such {what}"))
}

pub(crate) fn channel(name: &str) -> Channel {
    Channel {
        name: name.parse().unwrap(),
        title: String::new(),
        tags: Vec::new(),
        settings: spillway_signaling::api::model::ChannelSettings::default(),
        created_at: Timestamp(1),
        live_since: None,
        viewers: 0,
    }
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn add(&self, channel: Channel) {
        self.state().channels.insert(channel.name.clone(), channel);
    }

    /// Makes every later publish and watch fail like that.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.state().refuse = Some(refusal);
    }

    pub(crate) fn set_not_ready(&self, why: &str) {
        self.state().not_ready = Some(why.to_owned());
    }

    pub(crate) fn last_watch(&self) -> WatchCall {
        self.state().last_watch.clone().unwrap()
    }

    pub(crate) fn last_caller(&self) -> Caller {
        self.state().last_caller.clone().unwrap()
    }

    pub(crate) fn last_choice(&self) -> LayerChoice {
        self.state().last_choice.clone().unwrap()
    }

    fn expect_session(&self, session: &SessionRef) -> Result<(), Refusal> {
        let known = self.state().sessions.contains_key(session);
        known.then_some(()).ok_or_else(|| not_found("session"))
    }

    /// The candidates that the only session was told.
    pub(crate) fn candidates(&self) -> Vec<String> {
        self.state()
            .sessions
            .values()
            .next()
            .unwrap()
            .candidates
            .clone()
    }

    fn accept(
        &self,
        role: Role,
        channel: ChannelName,
        offer: &str,
        caller: &Caller,
    ) -> Result<NewSession, Refusal> {
        let mut state = self.state();
        state.last_caller = Some(caller.clone());
        if let Some(refusal) = &state.refuse {
            return Err(refusal.clone());
        }
        if !offer.starts_with("v=0") {
            return Err(Refusal::Malformed(
                "line 1: an offer begins with v=0".into(),
            ));
        }
        if offer.contains("unserved") {
            return Err(Refusal::Unprocessable(
                "the offer has two video tracks; send one".into(),
            ));
        }
        let key = SessionKey::random();
        let session = SessionRef {
            role,
            channel: channel.clone(),
            key: key.clone(),
        };
        let public = Session {
            id: format!("s{}", state.sessions.len()),
            channel,
            role,
            since: Timestamp(2),
            connected: false,
            address: caller.address,
            user_agent: caller.user_agent.clone(),
            figures: None,
        };
        state.sessions.insert(
            session,
            FakeSession {
                public,
                restarts: 0,
                candidates: Vec::new(),
            },
        );
        Ok(NewSession {
            key,
            answer: "v=0\r\na=ice-lite\r\n".into(),
            ice_tag: "ice-0".into(),
            ice_servers: vec![
                IceServerLink::new("stun:stun.example.net:3478", None).unwrap(),
                IceServerLink::new(
                    "turn:turn.example.net?transport=udp",
                    Some(("user", "pass")),
                )
                .unwrap(),
            ],
        })
    }
}

pub(crate) fn check(caller: &Caller, sound: &[&str]) -> Result<(), Refusal> {
    match &caller.token {
        None => Err(Refusal::Unauthorized(
            "send a token: Authorization: Bearer …".into(),
        )),
        Some(token) if sound.contains(&token.0.as_str()) => Ok(()),
        Some(_) => Err(Refusal::Forbidden(
            "your token is for something else".into(),
        )),
    }
}

fn page<T>(items: impl IntoIterator<Item = T>, page: &PageRequest) -> Listing<T> {
    let start = page
        .after
        .as_ref()
        .map_or(0, |after| after.parse().unwrap());
    let mut items: Vec<T> = items.into_iter().skip(start).collect();
    let next =
        (items.len() > page.limit as usize).then(|| (start + page.limit as usize).to_string());
    items.truncate(page.limit as usize);
    Listing { items, next }
}

#[async_trait]
impl Platform for Fake {
    async fn publish(&self, call: PublishCall) -> Result<NewSession, Refusal> {
        check(&call.caller, &[&format!("publish:{}", call.channel)])?;
        self.accept(Role::Publisher, call.channel, &call.offer, &call.caller)
    }

    async fn watch(&self, call: WatchCall) -> Result<NewSession, Refusal> {
        let known = self.state().channels.get(&call.channel).cloned();
        let known = known.ok_or_else(|| not_found("channel"))?;
        if known.settings.restricted_viewing {
            check(&call.caller, &[&format!("view:{}", call.channel)])?;
        }
        if !call.wait && known.live_since.is_none() {
            return Err(Refusal::Conflict {
                detail: "the channel isn't live; try again later, or without wait=0".into(),
                retry_after: Some(Duration::from_secs(5)),
            });
        }
        self.state().last_watch = Some(call.clone());
        self.accept(Role::Viewer, call.channel, &call.offer, &call.caller)
    }

    async fn ice_tag(&self, session: &SessionRef) -> Result<String, Refusal> {
        let state = self.state();
        let session = state
            .sessions
            .get(session)
            .ok_or_else(|| not_found("session"))?;
        Ok(format!("ice-{}", session.restarts))
    }

    async fn trickle(&self, session: &SessionRef, sdpfrag: String) -> Result<(), Refusal> {
        if !sdpfrag.starts_with("a=") {
            return Err(Refusal::Malformed(
                "line 1: an sdpfrag has a= and m= lines".into(),
            ));
        }
        let mut state = self.state();
        let session = state
            .sessions
            .get_mut(session)
            .ok_or_else(|| not_found("session"))?;
        session.candidates.push(sdpfrag);
        Ok(())
    }

    async fn restart_ice(
        &self,
        session: &SessionRef,
        sdpfrag: String,
    ) -> Result<Option<RestartedIce>, Refusal> {
        if !sdpfrag.contains("a=ice-ufrag:") {
            return Err(Refusal::Malformed(
                "an ICE restart needs a=ice-ufrag and a=ice-pwd".into(),
            ));
        }
        let mut state = self.state();
        let session = state
            .sessions
            .get_mut(session)
            .ok_or_else(|| not_found("session"))?;
        if sdpfrag.contains("a=ice-ufrag:abcd") {
            return Ok(None);
        }
        session.restarts += 1;
        Ok(Some(RestartedIce {
            ice_tag: format!("ice-{}", session.restarts),
            sdpfrag: "a=ice-ufrag:new\r\na=ice-pwd:newnewnewnewnewnewnewnew\r\n".into(),
        }))
    }

    async fn end(&self, session: &SessionRef) -> Result<(), Refusal> {
        let ended = self.state().sessions.remove(session);
        self.events.session_ended(session);
        ended.map(|_| ()).ok_or_else(|| not_found("session"))
    }

    async fn open_events(&self, session: &SessionRef, events: EventSet) -> Result<u32, Refusal> {
        self.expect_session(session)?;
        self.events.open(session, events)
    }

    async fn follow_events(&self, session: &SessionRef, number: u32) -> Result<EventFeed, Refusal> {
        let feed = self.events.follow(session, number);
        feed.ok_or_else(|| not_found("event stream"))
    }

    async fn end_events(&self, session: &SessionRef, number: u32) -> Result<(), Refusal> {
        let ended = self.events.end(session, number);
        ended.ok_or_else(|| not_found("event stream"))
    }

    async fn select_layers(
        &self,
        session: &SessionRef,
        choice: LayerChoice,
    ) -> Result<(), Refusal> {
        self.expect_session(session)?;
        if choice.media_line.is_some_and(|line| line != 0) {
            return Err(Refusal::Malformed("the video is m-line 0".into()));
        }
        self.state().last_choice = Some(choice);
        Ok(())
    }

    async fn authorize(&self, caller: &Caller, action: Action<'_>) -> Result<(), Refusal> {
        self.state().last_caller = Some(caller.clone());
        match action {
            Action::Administer => check(caller, &["admin"]),
            Action::Serve => check(caller, &["service", "admin"]),
            Action::Mark(name) | Action::SeeAudience(name) => {
                check(caller, &["admin", &format!("publish:{name}")])
            }
            Action::SeeMarkers(name) => {
                check(caller, &["admin", "service", &format!("publish:{name}")])
            }
            Action::Watch(name) => match &caller.token {
                Some(token) if token.0 == BARRED => Err(Refusal::Forbidden("barred".into())),
                _ => self.authorize(caller, Action::View(name)).await,
            },
            Action::View(name) => {
                let restricted = self.channel(name).await?.settings.restricted_viewing;
                if restricted {
                    check(caller, &["admin", &format!("view:{name}")])
                } else {
                    Ok(())
                }
            }
        }
    }

    async fn follow_broadcasts(&self, _: &Caller) -> Result<OnAirFeed, Refusal> {
        Ok(self.sidecars.follow())
    }

    async fn register_sidecar(
        &self,
        id: SidecarId,
        registration: SidecarRegistration,
        _: &Caller,
    ) -> Result<(), Refusal> {
        self.sidecars.register(id, registration);
        Ok(())
    }

    async fn forget_sidecar(&self, id: &SidecarId, _: &Caller) -> Result<(), Refusal> {
        let forgotten = self.sidecars.forget(id);
        forgotten.ok_or_else(|| not_found("sidecar"))
    }

    async fn find_hls(
        &self,
        channel: &ChannelName,
        ticket: Ticket<'_>,
    ) -> Result<Option<HlsSource>, Refusal> {
        let signature = self.admit(channel, ticket).await?;
        let serving = self.sidecars.serving(channel);
        Ok(serving.map(|sidecar| HlsSource { sidecar, signature }))
    }

    async fn pass_over(&self, sidecar: &SidecarUrl) {
        self.sidecars.pass_over(sidecar);
    }

    async fn live(&self, request: PageRequest) -> Result<Listing<LiveChannel>, Refusal> {
        let state = self.state();
        let live = state
            .channels
            .values()
            .filter(|channel| !channel.settings.restricted_viewing);
        let live = live.filter_map(|channel| {
            Some(LiveChannel {
                name: channel.name.clone(),
                title: channel.title.clone(),
                tags: channel.tags.clone(),
                viewers: channel.viewers,
                since: channel.live_since?,
            })
        });
        Ok(page(live, &request))
    }

    async fn channels(&self, request: PageRequest) -> Result<Listing<Channel>, Refusal> {
        Ok(page(self.state().channels.values().cloned(), &request))
    }

    async fn channel(&self, name: &ChannelName) -> Result<Channel, Refusal> {
        let channel = self.state().channels.get(name).cloned();
        channel.ok_or_else(|| not_found("channel"))
    }

    async fn create_channel(
        &self,
        name: ChannelName,
        profile: ChannelProfile,
    ) -> Result<Channel, Refusal> {
        if self.state().channels.contains_key(&name) {
            return Err(Refusal::conflict("there is a channel of that name"));
        }
        Ok(self.put_channel(&name, profile).await?.channel)
    }

    async fn put_channel(
        &self,
        name: &ChannelName,
        profile: ChannelProfile,
    ) -> Result<PutChannel, Refusal> {
        let channel = Channel {
            title: profile.title,
            tags: profile.tags,
            settings: profile.settings,
            ..channel(name.as_str())
        };
        let before = self.state().channels.insert(name.clone(), channel.clone());
        Ok(PutChannel {
            channel,
            created: before.is_none(),
        })
    }

    async fn edit_channel(
        &self,
        name: &ChannelName,
        edit: ChannelEdit,
    ) -> Result<Channel, Refusal> {
        let mut state = self.state();
        let channel = state
            .channels
            .get_mut(name)
            .ok_or_else(|| not_found("channel"))?;
        if let Some(title) = edit.title {
            channel.title = title;
        }
        if let Some(tags) = edit.tags {
            channel.tags = tags;
        }
        if let Some(restricted) = edit
            .settings
            .and_then(|settings| settings.restricted_viewing)
        {
            channel.settings.restricted_viewing = restricted;
        }
        Ok(channel.clone())
    }

    async fn delete_channel(&self, name: &ChannelName) -> Result<(), Refusal> {
        let gone = self.state().channels.remove(name);
        gone.map(|_| ()).ok_or_else(|| not_found("channel"))
    }

    async fn sessions(
        &self,
        channel: Option<&ChannelName>,
        request: PageRequest,
    ) -> Result<Listing<Session>, Refusal> {
        let state = self.state();
        let of_channel = state
            .sessions
            .values()
            .map(|session| session.public.clone())
            .filter(|session| channel.is_none_or(|channel| *channel == session.channel));
        Ok(page(of_channel, &request))
    }

    async fn session(&self, id: &str) -> Result<Session, Refusal> {
        let state = self.state();
        let session = state
            .sessions
            .values()
            .find(|session| session.public.id == id);
        session
            .map(|session| session.public.clone())
            .ok_or_else(|| not_found("session"))
    }

    async fn kick(&self, id: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let before = state.sessions.len();
        state.sessions.retain(|_, session| session.public.id != id);
        if state.sessions.len() < before {
            Ok(())
        } else {
            Err(not_found("session"))
        }
    }

    async fn broadcasts(
        &self,
        channel: Option<&ChannelName>,
        request: PageRequest,
    ) -> Result<Listing<Broadcast>, Refusal> {
        let demo = self.broadcast("b1").await?;
        let of_channel = channel.is_none_or(|channel| *channel == demo.channel);
        Ok(page(of_channel.then_some(demo), &request))
    }

    async fn broadcast(&self, id: &str) -> Result<Broadcast, Refusal> {
        if id != "b1" {
            return Err(not_found("broadcast"));
        }
        Ok(Broadcast {
            id: "b1".into(),
            channel: "demo".parse().unwrap(),
            title: "The first".into(),
            started_at: Timestamp(1000),
            ended_at: Some(Timestamp(2000)),
            peak_viewers: 7,
        })
    }

    async fn issue_token(&self, request: TokenRequest) -> Result<IssuedToken, Refusal> {
        let mut state = self.state();
        let details = Token {
            id: format!("t{}", state.tokens.len()),
            kind: request.kind,
            channel: Some(request.channel.clone()),
            note: request.note,
            created_at: Timestamp(0),
            expires_at: request
                .expires_in_s
                .map(|seconds| Timestamp(seconds * 1000)),
            revoked_at: None,
        };
        state.tokens.push(details.clone());
        let kind = match request.kind {
            TokenKind::Publish => "publish",
            TokenKind::View => "view",
            TokenKind::Moderate => "moderate",
            TokenKind::Service | TokenKind::Admin => {
                panic!("the router lets no such token through")
            }
        };
        Ok(IssuedToken {
            token: format!("{kind}:{}", request.channel),
            details,
        })
    }

    async fn tokens(&self, request: PageRequest) -> Result<Listing<Token>, Refusal> {
        Ok(page(self.state().tokens.clone(), &request))
    }

    async fn revoke_token(&self, id: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let token = state.tokens.iter_mut().find(|token| token.id == id);
        token.ok_or_else(|| not_found("token"))?.revoked_at = Some(Timestamp(3));
        Ok(())
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, Refusal> {
        Ok(Vec::new())
    }

    async fn sidecars(&self) -> Result<Vec<Sidecar>, Refusal> {
        Ok(self.sidecars.list())
    }

    async fn node(&self) -> Result<Node, Refusal> {
        Ok(Node {
            version: "0.1.0".into(),
            since: Timestamp(0),
            draining: false,
            workers: 2,
            live_channels: 0,
            publishers: 0,
            viewers: 0,
            max_viewers: 1000,
            max_sessions_per_address: 100,
        })
    }

    async fn readiness(&self) -> Result<(), String> {
        self.state().not_ready.clone().map_or(Ok(()), Err)
    }

    async fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}
