//! Chat on this node: rooms that run while somebody is in them, and the ways into them.
//!
//! A [`Room`](spillway_chat::Room) decides; its task (`room_task.rs`) moves frames between it, data channels, web sockets, the log
//! and the clock. [`Chat`] finds the room for what comes.

mod events;
mod followers;
mod hello;
mod identity;
mod log_writer;
mod outlets;
mod room_task;
mod rooms;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use spillway_chat::{
    Millis, Role, RoomLimits,
    protocol::{Caption, ClientFrame, Code, Problem, ServerObject, frame, parse},
    room::{AddressHash, Appended, NewEvent, ParticipantId},
};
use spillway_sfu::SessionId;
use spillway_sfu_net::DataMessage;
use spillway_signaling::{
    ChannelName, ChatInlet, ChatLine, EventPlace, OnAir, Origin, Refusal, SignedEvent,
    api::model::Timestamp,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    audience::AudienceDesk,
    auth::{SigningKey, Verifier},
    config::EventSource,
    media::MediaPlane,
    store::Store,
    time,
};

use events::{EventSources, Told};
use identity::Identities;
use log_writer::LogWriter;
use outlets::Outlet;
use room_task::{Input, RoomTask};
use rooms::Rooms;

/// Things that wait for a room. Beyond it nobody comes in, and who says something is told that it wasn't taken.
pub(crate) const INBOX: usize = 8192;
/// Frames that wait for a WebSocket; a room sends the log again to who has as many.
const SOCKET_FRAMES: usize = 32;
/// When somebody may say again what wasn't taken.
const BUSY_FOR: Duration = Duration::from_secs(1);
/// The labels of data channels.
const CHAT: &str = "chat";
const REACTIONS: &str = "reactions";

/// What rooms are made of.
pub struct Parts {
    /// Where logs are.
    pub store: Arc<dyn Store>,
    /// Whose tokens are believed.
    pub verifier: Arc<Verifier>,
    /// Where data channels are.
    pub media: Arc<dyn MediaPlane>,
    /// What is on air.
    pub on_air: watch::Receiver<OnAir>,
    /// Where players' reports go.
    pub audience: AudienceDesk,
    /// The bounds of rooms.
    pub limits: RoomLimits,
    /// The most followers of a channel.
    pub followers: usize,
    /// Who may tell of donations.
    pub sources: Vec<EventSource>,
    /// How far a signature's moment may be from now.
    pub replay_window: Duration,
}

/// The chat of a node. Clones are handles to the same.
#[derive(Clone)]
pub struct Chat(Arc<Shared>);

struct Shared {
    parts: Parts,
    identities: Identities,
    sources: EventSources,
    log: LogWriter,
    clock: Clock,
    rooms: Mutex<Rooms>,
    /// The data channels of sessions.
    lines: Mutex<HashMap<SessionId, Line>>,
    /// Those who are in by a token, which can be revoked or expire.
    tokens: Mutex<HashMap<ParticipantId, Held>>,
    next_participant: AtomicU64,
}

/// A token that gives somebody rights, and where.
struct Held {
    channel: ChannelName,
    pass: Pass,
}

/// What ends a token.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its identifier, by which it's revoked.
    pub token: String,
    /// From when on it isn't good any more.
    pub expires_at: Option<Timestamp>,
}

/// Who comes by WebSocket.
#[derive(Debug)]
pub struct Visitor {
    /// Where they come from.
    pub address: IpAddr,
    /// From where and on what.
    pub origin: Origin,
    /// What they came with is enough to see the channel.
    pub may_view: bool,
    /// The token that they came with.
    pub pass: Option<Pass>,
}

/// A session's data channels.
struct Line {
    channel: ChannelName,
    participant: ParticipantId,
    chat: Option<u16>,
    reactions: Option<u16>,
}

/// Whose session data channels belong to.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The session.
    pub session: SessionId,
    /// Its channel.
    pub channel: ChannelName,
    /// Where it comes from.
    pub address: IpAddr,
    /// From where and on what.
    pub origin: Origin,
    /// It publishes.
    pub is_streamer: bool,
}

/// The node's wall clock as it was at the start, and what has passed since: it doesn't step.
struct Clock {
    began: Instant,
    at: Millis,
}

