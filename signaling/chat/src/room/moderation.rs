//! What moderators and streamers do.

use std::sync::Arc;

use super::{AddressHash, Lane, ParticipantId, Room, RoomState, Waiting, writing::members};
use crate::{
    AuthorId, Kind, Millis, Role,
    entry::Draft,
    protocol::{Action, Code, Problem, Rights, ServerObject, Welcome},
    text::WordFilter,
};

impl Room {
    pub(super) fn moderate(
        &mut self,
        now: Millis,
        id: ParticipantId,
        (author, role): (&AuthorId, Role),
        name: Option<String>,
        action: Action,
    ) {
        if let Err(problem) = self.may_act(author, role, &action) {
            self.tell(now, id, problem.about(name));
            return;
        }
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
        let mut waiting = Waiting::action(draft, (id, name), action);
        waiting.state = state;
        self.append(waiting, deletes);
    }

    /// The moderation with an action, if that changes what is, or what will be with all that is on its way to the log: it may fail.
    fn state_with(&self, action: &Action, now: Millis) -> Option<Arc<RoomState>> {
        let to_be = self.state_to_be();
        if let Action::Delete { seq } = action
            && [&self.state, to_be]
                .iter()
                .all(|state| state.pinned != Some(*seq))
        {
            return None;
        }
        let address = subject(action)
            .and_then(|author| self.people.get(author))
            .map(|person| person.address);
        let mut state = RoomState::clone(to_be);
        state.apply(action, now, address);
        if silences(action).is_some_and(|author| self.pinned_author() == Some(author)) {
            state.unpin();
        }
        (state != **to_be || state != *self.state).then(|| Arc::new(state))
    }

    /// The moderation with all that is on its way to the log.
    fn state_to_be(&self) -> &Arc<RoomState> {
        let under_way = self
            .waiting
            .iter()
            .rev()
            .find_map(|waiting| waiting.state.as_ref());
        under_way.unwrap_or(&self.state)
    }

    fn may_act(&self, author: &AuthorId, role: Role, action: &Action) -> Result<(), Problem> {
        let needed = match action {
            Action::Goal(_) => Role::Streamer,
            Action::Delete { seq } if self.ring.author(*seq) == Some(author) => Role::Viewer,
            _ => Role::Moderator,
        };
        if role < needed {
            let who = if needed == Role::Streamer {
                "the streamer"
            } else {
                "a moderator"
            };
            return Err(Problem::new(
                Code::Forbidden,
                format!("only {who} may do that"),
            ));
        }
        if let Some(subject) = subject(action) {
            if subject == author {
                return Err(Problem::new(Code::Forbidden, "that would be yourself"));
            }
            if self
                .people
                .get(subject)
                .is_some_and(|person| person.role >= role)
            {
                return Err(Problem::new(
                    Code::Forbidden,
                    "only the streamer may do that to a moderator",
                ));
            }
        }
        if let Action::Delete { seq } | Action::Pin { seq: Some(seq) } = action
            && (*seq == 0 || *seq > self.ring.last())
        {
            return Err(Problem::new(Code::NotFound, "there is no such message"));
        }
        Ok(())
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
            Action::Goal(_) => self.send_to_all(&[ServerObject::Goal { goal: self.goal() }]),
        }
        self.follow_pin();
    }

    fn tell_rights(&mut self, now: Millis, author: &AuthorId) {
        let address = self.address_of(author);
        let rights = self.rights(now, author, address);
        self.send(self.connections(author), Lane::Chat, &[rights]);
    }

    /// Tells somebody who comes back what keeps them from writing: they read, and so may others of that address.
    pub(super) fn tell_ban(&mut self, now: Millis, id: ParticipantId, author: &AuthorId) {
        let address = self.address_of(author);
        if self.state.ban(author, address, now).is_some() {
            let rights = self.rights(now, author, address);
            self.send(vec![id], Lane::Chat, &[rights]);
        }
    }

    fn rights(&self, now: Millis, author: &AuthorId, address: AddressHash) -> ServerObject {
        let ban = self.state.ban(author, address, now);
        ServerObject::Rights {
            write: ban.is_none(),
            until: ban.and_then(|ban| ban.until),
            reason: ban.and_then(|ban| ban.reason.clone()),
        }
    }

    fn address_of(&self, author: &AuthorId) -> AddressHash {
        self.people
            .get(author)
            .map_or(AddressHash(0), |person| person.address)
    }

    /// The words are for those only who may change them.
    fn tell_rules(&mut self) {
        for is_staff in [false, true] {
            let rules = self.state.rules(self.limits.message_length, is_staff);
            let to = self.joined_as(|role| (role > Role::Viewer) == is_staff);
            self.send(to, Lane::Chat, &[ServerObject::Rules(rules)]);
        }
    }

    pub(super) fn welcome(&self, now: Millis, joining: &super::Joining) -> ServerObject {
        let (id, role) = (&joining.author, joining.role);
        let address = self.address_of(id);
        let may_write = role > Role::Viewer || self.state.ban(id, address, now).is_none();
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
