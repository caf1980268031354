//! The task of one room: everything that it decides is done here, and everything that happens to it comes through here.

use std::{collections::HashMap, sync::Arc, time::Duration};

use spillway_chat::{
    Entry, Millis, Room,
    protocol::{Caption, ClientFrame, Code, Hello, Problem, Report, ServerObject, frame, parse},
    room::{
        Appended, Joining, Lane, Matter, NewEvent, OnAir, Opened, Output, ParticipantId, Ticket,
    },
};
use spillway_sfu::VideoClock;
use spillway_signaling::{ChannelName, Origin, api::model::Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    Entrance, IDLE, Shared,
    followers::{Followers, Wish},
    hello::identify,
    log_writer::Job,
    outlets::{Outlet, Outlets},
    rooms::Inbox,
};
use crate::{
    audience::Allowance,
    store::{NewEntry, StoreError},
};

/// How often clients are told how their picture's time relates to the broadcast's.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
/// Entries that a client is caught up with at a time.
const LOADED: usize = 200;
/// How soon a log is asked for again that couldn't be read.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Answers that wait for the room; their tasks wait beyond it.
const ANSWERS: usize = 1024;

/// What happens to a room.
pub(super) enum Input {
    Enter {
        id: ParticipantId,
        outlet: Outlet,
        entrance: Entrance,
    },
    /// The client's data channel for reactions; none any more.
    Reactions(ParticipantId, Option<u16>),
    Frame(ParticipantId, Vec<u8>),
    Leave(ParticipantId),
    /// The client's token doesn't hold any more.
    Dismiss(ParticipantId),
    Event {
        event: NewEvent,
        reply: oneshot::Sender<Appended>,
    },
    Viewers(u32),
    /// What was said in that broadcast.
    Captions {
        broadcast: String,
        captions: Vec<Caption>,
    },
}

/// What the room's own errands bring back.
enum Answer {
    /// Who said hello.
    Known(ParticipantId, Result<Joining, Problem>),
    /// Who took a frame.
    Sent(Matter, Vec<(ParticipantId, bool)>),
    /// A follower is noted, or isn't.
    Followed(Wish, bool),
    Loaded(ParticipantId, Option<Vec<Entry>>),
    Found(u64, Option<Entry>),
    Clocks(Vec<VideoClock>),
}

pub(super) struct RoomTask {
    shared: Arc<Shared>,
    channel: ChannelName,
    room: Room,
    outlets: Outlets,
    entrances: HashMap<ParticipantId, Entrance>,
    /// Whose reports are counted as whose, and how much of them.
    reporters: HashMap<ParticipantId, (Origin, Allowance)>,
    /// Events whose senders wait.
    events: HashMap<Ticket, oneshot::Sender<Appended>>,
    followers: Followers,
    on_air: Option<OnAir>,
    answers: mpsc::Sender<Answer>,
    appended: mpsc::UnboundedSender<(Ticket, Appended)>,
}

