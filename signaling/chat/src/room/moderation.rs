//! What moderators and streamers do.

use std::{collections::HashMap, sync::Arc};

use super::{
    AddressHash, MAX_SOUGHT, MAX_WAITING, MAX_WAITING_ACTIONS, Matter, Output, ParticipantId, Room,
    RoomState, Waiting,
    state::Ban,
    writing::{busy, members},
};
use crate::{
    AuthorId, Entry, Kind, Millis, Role,
    entry::Draft,
    protocol::{Action, Code, Problem, Rights, ServerObject, Welcome},
    text::WordFilter,
};

/// An action that somebody wants done.
pub(super) struct Asked {
    asker: Asker,
    author: AuthorId,
    /// By the connection that it came on.
    role: Role,
    action: Action,
}

/// A moderator's deletion of a message that isn't among the latest.
pub(super) struct Sought {
    seq: u64,
    asker: Asker,
    author: AuthorId,
    role: Role,
}

/// Who is told how it went, and what they call it.
type Asker = (ParticipantId, Option<String>);

/// The addresses that bans hold for, each with one whose ban it is: there are too many bans to go through for each message.
#[derive(Debug)]
pub(super) struct Banned(HashMap<AddressHash, AuthorId>);

impl Banned {
    pub(super) fn of(state: &RoomState) -> Self {
        Self(state.banned_addresses().collect())
    }
}

impl Room {
    pub(super) fn moderate(
        &mut self,
        now: Millis,
        asker: Asker,
        (author, role): (AuthorId, Role),
        action: Action,
    ) {
        match self.takes_action(now, &author, role, &action) {
            Ok(()) => {
                let asked = Asked {
                    asker,
                    author,
                    role,
                    action,
                };
                self.actions.push_back(asked);
                self.take_turns(now);
            }
            Err(problem) => self.tell(now, asker.0, problem.about(asker.1)),
        }
    }

    /// Whether author and log take one more action now; taken from what the author may send. Viewers leave room for moderators.
    fn takes_action(
        &mut self,
        now: Millis,
        author: &AuthorId,
        role: Role,
        action: &Action,
    ) -> Result<(), Problem> {
        self.draw(now, author)?;
        let is_viewer = role < Role::Moderator;
        if is_viewer && !matches!(action, Action::Delete { .. }) {
            return Err(for_moderators());
        }
        let most = MAX_WAITING_ACTIONS / if is_viewer { 2 } else { 1 };
        if self.waiting.len() >= MAX_WAITING || self.actions.len() >= most {
            return Err(busy());
        }
        Ok(())
    }

    /// Does the actions that are asked for, until one changes the moderation: the next one is judged by, and changes, what that comes to.
    /// It may fail, and then nothing of it must remain.
    pub(super) fn take_turns(&mut self, now: Millis) {
        while !self.is_changing()
            && let Some(asked) = self.actions.pop_front()
        {
            let Asked {
                asker,
                author,
                role,
                action,
            } = asked;
            let judged = match action {
                Action::Delete { seq } => self.may_delete_or_seek(seq, &asker, &author, role),
                _ => self.may_act(&author, role, &action).map(|()| true),
            };
            match judged {
                Ok(true) => self.act(now, asker, &author, action),
                Ok(false) => {}
                Err(problem) => self.tell(now, asker.0, problem.about(asker.1)),
            }
        }
    }

    fn may_be_pinned(&self, seq: u64) -> bool {
        let pin = Some(Action::Pin { seq: Some(seq) });
        self.state.pinned == Some(seq) || self.waiting.iter().any(|waiting| waiting.action == pin)
    }

