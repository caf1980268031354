//! What clients say: judged, and put on its way to the log.

use std::collections::BTreeMap;

use super::{
    Appended, Following, MAX_BEHIND_MS, MAX_WAITING, Matter, Output, ParticipantId, Room,
    TAP_BURST, TAP_RATE, Ticket, Waiting, people::Naming,
};
use crate::{
    AuthorId, Entry, Kind, Millis, Role,
    entry::{Draft, MAX_KEY},
    protocol::{Action, Code, NewMessage, Problem, Reaction, ServerObject, StreamEvent},
    text,
};

/// How much faster those may write who keep order.
const STAFF_FACTOR: f64 = 5.0;

/// Something from outside that the log takes in: a donation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What makes it the same when it's told twice. At most [`MAX_KEY`] bytes.
    pub key: String,
    /// What happened. Its text is clean.
    pub event: StreamEvent,
}

/// What an event gives to a broadcast.
pub(super) struct Donation {
    /// The broadcast that was on air when it was told.
    broadcast: Option<String>,
    currency: String,
    /// In minor units.
    amount: u64,
}

impl Room {
    pub(super) fn write(
        &mut self,
        now: Millis,
        id: ParticipantId,
        author: &AuthorId,
        message: NewMessage,
    ) {
        match self.judge(now, id, author, &message) {
            Ok(text) => {
                let role = self
                    .people
                    .get(author)
                    .map_or(Role::Viewer, |person| person.role);
                let shown = role > Role::Viewer || self.is_shown(now);
                let members = members(&[
                    ("id", &message.id),
                    ("author", &self.people.author(author)),
                    ("text", &text),
                ]);
                let draft = Draft {
                    kind: Kind::Message,
                    author: Some(author.clone()),
                    key: Some(key(author, &message.id)),
                    at: self.seen_at(now, message.at),
                    time: now,
                    shown,
                    members,
                };
                let waiting = Waiting {
                    asker: Some((id, Some(message.id))),
                    ..Waiting::of(draft)
                };
                self.append(waiting, None);
            }
            Err(problem) => self.tell(now, id, problem.about(Some(message.id))),
        }
    }

    /// The text to be shown, or why it isn't.
    fn judge(
        &mut self,
        now: Millis,
        id: ParticipantId,
        author: &AuthorId,
        message: &NewMessage,
    ) -> Result<String, Problem> {
        self.may_write(now, id, author)?;
        let text = text::clean(&message.text);
        if text.is_empty() {
            return Err(Problem::new(
                Code::Empty,
                "there is nothing to show in this message",
            ));
        }
        let most = self.limits.message_length;
        if text.chars().count() > most {
            return Err(Problem::new(
                Code::TooLong,
                format!("a message has {most} characters at most"),
            ));
        }
        // Also of what isn't taken in the end: looking for words and links costs the most.
        self.draw(now, author)?;
        let is_staff = self
            .people
            .get(author)
            .is_some_and(|person| person.role > Role::Viewer);
        if !is_staff {
            if self.state.no_links && text::has_link(&text) {
                return Err(Problem::new(
                    Code::Links,
                    "links aren't allowed in this chat",
                ));
            }
            if self.filter.catches(&text) {
                return Err(Problem::new(
                    Code::Filtered,
                    "this message has a word that isn't allowed in this chat",
                ));
            }
        }
        self.has_room(now, author)?;
        Ok(text)
    }

    fn may_write(&self, now: Millis, id: ParticipantId, author: &AuthorId) -> Result<(), Problem> {
        let Some(person) = self.people.get(author) else {
            return Err(Problem::new(Code::HelloFirst, "say hello first"));
        };
        if person.role > Role::Viewer {
            return Ok(());
        }
        if let Some(ban) = self.ban(now, id, author) {
            return Err(match ban.until {
                Some(until) => {
                    let seconds = until.saturating_sub(now).div_ceil(1000);
                    Problem::new(
                        Code::TimedOut,
                        format!("you may write again in {seconds} s"),
                    )
                    .after(seconds)
                }
                None => Problem::new(Code::Banned, "you are banned from this chat"),
            });
        }
        if let Some(seconds) = self.state.followers_only_s {
            let seconds = u64::from(seconds);
            let until = person.following_since.map(|since| since + seconds * 1000);
            match until {
                Some(until) if until <= now => {}
                Some(until) => {
                    let wait = (until - now).div_ceil(1000);
                    let text = format!(
                        "only those write who have followed for {seconds} s: wait {wait} s"
                    );
                    return Err(Problem::new(Code::FollowersOnly, text).after(wait));
                }
                None => {
                    return Err(Problem::new(
                        Code::FollowersOnly,
                        "only followers write in this chat: follow the channel first",
                    ));
                }
            }
        }
        let slow = u64::from(self.state.slow_s) * 1000;
        if let Some(last) = person.last_message
            && now < last + slow
        {
            let wait = (last + slow - now).div_ceil(1000);
            return Err(Problem::new(Code::Slow, format!("slow mode: wait {wait} s")).after(wait));
        }
        Ok(())
    }

