//! Who may do what: this node's tokens, and the outside service if one is configured.
//!
//! The service has a veto over what tokens allow, and decides alone over callers without a token of this node (or of a
//! configured issuer): its own keys can then be used in OBS. A token of ours that is expired, revoked, forged or for
//! something else is never handed on.

use sha2::{Digest as _, Sha256};
use spillway_signaling::{
    ChannelName, Refusal,
    api::model::{Timestamp, TokenKind},
    platform::{Action, Caller, Role},
};

use super::{Node, refusals};
use crate::{
    auth::{Grant, TokenError},
    store::StoredChannel,
    time,
    webhooks::{Question, Verdict, Wish},
};

/// Under which name a publisher was let in.
pub(super) struct Permit {
    /// Whose key it is: publishers with the same holder may take over from each other.
    pub(super) holder: String,
    /// The token's identifier, so that revoking it ends the session.
    pub(super) token: Option<String>,
}

/// On what a viewer was let in.
pub(super) struct Admission {
    /// The token's identifier, if one was needed.
    pub(super) token: Option<String>,
    /// From when on that token isn't good any more.
    pub(super) expires_at: Option<Timestamp>,
    /// It's a sidecar's: one who watches for others.
    pub(super) is_sidecar: bool,
}

/// What is known of a caller from the token alone.
enum Standing {
    Granted(Grant),
    /// No token, or one that somebody else may know.
    Stranger(Refusal),
}

