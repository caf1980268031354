//! Who follows a channel, on the way to the store: one after the other, and of each author only what they want last.

use std::collections::HashMap;

use spillway_chat::{
    AuthorId,
    room::{Following, ParticipantId},
};

/// Authors whose wishes wait.
const MOST: usize = 4096;

/// Somebody wants to follow, or not to follow any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// By which connection they said so.
    pub(super) participant: ParticipantId,
    pub(super) author: AuthorId,
    pub(super) following: Following,
}

/// The wishes of a room.
#[derive(Default)]
pub(super) struct Followers {
    waiting: HashMap<AuthorId, Wish>,
    is_writing: bool,
}

impl Followers {
    /// Takes a wish in. It's given back where there are too many.
    pub(super) fn want(&mut self, mut wish: Wish) -> Result<(), Wish> {
        let earlier = self.waiting.remove(&wish.author);
        if self.waiting.len() >= MOST {
            return Err(wish);
        }
        if let Some(earlier) = earlier {
            wish.following.before = earlier.following.before;
        }
        if wish.following.before != wish.following.since {
            self.waiting.insert(wish.author.clone(), wish);
        }
        Ok(())
    }

    /// The wish to be written now: one at a time.
    pub(super) fn next(&mut self) -> Option<Wish> {
        if self.is_writing {
            return None;
        }
        let author = self.waiting.keys().next()?.clone();
        self.is_writing = true;
        self.waiting.remove(&author)
    }

    /// What [`Followers::next`] gave is written.
    pub(super) fn written(&mut self) {
        self.is_writing = false;
    }

    /// It can't be: what the author wants since is wanted of what was before.
    pub(super) fn failed(&mut self, wish: &Wish) {
        self.is_writing = false;
        if let Some(waiting) = self.waiting.get_mut(&wish.author) {
            waiting.following.before = wish.following.before;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wish(author: usize, before: Option<u64>, since: Option<u64>) -> Wish {
        Wish {
            participant: ParticipantId(1),
            author: format!("a{author}").try_into().unwrap(),
            following: Following { before, since },
        }
    }

    #[test]
    fn one_is_written_at_a_time_and_of_each_author_the_last() {
        let mut followers = Followers::default();
        followers.want(wish(1, None, Some(5))).unwrap();
        assert_eq!(followers.next(), Some(wish(1, None, Some(5))));
        followers.want(wish(1, Some(5), None)).unwrap();
        followers.want(wish(1, None, Some(7))).unwrap();
        assert_eq!(followers.next(), None, "the first is being written");
        followers.written();
        assert_eq!(followers.next(), Some(wish(1, Some(5), Some(7))));
    }

    #[test]
    fn what_waits_behind_one_that_failed_begins_where_that_did() {
        let mut followers = Followers::default();
        followers.want(wish(1, None, Some(5))).unwrap();
        let first = followers.next().unwrap();
        followers.want(wish(1, Some(5), None)).unwrap();
        followers.want(wish(1, None, Some(7))).unwrap();
        followers.failed(&first);
        assert_eq!(followers.next(), Some(wish(1, None, Some(7))));
    }

    #[test]
    fn who_changes_their_mind_meanwhile_costs_nothing() {
        let mut followers = Followers::default();
        followers.want(wish(1, None, Some(5))).unwrap();
        followers.want(wish(1, Some(5), None)).unwrap();
        assert_eq!(followers.next(), None);
    }

    #[test]
    fn they_are_bounded() {
        let mut followers = Followers::default();
        for author in 0..MOST {
            followers.want(wish(author, None, Some(5))).unwrap();
        }
        let further = wish(MOST, None, Some(5));
        assert_eq!(followers.want(further.clone()), Err(further));
        followers.want(wish(0, None, Some(6))).unwrap();
    }
}
