//! The node as the HTTP face sees it.

use async_trait::async_trait;
use spillway_signaling::{
    ChannelName, EventFeed, EventSet, HlsSource, OnAirFeed, Platform, Refusal, SidecarId,
    SidecarUrl, Ticket,
    api::model::{
        Broadcast, Channel, ChannelEdit, ChannelProfile, IssuedToken, Listing, LiveChannel,
        Node as NodeState, PageRequest, Session, Sidecar, SidecarRegistration, Token, TokenRequest,
        Webhook,
    },
    platform::{
        Action, Caller, LayerChoice, NewSession, PublishCall, PutChannel, RestartedIce, SessionRef,
        WatchCall,
    },
};

use super::Node;

#[async_trait]
impl Platform for Node {
    async fn publish(&self, call: PublishCall) -> Result<NewSession, Refusal> {
        self.make_publisher(call).await
    }

    async fn watch(&self, call: WatchCall) -> Result<NewSession, Refusal> {
        self.make_viewer(call).await
    }

    async fn ice_tag(&self, session: &SessionRef) -> Result<String, Refusal> {
        self.tag_of(session)
    }

    async fn trickle(&self, session: &SessionRef, sdpfrag: String) -> Result<(), Refusal> {
        self.take_candidates(session, &sdpfrag)
    }

    async fn restart_ice(
        &self,
        session: &SessionRef,
        sdpfrag: String,
    ) -> Result<Option<RestartedIce>, Refusal> {
        self.renew_ice(session, &sdpfrag).await
    }

    async fn end(&self, session: &SessionRef) -> Result<(), Refusal> {
        self.end_by_key(session).await
    }

    async fn open_events(&self, session: &SessionRef, events: EventSet) -> Result<u32, Refusal> {
        self.open_event_stream(session, events)
    }

    async fn follow_events(&self, session: &SessionRef, number: u32) -> Result<EventFeed, Refusal> {
        self.follow_event_stream(session, number)
    }

    async fn end_events(&self, session: &SessionRef, number: u32) -> Result<(), Refusal> {
        self.end_event_stream(session, number)
    }

    async fn select_layers(
        &self,
        session: &SessionRef,
        choice: LayerChoice,
    ) -> Result<(), Refusal> {
        self.choose_layers(session, choice).await
    }

    async fn authorize(&self, caller: &Caller, action: Action<'_>) -> Result<(), Refusal> {
        self.permit(caller, action).await
    }

    async fn follow_broadcasts(&self, caller: &Caller) -> Result<OnAirFeed, Refusal> {
        self.follow_on_air(caller).await
    }

    async fn register_sidecar(
        &self,
        id: SidecarId,
        registration: SidecarRegistration,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        self.note_sidecar(id, registration, caller).await
    }

    async fn forget_sidecar(&self, id: &SidecarId, caller: &Caller) -> Result<(), Refusal> {
        self.drop_sidecar(id, caller).await
    }

    async fn find_hls(
        &self,
        channel: &ChannelName,
        ticket: Ticket<'_>,
    ) -> Result<Option<HlsSource>, Refusal> {
        self.hls_source(channel, ticket).await
    }

    async fn pass_over(&self, sidecar: &SidecarUrl) {
        self.avoid_sidecar(sidecar);
    }

    async fn live(&self, page: PageRequest) -> Result<Listing<LiveChannel>, Refusal> {
        self.live_channels(page).await
    }

    async fn channels(&self, page: PageRequest) -> Result<Listing<Channel>, Refusal> {
        self.list_channels(page).await
    }

    async fn channel(&self, name: &ChannelName) -> Result<Channel, Refusal> {
        self.describe_channel(name).await
    }

    async fn create_channel(
        &self,
        name: ChannelName,
        profile: ChannelProfile,
    ) -> Result<Channel, Refusal> {
        self.make_channel(name, profile).await
    }

    async fn put_channel(
        &self,
        name: &ChannelName,
        profile: ChannelProfile,
    ) -> Result<PutChannel, Refusal> {
        self.replace_channel(name, profile).await
    }

    async fn edit_channel(
        &self,
        name: &ChannelName,
        edit: ChannelEdit,
    ) -> Result<Channel, Refusal> {
        self.change_channel(name, edit).await
    }

    async fn delete_channel(&self, name: &ChannelName) -> Result<(), Refusal> {
        self.remove_channel(name).await
    }

    async fn sessions(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<Session>, Refusal> {
        self.list_sessions(channel, page).await
    }

    async fn session(&self, id: &str) -> Result<Session, Refusal> {
        self.describe_session(id).await
    }

    async fn kick(&self, id: &str) -> Result<(), Refusal> {
        self.end_by_id(id).await
    }

    async fn broadcasts(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<Broadcast>, Refusal> {
        self.list_broadcasts(channel, page).await
    }

    async fn broadcast(&self, id: &str) -> Result<Broadcast, Refusal> {
        self.describe_broadcast(id).await
    }

    async fn issue_token(&self, request: TokenRequest) -> Result<IssuedToken, Refusal> {
        self.make_token(request).await
    }

    async fn tokens(&self, page: PageRequest) -> Result<Listing<Token>, Refusal> {
        self.list_tokens(page).await
    }

    async fn revoke_token(&self, id: &str) -> Result<(), Refusal> {
        self.withdraw_token(id).await
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, Refusal> {
        Ok(self.parts.webhooks.states())
    }

    async fn sidecars(&self) -> Result<Vec<Sidecar>, Refusal> {
        Ok(self.state().sidecars.list())
    }

    async fn node(&self) -> Result<NodeState, Refusal> {
        Ok(self.describe_node())
    }

    async fn readiness(&self) -> Result<(), String> {
        if self.state().draining {
            return Err("the server is about to stop".into());
        }
        if !self.parts.media.is_healthy() {
            return Err("a media worker has stopped; restart the server and report its log".into());
        }
        self.parts
            .store
            .check()
            .await
            .map_err(|error| error.to_string())
    }

    async fn metrics(&self) -> String {
        let snapshot = self.snapshot().await;
        self.parts.metrics.encode(snapshot)
    }
}