impl Node {
    /// Whether the caller may publish to the channel.
    pub(super) async fn permit_publishing(
        &self,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<Permit, Refusal> {
        let grant = self.publishing_grant(caller, channel).await?;
        let user = self.ask(Wish::Publish, caller, channel).await?;
        let token = grant.as_ref().map(|grant| grant.id.clone());
        let holder = match (user, grant, &caller.token) {
            (Some(user), _, _) => format!("user {user}"),
            (None, Some(grant), _) => grant.holder,
            // Many may come from one address, so only who has the same key is the same publisher.
            (None, None, Some(key)) => format!("key {}", hex::encode(Sha256::digest(&key.0))),
            (None, None, None) => format!("nobody {}", time::new_id()),
        };
        Ok(Permit { holder, token })
    }

    /// Whether the caller may watch the channel. The outside service isn't asked about sidecars: they are parts of this
    /// platform, and it's asked about those who watch there.
    pub(super) async fn permit_viewing(
        &self,
        caller: &Caller,
        channel: &StoredChannel,
    ) -> Result<Admission, Refusal> {
        let grant = self.viewing_grant(caller, channel).await?;
        let is_sidecar = grant
            .as_ref()
            .is_some_and(|grant| grant.kind == TokenKind::Service);
        if !is_sidecar {
            self.ask(Wish::View, caller, &channel.name).await?;
        }
        Ok(Admission {
            expires_at: grant.as_ref().and_then(|grant| grant.expires_at),
            token: grant.map(|grant| grant.id),
            is_sidecar,
        })
    }

    /// Whether a session that has just been made may still be there, after all that may have changed meanwhile. The
    /// outside service isn't asked again.
    pub(super) async fn permit_still(
        &self,
        role: Role,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<(), Refusal> {
        self.check_draining()?;
        let channel = self.known_channel(channel).await?;
        match role {
            Role::Publisher => self.publishing_grant(caller, &channel.name).await.map(drop),
            Role::Viewer => self.viewing_grant(caller, &channel).await.map(drop),
        }
    }

    /// What the caller's token says about publishing; nothing where the outside service decides alone.
    async fn publishing_grant(
        &self,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<Option<Grant>, Refusal> {
        match self.standing(caller, channel).await? {
            Standing::Granted(grant) if grant.allows(TokenKind::Publish, channel) => {
                Ok(Some(grant))
            }
            Standing::Granted(_) => Err(not_for(&format!("publishing to \"{channel}\""))),
            Standing::Stranger(_) if self.parts.webhooks.decides(Wish::Publish) => Ok(None),
            Standing::Stranger(refusal) => Err(refusal),
        }
    }

    /// What the token that lets the caller watch allows; nothing where none is needed.
    async fn viewing_grant(
        &self,
        caller: &Caller,
        channel: &StoredChannel,
    ) -> Result<Option<Grant>, Refusal> {
        let restricted = channel.profile.settings.restricted_viewing;
        let name = &channel.name;
        match self.standing(caller, name).await? {
            Standing::Granted(grant) if grant.allows_viewing(name) => Ok(Some(grant)),
            Standing::Granted(_) if restricted => Err(not_for(&format!("watching \"{name}\""))),
            Standing::Stranger(refusal)
                if (restricted || caller.token.is_some())
                    && !self.parts.webhooks.decides(Wish::View) =>
            {
                Err(refusal)
            }
            Standing::Granted(_) | Standing::Stranger(_) => Ok(None),
        }
    }

    /// [`spillway_signaling::Platform::authorize`].
    pub(super) async fn permit(&self, caller: &Caller, action: Action<'_>) -> Result<(), Refusal> {
        match action {
            Action::Administer => match self.grant(caller).await.map_err(refusals::from_token)? {
                Some(grant) if grant.kind == TokenKind::Admin => Ok(()),
                Some(_) => Err(not_for(
                    "this; it needs an admin token (`spillway token admin`)",
                )),
                None => Err(Refusal::Unauthorized(
                    "this needs an admin token; get one with `spillway token admin` on the server"
                        .into(),
                )),
            },
            Action::Serve => self.permit_serving(caller).await,
            Action::Mark(name) => self.permit_marking(caller, name).await,
            Action::SeeMarkers(name) => match self.permit_serving(caller).await {
                Ok(()) => Ok(()),
                Err(_) => self.permit_marking(caller, name).await,
            },
            Action::SeeAudience(name) => self.permit_looking(caller, name).await,
            Action::View(name) => {
                let channel = self.known_channel(name).await?;
                if !channel.profile.settings.restricted_viewing {
                    return Ok(());
                }
                match self.standing(caller, name).await? {
                    Standing::Granted(grant) if grant.allows_viewing(name) => Ok(()),
                    Standing::Granted(_) => Err(not_for(&format!("seeing \"{name}\""))),
                    Standing::Stranger(refusal) => Err(refusal),
                }
            }
            Action::Watch(name) => self.admit_caller(name, caller).await.map(drop),
        }
    }

    async fn permit_serving(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.grant(caller).await.map_err(refusals::from_token)? {
            Some(grant) if matches!(grant.kind, TokenKind::Service | TokenKind::Admin) => Ok(()),
            Some(_) => Err(not_for(
                "this; it needs a service token (`spillway token service`)",
            )),
            None => Err(Refusal::Unauthorized(
                "this needs a service token; get one with `spillway token service` on the server"
                    .into(),
            )),
        }
    }

    async fn permit_marking(&self, caller: &Caller, channel: &ChannelName) -> Result<(), Refusal> {
        match self.standing(caller, channel).await? {
            Standing::Granted(grant)
                if [TokenKind::Publish, TokenKind::Moderate]
                    .iter()
                    .any(|kind| grant.allows(*kind, channel)) =>
            {
                Ok(())
            }
            Standing::Granted(_) => Err(not_for(&format!(
                "this; it needs one to publish to \"{channel}\" or to moderate it"
            ))),
            Standing::Stranger(refusal) => Err(refusal),
        }
    }

    async fn permit_looking(&self, caller: &Caller, channel: &ChannelName) -> Result<(), Refusal> {
        match self.standing(caller, channel).await? {
            Standing::Granted(grant) if grant.allows(TokenKind::Publish, channel) => Ok(()),
            Standing::Granted(_) => Err(not_for(&format!(
                "this; it needs one to publish to \"{channel}\" or an admin token"
            ))),
            Standing::Stranger(refusal) => Err(refusal),
        }
    }

    /// The identifier of the caller's token, by which it's revoked.
    pub(super) async fn token_id(&self, caller: &Caller) -> Result<Option<String>, Refusal> {
        let grant = self.grant(caller).await.map_err(refusals::from_token)?;
        Ok(grant.map(|grant| grant.id))
    }

    async fn standing(&self, caller: &Caller, channel: &ChannelName) -> Result<Standing, Refusal> {
        match self.grant(caller).await {
            Ok(Some(grant)) => Ok(Standing::Granted(grant)),
            Ok(None) => Ok(Standing::Stranger(Refusal::Unauthorized(format!(
                "\"{channel}\" needs a token for this; get one on the server with `spillway token publish {channel}` (to \
                 publish) or `spillway token view {channel}` (to watch), and give it as the bearer token"
            )))),
            Err(error @ (TokenError::Malformed | TokenError::UnknownIssuer)) => {
                Ok(Standing::Stranger(refusals::from_token(error)))
            }
            Err(error) => Err(refusals::from_token(error)),
        }
    }

    async fn grant(&self, caller: &Caller) -> Result<Option<Grant>, TokenError> {
        match &caller.token {
            Some(token) => self
                .parts
                .verifier
                .verify(&token.0, &*self.parts.store)
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    async fn ask(
        &self,
        action: Wish,
        caller: &Caller,
        channel: &ChannelName,
    ) -> Result<Option<String>, Refusal> {
        let question = Question {
            action,
            channel,
            address: caller.address,
            token: caller.token.as_ref().map(|token| token.0.as_str()),
            user_agent: caller.user_agent.as_deref(),
        };
        match self.parts.webhooks.ask(&question).await {
            Verdict::Allowed { user } => Ok(user),
            Verdict::Denied(detail) => Err(Refusal::Forbidden(detail)),
            Verdict::Unavailable => Err(refusals::overloaded(
                "the service that decides over this channel doesn't answer; try again later",
            )),
        }
    }
}

fn not_for(what: &str) -> Refusal {
    Refusal::Forbidden(format!("the token isn't for {what}"))
}