    /// Takes from what an author may send, staff more than others.
    pub(super) fn draw(&mut self, now: Millis, author: &AuthorId) -> Result<(), Problem> {
        let (rate, burst) = (self.limits.author_rate, self.limits.author_burst);
        let Some(person) = self.people.get_mut(author) else {
            return Err(Problem::new(Code::HelloFirst, "say hello first"));
        };
        let is_staff = person.role > Role::Viewer;
        let factor = if is_staff { STAFF_FACTOR } else { 1.0 };
        person
            .bucket
            .take(rate * factor, burst * factor, now)
            .map_err(|wait| {
                let wait = wait.div_ceil(1000);
                Problem::new(Code::Rate, format!("you write too fast: wait {wait} s")).after(wait)
            })
    }

    /// Whether room and log take one more now; taken then.
    fn has_room(&mut self, now: Millis, author: &AuthorId) -> Result<(), Problem> {
        let has_room =
            self.waiting.len() < MAX_WAITING && self.share.take(author, self.limits.room_rate, now);
        if let Some(person) = self.people.get_mut(author) {
            if has_room {
                person.last_message = Some(now);
            } else {
                person.bucket.give_back();
            }
        }
        if has_room { Ok(()) } else { Err(busy()) }
    }

    fn is_shown(&mut self, now: Millis) -> bool {
        let rate = f64::from(self.limits.shown_rate);
        self.shown.take(rate, rate, now).is_ok()
    }

    /// The stream time that an author saw, as far as it can be.
    fn seen_at(&self, now: Millis, said: Option<u64>) -> Option<u64> {
        let present = self.stream_time(now)?;
        Some(
            said.unwrap_or(present)
                .clamp(present.saturating_sub(MAX_BEHIND_MS), present),
        )
    }

    pub(super) fn react(
        &mut self,
        now: Millis,
        id: ParticipantId,
        author: &AuthorId,
        reaction: &Reaction,
    ) {
        let Some(participant) = self.participants.get_mut(&id) else {
            return;
        };
        if participant.taps.take(TAP_RATE, TAP_BURST, now).is_err() {
            self.tell(
                now,
                id,
                Problem::new(
                    Code::Rate,
                    "send reactions 5 times a second at most, with their count",
                ),
            );
        } else if self.ban(now, id, author).is_some() {
            self.tell(
                now,
                id,
                Problem::new(Code::TimedOut, "you mayn't react now"),
            );
        } else if self.reactions.add(&reaction.emoji, reaction.count) {
            self.flush_soon(now);
        } else {
            self.tell(
                now,
                id,
                Problem::new(Code::NotFound, "this emoji isn't among welcome.reactions"),
            );
        }
    }

    pub(super) fn follow(&mut self, now: Millis, id: ParticipantId, author: AuthorId, on: bool) {
        if let Err(problem) = self.draw(now, &author) {
            return self.tell(now, id, problem);
        }
        let Some(person) = self.people.get_mut(&author) else {
            return;
        };
        let before = person.following_since;
        let since = on.then(|| before.unwrap_or(now));
        if before != since {
            person.following_since = since;
            self.outputs.push_back(Output::Follow {
                participant: id,
                author,
                following: Following { before, since },
            });
        }
    }

    /// What [`Output::Follow`] wanted couldn't be done: all is as it was.
    pub fn not_followed(
        &mut self,
        now: Millis,
        id: ParticipantId,
        author: &AuthorId,
        following: Following,
    ) {
        if let Some(person) = self.people.get_mut(author)
            && person.following_since == following.since
        {
            person.following_since = following.before;
        }
        let text = "who follows this channel can't be noted now; try again later";
        self.tell(now, id, Problem::new(Code::Store, text).after(5));
    }

    pub(super) fn rename(&mut self, now: Millis, id: ParticipantId, author: &AuthorId, name: &str) {
        let naming = Naming {
            filter: &self.filter,
            no_links: self.state.no_links,
        };
        match self.people.rename(author, name, naming) {
            Ok(()) => self.tell_name(author),
            Err(problem) => self.tell(now, id, problem),
        }
    }

    /// Tells somebody what they're called now.
    pub(super) fn tell_name(&mut self, author: &AuthorId) {
        let name = self.people.author(author).name;
        let renamed = ServerObject::Renamed { name };
        self.send(self.connections(author), Matter::State, &[renamed]);
    }

