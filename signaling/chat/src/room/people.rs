//! Who is in a room, and what they're called.

use std::collections::HashMap;

use super::{AddressHash, RoomLimits, limits::Bucket};
use crate::{
    Author, AuthorId, Millis, Role,
    protocol::{Code, MAX_NAME, Problem},
    text::{self, WordFilter},
};

/// One connection into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(pub u64);

/// Authors remembered after they left, so that nobody takes their names while they're cut off; beyond it the one that left
/// first is forgotten.
const ABSENT: usize = 2000;
/// For how long they are.
const ABSENCE_MS: Millis = 10 * 60 * 1000;
/// Names that only who is it may have, folded by [`text::fold_name`].
const TITLES: [&str; 8] = [
    "streamer",
    "broadcaster",
    "moderator",
    "mod",
    "admin",
    "administrator",
    "spillway",
    "system",
];

/// One author, by however many connections.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    folded: String,
    pub(super) role: Role,
    pub(super) address: AddressHash,
    /// Connections now, by the role of each.
    connections: [u32; 3],
    left: Millis,
    pub(super) bucket: Bucket,
    pub(super) last_message: Option<Millis>,
    pub(super) following_since: Option<Millis>,
}

impl Person {
    fn is_here(&self) -> bool {
        self.connections.iter().any(|count| *count > 0)
    }

    /// Of several connections of one author the best token counts, while it's there.
    fn best_role(&self) -> Option<Role> {
        [Role::Streamer, Role::Moderator, Role::Viewer]
            .into_iter()
            .find(|role| self.connections[*role as usize] > 0)
    }
}

/// The channel's rules, as far as they hold for names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) filter: &'a WordFilter,
    pub(super) no_links: bool,
}

impl Naming<'_> {
    fn refuses(&self, name: &str) -> bool {
        self.filter.catches(name) || (self.no_links && text::has_link(name))
    }
}

/// All authors of a room, by identifier and by name.
#[derive(Debug, Default)]
pub(super) struct People {
    by_id: HashMap<AuthorId, Person>,
    names: HashMap<String, AuthorId>,
    /// The channel's name, folded: the streamer's.
    channel: String,
    present: u32,
}

/// Somebody who comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) author: &'a AuthorId,
    pub(super) name: Option<&'a str>,
    pub(super) role: Role,
    pub(super) address: AddressHash,
    pub(super) following_since: Option<Millis>,
}

impl People {
    pub(super) fn new(channel: &str) -> Self {
        Self {
            channel: channel.to_owned(),
            ..Self::default()
        }
    }

    /// Takes somebody in. `Some`: the name that was wanted couldn't be had, and another was given.
    pub(super) fn arrive(
        &mut self,
        arrival: Arrival<'_>,
        naming: Naming<'_>,
        limits: &RoomLimits,
        now: Millis,
    ) -> Option<Problem> {
        let author = arrival.author;
        let known = self.by_id.get(author);
        let role = known
            .and_then(Person::best_role)
            .map_or(arrival.role, |role| role.max(arrival.role));
        let known = known
            .map(|person| person.name.clone())
            .filter(|name| self.may_be_called(name, role, naming).is_ok());
        let (name, refused) = match self.name_for(author, arrival.name, role, naming) {
            Ok(Some(name)) => (name, None),
            Ok(None) => (self.usual_name(author, role, known), None),
            Err(problem) => (self.usual_name(author, role, known), Some(problem)),
        };
        let person = self.by_id.entry(author.clone()).or_insert_with(|| Person {
            name: String::new(),
            folded: String::new(),
            role,
            address: arrival.address,
            connections: [0; 3],
            left: now,
            bucket: Bucket::new(limits.author_burst, now),
            last_message: None,
            following_since: None,
        });
        person.role = role;
        person.address = arrival.address;
        person.following_since = arrival.following_since;
        if !person.is_here() {
            self.present += 1;
        }
        person.connections[arrival.role as usize] += 1;
        self.call(author, name);
        refused
    }

    /// One connection of somebody's is gone, which had that role. True: they're called something else now, since only the role let
    /// them have their name.
    pub(super) fn leave(
        &mut self,
        author: &AuthorId,
        role: Role,
        naming: Naming<'_>,
        now: Millis,
    ) -> bool {
        let Some(person) = self.by_id.get_mut(author) else {
            return false;
        };
        let count = &mut person.connections[role as usize];
        *count = count.saturating_sub(1);
        let Some(best) = person.best_role() else {
            person.left = now;
            self.present = self.present.saturating_sub(1);
            self.bound_absent();
            return false;
        };
        if best == person.role {
            return false;
        }
        person.role = best;
        let name = person.name.clone();
        let may_keep_it = self.may_be_called(&name, best, naming).is_ok();
        if !may_keep_it {
            let name = self.usual_name(author, best, None);
            self.call(author, name);
        }
        !may_keep_it
    }

