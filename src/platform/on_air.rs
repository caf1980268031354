//! Which channels are on air: from a publisher's first media packet until the grace after its last. Pure bookkeeping.

use std::{collections::HashMap, time::Duration};

use spillway_sfu::SessionId;
use spillway_signaling::{
    Activity, ChannelName,
    api::model::{Broadcast, Timestamp},
};

use crate::time;

/// The broadcasts under way.
#[derive(Default)]
pub(super) struct OnAir {
    channels: HashMap<ChannelName, Air>,
}

struct Air {
    broadcast: Broadcast,
    /// Whose key the publisher holds.
    holder: Option<String>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live(SessionId),
    /// The publisher is gone since then and may return.
    Waiting(Timestamp),
}

/// What going live means for broadcasts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WentLive {
    /// The broadcast that is on air now: new, or continued.
    pub(super) broadcast: Broadcast,
    /// The one that it puts an end to: another key's, in its grace.
    pub(super) ended: Option<Broadcast>,
    /// Its publisher was there before, and has returned.
    pub(super) has_returned: bool,
}

impl OnAir {
    /// A publisher's first media packet came.
    pub(super) fn go_live(
        &mut self,
        channel: &ChannelName,
        session: SessionId,
        holder: Option<String>,
        title: String,
        now: Timestamp,
    ) -> WentLive {
        let state = State::Live(session);
        if let Some(air) = self.channels.get_mut(channel)
            && air.holder == holder
        {
            let has_returned = air.state != state;
            air.state = state;
            return WentLive {
                broadcast: air.broadcast.clone(),
                ended: None,
                has_returned,
            };
        }
        let broadcast = Broadcast {
            id: time::new_id(),
            channel: channel.clone(),
            title,
            started_at: now,
            ended_at: None,
            peak_viewers: 0,
        };
        let air = Air {
            broadcast: broadcast.clone(),
            holder,
            state,
        };
        let ended = self
            .channels
            .insert(channel.clone(), air)
            .map(|air| air.end(now));
        WentLive {
            broadcast,
            ended,
            has_returned: false,
        }
    }

    /// A publisher is gone. False: the channel was live from another one, or not at all.
    pub(super) fn go_offline(
        &mut self,
        channel: &ChannelName,
        session: SessionId,
        now: Timestamp,
    ) -> bool {
        match self.channels.get_mut(channel) {
            Some(air) if air.state == State::Live(session) => {
                air.state = State::Waiting(now);
                true
            }
            _ => false,
        }
    }

    /// Takes out what nobody returned to within `grace`.
    pub(super) fn expire(&mut self, grace: Duration, now: Timestamp) -> Vec<Broadcast> {
        self.take(
            |state| matches!(state, State::Waiting(since) if time::after(since, grace) <= now),
            now,
        )
    }

    /// Takes out everything: the node stops.
    pub(super) fn end_all(&mut self, now: Timestamp) -> Vec<Broadcast> {
        self.take(|_| true, now)
    }

    /// Takes out one channel's: the channel is deleted.
    pub(super) fn end(&mut self, channel: &ChannelName, now: Timestamp) -> Option<Broadcast> {
        self.channels.remove(channel).map(|air| air.end(now))
    }

    /// Notes how many viewers there are.
    pub(super) fn note_viewers(&mut self, channel: &ChannelName, viewers: u32) {
        if let Some(air) = self.channels.get_mut(channel) {
            air.broadcast.peak_viewers = air.broadcast.peak_viewers.max(viewers);
        }
    }

    /// Broadcasts whose publisher is there.
    pub(super) fn live(&self) -> impl Iterator<Item = &Broadcast> {
        self.channels
            .values()
            .filter(|air| matches!(air.state, State::Live(_)))
            .map(|air| &air.broadcast)
    }

    /// All broadcasts under way, those in their grace as well.
    pub(super) fn broadcasts(&self) -> impl Iterator<Item = &Broadcast> {
        self.channels.values().map(|air| &air.broadcast)
    }

    /// Since when a channel is on air, if its publisher is there.
    pub(super) fn live_since(&self, channel: &ChannelName) -> Option<Timestamp> {
        let air = self.channels.get(channel)?;
        matches!(air.state, State::Live(_)).then_some(air.broadcast.started_at)
    }

