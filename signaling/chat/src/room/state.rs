//! What moderators decided, which outlives the room's being in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AuthorId, Millis,
    protocol::{Action, GoalSetting, Rules, RulesChange},
};

/// The most bans and time-outs of a channel; beyond it those that end first, then the oldest, are lifted.
pub const MAX_BANS: usize = 10_000;

/// A channel's moderation, as it's stored with the action that made it so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomState {
    pub(super) slow_s: u32,
    pub(super) followers_only_s: Option<u32>,
    pub(super) no_links: bool,
    pub(super) words: Vec<String>,
    pub(super) pinned: Option<u64>,
    pub(super) goal: Option<GoalSetting>,
    pub(super) bans: BTreeMap<AuthorId, Ban>,
}

/// Somebody mayn't write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ban {
    /// From when on.
    pub(super) since: Millis,
    /// Until when; `None`: until it's lifted, and for all who come from the same address.
    pub(super) until: Option<Millis>,
    /// The keyed hash of the author's address, never the address.
    pub(super) address: Option<AddressHash>,
    pub(super) reason: Option<String>,
}

/// A keyed hash of somebody's address, by which a ban is held against who comes back under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressHash(pub u64);

impl RoomState {
    /// The rules, with the words if they're for a moderator.
    pub(super) fn rules(&self, max_length: usize, with_words: bool) -> Rules {
        Rules {
            slow_s: self.slow_s,
            followers_only_s: self.followers_only_s,
            links: !self.no_links,
            max_length,
            words: with_words.then(|| self.words.clone()),
        }
    }

    /// What keeps somebody from writing now, whose address is that of `neighbour`, who is banned. A ban goes before a time-out.
    pub(super) fn ban(
        &self,
        author: &AuthorId,
        neighbour: Option<&AuthorId>,
        now: Millis,
    ) -> Option<&Ban> {
        let own = self.bans.get(author);
        if own.is_some_and(|ban| ban.until.is_none()) {
            return own;
        }
        neighbour
            .and_then(|neighbour| self.bans.get(neighbour))
            .or_else(|| own.filter(|ban| ban.until.is_some_and(|until| now < until)))
    }

    /// The addresses that bans hold for, and whose.
    pub(super) fn banned_addresses(&self) -> impl Iterator<Item = (AddressHash, AuthorId)> {
        let bans = self.bans.iter().filter(|(_, ban)| ban.until.is_none());
        bans.filter_map(|(author, ban)| Some((ban.address?, author.clone())))
    }

    /// Does what an action says. `address`: where its author was last seen, if it's about one.
    pub fn apply(&mut self, action: &Action, now: Millis, address: Option<AddressHash>) {
        match action {
            Action::Delete { seq } => {
                if self.pinned == Some(*seq) {
                    self.pinned = None;
                }
            }
            Action::Timeout {
                author,
                seconds,
                reason,
            } => self.add(
                author,
                now,
                Some(now + u64::from(*seconds) * 1000),
                None,
                reason.as_ref(),
            ),
            Action::Ban { author, reason } => self.add(author, now, None, address, reason.as_ref()),
            Action::Unban { author } => {
                self.bans.remove(author);
            }
            Action::Pin { seq } => self.pinned = *seq,
            Action::Rules(change) => self.change(change),
            Action::Goal(goal) => self.goal = (goal.amount > 0).then(|| goal.clone()),
        }
    }

    /// Nothing is pinned any more.
    pub(super) fn unpin(&mut self) {
        self.pinned = None;
    }

    /// The number of the entry that is pinned.
    pub fn pinned(&self) -> Option<u64> {
        self.pinned
    }

    fn add(
        &mut self,
        author: &AuthorId,
        since: Millis,
        until: Option<Millis>,
        address: Option<AddressHash>,
        reason: Option<&String>,
    ) {
        let own = self.bans.get(author);
        if until.is_some() && own.is_some_and(|ban| ban.until.is_none()) {
            // Who is banned stays so until that is lifted.
            return;
        }
        // Where somebody was last seen may be forgotten since.
        let address = address.or(self.bans.remove(author).and_then(|ban| ban.address));
        self.bans
            .retain(|_, ban| ban.until.is_none_or(|until| since < until));
        while self.bans.len() >= MAX_BANS {
            let first = self
                .bans
                .iter()
                .min_by_key(|(_, ban)| (ban.until.unwrap_or(Millis::MAX), ban.since))
                .map(|(author, _)| author.clone());
            first.and_then(|first| self.bans.remove(&first));
        }
        let ban = Ban {
            since,
            until,
            address,
            reason: reason.cloned(),
        };
        self.bans.insert(author.clone(), ban);
    }

