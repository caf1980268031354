//! The event streams of the platform in memory: two a session, all with the same news.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use spillway_signaling::{
    ChannelNews, EventFeed, EventSet, FeedMemory, Refusal, platform::SessionRef,
};
use tokio::sync::{oneshot, watch};

const PER_SESSION: usize = 2;

#[derive(Default)]
pub(crate) struct FakeEvents {
    news: watch::Sender<ChannelNews>,
    streams: Mutex<Vec<Stream>>,
    opened: Mutex<BTreeMap<String, u32>>,
}

struct Stream {
    session: SessionRef,
    number: u32,
    events: EventSet,
    memory: Arc<FeedMemory>,
    follower: Option<oneshot::Sender<()>>,
}

impl FakeEvents {
    /// Changes what there is to tell.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut ChannelNews)) {
        self.news.send_modify(change);
    }

    /// Requests that follow an event stream now.
    pub(crate) fn followers(&self) -> usize {
        self.news.receiver_count()
    }

    pub(crate) fn open(&self, session: &SessionRef, events: EventSet) -> Result<u32, Refusal> {
        let mut streams = self.streams();
        let of_session = streams.iter().filter(|stream| stream.session == *session);
        if of_session.count() == PER_SESSION {
            return Err(Refusal::TooMany {
                detail: "the session has 2 event streams; end one".into(),
                retry_after: Duration::from_secs(5),
            });
        }
        let mut opened = self.opened.lock().unwrap();
        let number = opened.entry(session.key.as_str().to_owned()).or_default();
        *number += 1;
        streams.push(Stream {
            session: session.clone(),
            number: *number,
            events,
            memory: Arc::default(),
            follower: None,
        });
        Ok(*number)
    }

    pub(crate) fn follow(&self, session: &SessionRef, number: u32) -> Option<EventFeed> {
        let mut streams = self.streams();
        let stream = streams
            .iter_mut()
            .find(|stream| stream.session == *session && stream.number == number)?;
        let (follower, end) = oneshot::channel();
        stream.follower = Some(follower);
        Some(EventFeed {
            events: stream.events,
            video_line: Some(0),
            news: self.news.subscribe(),
            end,
            memory: Arc::clone(&stream.memory),
        })
    }

    pub(crate) fn end(&self, session: &SessionRef, number: u32) -> Option<()> {
        let mut streams = self.streams();
        let place = streams
            .iter()
            .position(|stream| stream.session == *session && stream.number == number)?;
        streams.remove(place);
        Some(())
    }

    pub(crate) fn session_ended(&self, session: &SessionRef) {
        self.streams().retain(|stream| stream.session != *session);
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.streams.lock().unwrap()
    }
}
