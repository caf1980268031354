//! One channel's room: who is in it, what they may say, what is put into the log, and what everybody is sent of it.
//!
//! Driving contract: after any call that takes `now`, take all of [`Room::poll`], and ask [`Room::next_timeout`]. Whatever was
//! to be appended is answered, in its order, with [`Room::appended`]; whatever was to be sent as its [`Matter`] says; what was to
//! be loaded, with [`Room::loaded`], what was to be found, with [`Room::found`], and a follower that can't be noted, with
//! [`Room::not_followed`].

mod delivery;
mod limits;
mod moderation;
mod people;
mod pinned;
mod reactions;
mod ring;
mod state;
#[cfg(test)]
mod tests;
mod writing;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

pub use limits::RoomLimits;
pub use people::ParticipantId;
pub use state::{AddressHash, MAX_BANS, RoomState};
use writing::Donation;
pub use writing::NewEvent;

use crate::{
    AuthorId, Entry, Millis, Role,
    entry::Draft,
    protocol::{
        Action, Broadcast, Caption, ClientFrame, Code, Goal, Problem, Report, ServerObject,
    },
    text::WordFilter,
};
use limits::{Bucket, FairShare};
use moderation::{Asked, Banned, Sought};
use people::{Arrival, Naming, People};
use reactions::Reactions;
use ring::Ring;

/// How long a client may take to say hello.
const HELLO_MS: Millis = 10_000;
/// Between two flushes: 10 a second at most.
const FLUSH_MS: Millis = 100;
/// Between two tellings of who is there.
const PRESENCE_MS: Millis = 2_000;
/// Frames of one client a second, and at once; further ones aren't read.
const FRAME_RATE: f64 = 50.0;
const FRAME_BURST: f64 = 100.0;
/// Frames that weren't read, after which a client is let go.
const FLOOD: u32 = 1_000;
/// Problems that one client is told of a second, and at once.
const PROBLEM_RATE: f64 = 5.0;
const PROBLEM_BURST: f64 = 20.0;
/// Reaction frames of one client a second, and at once.
const TAP_RATE: f64 = 5.0;
const TAP_BURST: f64 = 10.0;
/// How soon a client is told the room's state again that didn't take it; and how late at last, while it takes nothing.
const STATE_AGAIN_MS: Millis = 1_000;
const STATE_AT_LAST_MS: Millis = 30_000;
/// Entries that wait for the log; further ones are refused.
const MAX_WAITING: usize = 20_000;
/// Actions that wait until the one before them is in the log.
const MAX_WAITING_ACTIONS: usize = 64;
/// Messages that are looked for in the log, to be deleted.
const MAX_SOUGHT: usize = 64;
/// How far back the picture may be that an author looks at.
const MAX_BEHIND_MS: u64 = 60_000;
/// Captions of one frame: the longest fit into [`MAX_SERVER_FRAME`](crate::protocol::MAX_SERVER_FRAME).
const CAPTIONS_A_FRAME: usize = 8;
/// Entries that a client may be behind; those before are told as skipped.
const MAX_RESUME: u64 = 10_000;

/// An entry on its way to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// By which way of a client's something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Ordered and reliable.
    Chat,
    /// What may get lost; on a WebSocket the same way.
    Reactions,
}

/// What a frame tells of, and so what becomes of it where a client doesn't take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matter {
    /// The log: the room must hear whether each client took it, with [`Room::sent`].
    Log,
    /// How things are now: the room must hear who didn't take it, with [`Room::missed`].
    State,
    /// What passes: nobody misses it, or who does asks again.
    Passing,
}

/// What the room wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Put an entry into the log.
    Append {
        /// By which it's answered.
        ticket: Ticket,
        /// The entry.
        draft: Draft,
        /// What the room's moderation is with it, if it changes.
        state: Option<Arc<RoomState>>,
        /// The message whose text is taken back with it.
        deletes: Option<u64>,
        /// What it gives: currency, and amount in minor units.
        donation: Option<(String, u64)>,
    },
    /// Send a frame to clients.
    Send {
        /// To whom.
        to: Vec<ParticipantId>,
        /// Where.
        lane: Lane,
        /// The frame.
        frame: Arc<str>,
        /// What it tells of.
        matter: Matter,
    },
    /// Load entries behind a number, for [`Room::loaded`].
    Load {
        /// For whom.
        participant: ParticipantId,
        /// The last that they have.
        after: u64,
    },
    /// Look into the log for an entry, for [`Room::found`].
    Find {
        /// Its number.
        seq: u64,
    },
    /// Let a client go, after what was to be sent.
    Close(ParticipantId),
    /// Somebody follows the channel since then, or no more.
    Follow {
        /// Whose connection said so.
        participant: ParticipantId,
        /// Who.
        author: AuthorId,
        /// What was, and what is to be.
        following: Following,
    },
    /// A player says how it does.
    Report {
        /// Whose.
        participant: ParticipantId,
        /// How.
        report: Report,
    },
}