    fn change(&mut self, change: &RulesChange) {
        if let Some(slow_s) = change.slow_s {
            self.slow_s = slow_s;
        }
        if let Some(followers_only_s) = change.followers_only_s {
            self.followers_only_s = followers_only_s;
        }
        if let Some(links) = change.links {
            self.no_links = !links;
        }
        if let Some(words) = &change.words {
            self.words.clone_from(words);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(name: &str) -> AuthorId {
        name.to_owned().try_into().unwrap()
    }

    fn ban_of<'a>(
        state: &'a RoomState,
        author: &str,
        address: AddressHash,
        now: Millis,
    ) -> Option<&'a Ban> {
        let mut banned = state.banned_addresses();
        let neighbour = banned.find_map(|(hash, who)| (hash == address).then_some(who));
        state.ban(&id(author), neighbour.as_ref(), now)
    }

    fn ban(name: &str) -> Action {
        Action::Ban {
            author: id(name),
            reason: None,
        }
    }

    #[test]
    fn a_ban_holds_for_the_address_and_a_time_out_for_the_author_alone() {
        let mut state = RoomState::default();
        let (home, away) = (AddressHash(1), AddressHash(2));
        state.apply(&ban("a"), 0, Some(home));
        assert!(ban_of(&state, "a", away, 1).is_some());
        assert!(ban_of(&state, "b", home, 1).is_some());
        let timeout = Action::Timeout {
            author: id("c"),
            seconds: 10,
            reason: None,
        };
        state.apply(&timeout, 0, Some(away));
        assert!(ban_of(&state, "c", home, 0).is_some() && ban_of(&state, "d", away, 0).is_none());
        assert!(ban_of(&state, "c", away, 10_000).is_none());
        state.apply(&Action::Unban { author: id("a") }, 5, None);
        assert!(ban_of(&state, "b", home, 5).is_none());
    }

    #[test]
    fn a_time_out_lifts_no_ban_and_a_ban_ends_a_time_out() {
        let mut state = RoomState::default();
        let home = AddressHash(1);
        let timeout = Action::Timeout {
            author: id("a"),
            seconds: 10,
            reason: None,
        };
        state.apply(&timeout, 0, Some(home));
        state.apply(&ban("a"), 1, Some(home));
        let banned = state.clone();
        state.apply(&ban("a"), 1, None);
        assert_eq!(state, banned, "the address stays");
        state.apply(&timeout, 2, Some(home));
        assert_eq!(state, banned);
        assert!(ban_of(&state, "b", home, 99_000).is_some());
        state.apply(&Action::Unban { author: id("a") }, 3, None);
        state.apply(&timeout, 4, Some(home));
        assert!(ban_of(&state, "a", home, 99_000).is_none());
    }

    #[test]
    fn who_is_banned_again_costs_nobody_else_the_ban() {
        let mut state = RoomState::default();
        for number in 0..MAX_BANS {
            state.apply(&ban(&format!("a{number}")), number as u64, None);
        }
        state.apply(&ban("a7"), MAX_BANS as u64, None);
        assert_eq!(state.bans.len(), MAX_BANS);
        assert!(state.bans.contains_key(&id("a0")));
    }

    #[test]
    fn bans_are_bounded_and_the_first_to_end_go() {
        let mut state = RoomState::default();
        for number in 0..=MAX_BANS {
            state.apply(&ban(&format!("a{number}")), number as u64, None);
        }
        assert_eq!(state.bans.len(), MAX_BANS);
        assert!(!state.bans.contains_key(&id("a0")) && state.bans.contains_key(&id("a1")));
    }

    #[test]
    fn it_is_stored_and_read_again() {
        let mut state = RoomState::default();
        state.apply(&ban("a"), 7, Some(AddressHash(u64::MAX)));
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<RoomState>(&text).unwrap(), state);
        assert_eq!(
            serde_json::from_str::<RoomState>("{}").unwrap(),
            RoomState::default()
        );
    }
}