impl Clock {
    fn now(&self) -> Millis {
        self.at + self.began.elapsed().as_millis() as u64
    }
}

impl Chat {
    /// The chat of a node with that key.
    pub fn new(mut parts: Parts, key: &SigningKey) -> Self {
        Self(Arc::new(Shared {
            sources: EventSources {
                sources: std::mem::take(&mut parts.sources),
                window: parts.replay_window,
            },
            identities: Identities::new(key),
            log: LogWriter::start(Arc::clone(&parts.store)),
            parts,
            clock: Clock {
                began: Instant::now(),
                at: time::now().0,
            },
            rooms: Mutex::default(),
            lines: Mutex::default(),
            tokens: Mutex::default(),
            next_participant: AtomicU64::new(1),
        }))
    }

    /// A peer opened a data channel.
    pub fn channel_opened(&self, holder: &Holder, id: u16, label: &str) {
        let mut lines = self.0.lines();
        let line = lines.entry(holder.session).or_insert_with(|| Line {
            channel: holder.channel.clone(),
            participant: self.0.new_participant(),
            chat: None,
            reactions: None,
        });
        match label {
            CHAT if line.chat.is_none() => {
                let input = Input::Enter {
                    id: line.participant,
                    outlet: Outlet::channel(holder.session, id),
                    entrance: Entrance {
                        address: self.0.identities.hash(holder.address),
                        origin: holder.origin,
                        own_role: if holder.is_streamer {
                            Role::Streamer
                        } else {
                            Role::Viewer
                        },
                        may_view: true,
                    },
                };
                if self.0.post(&line.channel, input).is_some() {
                    self.0.tell_busy(holder.session, id, None);
                    self.0.parts.media.close_channel(holder.session, id);
                    return;
                }
                line.chat = Some(id);
            }
            REACTIONS if line.reactions.is_none() => line.reactions = Some(id),
            _ => return,
        }
        // Whichever was opened last.
        if let (Some(_), Some(reactions)) = (line.chat, line.reactions) {
            let input = Input::Reactions(line.participant, Some(reactions));
            self.0.post_to_open(&line.channel, input);
        }
    }

    /// A data channel is gone, whoever closed it. Its session goes on, and may open another.
    pub fn channel_closed(&self, session: SessionId, id: u16) {
        let mut lines = self.0.lines();
        let Some(line) = lines.get_mut(&session) else {
            return;
        };
        if line.chat == Some(id) {
            line.chat = None;
            let left = std::mem::replace(&mut line.participant, self.0.new_participant());
            self.0.leave(&line.channel, left);
        } else if line.reactions == Some(id) {
            line.reactions = None;
            self.0
                .post_to_open(&line.channel, Input::Reactions(line.participant, None));
        }
    }

    /// A message came on a data channel.
    pub fn data(&self, session: SessionId, id: u16, data: Vec<u8>) {
        let lines = self.0.lines();
        if let Some(line) = lines.get(&session)
            && (line.chat == Some(id) || (line.chat.is_some() && line.reactions == Some(id)))
        {
            let input = Input::Frame(line.participant, data);
            if let Some(Input::Frame(_, data)) = self.0.post_to_open(&line.channel, input) {
                self.0.tell_busy(session, id, Some(&data));
            }
        }
    }

    /// A session is gone.
    pub fn session_ended(&self, session: SessionId) {
        let line = self.0.lines().remove(&session);
        if let Some(line) = line {
            self.0.leave(&line.channel, line.participant);
        }
    }

    /// Lets somebody in by WebSocket, until their token doesn't hold any more. 503 when the room has too much to do.
    pub fn join(&self, channel: &ChannelName, visitor: Visitor) -> Result<ChatLine, Refusal> {
        let (outlet, frames) = mpsc::channel(SOCKET_FRAMES);
        let participant = self.0.new_participant();
        let entrance = Entrance {
            address: self.0.identities.hash(visitor.address),
            origin: visitor.origin,
            own_role: Role::Viewer,
            may_view: visitor.may_view,
        };
        if let Some(pass) = visitor.pass {
            self.0.hold(participant, channel, pass);
        }
        // Dropped, it forgets the token as well.
        let inlet = Inlet {
            shared: Arc::clone(&self.0),
            channel: channel.clone(),
            participant,
            outlet: outlet.downgrade(),
        };
        let input = Input::Enter {
            id: participant,
            outlet: Outlet::Socket(outlet),
            entrance,
        };
        if self.0.post(channel, input).is_some() {
            return Err(Refusal::Overloaded {
                detail: "this chat has more to do than it can; come back in a moment".into(),
                retry_after: BUSY_FOR,
            });
        }
        Ok(ChatLine {
            inlet: Box::new(inlet),
            frames,
        })
    }