    /// Whether the moderation will be another when the log has taken what is on its way.
    fn is_changing(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.state.is_some())
    }

    fn act(&mut self, now: Millis, asker: Asker, author: &AuthorId, action: Action) {
        let state = self.state_with(&action, now);
        let deletes = match action {
            Action::Delete { seq } => Some(seq),
            _ => None,
        };
        let draft = Draft {
            kind: Kind::Action,
            author: Some(author.clone()),
            key: None,
            at: self.stream_time(now),
            time: now,
            shown: true,
            members: members(&[("by", &self.people.author(author)), ("action", &action)]),
        };
        let mut waiting = Waiting::action(draft, asker, action);
        waiting.state = state;
        self.append(waiting, deletes);
    }

    /// Whether a message may be deleted now: one that isn't among the latest is looked for, and deleted when it's found.
    fn may_delete_or_seek(
        &mut self,
        seq: u64,
        asker: &Asker,
        author: &AuthorId,
        role: Role,
    ) -> Result<bool, Problem> {
        if seq == 0 || seq > self.ring.last() || self.is_being_deleted(seq) {
            return Err(no_such_message());
        }
        let recent = self.ring.get(seq);
        if recent.is_some() {
            return may_delete(author, role, recent).map(|()| true);
        }
        if role < Role::Moderator {
            return Err(for_moderators());
        }
        if self.sought.len() >= MAX_SOUGHT {
            return Err(busy());
        }
        self.sought.push(Sought {
            seq,
            asker: asker.clone(),
            author: author.clone(),
            role,
        });
        self.outputs.push_back(Output::Find { seq });
        Ok(false)
    }

    /// What was looked for to be deleted is found, or isn't.
    pub(super) fn found_to_delete(&mut self, now: Millis, seq: u64, entry: Option<&Entry>) {
        let found = |sought: &mut Sought| sought.seq == seq;
        for sought in self.sought.extract_if(.., found).collect::<Vec<_>>() {
            // Several may have asked for it.
            let entry = entry.filter(|_| !self.is_being_deleted(seq));
            let Sought {
                asker,
                author,
                role,
                ..
            } = sought;
            let action = Action::Delete { seq };
            match may_delete(&author, role, entry) {
                // Looked for once more when it's its turn: it is pinned, or being pinned, which changes with it.
                Ok(()) if self.is_changing() && self.may_be_pinned(seq) => {
                    let asked = Asked {
                        asker,
                        author,
                        role,
                        action,
                    };
                    self.actions.push_front(asked);
                }
                Ok(()) => self.act(now, asker, &author, action),
                Err(problem) => {
                    let (id, name) = asker;
                    self.tell(now, id, problem.about(name));
                }
            }
        }
    }

    /// The moderation with an action, if that changes it.
    fn state_with(&self, action: &Action, now: Millis) -> Option<Arc<RoomState>> {
        if let Action::Delete { seq } = action
            && self.state.pinned != Some(*seq)
        {
            return None;
        }
        let address = subject(action)
            .and_then(|author| self.people.get(author))
            .map(|person| person.address);
        let mut state = RoomState::clone(&self.state);
        state.apply(action, now, address);
        if silences(action).is_some_and(|author| self.pinned_author() == Some(author)) {
            state.unpin();
        }
        (state != *self.state).then(|| Arc::new(state))
    }

    fn is_being_deleted(&self, seq: u64) -> bool {
        let deletion = Some(Action::Delete { seq });
        self.waiting
            .iter()
            .any(|waiting| waiting.action == deletion)
    }

    /// All but deleting, which is judged by the message.
    fn may_act(&self, author: &AuthorId, role: Role, action: &Action) -> Result<(), Problem> {
        if matches!(action, Action::Goal(_)) && role < Role::Streamer {
            let text = "only the streamer may do that";
            return Err(Problem::new(Code::Forbidden, text));
        }
        if role < Role::Moderator {
            return Err(for_moderators());
        }
        if let Some(subject) = subject(action) {
            if subject == author {
                return Err(Problem::new(Code::Forbidden, "that would be yourself"));
            }
            let known = self.role_of(subject);
            if known.is_none() && silences(action).is_some() {
                let text = "nobody of that id is here, or wrote lately";
                return Err(Problem::new(Code::NotFound, text));
            }
            if known.is_some_and(|known| known >= role) {
                return Err(for_the_streamer());
            }
        }
        if let Action::Pin { seq: Some(seq) } = action
            && (*seq == 0 || *seq > self.ring.last())
        {
            return Err(no_such_message());
        }
        Ok(())
    }

    /// What somebody is who is known here, or was when they last wrote.
    fn role_of(&self, author: &AuthorId) -> Option<Role> {
        let person = self.people.get(author).map(|person| person.role);
        person.or_else(|| {
            let latest = self.ring.latest_of(author)?;
            Some(latest.role().unwrap_or(Role::Viewer))
        })
    }

    /// An action is in the log: it holds from now on.
    pub(super) fn has_acted(
        &mut self,
        now: Millis,
        action: &Action,
        state: Option<Arc<RoomState>>,
    ) {
        if let Some(state) = state {
            self.state = state;
            self.banned = Banned::of(&self.state);
        }
        match action {
            Action::Delete { seq } => self.ring.delete(*seq),
            Action::Timeout { author, .. }
            | Action::Ban { author, .. }
            | Action::Unban { author } => {
                self.tell_rights(now, author);
            }
            Action::Pin { .. } => {}
            Action::Rules(_) => {
                self.filter = WordFilter::new(self.state.words.iter().map(String::as_str));
                self.tell_rules();
            }
            Action::Goal(_) => {
                self.send_to_all(Matter::State, &[ServerObject::Goal { goal: self.goal() }]);
            }
        }
        self.follow_pin();
    }

    fn tell_rights(&mut self, now: Millis, author: &AuthorId) {
        for id in self.connections(author) {
            let rights = self.rights(now, id, author);
            self.send(vec![id], Matter::State, &[rights]);
        }
    }

    /// Tells somebody who comes back what keeps them from writing: they read, and so may others of that address.
    pub(super) fn tell_ban(&mut self, now: Millis, id: ParticipantId, author: &AuthorId) {
        if self.ban(now, id, author).is_some() {
            let rights = self.rights(now, id, author);
            self.send(vec![id], Matter::State, &[rights]);
        }
    }

    /// What keeps an author from writing by that connection. Nothing does who keeps order.
    pub(super) fn ban(&self, now: Millis, id: ParticipantId, author: &AuthorId) -> Option<&Ban> {
        let person = self.people.get(author);
        if person.is_some_and(|person| person.role > Role::Viewer) {
            return None;
        }
        let address = self.participants.get(&id).map(|p| p.address);
        let address = address.or(person.map(|person| person.address));
        let of_address = address.and_then(|address| self.banned.0.get(&address));
        self.state.ban(author, of_address, now)
    }

    /// Why somebody is banned is for them alone, not for others of their address.
    pub(super) fn rights(&self, now: Millis, id: ParticipantId, author: &AuthorId) -> ServerObject {
        let ban = self.ban(now, id, author);
        let own = self.state.bans.get(author);
        let is_own = |ban: &&Ban| own.is_some_and(|own| std::ptr::eq(own, *ban));
        ServerObject::Rights {
            write: ban.is_none(),
            until: ban.and_then(|ban| ban.until),
            reason: ban.filter(is_own).and_then(|ban| ban.reason.clone()),
        }
    }

    /// The words are for those only who may change them.
    pub(super) fn rules_for(&self, role: Role) -> ServerObject {
        let with_words = role > Role::Viewer;
        ServerObject::Rules(self.state.rules(self.limits.message_length, with_words))
    }

    fn tell_rules(&mut self) {
        for (role, is_staff) in [(Role::Viewer, false), (Role::Moderator, true)] {
            let to = self.joined_as(|role| (role > Role::Viewer) == is_staff);
            let rules = self.rules_for(role);
            self.send(to, Matter::State, &[rules]);
        }
    }

    pub(super) fn welcome(
        &self,
        now: Millis,
        connection: ParticipantId,
        joining: &super::Joining,
    ) -> ServerObject {
        let (id, role) = (&joining.author, joining.role);
        let may_write = self.ban(now, connection, id).is_none();
        ServerObject::Welcome(Box::new(Welcome {
            author: self.people.author(id),
            identity: joining.identity.clone(),
            rights: Rights {
                write: may_write,
                moderate: role >= Role::Moderator,
                stream: role >= Role::Streamer,
            },
            rules: self
                .state
                .rules(self.limits.message_length, role >= Role::Moderator),
            reactions: self.reactions.emoji(),
            broadcast: self.broadcast(now),
            last: self.ring.last(),
            pinned: self.pinned_json(),
            goal: self.goal(),
            following: joining.following_since.is_some(),
        }))
    }
}