/// What was there before the room was in memory.
#[derive(Debug, Default)]
pub struct Opened {
    /// The moderation.
    pub state: RoomState,
    /// The log's latest entries, without gaps.
    pub recent: Vec<Entry>,
    /// The number of the log's last entry.
    pub last: u64,
    /// The entry that the moderation has pinned, if the log has it.
    pub pinned: Option<Entry>,
}

/// Somebody who said hello, and is believed.
#[derive(Debug, Clone)]
pub struct Joining {
    /// Who.
    pub author: AuthorId,
    /// What they need to be the same the next time.
    pub identity: String,
    /// What they want to be called.
    pub name: Option<String>,
    /// By their token.
    pub role: Role,
    /// Since when they follow the channel.
    pub following_since: Option<Millis>,
    /// The last entry that they have.
    pub after: Option<u64>,
    /// How many of the latest entries they want without that.
    pub history: u32,
}

/// A change of who follows a channel: since when they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Following {
    /// Before.
    pub before: Option<Millis>,
    /// From now on.
    pub since: Option<Millis>,
}

/// A broadcast that is on air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnAir {
    /// Its identifier.
    pub id: String,
    /// Stream time 0.
    pub started_at: Millis,
    /// What its donations make so far, by currency, in minor units.
    pub raised: BTreeMap<String, u64>,
}

/// How an append went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It's in the log now.
    New(u64),
    /// It was there before, under that number.
    Known(u64),
    /// It isn't: the log can't be written.
    Failed,
}

/// One channel's room.
pub struct Room {
    limits: RoomLimits,
    state: Arc<RoomState>,
    banned: Banned,
    pinned: Option<Entry>,
    ring: Ring,
    people: People,
    participants: HashMap<ParticipantId, Participant>,
    /// By when clients must have said hello; some have, or are gone.
    greetings: VecDeque<(Millis, ParticipantId)>,
    on_air: Option<OnAir>,
    viewers: u32,
    told_presence: (u32, u32),
    presence_at: Millis,
    filter: WordFilter,
    share: FairShare,
    shown: Bucket,
    reactions: Reactions,
    waiting: VecDeque<Waiting>,
    sought: Vec<Sought>,
    /// Actions whose turn comes when the one that changes the moderation now is in the log.
    actions: VecDeque<Asked>,
    next_ticket: u64,
    last_flush: Millis,
    flush_at: Option<Millis>,
    tidy_at: Millis,
    outputs: VecDeque<Output>,
}

struct Participant {
    address: AddressHash,
    frames: Bucket,
    unread: u32,
    problems: Bucket,
    taps: Bucket,
    joined: Option<Joined>,
}

struct Joined {
    author: AuthorId,
    /// By this connection's token, whatever others of the author have.
    role: Role,
    /// The entry that it's sent next.
    next: u64,
    /// A part of the log is on its way, or being loaded; if it isn't taken it's this one's turn again.
    under_way: Option<u64>,
    /// It didn't take what it was told of the room's state: when it's told all of it.
    state_due: Option<Millis>,
    /// How long that takes the next time.
    state_wait: Millis,
}

/// Something that waits for the log's answer.
struct Waiting {
    ticket: Ticket,
    draft: Draft,
    /// Who is told how it went, and what they call it.
    asker: Option<(ParticipantId, Option<String>)>,
    action: Option<Action>,
    /// The moderation with the action, if it changes it.
    state: Option<Arc<RoomState>>,
    donation: Option<Donation>,
}