    /// The present stream time of a broadcast that began then.
    pub fn stream_time(&self, started_at: Timestamp) -> Millis {
        self.0.clock.now().saturating_sub(started_at.0)
    }

    /// Tells those who are in a channel's room what was said in a broadcast. Where nobody is, and where there's too much to do, nothing
    /// becomes of it.
    pub fn caption(&self, channel: &ChannelName, broadcast: String, captions: Vec<Caption>) {
        let input = Input::Captions {
            broadcast,
            captions,
        };
        self.0.post_to_open(channel, input);
    }

    /// Puts a donation or the like into a channel's log, if one of its sources signed it.
    pub async fn tell(
        &self,
        channel: &ChannelName,
        event: &SignedEvent,
    ) -> Result<EventPlace, Refusal> {
        let told = self.0.sources.read(channel, event, time::now())?;
        let Told::Event(event) = told else {
            return Ok(EventPlace {
                seq: None,
                known: false,
            });
        };
        let (seq, known) = match self.event(channel, event).await {
            Some(Appended::New(seq)) => (seq, false),
            Some(Appended::Known(seq)) => (seq, true),
            Some(Appended::Failed) | None => {
                return Err(Refusal::Overloaded {
                    detail: "the event can't be stored now; tell it again".into(),
                    retry_after: Duration::from_secs(5),
                });
            }
        };
        Ok(EventPlace {
            seq: Some(seq),
            known,
        })
    }

    /// Puts an event into a channel's log. `None`: the room has too much to do, or is gone.
    pub(crate) async fn event(&self, channel: &ChannelName, event: NewEvent) -> Option<Appended> {
        let (reply, answer) = oneshot::channel();
        self.0.post(channel, Input::Event { event, reply });
        answer.await.ok()
    }

    /// Lets those go whose tokens were revoked. They may come back without.
    pub fn forget_tokens(&self, is_void: impl Fn(&str) -> bool) {
        self.dismiss(|pass| is_void(&pass.token));
    }

    /// Lets those go whose tokens have expired. They may come back without.
    pub fn forget_expired(&self, now: Timestamp) {
        self.dismiss(|pass| pass.expires_at.is_some_and(|at| at <= now));
    }

    fn dismiss(&self, is_void: impl Fn(&Pass) -> bool) {
        let void: Vec<_> = {
            let mut tokens = self.0.tokens();
            let void = tokens.extract_if(|_, held| is_void(&held.pass));
            void.map(|(participant, held)| (held.channel, participant))
                .collect()
        };
        for (channel, participant) in void {
            self.0.insist(&channel, Input::Dismiss(participant));
        }
    }

    /// How many are in by a token.
    #[cfg(test)]
    pub(crate) fn tokens_held(&self) -> usize {
        self.0.tokens().len()
    }

    /// Lets everybody go from a channel that is deleted.
    pub fn close(&self, channel: &ChannelName) {
        // The room's task ends with its inbox, and its clients' ways with the task.
        self.0.rooms().close(channel);
    }

    /// How many watch channels whose rooms are open.
    pub fn tell_viewers(&self, viewers: impl Fn(&ChannelName) -> u32) {
        for (channel, room) in self.0.rooms().iter() {
            // One that is full hears the next number.
            let _ = room.try_send(Input::Viewers(viewers(channel)));
        }
    }
}

impl Shared {
    /// Posts to a channel's room, which is opened if need be. What finds no place there is given back.
    fn post(self: &Arc<Self>, channel: &ChannelName, input: Input) -> Option<Input> {
        // Held until it's posted: no room ends in between.
        let mut rooms = self.rooms();
        let room = rooms.open(channel, |inbox| {
            tokio::spawn(RoomTask::run(Arc::clone(self), channel.clone(), inbox));
        });
        put(&room, channel, input)
    }

