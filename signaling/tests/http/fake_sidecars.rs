//! The sidecars of the platform in memory, and what they are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use spillway_signaling::{
    BroadcastOnAir, ChannelName, OnAir, OnAirFeed, SidecarId, SidecarUrl,
    api::model::{Sidecar, SidecarRegistration, Timestamp},
};
use tokio::sync::{oneshot, watch};

#[derive(Default)]
pub(crate) struct FakeSidecars {
    on_air: watch::Sender<OnAir>,
    followers: Mutex<Vec<oneshot::Sender<()>>>,
    known: Mutex<BTreeMap<SidecarId, SidecarRegistration>>,
    passed_over: Mutex<Vec<SidecarUrl>>,
}

impl FakeSidecars {
    /// Puts a broadcast on air.
    pub(crate) fn go_on_air(&self, channel: &str, broadcast: &str) {
        let channel: ChannelName = channel.parse().unwrap();
        self.on_air.send_modify(|on_air| {
            let broadcast = BroadcastOnAir {
                channel: channel.clone(),
                broadcast: broadcast.into(),
                started_at: Timestamp(1_767_225_600_000),
            };
            Arc::make_mut(on_air).insert(channel, broadcast);
        });
    }

    /// Ends all broadcasts.
    pub(crate) fn go_off_air(&self) {
        self.on_air.send_replace(Arc::default());
    }

    /// Ends what is told.
    pub(crate) fn end_following(&self) {
        self.followers.lock().unwrap().clear();
    }

    pub(crate) fn follow(&self) -> OnAirFeed {
        let (end, ended) = oneshot::channel();
        self.followers.lock().unwrap().push(end);
        OnAirFeed {
            on_air: self.on_air.subscribe(),
            end: ended,
        }
    }

    pub(crate) fn register(&self, id: SidecarId, registration: SidecarRegistration) {
        self.known.lock().unwrap().insert(id, registration);
    }

    /// Nobody listens there.
    pub(crate) fn pass_over(&self, url: &SidecarUrl) {
        self.passed_over.lock().unwrap().push(url.clone());
    }

    pub(crate) fn forget(&self, id: &SidecarId) -> Option<()> {
        self.known.lock().unwrap().remove(id).map(drop)
    }

    pub(crate) fn serving(&self, channel: &ChannelName) -> Option<SidecarUrl> {
        let known = self.known.lock().unwrap();
        let passed_over = self.passed_over.lock().unwrap();
        let serving = known
            .values()
            .filter(|sidecar| sidecar.channels.contains(channel));
        serving
            .min_by_key(|sidecar| passed_over.contains(&sidecar.url))
            .map(|sidecar| sidecar.url.clone())
    }

    pub(crate) fn list(&self) -> Vec<Sidecar> {
        let describe = |(id, registration): (&SidecarId, &SidecarRegistration)| Sidecar {
            id: id.clone(),
            url: registration.url.clone(),
            channels: registration.channels.clone(),
            since: Timestamp(0),
            heard_at: Timestamp(0),
        };
        self.known.lock().unwrap().iter().map(describe).collect()
    }
}
