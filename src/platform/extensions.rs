//! WHEP's extensions: what viewers are told beside their media, and the layers that they choose.

use std::sync::Arc;

use spillway_sfu::{LayerSelection, MediaKind, Reject, SessionId};
use spillway_signaling::{
    Activity, ChannelName, ChannelNews, EventFeed, EventSet, Refusal,
    platform::{LayerChoice, Role, SessionRef},
};

use super::{
    Node, State,
    event_streams::Crowded,
    refusals,
    video_layers::{is_news, video_layers},
};

impl Node {
    pub(super) fn open_event_stream(
        &self,
        session: &SessionRef,
        events: EventSet,
    ) -> Result<u32, Refusal> {
        let mut state = self.state();
        let id = state.named(session, |session| session.id)?;
        let opened = state.streams.open(id, events);
        drop(state);
        opened.map_err(|crowded| match crowded {
            Crowded::Session => Refusal::TooMany {
                detail: "this session has as many event streams as it may; end one with DELETE".into(),
                retry_after: refusals::RETRY_AFTER,
            },
            Crowded::Node => refusals::overloaded(
                "this server has as many event streams as it may; go on without, or try again later",
            ),
        })
    }

    pub(super) fn follow_event_stream(
        &self,
        session: &SessionRef,
        number: u32,
    ) -> Result<EventFeed, Refusal> {
        let (id, video_line) = self.find(session, |session| (session.id, session.video_line))?;
        let mut state = self.state();
        let now = state.news_of(&session.channel);
        state
            .streams
            .follow(id, number, &session.channel, video_line, || now)
            .ok_or_else(no_event_stream)
    }

    pub(super) fn end_event_stream(
        &self,
        session: &SessionRef,
        number: u32,
    ) -> Result<(), Refusal> {
        let id = self.find(session, |session| session.id)?;
        let ended = self.state().streams.end(id, number);
        ended.then_some(()).ok_or_else(no_event_stream)
    }

    pub(super) async fn choose_layers(
        &self,
        session: &SessionRef,
        choice: LayerChoice,
    ) -> Result<(), Refusal> {
        let (id, video_line) = self.find(session, |session| (session.id, session.video_line))?;
        if choice.media_line.is_some() && choice.media_line != video_line {
            return Err(Refusal::Malformed(match video_line {
                Some(line) => {
                    format!("mediaId isn't that of the session's video, which is \"{line}\"")
                }
                None => "the session has no video".into(),
            }));
        }
        if let Some(rid) = &choice.rid {
            self.check_rid(&session.channel, rid).await?;
        }
        let selection = LayerSelection {
            rid: choice.rid,
            max_spatial: choice.max_spatial,
            max_temporal: choice.max_temporal,
            max_width: choice.max_width,
            max_height: choice.max_height,
        };
        self.parts
            .media
            .select_layers(id, selection)
            .await
            .map_err(refusals::from_media)
    }

    /// Refuses a rid that the broadcast on air doesn't have. A layer that isn't sent at present is one that it has; off air
    /// every rid may be right.
    async fn check_rid(&self, channel: &ChannelName, rid: &str) -> Result<(), Refusal> {
        let Some(publisher) = self.state().on_air.publisher(channel) else {
            return Ok(());
        };
        let layers = match self.parts.media.session_layers(publisher).await {
            Ok(layers) => layers,
            // It has just ended.
            Err(Reject::NoSession) => return Ok(()),
            Err(reject) => return Err(refusals::from_media(reject)),
        };
        let rids: Vec<&str> = layers
            .iter()
            .filter(|layer| layer.kind == MediaKind::Video && !layer.rid.is_empty())
            .map(|layer| layer.rid.as_str())
            .collect();
        if rids.contains(&rid) {
            return Ok(());
        }
        Err(Refusal::Unprocessable(if rids.is_empty() {
            "the broadcast's video has no rids; leave rid out".into()
        } else {
            let known: Vec<_> = rids.iter().map(|rid| format!("{rid:?}")).collect();
            format!(
                "the broadcast has no layer of this rid; it has {}",
                known.join(", ")
            )
        }))
    }

    /// Tells followers how many viewers and which layers there are now. To be called about once a second, which is how
    /// often they hear of either at most. Asks media workers for the layers of followed channels, once for each.
    pub async fn refresh_news(&self) {
        let followed: Vec<(ChannelName, Option<SessionId>)> = {
            let mut state = self.state();
            let State {
                streams, on_air, ..
            } = &mut *state;
            streams
                .followed()
                .map(|channel| (channel.clone(), on_air.publisher(channel)))
                .collect()
        };
        for (channel, publisher) in followed {
            let layers = match publisher {
                Some(publisher) => self.parts.media.session_layers(publisher).await,
                None => Ok(Vec::new()),
            };
            let layers = match layers {
                Ok(layers) => video_layers(&layers),
                // Its end is about to be told.
                Err(Reject::NoSession) => continue,
                Err(reject) => {
                    tracing::debug!(%reject, %channel, "viewers aren't told of layers");
                    continue;
                }
            };
            let state = self.state();
            let viewers = state.sessions.viewers(&channel);
            let is_current = state.on_air.publisher(&channel) == publisher;
            state.streams.tell(&channel, |news| {
                news.viewers = viewers;
                if is_current && is_news(&news.layers, &layers) {
                    news.layers = Arc::from(layers);
                }
            });
        }
    }

    /// Tells followers at once that a channel is on air, isn't, or that nobody is waited for any more.
    pub(super) fn tell_activity(&self, channel: &ChannelName) {
        let state = self.state();
        let activity = state.on_air.activity(channel);
        state.streams.tell(channel, |news| {
            news.activity = activity;
            if activity != Activity::Active {
                news.layers = Arc::default();
            }
        });
    }

    /// Sends everybody away who follows an event stream.
    pub(super) fn tell_reconnect(&self) {
        self.state().streams.tell_all(|channel, news| {
            news.reconnect = Some(endpoint(channel));
        });
    }
}

impl State {
    fn news_of(&self, channel: &ChannelName) -> ChannelNews {
        ChannelNews {
            activity: self.on_air.activity(channel),
            viewers: self.sessions.viewers(channel),
            layers: Arc::default(),
            reconnect: self.draining.then(|| endpoint(channel)),
        }
    }
}

/// Where viewers of a channel make sessions. Root-relative, as a session's `Location` is: right behind any proxy.
fn endpoint(channel: &ChannelName) -> String {
    format!("/{}/{channel}", Role::Viewer.path())
}

fn no_event_stream() -> Refusal {
    Refusal::NotFound("there is no such event stream; it may have ended".into())
}
