//! What the HTTP face asks of the platform behind it.
//!
//! The platform owns every truth: channels, sessions, tokens, the current ICE session of a session. This crate owns HTTP:
//! routes, headers, entity tags, body bounds, rate limits, problems, CORS, the `OpenAPI` description.
//!
//! Who bounds what:
//! - here: bytes of a body, requests per address, entries of a page, lengths of titles, tags and notes;
//! - the platform: sessions per address ([`Refusal::TooMany`]), viewers and event streams of the node
//!   ([`Refusal::Overloaded`]), because only it learns when a session ends without a `DELETE`.

use std::{fmt, net::IpAddr};

use async_trait::async_trait;

use crate::{
    Audiences, ChannelName, Chats, EventFeed, EventSet, HlsSource, IceServerLink, OnAirFeed,
    Origin, Recordings, Refusal, SessionKey, SidecarId, SidecarUrl, Ticket,
    api::model::{
        Broadcast, Channel, ChannelEdit, ChannelProfile, IssuedToken, Listing, LiveChannel, Node,
        PageRequest, Session, Sidecar, SidecarRegistration, Token, TokenRequest, Webhook,
    },
};

/// Everything that the router needs. All methods may run at the same time; a method that's dropped half-way (the client
/// went away) leaves no session behind that nobody knows the key of, or lets it end by its handshake timeout.
#[async_trait]
pub trait Platform: Audiences + Chats + Recordings + Send + Sync + 'static {
    // WHIP and WHEP

    /// Makes a publisher's session. Checks the token first, then creates the channel if a publish token names it.
    /// Refusals: 400 the offer isn't SDP, 401, 403, 404, 409 the channel has a publisher and it may not be taken over,
    /// 422 the offer can't be served, 429, 503, 307.
    async fn publish(&self, call: PublishCall) -> Result<NewSession, Refusal>;

    /// Makes a viewer's session. Refusals as for [`Platform::publish`]; 409 with a `retry_after` when the channel isn't
    /// live and the viewer won't wait.
    async fn watch(&self, call: WatchCall) -> Result<NewSession, Refusal>;

    /// The name of the session's present ICE session, as given in [`NewSession::ice_tag`] or [`RestartedIce::ice_tag`].
    /// 404 when there's no such session.
    async fn ice_tag(&self, session: &SessionRef) -> Result<String, Refusal>;

    /// Takes the client's further candidates, an `application/trickle-ice-sdpfrag` body (RFC 8840) with the ICE session's
    /// present ufrag and password. The tag was compared before. 400 when it isn't an sdpfrag, 404; candidates of unknown
    /// transports are dropped without a word.
    async fn trickle(&self, session: &SessionRef, sdpfrag: String) -> Result<(), Refusal>;

    /// Restarts ICE with the new ufrag and password in the sdpfrag (RFC 9725 §4.3.3). `None`: they are those that the
    /// client has now, so there's nothing to restart. On any refusal the present ICE session lives on. 400 when it isn't
    /// an sdpfrag or has no ufrag and password, 404, 409 when another restart of the session is under way, 422.
    async fn restart_ice(
        &self,
        session: &SessionRef,
        sdpfrag: String,
    ) -> Result<Option<RestartedIce>, Refusal>;

    /// Ends the session; its media stops at once. 404 when there's none, also when it ended before.
    async fn end(&self, session: &SessionRef) -> Result<(), Refusal>;

    // WHEP's extensions: of viewers' sessions only, 404 for others

    /// Makes an event stream of a session, which lives until it's ended or the session is, and gives its number, which no
    /// other event stream of the session ever had. 404, 429 when the session has as many as it may, 503 when the node has.
    async fn open_events(&self, session: &SessionRef, events: EventSet) -> Result<u32, Refusal>;

    /// Follows an event stream. Whoever followed it before comes to an end. 404.
    async fn follow_events(&self, session: &SessionRef, number: u32) -> Result<EventFeed, Refusal>;

    /// Ends an event stream. 404.
    async fn end_events(&self, session: &SessionRef, number: u32) -> Result<(), Refusal>;

    /// Limits the layers that a session is sent, instead of what was chosen before. 400 when the choice is for an m-line
    /// that isn't the session's video, 404.
    async fn select_layers(&self, session: &SessionRef, choice: LayerChoice)
    -> Result<(), Refusal>;

    // Who is asking

    /// Whether the caller may do that: 401 without a sound token, 403 with one that's for something else, 404 for
    /// [`Action::View`] and [`Action::Watch`] of a channel that doesn't exist.
    async fn authorize(&self, caller: &Caller, action: Action<'_>) -> Result<(), Refusal>;

    // Sidecars

    /// Follows the broadcasts under way, until the caller's token is revoked. The caller was authorized before
    /// ([`Action::Serve`]). 503 when as many follow as may.
    async fn follow_broadcasts(&self, caller: &Caller) -> Result<OnAirFeed, Refusal>;

    /// Notes where a sidecar serves which channels, for 10 s from now. The caller was authorized before. 409 when a sidecar
    /// with another token has that name, 503 when there are as many sidecars as may be.
    async fn register_sidecar(
        &self,
        id: SidecarId,
        registration: SidecarRegistration,
        caller: &Caller,
    ) -> Result<(), Refusal>;

    /// Forgets a sidecar, or 404. The caller was authorized before; 409 as above, unless it's an administrator.
    async fn forget_sidecar(&self, id: &SidecarId, caller: &Caller) -> Result<(), Refusal>;

    /// Where a channel's HLS is, for one who may watch the channel: 401, 403 and 404 as for [`Platform::watch`], 403 when the
    /// signature isn't ours or has expired, 404 when this node has none made, 503 when it's live and no sidecar has it yet.
    /// None: it isn't live, and no sidecar has it any more.
    async fn find_hls(
        &self,
        channel: &ChannelName,
        ticket: Ticket<'_>,
    ) -> Result<Option<HlsSource>, Refusal>;

    /// Notes that nobody listens where a sidecar said that it serves: others that have its channels are asked instead for a
    /// while.
    async fn pass_over(&self, sidecar: &SidecarUrl);

    // REST API: the caller was authorized before

    /// The channels on air for everybody's front page, the most watched first. Channels of restricted viewing are left out.
    async fn live(&self, page: PageRequest) -> Result<Listing<LiveChannel>, Refusal>;
    /// All channels by name.
    async fn channels(&self, page: PageRequest) -> Result<Listing<Channel>, Refusal>;
    /// One channel, or 404.
    async fn channel(&self, name: &ChannelName) -> Result<Channel, Refusal>;
    /// Makes a channel, or 409 if it exists.
    async fn create_channel(
        &self,
        name: ChannelName,
        profile: ChannelProfile,
    ) -> Result<Channel, Refusal>;
    /// Makes a channel or replaces its profile.
    async fn put_channel(
        &self,
        name: &ChannelName,
        profile: ChannelProfile,
    ) -> Result<PutChannel, Refusal>;
    /// Changes what the edit names, or 404.
    async fn edit_channel(&self, name: &ChannelName, edit: ChannelEdit)
    -> Result<Channel, Refusal>;
    /// Deletes a channel with its recordings and ends its sessions, or 404. Its broadcasts stay.
    async fn delete_channel(&self, name: &ChannelName) -> Result<(), Refusal>;

    /// The sessions of the node with their figures, or those of one channel.
    async fn sessions(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<Session>, Refusal>;
    /// One session by its public identifier ([`Session::id`], not its key), or 404.
    async fn session(&self, id: &str) -> Result<Session, Refusal>;
    /// Ends a session by its public identifier, or 404.
    async fn kick(&self, id: &str) -> Result<(), Refusal>;

    /// Broadcasts, the latest first; all, or those of one channel.
    async fn broadcasts(
        &self,
        channel: Option<&ChannelName>,
        page: PageRequest,
    ) -> Result<Listing<Broadcast>, Refusal>;
    /// One broadcast, or 404.
    async fn broadcast(&self, id: &str) -> Result<Broadcast, Refusal>;

    /// Signs a token. The request is validated: never of kind admin, always with a channel.
    async fn issue_token(&self, request: TokenRequest) -> Result<IssuedToken, Refusal>;
    /// The tokens that were issued and haven't expired, the latest first, revoked ones included.
    async fn tokens(&self, page: PageRequest) -> Result<Listing<Token>, Refusal>;
    /// Revokes a token from now on, or 404. Sessions made with it end. Revoking twice is fine.
    async fn revoke_token(&self, id: &str) -> Result<(), Refusal>;

    /// The configured webhooks and how their deliveries go.
    async fn webhooks(&self) -> Result<Vec<Webhook>, Refusal>;
    /// The sidecars that were heard of lately, by their names.
    async fn sidecars(&self) -> Result<Vec<Sidecar>, Refusal>;
    /// This node, its load and its bounds.
    async fn node(&self) -> Result<Node, Refusal>;

    // For the operator

    /// Whether new sessions should be sent here: `Err` says why not (draining, no storage).
    async fn readiness(&self) -> Result<(), String>;
    /// All metrics as `OpenMetrics` 1.0 text, which ends in `# EOF`.
    async fn metrics(&self) -> String;
}

/// Who is asking, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client's address: of the connection, or as told by a configured proxy. IPv4-mapped addresses are unmapped.
    pub address: IpAddr,
    /// The bearer token, unchecked.
    pub token: Option<BearerToken>,
    /// The `User-Agent`, cut to [`MAX_USER_AGENT`] bytes.
    pub user_agent: Option<String>,
    /// From where and on what.
    pub origin: Origin,
}

