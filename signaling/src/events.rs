//! Server-sent events of a viewer's session (draft-ietf-wish-whep, the server-sent events extension): what a channel's
//! state is, and which of it a client wasn't told yet.
//!
//! A client is told of states and not of a queue of news: it reads the latest one whenever it is ready for more. So one
//! that reads slowly costs nothing, and misses nothing that still matters.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use utoipa::ToSchema;

/// The events that a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventName {
    /// The channel is on air.
    Active,
    /// It isn't any more.
    Inactive,
    /// Which video layers there are.
    Layers,
    /// The viewer shall make a new session.
    Reconnect,
    /// How many viewers there are.
    ViewerCount,
}

impl EventName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Inactive,
        Self::Layers,
        Self::Reconnect,
        Self::ViewerCount,
    ];

    /// As it stands in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Layers => "layers",
            Self::Reconnect => "reconnect",
            Self::ViewerCount => "viewercount",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The events that one event stream is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventSet(u8);

impl EventSet {
    /// Every event.
    pub fn all() -> Self {
        EventName::ALL.into_iter().collect()
    }

    /// Whether it has that one.
    pub fn contains(self, name: EventName) -> bool {
        self.0 & name.bit() != 0
    }
}

impl FromIterator<EventName> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventName>>(names: I) -> Self {
        Self(names.into_iter().fold(0, |set, name| set | name.bit()))
    }
}

impl fmt::Debug for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = EventName::ALL.into_iter();
        f.debug_set()
            .entries(names.filter(|name| self.contains(*name)))
            .finish()
    }
}

/// Whether there is something to watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activity {
    /// No broadcast is under way.
    #[default]
    Idle,
    /// One is, but its publisher is gone and may return.
    Interrupted,
    /// The channel is on air.
    Active,
}

/// What there is to tell of a channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChannelNews {
    /// Whether it's on air.
    pub activity: Activity,
    /// Its connected viewers.
    pub viewers: u32,
    /// Its video layers, the largest first; none before they're known.
    pub layers: Arc<[VideoLayer]>,
    /// This node wants to be rid of its viewers: the URL of the WHEP endpoint that they shall go to.
    pub reconnect: Option<String>,
}

/// One video layer, with everything below it that it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoLayer {
    /// The simulcast encoding that it's of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Its spatial layer, 0 the smallest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spatial_layer_id: Option<u8>,
    /// Its temporal layer, 0 the slowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporal_layer_id: Option<u8>,
    /// In bits per second; a layer without isn't sent at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// The picture's width, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u16>,
    /// The picture's height, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
}

/// An event stream that a client begins to follow.
#[derive(Debug)]
pub struct EventFeed {
    /// What the client asked for.
    pub events: EventSet,
    /// The number of the video's m-line in the session's SDP: the name of the video in `layers`. None: it has no video.
    pub video_line: Option<usize>,
    /// The channel's state, now and later.
    pub news: watch::Receiver<ChannelNews>,
    /// Completes, by going, when the session or the event stream ends, or when it's followed by another request.
    pub end: oneshot::Receiver<()>,
    /// What the event stream's client knows from earlier requests.
    pub memory: Arc<FeedMemory>,
}

/// What outlives a request that follows an event stream.
#[derive(Debug, Default)]
pub struct FeedMemory {
    /// The client was told that the channel is on air. That it's off may have been lost on the way.
    was_active: AtomicBool,
}

/// An event as it's sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) name: EventName,
    pub(crate) data: String,
}

/// Finds what a client wasn't told yet: ask [`Teller::next`] until there's nothing more, then wait for news.
pub(crate) struct Teller {
    events: EventSet,
    video_line: Option<usize>,
    memory: Arc<FeedMemory>,
    activity: Option<Activity>,
    viewers: Option<u32>,
    layers: Arc<[VideoLayer]>,
    is_over: bool,
}

impl Teller {
    pub(crate) fn new(
        events: EventSet,
        video_line: Option<usize>,
        memory: Arc<FeedMemory>,
    ) -> Self {
        Self {
            events,
            video_line,
            memory,
            activity: None,
            viewers: None,
            layers: Arc::default(),
            is_over: false,
        }
    }

