//! LL-HLS: sidecars come and go, follow the broadcasts, and have what viewers ask for.

use std::{sync::Arc, time::Instant};

use sha2::{Digest as _, Sha256};
use spillway_signaling::{
    BroadcastOnAir, ChannelName, HlsSource, OnAirFeed, Refusal, SidecarId,
    api::model::SidecarRegistration, platform::Caller,
};

use super::{Node, State, refusals, sidecars::Asker};
use crate::{time, webhooks::Wish};

/// When to ask again for a channel that a sidecar is about to have.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

impl Node {
    pub(super) async fn follow_on_air(&self, caller: &Caller) -> Result<OnAirFeed, Refusal> {
        let token = self.token_id(caller).await?;
        let mut state = self.state();
        // Also what another task changed and is about to tell.
        state.tell_on_air();
        state.followers.follow(token).map_err(|_| {
            refusals::overloaded("as many follow the broadcasts of this server as may; end one")
        })
    }

    pub(super) fn note_sidecar(
        &self,
        id: SidecarId,
        registration: SidecarRegistration,
    ) -> Result<(), Refusal> {
        let url = registration.url.as_str().to_owned();
        let name = id.clone();
        let noted = self
            .state()
            .sidecars
            .register(id, registration, time::now(), Instant::now());
        match noted {
            Ok(is_new) => {
                if is_new {
                    tracing::info!(sidecar = %name, url, "a sidecar serves HLS");
                }
                Ok(())
            }
            Err(_) => Err(refusals::overloaded(
                "this server has as many sidecars as it may; stop one",
            )),
        }
    }

    pub(super) fn drop_sidecar(&self, id: &SidecarId) -> Result<(), Refusal> {
        if self.state().sidecars.forget(id) {
            tracing::info!(sidecar = %id, "a sidecar serves HLS no more");
            return Ok(());
        }
        Err(Refusal::NotFound(
            "there is no such sidecar; it may have been forgotten".into(),
        ))
    }

    /// Forgets sidecars that fell silent.
    pub(super) fn expire_sidecars(&self) {
        let silent = self.state().sidecars.expire(Instant::now());
        for id in silent {
            tracing::warn!(sidecar = %id, "a sidecar wasn't heard of for 10 s: it serves HLS no more");
        }
    }

    pub(super) async fn hls_source(
        &self,
        channel: &ChannelName,
        caller: &Caller,
    ) -> Result<Option<HlsSource>, Refusal> {
        let is_restricted = self.admit_to_hls(channel, caller).await?;
        let state = self.state();
        if let Some(sidecar) = state.sidecars.serving(channel, Instant::now()) {
            return Ok(Some(HlsSource {
                sidecar: sidecar.clone(),
                is_restricted,
            }));
        }
        if state.on_air.broadcast(channel).is_none() {
            return Ok(None);
        }
        Err(Refusal::Overloaded {
            detail: "the channel is live, but no sidecar serves it yet; try again in a moment"
                .into(),
            retry_after: SOON,
        })
    }

    /// Whether the channel is restricted, for a caller who may watch it. A player asks several times a second, so what was
    /// found out holds for a few seconds.
    async fn admit_to_hls(&self, name: &ChannelName, caller: &Caller) -> Result<bool, Refusal> {
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

impl State {
    /// Tells sidecars which broadcasts are under way. To be called, without letting the state go, after every change.
    pub(super) fn tell_on_air(&self) {
        let on_air = self.on_air.broadcasts().map(|broadcast| {
            let told = BroadcastOnAir {
                channel: broadcast.channel.clone(),
                broadcast: broadcast.id.clone(),
                started_at: broadcast.started_at,
            };
            (broadcast.channel.clone(), told)
        });
        self.followers.tell(Arc::new(on_air.collect()));
    }
}