    /// Puts something from outside on its way to the log; the ticket names it in [`Output::Append`].
    pub fn event(&mut self, now: Millis, new: NewEvent) -> Ticket {
        debug_assert!(new.key.len() <= MAX_KEY, "the caller bounds keys");
        let mut event = new.event;
        // What was paid for is shown, but not everything that is written beside it.
        for text in [&mut event.name, &mut event.text] {
            if self.filter.catches(text) || (self.state.no_links && text::has_link(text)) {
                text.clear();
            }
        }
        let draft = Draft {
            kind: Kind::Event,
            author: None,
            key: Some(new.key),
            at: self.stream_time(now),
            time: now,
            shown: true,
            members: members(&[("event", &event)]),
        };
        let donation = event.currency.zip(event.amount);
        let broadcast = self.on_air.as_ref().map(|air| air.id.clone());
        let waiting = Waiting {
            donation: donation.map(|(currency, amount)| Donation {
                broadcast,
                currency,
                amount,
            }),
            ..Waiting::of(draft)
        };
        self.append(waiting, None)
    }

    pub(super) fn append(&mut self, mut waiting: Waiting, deletes: Option<u64>) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        waiting.ticket = ticket;
        self.outputs.push_back(Output::Append {
            ticket,
            draft: waiting.draft.clone(),
            state: waiting.state.clone(),
            deletes,
            donation: waiting
                .donation
                .as_ref()
                .map(|given| (given.currency.clone(), given.amount)),
        });
        self.waiting.push_back(waiting);
        ticket
    }

    /// How the next append went, in the order of [`Output::Append`].
    pub fn appended(&mut self, now: Millis, ticket: Ticket, how: Appended) {
        let Some(waiting) = self.waiting.pop_front() else {
            return;
        };
        debug_assert_eq!(
            waiting.ticket, ticket,
            "answers come in the order of appends"
        );
        let was_changing = waiting.state.is_some();
        match how {
            Appended::New(seq) => self.take_in(now, seq, waiting),
            Appended::Known(seq) => self.tell_stored(waiting.asker, seq),
            Appended::Failed => {
                if let Some((id, name)) = waiting.asker {
                    let text =
                        "the chat's log can't be written now; nothing was stored, try again later";
                    self.tell(
                        now,
                        id,
                        Problem::new(Code::Store, text).about(name).after(5),
                    );
                }
            }
        }
        if was_changing {
            self.take_turns(now);
        }
    }

    fn take_in(&mut self, now: Millis, seq: u64, waiting: Waiting) {
        let shown = waiting.draft.shown;
        self.ring.push(Entry {
            seq,
            draft: waiting.draft,
            deleted: false,
        });
        if !shown {
            self.tell_stored(waiting.asker, seq);
        }
        if let Some(action) = waiting.action {
            self.has_acted(now, &action, waiting.state);
        }
        if let Some(donation) = waiting.donation {
            self.has_given(donation);
        }
        self.flush_soon(now);
    }

    fn tell_stored(&mut self, asker: Option<(ParticipantId, Option<String>)>, seq: u64) {
        if let Some((id, Some(name))) = asker {
            let stored = ServerObject::Stored { id: name, seq };
            self.send(vec![id], Matter::Passing, &[stored]);
        }
    }

    fn has_given(&mut self, donation: Donation) {
        let Donation {
            broadcast,
            currency,
            amount,
        } = donation;
        let Some(air) = self
            .on_air
            .as_mut()
            .filter(|air| broadcast.as_ref() == Some(&air.id))
        else {
            return;
        };
        let counts = self
            .state
            .goal
            .as_ref()
            .is_some_and(|goal| goal.currency == currency);
        let raised: &mut BTreeMap<_, _> = &mut air.raised;
        let sum = raised.entry(currency).or_default();
        *sum = sum.saturating_add(amount);
        if counts {
            self.send_to_all(Matter::State, &[ServerObject::Goal { goal: self.goal() }]);
        }
    }
}

impl Waiting {
    pub(super) fn of(draft: Draft) -> Self {
        Self {
            ticket: Ticket(0),
            draft,
            asker: None,
            action: None,
            state: None,
            donation: None,
        }
    }

    pub(super) fn action(
        draft: Draft,
        asker: (ParticipantId, Option<String>),
        action: Action,
    ) -> Self {
        Self {
            asker: Some(asker),
            action: Some(action),
            ..Self::of(draft)
        }
    }
}

pub(super) fn busy() -> Problem {
    let text = "more is written here than can be taken: try again in a moment";
    Problem::new(Code::Busy, text).after(1)
}

/// What makes a message the same when it's said again.
fn key(author: &AuthorId, id: &str) -> String {
    format!("m/{author}/{id}")
}

/// JSON members of an object, without its braces.
pub(super) fn members(members: &[(&str, &dyn Json)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{}", value.json()))
        .collect();
    members.join(",")
}

/// What can be written as JSON behind a reference.
pub(super) trait Json {
    fn json(&self) -> String;
}

impl<T: serde::Serialize> Json for T {
    fn json(&self) -> String {
        // Strings, authors and actions: nothing that writing to a string fails for.
        serde_json::to_string(self).unwrap_or_else(|_| "null".into())
    }
}
