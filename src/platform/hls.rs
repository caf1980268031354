//! LL-HLS: sidecars come and go, follow the broadcasts, and have what viewers ask for.

use std::{sync::Arc, time::Instant};

use spillway_signaling::{
    BroadcastOnAir, ChannelName, HlsSource, OnAirFeed, Refusal, SidecarId, SidecarUrl, Ticket,
    api::model::SidecarRegistration,
    platform::{Action, Caller},
};

use super::{
    Node, State, refusals,
    sidecars::{Arrival, NoEntry},
};
use crate::time;

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

    pub(super) async fn note_sidecar(
        &self,
        id: SidecarId,
        registration: SidecarRegistration,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let holder = self.token_id(caller).await?;
        let url = registration.url.as_str().to_owned();
        let name = id.clone();
        let arrival = Arrival {
            id,
            registration,
            holder,
        };
        let noted = self
            .state()
            .sidecars
            .register(arrival, time::now(), Instant::now());
        match noted {
            Ok(is_new) => {
                if is_new {
                    tracing::info!(sidecar = %name, url, "a sidecar serves HLS");
                }
                Ok(())
            }
            Err(NoEntry::Full) => Err(refusals::overloaded(
                "this server has as many sidecars as it may; stop one",
            )),
            Err(NoEntry::Taken) => Err(taken(&name)),
        }
    }

    pub(super) async fn drop_sidecar(
        &self,
        id: &SidecarId,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let may_all = self.permit(caller, Action::Administer).await.is_ok();
        let holder = self.token_id(caller).await?;
        let mut state = self.state();
        if !may_all && state.sidecars.is_of_another(id, holder.as_deref()) {
            return Err(taken(id));
        }
        if state.sidecars.forget(id) {
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

    /// Others that have its channels serve them for a while.
    pub(super) fn avoid_sidecar(&self, url: &SidecarUrl) {
        tracing::debug!(url = url.as_str(), "a sidecar can't be reached");
        self.state().sidecars.pass_over(url, Instant::now());
    }

    /// No sidecar runs beside this node: others may register all the same.
    pub fn runs_no_sidecar(&self) {
        self.state().runs_sidecar = false;
    }

    pub(super) async fn hls_source(
        &self,
        channel: &ChannelName,
        ticket: Ticket<'_>,
    ) -> Result<Option<HlsSource>, Refusal> {
        let scope = format!("/hls/{channel}");
        let signature = self.admit_viewer(channel, &scope, ticket).await?;
        let state = self.state();
        if let Some(sidecar) = state.sidecars.serving(channel, Instant::now()) {
            return Ok(Some(HlsSource {
                sidecar: sidecar.clone(),
                signature,
            }));
        }
        if !state.runs_sidecar && state.sidecars.count() == 0 {
            return Err(Refusal::NotFound(
                "this server makes no HLS: it runs no sidecar, and none has registered".into(),
            ));
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
}

fn taken(id: &SidecarId) -> Refusal {
    Refusal::conflict(format!(
        "another token's sidecar is called \"{id}\"; choose another --id, or wait 10 s after its end"
    ))
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