/// The most bytes of a `User-Agent` that are kept.
pub const MAX_USER_AGENT: usize = 256;

/// A token as it came, unchecked. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(pub String);

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// What a caller wants to do, besides opening sessions, which checks tokens itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Read or write what only an administrator may: needs an admin token.
    Administer,
    /// Do what a sidecar does: needs a service or admin token.
    Serve,
    /// Set markers in a channel's broadcasts: needs a publish or moderate token for it, or an admin token.
    Mark(&'a ChannelName),
    /// See the markers of a channel's broadcasts: who may set them may, and sidecars.
    SeeMarkers(&'a ChannelName),
    /// See how the audience of a channel's broadcasts did: needs a publish token for it, or an admin token.
    SeeAudience(&'a ChannelName),
    /// See a channel: open, unless its viewing is restricted. A publish, view, moderate or admin token for it will do.
    View(&'a ChannelName),
    /// See what only who watches a channel sees: as for [`Platform::watch`], so the outside service has its say as well.
    Watch(&'a ChannelName),
}

/// The two roles of a session.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends media: WHIP.
    Publisher,
    /// Receives media: WHEP.
    Viewer,
}

impl Role {
    /// The first part of the URL path: `whip` or `whep`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Publisher => "whip",
            Self::Viewer => "whep",
        }
    }
}

/// A session as its URL names it. The platform answers 404 unless role, channel and key belong together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionRef {
    /// WHIP or WHEP.
    pub role: Role,
    /// The channel.
    pub channel: ChannelName,
    /// The secret.
    pub key: SessionKey,
}