    /// Whether a channel is on air, or waits for its publisher.
    pub(super) fn activity(&self, channel: &ChannelName) -> Activity {
        match self.channels.get(channel).map(|air| air.state) {
            Some(State::Live(_)) => Activity::Active,
            Some(State::Waiting(_)) => Activity::Interrupted,
            None => Activity::Idle,
        }
    }

    /// Who publishes to a channel that's on air.
    pub(super) fn publisher(&self, channel: &ChannelName) -> Option<SessionId> {
        match self.channels.get(channel)?.state {
            State::Live(publisher) => Some(publisher),
            State::Waiting(_) => None,
        }
    }

    /// The broadcast of a channel that's under way.
    pub(super) fn broadcast(&self, channel: &ChannelName) -> Option<&Broadcast> {
        self.channels.get(channel).map(|air| &air.broadcast)
    }

    fn take(&mut self, over: impl Fn(State) -> bool, now: Timestamp) -> Vec<Broadcast> {
        self.channels
            .extract_if(|_, air| over(air.state))
            .map(|(_, air)| air.end(now))
            .collect()
    }
}

impl Air {
    /// A broadcast ends with its last packet, not with the grace after it.
    fn end(self, now: Timestamp) -> Broadcast {
        let ended_at = match self.state {
            State::Live(_) => now,
            State::Waiting(since) => since,
        };
        Broadcast {
            ended_at: Some(ended_at),
            ..self.broadcast
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spillway_sfu::WorkerId;

    use super::*;

    const GRACE: Duration = Duration::from_millis(30);

    fn session(serial: u64) -> SessionId {
        SessionId {
            worker: WorkerId(0),
            serial,
        }
    }

    fn demo() -> ChannelName {
        "demo".parse().unwrap()
    }

    fn go_live(on_air: &mut OnAir, serial: u64, holder: &str, at: u64) -> WentLive {
        on_air.go_live(
            &demo(),
            session(serial),
            Some(holder.into()),
            String::new(),
            Timestamp(at),
        )
    }

    #[test]
    fn a_return_within_the_grace_continues_the_broadcast() {
        let mut on_air = OnAir::default();
        let first = go_live(&mut on_air, 1, "alice", 0).broadcast;
        assert!(on_air.go_offline(&demo(), session(1), Timestamp(10)));
        assert_eq!(on_air.live_since(&demo()), None);
        assert!(on_air.expire(GRACE, Timestamp(39)).is_empty());
        let second = go_live(&mut on_air, 2, "alice", 39);
        assert_eq!(
            second,
            WentLive {
                broadcast: first,
                ended: None,
                has_returned: true,
            }
        );
        assert_eq!(on_air.live_since(&demo()), Some(Timestamp(0)));
    }

    #[test]
    fn a_broadcast_ends_with_its_last_packet_once_the_grace_is_over() {
        let mut on_air = OnAir::default();
        go_live(&mut on_air, 1, "alice", 0);
        on_air.go_offline(&demo(), session(1), Timestamp(10));
        let ended = on_air.expire(GRACE, Timestamp(40));
        assert_eq!(ended[0].ended_at, Some(Timestamp(10)));
        assert!(on_air.broadcast(&demo()).is_none());
    }

    #[test]
    fn another_key_begins_another_broadcast() {
        let mut on_air = OnAir::default();
        let first = go_live(&mut on_air, 1, "alice", 0).broadcast;
        on_air.go_offline(&demo(), session(1), Timestamp(10));
        let second = go_live(&mut on_air, 2, "bob", 20);
        assert_ne!(second.broadcast.id, first.id);
        assert_eq!(
            second.ended,
            Some(Broadcast {
                ended_at: Some(Timestamp(10)),
                ..first
            })
        );
    }

    #[test]
    fn the_end_of_a_publisher_that_was_taken_over_changes_nothing() {
        let mut on_air = OnAir::default();
        go_live(&mut on_air, 1, "alice", 0);
        go_live(&mut on_air, 2, "alice", 10);
        assert!(!on_air.go_offline(&demo(), session(1), Timestamp(11)));
        assert_eq!(on_air.live().count(), 1);
    }

    #[test]
    fn the_peak_of_viewers_is_kept() {
        let mut on_air = OnAir::default();
        go_live(&mut on_air, 1, "alice", 0);
        for viewers in [3, 7, 2] {
            on_air.note_viewers(&demo(), viewers);
        }
        assert_eq!(on_air.end_all(Timestamp(5))[0].peak_viewers, 7);
    }
}