/// Whether somebody may delete what is under a number: an author their own; a moderator what viewers and donors wrote; the streamer
/// everything.
fn may_delete(author: &AuthorId, role: Role, entry: Option<&Entry>) -> Result<(), Problem> {
    let message = entry
        .filter(|entry| entry.draft.kind != Kind::Action && !entry.deleted)
        .ok_or_else(no_such_message)?;
    if role == Role::Streamer || message.draft.author.as_ref() == Some(author) {
        return Ok(());
    }
    if role < Role::Moderator {
        return Err(for_moderators());
    }
    if message.role().is_some_and(|written_as| written_as >= role) {
        return Err(for_the_streamer());
    }
    Ok(())
}

fn no_such_message() -> Problem {
    Problem::new(Code::NotFound, "there is no such message")
}

fn for_moderators() -> Problem {
    Problem::new(Code::Forbidden, "only a moderator may do that")
}

fn for_the_streamer() -> Problem {
    let text = "only the streamer may do that to a moderator";
    Problem::new(Code::Forbidden, text)
}

/// Whose messages are gone from all screens by an action.
fn silences(action: &Action) -> Option<&AuthorId> {
    match action {
        Action::Timeout { author, .. } | Action::Ban { author, .. } => Some(author),
        _ => None,
    }
}

/// Whom an action is about.
fn subject(action: &Action) -> Option<&AuthorId> {
    match action {
        Action::Timeout { author, .. } | Action::Ban { author, .. } | Action::Unban { author } => {
            Some(author)
        }
        Action::Delete { .. } | Action::Pin { .. } | Action::Rules(_) | Action::Goal(_) => None,
    }
}