/// `POST /whip/{channel}`.
#[derive(Debug, Clone)]
pub struct PublishCall {
    /// The channel to publish to.
    pub channel: ChannelName,
    /// The SDP offer, unparsed.
    pub offer: String,
    /// Who publishes.
    pub caller: Caller,
}

/// `POST /whep/{channel}`.
#[derive(Debug, Clone)]
pub struct WatchCall {
    /// The channel to watch.
    pub channel: ChannelName,
    /// The SDP offer, unparsed.
    pub offer: String,
    /// Who watches.
    pub caller: Caller,
    /// `?layer=`: the rid that the viewer asks for; the best flowing layer without. At most 64 bytes.
    pub layer: Option<String>,
    /// Whether to wait for a channel that isn't live (false with `?wait=0`).
    pub wait: bool,
}

/// Which layers a viewer wants at most; those of the default are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerChoice {
    /// The number of the m-line that it's for; the first video without.
    pub media_line: Option<usize>,
    /// A simulcast encoding, of 1 to 64 bytes.
    pub rid: Option<String>,
    /// The highest spatial layer.
    pub max_spatial: Option<u8>,
    /// The highest temporal layer.
    pub max_temporal: Option<u8>,
    /// The largest width of the picture, in pixels.
    pub max_width: Option<u16>,
    /// The largest height of the picture, in pixels.
    pub max_height: Option<u16>,
}

/// A session was made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its secret, from [`SessionKey::random`].
    pub key: SessionKey,
    /// The SDP answer.
    pub answer: String,
    /// Names the ICE session (our ufrag will do): becomes the `ETag`. Printable ASCII without `"`.
    pub ice_tag: String,
    /// STUN and TURN servers for this client.
    pub ice_servers: Vec<IceServerLink>,
}

/// ICE was restarted.
#[derive(Debug, Clone)]
pub struct RestartedIce {
    /// Names the new ICE session.
    pub ice_tag: String,
    /// Our new ufrag, password and candidates (RFC 8840).
    pub sdpfrag: String,
}

/// What [`Platform::put_channel`] did.
#[derive(Debug, Clone)]
pub struct PutChannel {
    /// The channel as it is now.
    pub channel: Channel,
    /// Whether it's new.
    pub created: bool,
}