impl RoomTask {
    pub(super) async fn run(shared: Arc<Shared>, channel: ChannelName, mut inbox: Inbox) {
        let opened = open(&shared, &channel).await;
        let now = shared.clock.now();
        let room = Room::new(channel.as_str(), shared.parts.limits.clone(), opened, now);
        let (answers, mut answered) = mpsc::channel(ANSWERS);
        let (appended, mut placed) = mpsc::unbounded_channel();
        let mut on_air = shared.parts.on_air.clone();
        let mut clock = interval(CLOCK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut task = Self {
            shared,
            channel,
            room,
            outlets: Outlets::default(),
            entrances: HashMap::new(),
            reporters: HashMap::new(),
            events: HashMap::new(),
            followers: Followers::default(),
            on_air: None,
            answers,
            appended,
        };
        let mut idle_since = Instant::now();
        // Before anything else: what opened the room may be a donation, which is the broadcast's.
        task.follow_air(&mut on_air).await;
        task.act().await;
        loop {
            let due = task.due();
            tokio::select! {
                input = inbox.next() => match input {
                    Some(input) => task.take(input),
                    None => return,
                },
                Some(answer) = answered.recv() => task.hear(answer),
                Some((ticket, how)) = placed.recv() => task.place(ticket, how),
                Ok(()) = on_air.changed() => task.follow_air(&mut on_air).await,
                _ = clock.tick() => task.ask_clocks(),
                () = sleep_until(due) => {
                    let now = task.now();
                    task.room.handle_timeout(now);
                }
            }
            task.act().await;
            if !task.room.is_empty() {
                idle_since = Instant::now();
            } else if idle_since.elapsed() >= IDLE && task.shared.rooms().end(&task.channel, &inbox)
            {
                return;
            }
        }
    }

    fn now(&self) -> Millis {
        self.shared.clock.now()
    }

    fn due(&self) -> Instant {
        let wait = self.room.next_timeout().map_or(IDLE, |at| {
            Duration::from_millis(at.saturating_sub(self.now()))
        });
        Instant::now() + wait.min(IDLE)
    }

    fn take(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Enter {
                id,
                outlet,
                entrance,
            } => {
                let waits = matches!(outlet, Outlet::Channel { .. });
                self.outlets.add(id, outlet);
                self.entrances.insert(id, entrance);
                let reporter = (entrance.origin, Allowance::new(now));
                self.reporters.insert(id, reporter);
                self.room.enter(now, id, entrance.address, waits);
            }
            Input::Reactions(id, stream) => self.outlets.set_reactions(id, stream),
            Input::Frame(id, data) => self.read(now, id, &data),
            Input::Leave(id) => {
                self.room.leave(now, id);
                self.let_go(id);
            }
            Input::Dismiss(id) => {
                let text =
                    "the token was revoked or has expired; come back without, or with another";
                self.room
                    .dismiss(now, id, Problem::new(Code::Unauthorized, text));
            }
            Input::Event { event, reply } => {
                let ticket = self.room.event(now, event);
                self.events.insert(ticket, reply);
            }
            Input::Viewers(viewers) => self.room.set_viewers(now, viewers),
            Input::Captions {
                broadcast,
                captions,
            } => self.room.caption(&broadcast, &captions),
        }
    }

    fn read(&mut self, now: Millis, id: ParticipantId, data: &[u8]) {
        if !self.room.admits(now, id) {
            return;
        }
        match parse(data) {
            Ok(ClientFrame::Hello(hello)) if !self.room.has_joined(id) => self.greet(id, hello),
            Ok(frame) => self.room.handle(now, id, frame),
            Err(problem) => self.room.refuse(now, id, problem),
        }
    }

    /// What a task needs that does something for the room and answers it.
    fn errand(&self) -> (Arc<Shared>, ChannelName, mpsc::Sender<Answer>) {
        (
            Arc::clone(&self.shared),
            self.channel.clone(),
            self.answers.clone(),
        )
    }

    /// Finds out who said hello, beside everything else.
    fn greet(&mut self, id: ParticipantId, hello: Hello) {
        // Taken out: a second hello while the first is looked into finds nothing.
        let Some(entrance) = self.entrances.remove(&id) else {
            return;
        };
        let (shared, channel, answers) = self.errand();
        tokio::spawn(async move {
            let joining = identify(&shared, &channel, id, entrance, hello).await;
            // A room that has ended has nobody to let in.
            if answers.send(Answer::Known(id, joining)).await.is_err() {
                shared.tokens().remove(&id);
            }
        });
    }

    fn hear(&mut self, answer: Answer) {
        let now = self.now();
        match answer {
            // Who left meanwhile: the token was noted after it was forgotten.
            Answer::Known(id, _) if !self.reporters.contains_key(&id) => {
                self.shared.tokens().remove(&id);
            }
            Answer::Known(id, Ok(joining)) => self.room.join(now, id, &joining),
            Answer::Known(id, Err(problem)) => self.room.refuse(now, id, problem),
            Answer::Sent(matter, sent) => self.note_sent(matter, sent),
            Answer::Followed(wish, is_noted) => {
                if is_noted {
                    self.followers.written();
                } else {
                    self.followers.failed(&wish);
                    self.cannot_follow(&wish);
                }
                self.write_follower();
            }
            Answer::Loaded(id, entries) => self.room.loaded(now, id, entries.as_deref()),
            Answer::Found(seq, entry) => self.room.found(now, seq, entry),
            Answer::Clocks(clocks) => self.tell_clocks(&clocks),
        }
    }

    fn place(&mut self, ticket: Ticket, how: Appended) {
        let now = self.now();
        self.room.appended(now, ticket, how);
        if let Some(reply) = self.events.remove(&ticket) {
            // Who asked may be gone: it's in the log all the same.
            let _ = reply.send(how);
        }
    }

