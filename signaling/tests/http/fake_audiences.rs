//! The audiences of the platform in memory: what was reported, and the same figures of every broadcast.

use std::sync::Mutex;

use async_trait::async_trait;
use spillway_chat::protocol::Report;
use spillway_signaling::{
    Audience, AudienceHeight, AudiencePoint, AudienceShare, AudienceSums, AudienceTotal, Audiences,
    BroadcastId, ChannelName, Percentiles, Platform as _, Refusal,
    platform::{Action, Caller},
};

use crate::fake::Fake;

#[derive(Default)]
pub(crate) struct FakeAudiences {
    reported: Mutex<Vec<(Caller, Report)>>,
}

impl FakeAudiences {
    pub(crate) fn reported(&self) -> Vec<(Caller, Report)> {
        self.reported.lock().unwrap().clone()
    }
}

#[async_trait]
impl Audiences for Fake {
    async fn take_report(
        &self,
        channel: &ChannelName,
        caller: &Caller,
        report: Report,
    ) -> Result<(), Refusal> {
        self.authorize(caller, Action::View(channel)).await?;
        let mut reported = self.audiences.reported.lock().unwrap();
        reported.push((caller.clone(), report));
        Ok(())
    }

    async fn audience(
        &self,
        broadcast: &BroadcastId,
        step: Option<u32>,
    ) -> Result<Audience, Refusal> {
        let of = self.broadcast(broadcast.as_str()).await?;
        let sums = AudienceSums {
            watched_s: 90.5,
            stalled_s: 0.25,
            stalls: 1,
            joins: 2,
        };
        let latency_ms = Percentiles {
            count: 1,
            p50: Some(180),
            p95: Some(180),
            p99: Some(180),
        };
        Ok(Audience {
            broadcast: of.id,
            channel: of.channel,
            started_at: of.started_at,
            ended_at: of.ended_at,
            step: step.unwrap_or(1),
            total: AudienceTotal {
                sums,
                viewers_most: 1.5,
                sessions_most: 2,
                latency_ms,
                startup_ms: Percentiles::default(),
            },
            points: vec![AudiencePoint {
                viewers: 1.5,
                sessions_most: 2,
                sums,
                latency_ms,
                ..AudiencePoint::default()
            }],
            players: vec![AudienceShare {
                name: "webrtc".into(),
                sums,
                latency_ms,
                startup_ms: Percentiles::default(),
            }],
            devices: Vec::new(),
            countries: Vec::new(),
            heights: vec![AudienceHeight {
                height: 720,
                watched_s: 90.5,
            }],
            raised: [("EUR".to_owned(), 1_250)].into(),
        })
    }
}
