//! What players report, and how audiences did.

use async_trait::async_trait;
use spillway_chat::protocol::Report;
use spillway_signaling::{
    Audience, Audiences, BroadcastId, ChannelName, Refusal, platform::Caller,
};

use super::{Node, refusals};
use crate::{audience, time};

#[async_trait]
impl Audiences for Node {
    async fn take_report(
        &self,
        channel: &ChannelName,
        caller: &Caller,
        report: Report,
    ) -> Result<(), Refusal> {
        self.admit_caller(channel, caller).await?;
        let report = audience::alone(&report);
        self.audience
            .note(channel, caller.origin, Some(&report), time::now());
        Ok(())
    }

    async fn audience(
        &self,
        broadcast: &BroadcastId,
        step: Option<u32>,
    ) -> Result<Audience, Refusal> {
        let of = self.describe_broadcast(broadcast.as_str()).await?;
        let counted = self.audience.counted(broadcast).await;
        let counted = counted.map_err(refusals::from_store)?;
        let raised = self.parts.store.raised(broadcast.as_str()).await;
        Ok(Audience {
            raised: raised.map_err(refusals::from_store)?,
            ..audience::view(of, &counted, step, time::now())
        })
    }
}

impl Node {
    /// Writes down what was counted of audiences. To be called every few seconds.
    pub async fn save_audiences(&self) {
        self.audience.write().await;
    }

    /// Counts who watches what is on air.
    pub(super) fn count_sessions(&self) {
        let watched: Vec<_> = {
            let state = self.state();
            let of = |channel: &ChannelName| state.sessions.viewers(channel);
            let broadcasts = state.on_air.broadcasts();
            broadcasts
                .map(|broadcast| (broadcast.clone(), of(&broadcast.channel)))
                .collect()
        };
        self.audience.note_sessions(&watched, time::now());
    }
}