    /// What is on air may have changed.
    async fn follow_air(
        &mut self,
        on_air: &mut tokio::sync::watch::Receiver<spillway_signaling::OnAir>,
    ) {
        let told = on_air.borrow_and_update().get(&self.channel).cloned();
        let is_same =
            told.as_ref().map(|air| &air.broadcast) == self.on_air.as_ref().map(|air| &air.id);
        if is_same {
            return;
        }
        self.on_air = match told {
            Some(air) => {
                let raised = self.shared.parts.store.raised(&air.broadcast).await;
                if let Err(error) = &raised {
                    tracing::error!(%error, channel = %self.channel, "what donations make so far can't be read");
                }
                Some(OnAir {
                    id: air.broadcast,
                    started_at: air.started_at.0,
                    raised: raised.unwrap_or_default(),
                })
            }
            None => None,
        };
        let now = self.now();
        self.room.set_on_air(now, self.on_air.clone());
    }

    fn ask_clocks(&self) {
        let sessions = self.outlets.sessions();
        if self.on_air.is_none() || sessions.is_empty() {
            return;
        }
        let (media, answers) = (Arc::clone(&self.shared.parts.media), self.answers.clone());
        tokio::spawn(async move {
            if let Ok(clocks) = media.video_clocks(sessions).await {
                let _ = answers.send(Answer::Clocks(clocks)).await;
            }
        });
    }

    fn tell_clocks(&mut self, clocks: &[VideoClock]) {
        let Some(started_at) = self.on_air.as_ref().map(|air| air.started_at) else {
            return;
        };
        let mut messages = Vec::with_capacity(clocks.len());
        for clock in clocks {
            let at = (clock.since_1970.as_millis() as u64).saturating_sub(started_at);
            let object = ServerObject::Clock { rtp: clock.rtp, at };
            let Some(id) = self
                .outlets
                .participant(clock.session)
                .filter(|id| self.room.has_joined(*id))
            else {
                continue;
            };
            let text: Arc<str> = frame(&[object]).into();
            messages.extend(
                self.outlets
                    .dispatch(&[id], Lane::Reactions, &text)
                    .messages,
            );
        }
        // One that gets lost is followed by another.
        drop(self.shared.parts.media.send_data(messages));
    }

    /// Does all that the room wants.
    async fn act(&mut self) {
        while let Some(output) = self.room.poll() {
            match output {
                Output::Append {
                    ticket,
                    draft,
                    state,
                    deletes,
                    donation,
                } => {
                    let entry = NewEntry {
                        channel: self.channel.clone(),
                        broadcast: self.on_air.as_ref().map(|air| air.id.clone()),
                        draft,
                        state,
                        deletes,
                        donation,
                    };
                    let answer = self.appended.clone();
                    self.shared
                        .log
                        .append(Job {
                            entry,
                            ticket,
                            answer,
                        })
                        .await;
                }
                Output::Send {
                    to,
                    lane,
                    frame,
                    matter,
                } => {
                    let dispatch = self.outlets.dispatch(&to, lane, &frame);
                    self.send(dispatch, matter);
                }
                Output::Load { participant, after } => self.load(participant, after),
                Output::Find { seq } => self.find(seq),
                Output::Close(id) => {
                    let now = self.now();
                    self.room.leave(now, id);
                    self.let_go(id);
                }
                Output::Follow {
                    participant,
                    author,
                    following,
                } => {
                    let wish = Wish {
                        participant,
                        author,
                        following,
                    };
                    if let Err(wish) = self.followers.want(wish) {
                        self.cannot_follow(&wish);
                    }
                    self.write_follower();
                }
                Output::Report {
                    participant,
                    report,
                } => self.count(participant, &report),
            }
        }
    }

    /// A player's report goes to the figures of the audience, as far as it's believed.
    fn count(&mut self, id: ParticipantId, report: &Report) {
        let now = self.now();
        let Some((origin, allowance)) = self.reporters.get_mut(&id) else {
            return;
        };
        let believed = allowance.take(now, report);
        let desk = &self.shared.parts.audience;
        desk.note(&self.channel, *origin, believed.as_ref(), Timestamp(now));
    }

    fn write_follower(&mut self) {
        let Some(wish) = self.followers.next() else {
            return;
        };
        let (shared, channel, answers) = self.errand();
        tokio::spawn(async move {
            let (store, most) = (&shared.parts.store, shared.parts.followers);
            let since = wish.following.since.map(Timestamp);
            let followed = store.follow(&channel, &wish.author, since, most).await;
            if let Err(error) = &followed {
                tracing::error!(%error, %channel, "a follower can't be noted");
            }
            let is_noted = followed.unwrap_or(false);
            let _ = answers.send(Answer::Followed(wish, is_noted)).await;
        });
    }

