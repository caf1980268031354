//! The event streams of viewers' sessions and what they tell, channel by channel. Pure bookkeeping, no I/O.

use std::{collections::HashMap, sync::Arc};

use spillway_sfu::SessionId;
use spillway_signaling::{ChannelName, ChannelNews, EventFeed, EventSet, FeedMemory};
use tokio::sync::{oneshot, watch};

/// Event streams that one session may have: a page and whatever watches over it.
const PER_SESSION: usize = 2;

/// All event streams of the node.
pub(super) struct EventStreams {
    most: usize,
    count: usize,
    sessions: HashMap<SessionId, OfSession>,
    /// One for each channel that somebody follows: all of its followers read the same state.
    channels: HashMap<ChannelName, watch::Sender<ChannelNews>>,
}

#[derive(Default)]
struct OfSession {
    /// How many there ever were, so that no number comes twice.
    opened: u32,
    streams: Vec<EventStream>,
}

struct EventStream {
    number: u32,
    events: EventSet,
    memory: Arc<FeedMemory>,
    /// Ends the request that follows it, by going.
    follower: Option<oneshot::Sender<()>>,
}

/// Which bound a new event stream would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowded {
    Session,
    Node,
}

impl EventStreams {
    /// None yet, and `most` in all.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            count: 0,
            sessions: HashMap::new(),
            channels: HashMap::new(),
        }
    }

    /// Makes one and gives its number.
    pub(super) fn open(&mut self, session: SessionId, events: EventSet) -> Result<u32, Crowded> {
        if self.count >= self.most {
            return Err(Crowded::Node);
        }
        let of_session = self.sessions.entry(session).or_default();
        if of_session.streams.len() >= PER_SESSION {
            return Err(Crowded::Session);
        }
        of_session.opened += 1;
        self.count += 1;
        of_session.streams.push(EventStream {
            number: of_session.opened,
            events,
            memory: Arc::default(),
            follower: None,
        });
        Ok(of_session.opened)
    }

    /// Follows one. `now` says what there is to tell of its channel when nobody else follows that.
    pub(super) fn follow(
        &mut self,
        session: SessionId,
        number: u32,
        channel: &ChannelName,
        video_line: Option<usize>,
        now: impl FnOnce() -> ChannelNews,
    ) -> Option<EventFeed> {
        let of_session = self.sessions.get_mut(&session)?;
        let stream = of_session
            .streams
            .iter_mut()
            .find(|stream| stream.number == number)?;
        let (follower, end) = oneshot::channel();
        stream.follower = Some(follower);
        let news = self
            .channels
            .entry(channel.clone())
            .or_insert_with(|| watch::Sender::new(now()));
        Some(EventFeed {
            events: stream.events,
            video_line,
            news: news.subscribe(),
            end,
            memory: Arc::clone(&stream.memory),
        })
    }

    /// Ends one. False: there's none.
    pub(super) fn end(&mut self, session: SessionId, number: u32) -> bool {
        let Some(of_session) = self.sessions.get_mut(&session) else {
            return false;
        };
        let before = of_session.streams.len();
        of_session.streams.retain(|stream| stream.number != number);
        let ended = before - of_session.streams.len();
        self.count -= ended;
        ended > 0
    }

    /// Ends those of a session that has ended.
    pub(super) fn session_ended(&mut self, session: SessionId) {
        if let Some(of_session) = self.sessions.remove(&session) {
            self.count -= of_session.streams.len();
        }
    }

    /// Changes what there is to tell of a channel, if somebody follows it.
    pub(super) fn tell(&self, channel: &ChannelName, change: impl FnOnce(&mut ChannelNews)) {
        let Some(news) = self.channels.get(channel) else {
            return;
        };
        news.send_if_modified(|news| {
            let before = news.clone();
            change(news);
            *news != before
        });
    }

    /// Changes what there is to tell of every channel.
    pub(super) fn tell_all(&self, change: impl Fn(&ChannelName, &mut ChannelNews)) {
        for (channel, news) in &self.channels {
            news.send_modify(|news| change(channel, news));
        }
    }

    /// The channels that somebody follows; the others are forgotten.
    pub(super) fn followed(&mut self) -> impl Iterator<Item = &ChannelName> {
        self.channels.retain(|_, news| news.receiver_count() > 0);
        self.channels.keys()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spillway_sfu::WorkerId;

    use super::*;

    fn session(serial: u64) -> SessionId {
        SessionId {
            worker: WorkerId(0),
            serial,
        }
    }

    fn demo() -> ChannelName {
        "demo".parse().unwrap()
    }

    fn follow(streams: &mut EventStreams, serial: u64, number: u32) -> Option<EventFeed> {
        streams.follow(session(serial), number, &demo(), Some(0), || ChannelNews {
            viewers: 7,
            ..ChannelNews::default()
        })
    }

    #[test]
    fn a_session_and_the_node_have_bounds() {
        let mut streams = EventStreams::new(3);
        let mut open = |serial| streams.open(session(serial), EventSet::all());
        assert_eq!(open(1), Ok(1));
        assert_eq!(open(1), Ok(2));
        assert_eq!(open(1), Err(Crowded::Session));
        assert_eq!(open(2), Ok(1));
        assert_eq!(open(3), Err(Crowded::Node));
        streams.session_ended(session(1));
        assert_eq!(streams.count(), 1);
        assert_eq!(streams.open(session(3), EventSet::all()), Ok(1));
    }

    #[test]
    fn a_number_never_comes_twice() {
        let mut streams = EventStreams::new(9);
        assert_eq!(streams.open(session(1), EventSet::all()), Ok(1));
        assert!(streams.end(session(1), 1));
        assert!(!streams.end(session(1), 1));
        assert_eq!(streams.open(session(1), EventSet::all()), Ok(2));
        assert!(follow(&mut streams, 1, 1).is_none());
        assert_eq!(streams.count(), 1);
    }

    #[test]
    fn who_follows_later_takes_the_place_of_who_did() {
        let mut streams = EventStreams::new(9);
        streams.open(session(1), EventSet::all()).unwrap();
        let mut first = follow(&mut streams, 1, 1).unwrap();
        let mut second = follow(&mut streams, 1, 1).unwrap();
        assert!(
            first
                .end
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
        assert!(
            second
                .end
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        streams.session_ended(session(1));
        assert!(
            second
                .end
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
    }

    #[test]
    fn all_followers_of_a_channel_read_one_state_until_nobody_is_left() {
        let mut streams = EventStreams::new(9);
        for serial in [1, 2] {
            streams.open(session(serial), EventSet::all()).unwrap();
        }
        let mut feeds = [1, 2].map(|serial| follow(&mut streams, serial, 1).unwrap());
        streams.tell(&demo(), |news| news.viewers = 7);
        assert!(!feeds[0].news.has_changed().unwrap(), "it's as it was");
        streams.tell(&demo(), |news| news.viewers = 8);
        assert_eq!(feeds[1].news.borrow_and_update().viewers, 8);
        assert_eq!(streams.followed().count(), 1);
        drop(feeds);
        assert_eq!(streams.followed().count(), 0);
    }
}