    /// Whether the client was sent away: nothing more is told then.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn next(&mut self, news: &ChannelNews) -> Option<Telling> {
        if self.is_over {
            return None;
        }
        self.reconnect(news)
            .or_else(|| self.activity(news.activity))
            .or_else(|| self.layers(&news.layers))
            .or_else(|| self.viewers(news.viewers))
    }

    fn reconnect(&mut self, news: &ChannelNews) -> Option<Telling> {
        let url = news.reconnect.as_ref()?;
        self.is_over = self.events.contains(EventName::Reconnect);
        let data = serde_json::json!({ "url": url }).to_string();
        self.tell(EventName::Reconnect, data)
    }

    /// `inactive` is never the first event of an event stream (draft-ietf-wish-whep, "inactive event"), but a client that
    /// comes back to it must hear what ended meanwhile. It comes a second time when the broadcast is over for good.
    fn activity(&mut self, activity: Activity) -> Option<Telling> {
        if self.activity == Some(activity) {
            return None;
        }
        self.activity = Some(activity);
        let active = activity == Activity::Active;
        let was_active = self.memory.was_active.fetch_or(active, Ordering::Relaxed);
        if active {
            return self.tell(EventName::Active, "{}".to_owned());
        }
        let data = serde_json::json!({ "ended": activity == Activity::Idle });
        was_active
            .then(|| self.tell(EventName::Inactive, data.to_string()))
            .flatten()
    }

    fn layers(&mut self, layers: &Arc<[VideoLayer]>) -> Option<Telling> {
        let line = self.video_line?;
        if self.layers == *layers {
            return None;
        }
        self.layers = Arc::clone(layers);
        let data = serde_json::json!({ line.to_string(): **layers }).to_string();
        self.tell(EventName::Layers, data)
    }

    fn viewers(&mut self, viewers: u32) -> Option<Telling> {
        if self.viewers == Some(viewers) {
            return None;
        }
        self.viewers = Some(viewers);
        let data = serde_json::json!({ "viewercount": viewers }).to_string();
        self.tell(EventName::ViewerCount, data)
    }

    fn tell(&self, name: EventName, data: String) -> Option<Telling> {
        self.events.contains(name).then_some(Telling { name, data })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn teller(names: &[EventName]) -> Teller {
        let events = names.iter().copied().collect();
        Teller::new(events, Some(1), Arc::default())
    }

    fn all(teller: &mut Teller, news: &ChannelNews) -> Vec<(&'static str, String)> {
        std::iter::from_fn(|| teller.next(news))
            .map(|telling| (telling.name.as_str(), telling.data))
            .collect()
    }

    fn live() -> ChannelNews {
        ChannelNews {
            activity: Activity::Active,
            viewers: 2,
            layers: Arc::new([VideoLayer {
                rid: Some("f".into()),
                height: Some(720),
                ..VideoLayer::default()
            }]),
            reconnect: None,
        }
    }

    fn names(tellings: &[(&'static str, String)]) -> Vec<&'static str> {
        tellings.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn everything_is_told_once() {
        let mut teller = teller(&EventName::ALL);
        let told = all(&mut teller, &live());
        assert_eq!(
            told,
            [
                ("active", "{}".to_owned()),
                ("layers", r#"{"1":[{"height":720,"rid":"f"}]}"#.to_owned()),
                ("viewercount", r#"{"viewercount":2}"#.to_owned()),
            ]
        );
        assert!(all(&mut teller, &live()).is_empty());
    }

    #[test]
    fn what_was_not_asked_for_is_not_told() {
        let mut teller = teller(&[EventName::ViewerCount]);
        assert_eq!(names(&all(&mut teller, &live())), ["viewercount"]);
    }

    #[test]
    fn inactive_is_not_the_first_news_but_the_end_of_active() {
        let mut teller = teller(&[EventName::Active, EventName::Inactive]);
        let idle = ChannelNews::default();
        assert!(all(&mut teller, &idle).is_empty());
        assert_eq!(names(&all(&mut teller, &live())), ["active"]);
        assert_eq!(names(&all(&mut teller, &idle)), ["inactive"]);
    }

    #[test]
    fn inactive_says_whether_the_publisher_is_waited_for() {
        let mut teller = teller(&[EventName::Active, EventName::Inactive]);
        let interrupted = ChannelNews {
            activity: Activity::Interrupted,
            ..ChannelNews::default()
        };
        all(&mut teller, &live());
        let waits = ("inactive", r#"{"ended":false}"#.to_owned());
        assert_eq!(all(&mut teller, &interrupted), [waits]);
        assert!(all(&mut teller, &interrupted).is_empty());
        let over = ("inactive", r#"{"ended":true}"#.to_owned());
        assert_eq!(all(&mut teller, &ChannelNews::default()), [over]);
    }

    #[test]
    fn a_client_that_comes_back_hears_what_ended_meanwhile() {
        let memory = Arc::<FeedMemory>::default();
        let mut first = Teller::new(EventSet::all(), None, Arc::clone(&memory));
        all(&mut first, &live());
        let idle = ChannelNews::default();
        let mut second = Teller::new(EventSet::all(), None, memory);
        assert_eq!(names(&all(&mut second, &idle)), ["inactive", "viewercount"]);
    }

    #[test]
    fn reconnect_is_the_last_word() {
        let mut teller = teller(&EventName::ALL);
        let news = ChannelNews {
            reconnect: Some("/whep/demo".into()),
            ..live()
        };
        let told = all(&mut teller, &news);
        assert_eq!(told, [("reconnect", r#"{"url":"/whep/demo"}"#.to_owned())]);
        assert!(teller.is_over());
    }

    #[test]
    fn a_session_without_video_hears_of_no_layers() {
        let mut teller = Teller::new(EventSet::all(), None, Arc::default());
        assert_eq!(names(&all(&mut teller, &live())), ["active", "viewercount"]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in EventName::ALL {
            let written = format!("{:?}", name.as_str());
            assert_eq!(serde_json::to_string(&name).unwrap(), written);
            assert_eq!(serde_json::from_str::<EventName>(&written).unwrap(), name);
        }
    }
}
