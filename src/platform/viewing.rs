//! Who may watch over HTTP, live or recorded: by a token, or by an address that a token was exchanged for.

use std::time::Instant;

use sha2::{Digest as _, Sha256};
use spillway_signaling::{ChannelName, Refusal, Signature, Ticket, platform::Caller};

use super::{Node, sidecars::Asker};
use crate::{time, webhooks::Wish};

impl Node {
    /// Lets in who may watch the channel, to what lies below `scope`; with the signature of that, where it isn't for everybody.
    pub(super) async fn admit_viewer(
        &self,
        channel: &ChannelName,
        scope: &str,
        ticket: Ticket<'_>,
    ) -> Result<Option<Signature>, Refusal> {
        match ticket {
            Ticket::Signature(signature) => {
                let checked = self.addresses.check(signature, scope, time::now());
                checked.map_err(|error| Refusal::Forbidden(error.to_string()))?;
                Ok(None)
            }
            Ticket::Caller(caller) => {
                let is_restricted = self.admit_caller(channel, caller).await?;
                Ok(is_restricted.then(|| self.addresses.sign(scope, time::now())))
            }
        }
    }

    /// Whether the channel is restricted, for a caller who may watch it. A player asks several times a second, so what was
    /// found out holds for a few seconds.
    pub(super) async fn admit_caller(
        &self,
        name: &ChannelName,
        caller: &Caller,
    ) -> Result<bool, Refusal> {
        let is_asked_about = self.parts.webhooks.decides(Wish::View);
        let asker = Asker {
            channel: name.clone(),
            token: caller
                .token
                .as_ref()
                .map(|token| Sha256::digest(&token.0).into()),
            address: is_asked_about.then_some(caller.address),
        };
        let known = self.state().admissions.find(&asker, Instant::now());
        if let Some(is_restricted) = known {
            return Ok(is_restricted);
        }
        let channel = self.known_channel(name).await?;
        self.permit_viewing(caller, &channel).await?;
        // The outside service decides over each viewer by itself.
        let is_restricted = channel.profile.settings.restricted_viewing || is_asked_about;
        self.state()
            .admissions
            .grant(asker, is_restricted, Instant::now());
        Ok(is_restricted)
    }
}
