//! What clients are sent, and when: the log in batches, each written once for all who are at the same place in it.

use std::{collections::HashMap, sync::Arc};

use super::{
    FLUSH_MS, Lane, Matter, Output, PRESENCE_MS, PROBLEM_BURST, PROBLEM_RATE, ParticipantId, Room,
    STATE_AGAIN_MS, STATE_AT_LAST_MS,
    ring::{Slice, slice_of},
};
use crate::{
    AuthorId, Entry, Millis, Role,
    protocol::{MAX_SERVER_FRAME, Problem, ServerObject, frame},
};

impl Room {
    /// Sends everybody what they lack of the log, and what was counted.
    pub(super) fn flush(&mut self, now: Millis) {
        self.flush_at = None;
        self.last_flush = now;
        self.flush_log();
        if let Some(counts) = self.reactions.take() {
            let at = self.stream_time(now);
            let to = self.joined_as(|_| true);
            let frame = frame(&[ServerObject::Reactions { counts, at }]).into();
            if !to.is_empty() {
                self.outputs.push_back(Output::Send {
                    to,
                    lane: Lane::Reactions,
                    frame,
                    matter: Matter::Passing,
                });
            }
        }
        let presence = self.presence();
        if presence != self.told_presence {
            if now >= self.presence_at {
                self.told_presence = presence;
                self.presence_at = now + PRESENCE_MS;
                let (viewers, chatters) = presence;
                self.send_to_all(
                    Matter::State,
                    &[ServerObject::Presence { viewers, chatters }],
                );
            } else {
                self.flush_by(self.presence_at);
            }
        }
        self.tell_states(now);
    }

    /// A client didn't take what it was told of the room's state: it reads too slowly, and is told all of it later.
    pub fn missed(&mut self, now: Millis, id: ParticipantId) {
        if let Some(joined) = self.joined_mut(id)
            && joined.state_due.is_none()
        {
            let due = now + joined.state_wait;
            joined.state_due = Some(due);
            // One that never reads must not cost much.
            joined.state_wait = (joined.state_wait * 2).min(STATE_AT_LAST_MS);
            self.flush_by(due);
        }
    }

    /// Tells those how things are who missed something of it.
    fn tell_states(&mut self, now: Millis) {
        let due = |joined: &super::Joined| joined.state_due;
        let all = self.participants.iter();
        let missing = all.filter_map(|(id, p)| Some((*id, p.joined.as_ref().and_then(due)?)));
        for (id, due) in missing.collect::<Vec<_>>() {
            if due <= now {
                self.tell_state(now, id);
            } else {
                self.flush_by(due);
            }
        }
    }

    /// All that a client may have missed since its `welcome`: in one frame, which finds place or doesn't, if that isn't too long.
    fn tell_state(&mut self, now: Millis, id: ParticipantId) {
        let Some(joined) = self.joined_mut(id) else {
            return;
        };
        joined.state_due = None;
        let (author, role) = (joined.author.clone(), joined.role);
        let (viewers, chatters) = self.presence();
        let broadcast = self.broadcast(now);
        let name = self.people.author(&author).name;
        let objects = [
            ServerObject::Broadcast { broadcast },
            self.rules_for(role),
            self.rights(now, id, &author),
            ServerObject::Renamed { name },
            ServerObject::Goal { goal: self.goal() },
            ServerObject::Pinned {
                entry: self.pinned_json(),
            },
            ServerObject::Presence { viewers, chatters },
        ];
        if frame(&objects).len() <= MAX_SERVER_FRAME {
            return self.send(vec![id], Matter::State, &objects);
        }
        for object in objects {
            self.send(vec![id], Matter::State, &[object]);
        }
    }

    fn flush_log(&mut self) {
        let last = self.ring.last();
        let mut groups: HashMap<u64, Vec<ParticipantId>> = HashMap::new();
        for (id, participant) in &self.participants {
            if let Some(joined) = &participant.joined
                && joined.under_way.is_none()
                && joined.next <= last
            {
                groups.entry(joined.next).or_default().push(*id);
            }
        }
        for (next, to) in groups {
            match self.ring.slice(next) {
                Some(slice) => self.send_slice(to, next, slice),
                None => to.into_iter().for_each(|id| self.load(id, next)),
            }
        }
    }

    /// Sends one client what it lacks now, without waiting for the next flush.
    pub(super) fn deliver(&mut self, id: ParticipantId) {
        let Some(joined) = self.participants.get(&id).and_then(|p| p.joined.as_ref()) else {
            return;
        };
        let next = joined.next;
        if joined.under_way.is_some() || next > self.ring.last() {
            return;
        }
        match self.ring.slice(next) {
            Some(slice) => self.send_slice(vec![id], next, slice),
            None => self.load(id, next),
        }
    }