impl Room {
    /// The room of a channel.
    pub fn new(channel: &str, limits: RoomLimits, opened: Opened, now: Millis) -> Self {
        Self {
            ring: Ring::new(opened.recent, opened.last, limits.recent),
            reactions: Reactions::new(&limits.reactions),
            shown: Bucket::new(f64::from(limits.shown_rate), now),
            limits,
            filter: WordFilter::new(opened.state.words.iter().map(String::as_str)),
            banned: Banned::of(&opened.state),
            state: Arc::new(opened.state),
            pinned: opened.pinned.filter(pinned::is_to_be_shown),
            people: People::new(channel),
            participants: HashMap::new(),
            greetings: VecDeque::new(),
            on_air: None,
            viewers: 0,
            told_presence: (0, 0),
            presence_at: 0,
            share: FairShare::default(),
            waiting: VecDeque::new(),
            sought: Vec::new(),
            actions: VecDeque::new(),
            next_ticket: 0,
            last_flush: 0,
            flush_at: None,
            tidy_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// A client comes, and says nothing yet. `waits`: it may be silent for as long as it likes, since what it comes by is bounded: a player
    /// may get ready long before it's shown.
    pub fn enter(&mut self, now: Millis, id: ParticipantId, address: AddressHash, waits: bool) {
        let participant = Participant {
            address,
            frames: Bucket::new(FRAME_BURST, now),
            unread: 0,
            problems: Bucket::new(PROBLEM_BURST, now),
            taps: Bucket::new(TAP_BURST, now),
            joined: None,
        };
        self.participants.insert(id, participant);
        if !waits {
            self.greetings.push_back((now + HELLO_MS, id));
        }
    }

    /// Whether a client's next frame is to be read. Those that send without end aren't, and are let go in the end.
    pub fn admits(&mut self, now: Millis, id: ParticipantId) -> bool {
        let Some(participant) = self.participants.get_mut(&id) else {
            return false;
        };
        let admitted = participant
            .frames
            .take(FRAME_RATE, FRAME_BURST, now)
            .is_ok();
        if !admitted {
            participant.unread += 1;
            if participant.unread == FLOOD {
                self.outputs.push_back(Output::Close(id));
            }
        }
        admitted
    }

    /// Whether a client has said hello.
    pub fn has_joined(&self, id: ParticipantId) -> bool {
        self.participants
            .get(&id)
            .is_some_and(|participant| participant.joined.is_some())
    }

    /// A client said hello, and its tokens were checked.
    pub fn join(&mut self, now: Millis, id: ParticipantId, joining: &Joining) {
        let Some(participant) = self
            .participants
            .get_mut(&id)
            .filter(|p| p.joined.is_none())
        else {
            return;
        };
        let address = participant.address;
        let last = self.ring.last();
        let oldest = (last + 1).saturating_sub(MAX_RESUME);
        // Nobody has what isn't in the log yet.
        let wanted = joining.after.map_or_else(
            || last.saturating_sub(joining.history.into()),
            |after| after.min(last),
        );
        let next = (wanted + 1).max(oldest);
        participant.joined = Some(Joined {
            author: joining.author.clone(),
            role: joining.role,
            next,
            under_way: None,
            state_due: None,
            state_wait: STATE_AGAIN_MS,
        });
        let arrival = Arrival {
            author: &joining.author,
            name: joining.name.as_deref(),
            role: joining.role,
            address,
            following_since: joining.following_since,
        };
        let naming = Naming {
            filter: &self.filter,
            no_links: self.state.no_links,
        };
        let refused = self.people.arrive(arrival, naming, &self.limits, now);
        let mut objects = vec![self.welcome(now, id, joining)];
        if joining.after.is_some() && wanted + 1 < next {
            objects.push(ServerObject::Skipped {
                from: wanted + 1,
                to: next - 1,
            });
        }
        let (viewers, chatters) = self.presence();
        objects.push(ServerObject::Presence { viewers, chatters });
        self.send(vec![id], Matter::State, &objects);
        if let Some(problem) = refused {
            self.tell(now, id, problem);
        }
        self.tell_ban(now, id, &joining.author);
        self.deliver(id);
        self.flush_soon(now);
    }

    /// A client's frame, after [`Room::admits`] and [`Room::join`].
    pub fn handle(&mut self, now: Millis, id: ParticipantId, frame: ClientFrame) {
        let Some(joined) = self.participants.get(&id).and_then(|p| p.joined.as_ref()) else {
            self.tell(now, id, Problem::new(Code::HelloFirst, "say hello first"));
            self.outputs.push_back(Output::Close(id));
            return;
        };
        let (author, role) = (joined.author.clone(), joined.role);
        match frame {
            ClientFrame::Hello(_) => {
                self.tell(
                    now,
                    id,
                    Problem::new(Code::HelloFirst, "hello was said already"),
                );
            }
            ClientFrame::Message(message) => self.write(now, id, &author, message),
            ClientFrame::Reaction(reaction) => self.react(now, id, &author, &reaction),
            ClientFrame::Moderate { id: name, action } => {
                self.moderate(now, (id, name), (author, role), action);
            }
            ClientFrame::Follow(on) => self.follow(now, id, author, on),
            ClientFrame::Rename(name) => self.rename(now, id, &author, &name),
            ClientFrame::Report(report) => self.outputs.push_back(Output::Report {
                participant: id,
                report,
            }),
        }
    }

    /// A client's frame wasn't of the protocol, or its hello wasn't believed.
    pub fn refuse(&mut self, now: Millis, id: ParticipantId, problem: Problem) {
        let ends = matches!(
            problem.code,
            Code::HelloFirst | Code::Unauthorized | Code::Forbidden
        ) && !self.has_joined(id);
        self.tell(now, id, problem);
        if ends {
            self.outputs.push_back(Output::Close(id));
        }
    }

    /// A client's rights don't hold any more: it's told why, and let go.
    pub fn dismiss(&mut self, now: Millis, id: ParticipantId, problem: Problem) {
        self.tell(now, id, problem);
        self.outputs.push_back(Output::Close(id));
    }

    /// A client is gone.
    pub fn leave(&mut self, now: Millis, id: ParticipantId) {
        if let Some(joined) = self.participants.remove(&id).and_then(|p| p.joined) {
            let naming = Naming {
                filter: &self.filter,
                no_links: self.state.no_links,
            };
            let Joined { author, role, .. } = joined;
            if self.people.leave(&author, role, naming, now) {
                self.tell_name(&author);
            }
            self.flush_soon(now);
        }
    }

    /// Whether nobody is there and nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.waiting.is_empty() && self.sought.is_empty()
    }

    /// What is on air changed.
    pub fn set_on_air(&mut self, now: Millis, on_air: Option<OnAir>) {
        if self.on_air == on_air {
            return;
        }
        let is_other =
            self.on_air.as_ref().map(|air| &air.id) != on_air.as_ref().map(|air| &air.id);
        self.on_air = on_air;
        if is_other {
            let broadcast = self.broadcast(now);
            self.send_to_all(
                Matter::State,
                &[
                    ServerObject::Broadcast { broadcast },
                    ServerObject::Goal { goal: self.goal() },
                ],
            );
        }
    }

    /// Something was said in a broadcast: those who are there are told, and nobody later. A late one is worth nothing.
    pub fn caption(&mut self, broadcast: &str, captions: &[Caption]) {
        if self.on_air.as_ref().is_none_or(|air| air.id != broadcast) {
            return;
        }
        for captions in captions.chunks(CAPTIONS_A_FRAME) {
            let captions: Vec<_> = captions
                .iter()
                .cloned()
                .map(ServerObject::Caption)
                .collect();
            self.send_to_all(Matter::Passing, &captions);
        }
    }

    /// How many watch.
    pub fn set_viewers(&mut self, now: Millis, viewers: u32) {
        self.viewers = viewers;
        if self.presence() != self.told_presence && !self.participants.is_empty() {
            self.flush_soon(now);
        }
    }

    /// When there's something to do next, or may be.
    pub fn next_timeout(&self) -> Option<Millis> {
        let greeting = self.greetings.front().map(|(by, _)| *by);
        [self.flush_at, greeting].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush(now);
        }
        while let Some((_, id)) = self.greetings.pop_front_if(|(by, _)| *by <= now) {
            let is_silent = self
                .participants
                .get(&id)
                .is_some_and(|p| p.joined.is_none());
            if is_silent {
                let text = "no hello came within 10 s";
                self.tell(now, id, Problem::new(Code::HelloFirst, text));
                self.outputs.push_back(Output::Close(id));
                self.participants.remove(&id);
            }
        }
        if self.tidy_at <= now {
            self.people.tidy(now);
            self.tidy_at = now + 60_000;
        }
    }

    /// The next thing to do for the caller.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The stream time now, on air.
    fn stream_time(&self, now: Millis) -> Option<u64> {
        self.on_air
            .as_ref()
            .map(|air| now.saturating_sub(air.started_at))
    }

    fn broadcast(&self, now: Millis) -> Option<Broadcast> {
        self.on_air.as_ref().map(|air| Broadcast {
            id: air.id.clone(),
            started_at: air.started_at,
            now: now.saturating_sub(air.started_at),
        })
    }

    fn goal(&self) -> Option<Goal> {
        let goal = self.state.goal.as_ref()?;
        let raised = self
            .on_air
            .as_ref()
            .and_then(|air| air.raised.get(&goal.currency));
        Some(Goal {
            title: goal.title.clone(),
            currency: goal.currency.clone(),
            amount: goal.amount,
            raised: raised.copied().unwrap_or(0),
        })
    }

    fn presence(&self) -> (u32, u32) {
        (self.viewers, self.people.present())
    }
}