    /// Forgets who left long ago.
    pub(super) fn tidy(&mut self, now: Millis) {
        let names = &mut self.names;
        self.by_id.retain(|_, person| {
            let stays = person.is_here() || now < person.left + ABSENCE_MS;
            if !stays {
                names.remove(&person.folded);
            }
            stays
        });
    }

    /// Renames somebody.
    pub(super) fn rename(
        &mut self,
        author: &AuthorId,
        name: &str,
        naming: Naming<'_>,
    ) -> Result<(), Problem> {
        let role = self
            .by_id
            .get(author)
            .map_or(Role::Viewer, |person| person.role);
        if let Some(name) = self.name_for(author, Some(name), role, naming)? {
            self.call(author, name);
        }
        Ok(())
    }

    pub(super) fn get(&self, author: &AuthorId) -> Option<&Person> {
        self.by_id.get(author)
    }

    pub(super) fn get_mut(&mut self, author: &AuthorId) -> Option<&mut Person> {
        self.by_id.get_mut(author)
    }

    /// As an entry names them.
    pub(super) fn author(&self, id: &AuthorId) -> Author {
        let person = self.by_id.get(id);
        Author {
            id: id.clone(),
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
            role: person.map_or(Role::Viewer, |person| person.role),
        }
    }

    /// Authors that are there.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    /// The name if it may be had, nothing if none is wanted.
    fn name_for(
        &self,
        author: &AuthorId,
        wanted: Option<&str>,
        role: Role,
        naming: Naming<'_>,
    ) -> Result<Option<String>, Problem> {
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let name = text::clean(wanted);
        let folded = text::fold_name(&name);
        if folded.is_empty() || name.chars().count() > MAX_NAME {
            let text = format!("a name has letters or digits, and {MAX_NAME} characters at most");
            return Err(Problem::new(Code::NameRefused, text));
        }
        self.may_be_called(&name, role, naming)?;
        if self
            .names
            .get(&folded)
            .is_some_and(|holder| holder != author)
        {
            let text = "somebody here has this name, or one that looks like it; choose another";
            return Err(Problem::new(Code::NameTaken, text));
        }
        Ok(Some(name))
    }

    /// What viewers mayn't be called, moderators may.
    fn may_be_called(&self, name: &str, role: Role, naming: Naming<'_>) -> Result<(), Problem> {
        let text = if role >= Role::Moderator {
            return Ok(());
        } else if self.is_reserved(&text::fold_name(name)) {
            "this name looks like the streamer's or a moderator's; choose another"
        } else if naming.refuses(name) {
            "this name has a word or a link that isn't allowed in this chat; choose another"
        } else {
            return Ok(());
        };
        Err(Problem::new(Code::NameRefused, text))
    }

    fn is_reserved(&self, folded: &str) -> bool {
        folded == text::fold_name(&self.channel)
            || TITLES.iter().any(|title| text::fold_name(title) == folded)
    }

    /// The name that somebody had, else the channel's for the streamer, else a guest's.
    fn usual_name(&self, author: &AuthorId, role: Role, known: Option<String>) -> String {
        if let Some(known) = known {
            return known;
        }
        let own = text::fold_name(&self.channel);
        if role == Role::Streamer && self.names.get(&own).is_none_or(|holder| holder == author) {
            return self.channel.clone();
        }
        let letters: String = author
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mut name = format!("guest-{}", &letters[..letters.len().min(5)]);
        // Another's identifier may begin alike, or look alike.
        let mut number = 1;
        while self
            .names
            .get(&text::fold_name(&name))
            .is_some_and(|holder| holder != author)
        {
            number += 1;
            name = format!("guest-{}-{number}", &letters[..letters.len().min(5)]);
        }
        name
    }

    fn call(&mut self, author: &AuthorId, name: String) {
        let folded = text::fold_name(&name);
        if let Some(person) = self.by_id.get_mut(author) {
            if self.names.get(&person.folded) == Some(author) {
                self.names.remove(&person.folded);
            }
            person.folded.clone_from(&folded);
            person.name = name;
            self.names.insert(folded, author.clone());
        }
    }

