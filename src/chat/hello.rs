//! Who says hello: identities, and the rights that tokens give.

use spillway_chat::{
    Role,
    protocol::{Code, Hello, Problem},
    room::{Joining, ParticipantId},
};
use spillway_signaling::{ChannelName, api::model::TokenKind};

use super::{Entrance, Pass, Shared};
use crate::auth::{Grant, TokenError};

/// Who says hello, and what they may do.
pub(super) async fn identify(
    shared: &Shared,
    channel: &ChannelName,
    id: ParticipantId,
    entrance: Entrance,
    hello: Hello,
) -> Result<Joining, Problem> {
    let role = match &hello.token {
        Some(token) => role_by(shared, channel, id, token)
            .await?
            .max(entrance.own_role),
        None if entrance.may_view => entrance.own_role,
        None => {
            let text = "this channel's viewing is restricted: say hello with a token for it";
            return Err(Problem::new(Code::Unauthorized, text));
        }
    };
    let known = hello
        .identity
        .as_deref()
        .and_then(|identity| shared.identities.read(identity));
    let (author, identity) = match (known, hello.identity) {
        (Some(author), Some(identity)) => (author, identity),
        _ => shared.identities.make(),
    };
    let following_since = shared
        .parts
        .store
        .following_since(channel, &author)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, %channel, "followers can't be read");
            None
        });
    Ok(Joining {
        author,
        identity,
        name: hello.name,
        role,
        following_since: following_since.map(|since| since.0),
        after: hello.after,
        history: hello.history,
    })
}

/// What a token makes somebody. It's noted, and looked at once more: it may have been revoked meanwhile.
async fn role_by(
    shared: &Shared,
    channel: &ChannelName,
    id: ParticipantId,
    token: &str,
) -> Result<Role, Problem> {
    let grant = grant_of(shared, channel, token).await?;
    let pass = Pass {
        token: grant.id,
        expires_at: grant.expires_at,
    };
    shared.hold(id, channel, pass);
    let grant = grant_of(shared, channel, token).await?;
    Ok(match grant.kind {
        TokenKind::Publish | TokenKind::Admin => Role::Streamer,
        TokenKind::Moderate => Role::Moderator,
        TokenKind::View | TokenKind::Service => Role::Viewer,
    })
}

async fn grant_of(shared: &Shared, channel: &ChannelName, token: &str) -> Result<Grant, Problem> {
    let parts = &shared.parts;
    let grant = parts
        .verifier
        .verify(token, parts.store.as_ref())
        .await
        .map_err(|error| match error {
            TokenError::Store(_) => {
                Problem::new(Code::Store, "tokens can't be checked now; try again later")
            }
            other => Problem::new(Code::Unauthorized, other.to_string()),
        })?;
    if !grant.allows_viewing(channel) {
        return Err(Problem::new(
            Code::Forbidden,
            "the token is for another channel",
        ));
    }
    Ok(grant)
}