    fn load(&mut self, id: ParticipantId, next: u64) {
        if let Some(joined) = self.joined_mut(id) {
            joined.under_way = Some(next);
            self.outputs.push_back(Output::Load {
                participant: id,
                after: next - 1,
            });
        }
    }

    /// What was to be loaded for a client, in order; nothing if the log has forgotten it. `None`: the log can't be read.
    pub fn loaded(&mut self, now: Millis, id: ParticipantId, entries: Option<&[Entry]>) {
        let until = self.ring.last();
        let Some(joined) = self.joined_mut(id) else {
            return;
        };
        let Some(next) = joined.under_way.take() else {
            return;
        };
        match entries {
            Some(entries) => self.send_slice(vec![id], next, slice_of(entries, next, until)),
            None => self.flush_soon(now),
        }
    }

    fn send_slice(&mut self, to: Vec<ParticipantId>, from: u64, slice: Slice) {
        for id in &to {
            if let Some(joined) = self.joined_mut(*id) {
                joined.under_way = Some(from);
                joined.next = slice.next;
            }
        }
        self.outputs.push_back(Output::Send {
            to,
            lane: Lane::Chat,
            frame: slice.frame.into(),
            matter: Matter::Log,
        });
    }

    /// Whether clients took what was sent of the log. Those that didn't are sent it again later: they read too slowly.
    pub fn sent(&mut self, now: Millis, id: ParticipantId, taken: bool) {
        let last = self.ring.last();
        let Some(joined) = self.joined_mut(id) else {
            return;
        };
        let Some(from) = joined.under_way.take() else {
            return;
        };
        let mut soon = None;
        if taken {
            // It reads again: also how things are.
            joined.state_wait = STATE_AGAIN_MS;
            soon = joined.state_due.map(|due| due.min(now + STATE_AGAIN_MS));
            joined.state_due = soon;
        } else {
            joined.next = from;
        }
        if joined.next <= last {
            self.flush_soon(now);
        }
        if let Some(soon) = soon {
            self.flush_by(soon);
        }
    }

    /// Something is to be sent: at the next flush.
    pub(super) fn flush_soon(&mut self, now: Millis) {
        self.flush_by(now);
    }

    fn flush_by(&mut self, at: Millis) {
        let at = at.max(self.last_flush + FLUSH_MS);
        self.flush_at = Some(self.flush_at.map_or(at, |planned| planned.min(at)));
    }

    /// Tells a client why something isn't done, unless it hears that all the time.
    pub(super) fn tell(&mut self, now: Millis, id: ParticipantId, problem: Problem) {
        let told = self
            .participants
            .get_mut(&id)
            .is_some_and(|p| p.problems.take(PROBLEM_RATE, PROBLEM_BURST, now).is_ok());
        if told {
            self.send(vec![id], Matter::Passing, &[ServerObject::Error(problem)]);
        }
    }

    pub(super) fn send(
        &mut self,
        to: Vec<ParticipantId>,
        matter: Matter,
        objects: &[ServerObject],
    ) {
        if !to.is_empty() {
            let frame: Arc<str> = frame(objects).into();
            self.outputs.push_back(Output::Send {
                to,
                lane: Lane::Chat,
                frame,
                matter,
            });
        }
    }

    pub(super) fn send_to_all(&mut self, matter: Matter, objects: &[ServerObject]) {
        let all = self.joined_as(|_| true);
        self.send(all, matter, objects);
    }

    /// The connections of those in such roles.
    pub(super) fn joined_as(&self, is_meant: impl Fn(Role) -> bool) -> Vec<ParticipantId> {
        let of = self.participants.iter().filter(|(_, participant)| {
            participant
                .joined
                .as_ref()
                .is_some_and(|joined| is_meant(joined.role))
        });
        of.map(|(id, _)| *id).collect()
    }

    /// The connections of an author.
    pub(super) fn connections(&self, author: &AuthorId) -> Vec<ParticipantId> {
        let of = self.participants.iter().filter(|(_, participant)| {
            participant
                .joined
                .as_ref()
                .is_some_and(|joined| joined.author == *author)
        });
        of.map(|(id, _)| *id).collect()
    }

    fn joined_mut(&mut self, id: ParticipantId) -> Option<&mut super::Joined> {
        self.participants.get_mut(&id)?.joined.as_mut()
    }
}