    fn bound_absent(&mut self) {
        if self.by_id.len() <= self.present as usize + ABSENT {
            return;
        }
        let first = self
            .by_id
            .iter()
            .filter(|(_, person)| !person.is_here())
            .min_by_key(|(_, person)| person.left)
            .map(|(author, _)| author.clone());
        if let Some(person) = first.and_then(|first| self.by_id.remove(&first)) {
            self.names.remove(&person.folded);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::LazyLock;

    use super::*;

    fn id(name: &str) -> AuthorId {
        name.to_owned().try_into().unwrap()
    }

    static NO_WORDS: LazyLock<WordFilter> = LazyLock::new(WordFilter::default);

    fn naming() -> Naming<'static> {
        Naming {
            filter: &NO_WORDS,
            no_links: false,
        }
    }

    fn arrive(people: &mut People, author: &str, name: Option<&str>, role: Role) -> Option<Code> {
        let author = id(author);
        let arrival = Arrival {
            author: &author,
            name,
            role,
            address: AddressHash(0),
            following_since: None,
        };
        people
            .arrive(arrival, naming(), &RoomLimits::default(), 0)
            .map(|problem| problem.code)
    }

    #[test]
    fn nobody_is_called_like_another_or_like_the_streamer() {
        let mut people = People::new("Gardening");
        assert_eq!(arrive(&mut people, "a", Some("Ada"), Role::Viewer), None);
        assert_eq!(
            arrive(&mut people, "b", Some("АDA"), Role::Viewer),
            Some(Code::NameTaken)
        );
        assert_eq!(people.author(&id("b")).name, "guest-b");
        assert_eq!(
            people
                .rename(&id("b"), "gardenlng", naming())
                .unwrap_err()
                .code,
            Code::NameRefused
        );
        assert_eq!(
            people
                .rename(&id("b"), "M0derator", naming())
                .unwrap_err()
                .code,
            Code::NameRefused
        );
        assert_eq!(
            people.rename(&id("b"), "🙂", naming()).unwrap_err().code,
            Code::NameRefused
        );
        assert_eq!(arrive(&mut people, "s", None, Role::Streamer), None);
        assert_eq!(people.author(&id("s")).name, "Gardening");
        people.rename(&id("b"), "Bert", naming()).unwrap();
        assert_eq!(people.present(), 3);
    }

    #[test]
    fn the_best_role_counts_of_the_connections_that_are_there() {
        let mut people = People::new("garden");
        let ada = id("ada");
        let role = |people: &People| people.get(&ada).unwrap().role;
        for (number, arrives) in [Role::Moderator, Role::Viewer, Role::Streamer, Role::Viewer]
            .into_iter()
            .enumerate()
        {
            arrive(&mut people, "ada", (number == 0).then_some("Mod"), arrives);
        }
        assert_eq!((role(&people), people.present()), (Role::Streamer, 1));
        for (leaves, left, is_renamed) in [
            (Role::Viewer, Role::Streamer, false),
            (Role::Streamer, Role::Moderator, false),
            (Role::Moderator, Role::Viewer, true),
        ] {
            assert_eq!(people.leave(&ada, leaves, naming(), 0), is_renamed);
            assert_eq!(role(&people), left);
        }
        assert_eq!(people.author(&ada).name, "guest-ada");
        assert!(!people.leave(&ada, Role::Viewer, naming(), 0));
        assert_eq!(people.present(), 0);
    }

    #[test]
    fn who_comes_back_without_a_role_is_not_called_as_before() {
        let mut people = People::new("garden");
        assert_eq!(arrive(&mut people, "s", None, Role::Streamer), None);
        people.leave(&id("s"), Role::Streamer, naming(), 0);
        assert_eq!(arrive(&mut people, "s", None, Role::Viewer), None);
        assert_eq!(people.author(&id("s")).name, "guest-s");
    }

    #[test]
    fn who_is_cut_off_keeps_the_name_for_a_while() {
        let mut people = People::new("demo");
        arrive(&mut people, "a", Some("Ada"), Role::Viewer);
        people.leave(&id("a"), Role::Viewer, naming(), 0);
        assert_eq!(people.present(), 0);
        people.tidy(ABSENCE_MS - 1);
        assert_eq!(
            arrive(&mut people, "b", Some("ada"), Role::Viewer),
            Some(Code::NameTaken)
        );
        assert_eq!(arrive(&mut people, "a", None, Role::Viewer), None);
        assert_eq!(people.author(&id("a")).name, "Ada");
        people.leave(&id("a"), Role::Viewer, naming(), 5);
        people.tidy(ABSENCE_MS + 5);
        assert!(people.rename(&id("b"), "Ada", naming()).is_ok());
    }

    #[test]
    fn those_who_left_are_bounded() {
        let mut people = People::new("demo");
        for number in 0..ABSENT + 10 {
            let author = format!("x{number}");
            arrive(&mut people, &author, None, Role::Viewer);
            people.leave(&id(&author), Role::Viewer, naming(), number as u64);
        }
        assert_eq!((people.by_id.len(), people.names.len()), (ABSENT, ABSENT));
        assert!(people.get(&id("x9")).is_none() && people.get(&id("x10")).is_some());
    }
}