    fn cannot_follow(&mut self, wish: &Wish) {
        let now = self.now();
        self.room
            .not_followed(now, wish.participant, &wish.author, wish.following);
    }

    fn let_go(&mut self, id: ParticipantId) {
        if let Some(session) = self.outlets.remove(id) {
            self.shared.release(session, id);
        }
        self.entrances.remove(&id);
        self.reporters.remove(&id);
        self.shared.tokens().remove(&id);
    }

    fn send(&mut self, dispatch: super::outlets::Dispatch, matter: Matter) {
        let sessions: Vec<_> = dispatch
            .messages
            .iter()
            .map(|message| message.session)
            .collect();
        let answers = self.shared.parts.media.send_data(dispatch.messages);
        if matter == Matter::Passing {
            return;
        }
        self.note_sent(matter, dispatch.known);
        if sessions.is_empty() {
            return;
        }
        let ids: HashMap<_, _> = sessions
            .into_iter()
            .filter_map(|session| Some((session, self.outlets.participant(session)?)))
            .collect();
        let reply = self.answers.clone();
        tokio::spawn(async move {
            let mut taken = ids;
            let mut sent = Vec::with_capacity(taken.len());
            for answer in answers {
                // A worker that is gone took its sessions with it.
                for session in answer.await.unwrap_or_default() {
                    sent.extend(taken.remove(&session).map(|id| (id, false)));
                }
            }
            sent.extend(taken.into_values().map(|id| (id, true)));
            let _ = reply.send(Answer::Sent(matter, sent)).await;
        });
    }

    fn note_sent(&mut self, matter: Matter, sent: Vec<(ParticipantId, bool)>) {
        let now = self.now();
        for (id, taken) in sent {
            match matter {
                Matter::Log => self.room.sent(now, id, taken),
                Matter::State if !taken => self.room.missed(now, id),
                Matter::State | Matter::Passing => {}
            }
        }
    }

    fn load(&self, id: ParticipantId, after: u64) {
        let (shared, channel, answers) = self.errand();
        tokio::spawn(async move {
            let entries = shared.parts.store.entries(&channel, after, LOADED).await;
            if entries.is_err() {
                sleep(ASK_AGAIN).await;
            }
            let _ = answers.send(Answer::Loaded(id, entries.ok())).await;
        });
    }

    fn find(&self, seq: u64) {
        let (shared, channel, answers) = self.errand();
        tokio::spawn(async move {
            let found = entry(&shared, &channel, seq).await;
            if let Err(error) = &found {
                tracing::error!(%error, %channel, "what is pinned can't be read");
            }
            let _ = answers.send(Answer::Found(seq, found.ok().flatten())).await;
        });
    }
}

/// Also when the task breaks off, or the channel is deleted: nobody waits on a data channel that leads nowhere.
impl Drop for RoomTask {
    fn drop(&mut self) {
        for id in self.outlets.participants() {
            self.let_go(id);
        }
    }
}

/// One entry, if the log has it.
async fn entry(
    shared: &Shared,
    channel: &ChannelName,
    seq: u64,
) -> Result<Option<Entry>, StoreError> {
    let Some(before) = seq.checked_sub(1) else {
        return Ok(None);
    };
    let found = shared.parts.store.entries(channel, before, 1).await?;
    Ok(found.into_iter().find(|entry| entry.seq == seq))
}

/// What the log has of a channel, as soon as it can be read.
async fn open(shared: &Shared, channel: &ChannelName) -> Opened {
    loop {
        match read(shared, channel).await {
            Ok(opened) => return opened,
            Err(error) => {
                tracing::error!(%error, %channel, "the chat's log can't be read; trying again");
                sleep(ASK_AGAIN).await;
            }
        }
    }
}

async fn read(shared: &Shared, channel: &ChannelName) -> Result<Opened, StoreError> {
    let store = &shared.parts.store;
    let recent = shared.parts.limits.recent;
    let recent = store.latest_entries(channel, recent).await?;
    let (state, last) = store.room(channel).await?;
    let pinned = match state.pinned() {
        Some(seq) => entry(shared, channel, seq).await?,
        None => None,
    };
    Ok(Opened {
        state,
        recent,
        last,
        pinned,
    })
}