    /// The same, of a room that is open; for others it's no news.
    fn post_to_open(&self, channel: &ChannelName, input: Input) -> Option<Input> {
        put(self.rooms().get(channel)?, channel, input)
    }

    /// Posts what must not get lost: it waits for its place. There are no more of these than clients.
    fn insist(&self, channel: &ChannelName, input: Input) {
        let room = self.rooms().get(channel).cloned();
        if let Some(room) = room
            && let Some(input) = put(&room, channel, input)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move { room.send(input).await.is_ok() });
        }
    }

    /// Notes by which token somebody is in, instead of the one before.
    fn hold(&self, id: ParticipantId, channel: &ChannelName, pass: Pass) {
        let channel = channel.clone();
        self.tokens().insert(id, Held { channel, pass });
    }

    /// Somebody is gone: the room hears of it, if there is one.
    fn leave(&self, channel: &ChannelName, id: ParticipantId) {
        self.tokens().remove(&id);
        self.insist(channel, Input::Leave(id));
    }

    /// A room lets a data channel's client go: the channel is closed, and what still comes on it is for nobody.
    fn release(&self, session: SessionId, id: ParticipantId) {
        let chat = {
            let mut lines = self.lines();
            let line = lines
                .get_mut(&session)
                .filter(|line| line.participant == id);
            line.and_then(|line| {
                line.participant = self.new_participant();
                line.chat.take()
            })
        };
        if let Some(chat) = chat {
            self.parts.media.close_channel(session, chat);
        }
    }

    /// Says on a data channel that what came on it wasn't taken.
    fn tell_busy(&self, session: SessionId, channel: u16, said: Option<&[u8]>) {
        let message = DataMessage {
            session,
            channel,
            text: busy(said),
        };
        drop(self.parts.media.send_data(vec![message]));
    }

    fn new_participant(&self) -> ParticipantId {
        ParticipantId(self.next_participant.fetch_add(1, Ordering::Relaxed))
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<ParticipantId, Held>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<SessionId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what finds no place, also where the room's task has just died.
fn put(room: &mpsc::Sender<Input>, channel: &ChannelName, input: Input) -> Option<Input> {
    match room.try_send(input) {
        Err(mpsc::error::TrySendError::Full(input)) => {
            tracing::debug!(%channel, "a room has more to do than it can");
            Some(input)
        }
        Err(mpsc::error::TrySendError::Closed(input)) => Some(input),
        Ok(()) => None,
    }
}

/// What somebody is told whose frame found no place, about what they call it.
fn busy(said: Option<&[u8]>) -> Arc<str> {
    let name = match said.map(parse) {
        Some(Ok(ClientFrame::Message(message))) => Some(message.id),
        Some(Ok(ClientFrame::Moderate { id, .. })) => id,
        _ => None,
    };
    let text = "this chat has more to do than it can: say that again in a moment";
    let problem = Problem::new(Code::Busy, text)
        .about(name)
        .after(BUSY_FOR.as_secs());
    frame(&[ServerObject::Error(problem)]).into()
}

/// How somebody came.
#[derive(Debug, Clone, Copy)]
struct Entrance {
    address: AddressHash,
    origin: Origin,
    /// What they are without a token.
    own_role: Role,
    /// They may see the channel without a token.
    may_view: bool,
}

/// The way of one WebSocket into its room. The room hears of its end.
struct Inlet {
    shared: Arc<Shared>,
    channel: ChannelName,
    participant: ParticipantId,
    /// The room's, which closes it by letting go of it.
    outlet: mpsc::WeakSender<Arc<str>>,
}

impl ChatInlet for Inlet {
    fn say(&self, frame: String) {
        let input = Input::Frame(self.participant, frame.into_bytes());
        if let Some(Input::Frame(_, said)) = self.shared.post_to_open(&self.channel, input)
            && let Some(outlet) = self.outlet.upgrade()
        {
            // A client that takes nothing either says it again when it hears nothing.
            let _ = outlet.try_send(busy(Some(&said)));
        }
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.shared.leave(&self.channel, self.participant);
    }
}

/// How long a room stays that nobody is in: who reconnects finds it as it was.
const IDLE: Duration = Duration::from_mins(1);
